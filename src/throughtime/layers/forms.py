"""The static form of a signal between layers: its kind, its features, its time steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from throughtime.errors import InvalidArgumentError, InvalidTypeError, describe, sentence

#: Numbers of steps by which two rules are told apart: no stride in use has so long a period.
PROBES = tuple(range(2**20, 2**20 + 24))


@dataclass(frozen=True)
class Steps:
    """How many time steps a signal has.

    Attributes
    ----------
    count : int or None
        The number; None where it depends on the data.
    changed : bool
        Whether a number that depends on the data differs from that of the network's input.
    axis : int
        The input, or the first of the inputs with the same steps, whose number it depends on.
    probe : tuple of int, optional
        What the number is for the :data:`PROBES` of the input: two signals with the same have the
        same steps. None where it is not known, or nothing has changed.

    Examples
    --------
    >>> print(Steps(), Steps(changed=True), Steps(12))
    T T' 12
    """

    count: int | None = None
    changed: bool = False
    axis: int = 0
    probe: tuple[int, ...] | None = field(default=None, compare=False, repr=False)

    def after(self, rule: Callable[[int], int]) -> Steps:
        """The steps of a layer that makes ``rule(n)`` steps of n.

        Examples
        --------
        >>> print(Steps(12).after(lambda n: n // 2), Steps().after(lambda n: n // 2))
        6 T'
        """
        if self.count is not None:
            return Steps(int(rule(self.count)))
        if self.changed and self.probe is None:
            return Steps(changed=True, axis=self.axis)
        probe = tuple(int(rule(number)) for number in self.probe or PROBES)
        return Steps(changed=True, axis=self.axis, probe=probe)

    def agrees(self, other: Steps) -> bool:
        """Whether two signals can have the same steps: False where it is certain that they differ.

        Examples
        --------
        >>> half = Steps().after(lambda n: n // 2)
        >>> half.agrees(Steps().after(lambda n: (n - 1) // 2)), half.agrees(half)
        (False, True)
        """
        if self.count is not None or other.count is not None:
            return self.count == other.count
        if self.axis != other.axis:
            return False
        own, theirs = self.probe or PROBES, other.probe or PROBES
        unknown = (self.changed and self.probe is None) or (other.changed and other.probe is None)
        return unknown or own == theirs

    def __str__(self) -> str:
        if self.count is None:
            number = "" if self.axis == 0 else str(self.axis + 1)
            return f"T{number}'" if self.changed else f"T{number}"
        return str(self.count)


@dataclass(frozen=True)
class Form:
    """The static form of a signal between layers.

    Attributes
    ----------
    kind : str
        ``"sequence"`` (N, T, features), ``"vector"`` (N, features) or ``"tokens"``
        (N, T), integers.
    features : int
        Size of the last axis; 1 for tokens.
    steps : Steps or None
        Size of the time axis; None for a vector, which has none.
    """

    kind: str
    features: int
    steps: Steps | None = None

    def __str__(self) -> str:
        steps = "" if self.steps is None else f" {self.steps},"
        return (
            f"(N,{steps[:-1]}) tokens" if self.kind == "tokens" else f"(N,{steps} {self.features})"
        )

    @property
    def size(self) -> int:
        """How many numbers one sample has; of steps whose number is not known, one step."""
        steps = 1 if self.steps is None or self.steps.count is None else self.steps.count
        return steps * self.features


def check_name(name: Any) -> str:
    """Return the name of a layer or an input, or refuse it."""
    if not isinstance(name, str):
        raise InvalidTypeError(sentence("name", "a text", describe(name)))
    if not name.strip() or name.isdecimal() or not name.isprintable() or {*name} & {*"./"}:
        raise InvalidArgumentError(
            sentence("name", "a text without dots and slashes, and not a number", describe(name))
        )
    return name
