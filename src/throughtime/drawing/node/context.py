"""The context of a node: where its input and its state come from, and where they go."""

from __future__ import annotations

from dataclasses import dataclass

from throughtime.drawing.drawn_layer import Direction, DrawnLayer
from throughtime.layers import Recurrent


@dataclass(frozen=True)
class NodeContext:
    """A layer at a time step, in one direction.

    Attributes
    ----------
    t : int or None
        The step, from 1; None if the layer works on a vector.
    steps : int
        The last step.
    takers : tuple of DrawnLayer
        The layers that take its output.
    """

    drawn: DrawnLayer
    direction: Direction
    t: int | None
    steps: int
    takers: tuple[DrawnLayer, ...]

    @property
    def first(self) -> bool:
        """Whether this is the first step of its direction."""
        return self.t == (self.steps if self.direction.reverse else 1)

    @property
    def last(self) -> bool:
        """Whether this is the last step of its direction."""
        return self.t == (1 if self.direction.reverse else self.steps)

    @property
    def before(self) -> str:
        """The index of the step before this one in its direction."""
        return "t+1" if self.direction.reverse else "t-1"

    @property
    def after(self) -> str:
        """The index of the step after this one in its direction."""
        return "t-1" if self.direction.reverse else "t+1"

    @property
    def time_bias(self) -> bool:
        """Whether b_time is added: not at the first step, unless the layer receives a state."""
        started = not self.first or self.drawn.receives is not None
        return "b_time" in self.direction.leaves and started

    @property
    def passes(self) -> bool:
        """Whether this step's h goes to the layers above."""
        if not isinstance(self.drawn.layer, Recurrent):
            return True
        lasts = [taker.kind == "last" for taker in self.takers]
        if lasts and all(lasts) and len(self.drawn.above) == len(lasts) and self.drawn.after:
            return self.t == self.steps
        return self.drawn.after is not None or self.last

    @property
    def end(self) -> int:
        """The step whose h goes to the layer above, if only one does."""
        return 1 if self.direction.reverse and self.drawn.after is None else self.steps

    def indexed(self, text: str) -> str:
        """``text`` without the index t if there are no time steps."""
        return text.replace("_t", "") if self.t is None else text

    @property
    def sources(self) -> list[str]:
        """The terms of dL/dh, as words in an equation."""
        terms = []
        if self.passes:
            terms.append('"(from above)"')
        terms.append('"(of the final state)"' if self.last else f'"(from step {self.after})"')
        return terms

    @property
    def from_below(self) -> str:
        """Where the input comes from."""
        return " and ".join(self.drawn.below)

    @property
    def to_above(self) -> str:
        """Where the output goes."""
        return " and ".join(self.drawn.above)

    @property
    def weights_above(self) -> str:
        """The weights that multiply the output in the layer above; empty if there are none."""
        if len(self.drawn.above) != 1 or not self.takers:
            return ""
        (above,) = self.takers
        leaves = above.directions[0].leaves
        for name, formula in (("W_x", "W_x"), ("W", "W")):
            if name in leaves and above.kind in ("recurrent", "step"):
                return f"{above.owner}.{formula}"
        return ""

    @property
    def origin(self) -> list[str]:
        """Where the state comes from, as lines of text."""
        if not self.first:
            return [f"from step {self.before}"]
        if self.drawn.giver is not None:
            return ["from the final state", f"of {self.drawn.receives}"]
        if self.drawn.receives is not None:
            return [f"from {self.drawn.receives}"]
        learned = next((n for n, _ in self.direction.params if n.endswith(".h_0")), None)
        return ["initial state,", f"learned: {learned}" if learned else "zero"]

    @property
    def target(self) -> list[str]:
        """Where the state goes, as lines of text."""
        if not self.last:
            return [f"to step {self.after}"]
        if self.drawn.hands:
            return ["final state,", f"to layer {' and '.join(self.drawn.hands)}"]
        return ["final state", "(returned)" if self.drawn.returns else "(not used)"]
