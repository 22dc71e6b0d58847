"""The fixed part of a network: how layers fit together, and what it says of shapes and steps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from throughtime.errors import (
    ShapeError,
    describe,
    sentence,
)
from throughtime.layers import Embedding, Layer
from throughtime.layers.forms import Form, Steps
from throughtime.network import plan as planning
from throughtime.network.plan import Plan
from throughtime.network.signals import Arrays, first_of
from throughtime.network.wiring import Wiring, output_form

#: What a pass without a tape may take: more rows than fit into this run one part after the other.
#: Parts of 16 to 64 MiB were the fastest (LSTM, GRU, Conv1D and Dense layers of 32 to 256 units).
PASS_BYTES = 2**26
#: Rows that run together in any case: on the native engine fewer take longer for each row (8 rows
#: 5 to 10 %, one row twice as long).
FEWEST_ROWS = 16


class Topology(Wiring):
    """The fixed part of a network: its checked layers, and the form of every signal between them.

    Its other attributes are those of :class:`throughtime.network.wiring.Wiring`.

    Parameters
    ----------
    layers : Plan, or sequence of Layer
        The plan, or the layers of a stack.
    n_features : int or None
        F of the input of a stack; None for tokens.

    Attributes
    ----------
    draws : bool
        Whether any layer draws random numbers in training.
    penalised : bool
        Whether any layer has its own penalty.
    counts_steps : bool
        Whether any layer refuses sequences of some numbers of steps.
    """

    def __init__(self, layers: Plan | Sequence[Layer], n_features: int | None = None) -> None:
        plan = layers if isinstance(layers, Plan) else planning.stack(layers, n_features)[0]
        super().__init__(plan)
        self.draws = any(layer.draws for layer in self.layers)
        # What was found last: the numbers that a pass takes for a sample of a shape, and the steps
        # of the outputs by those of the inputs.
        self._pass_size: tuple[Any, int] = ((), 0)
        self._steps_after: dict[Any, tuple[int, ...]] = {}
        self.penalised = any(penalty for layer in self.layers for penalty in (layer.l1, layer.l2))
        steps = [form.steps for form in self.input_forms if form.steps is not None]
        #: Whether any input has a fixed number of steps.
        self.fixed_steps = any(one.count is not None for one in steps)
        self._warn_of_old_layers()
        self.counts_steps = any(
            type(layer).steps_refusal is not Layer.steps_refusal for layer in self.layers
        )
        if self.counts_steps:
            self._follow([form.steps for form in self.input_forms])

    def __reduce__(self) -> tuple[Any, ...]:
        return Topology, (self.plan,)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of 0.1 holds the attributes, of which there are more by now.
        form = state["input_form"]
        Topology.__init__(self, state["layers"], None if form.kind == "tokens" else form.features)

    def _warn_of_old_layers(self) -> None:
        for layer in self.layers:
            if type(layer).output_steps is not Layer.output_steps:
                warnings.warn(
                    f"{layer.kind}.output_steps goes with version 0.3: let output_form return a"
                    " Form with steps.",
                    DeprecationWarning,
                    stacklevel=4,
                )

    # -- one input, one output ----------------------------------------------------------------

    @property
    def input_form(self) -> Form:
        """Form of the only input; of the first one of several."""
        return self.input_forms[0]

    @property
    def output_forms(self) -> tuple[Form, ...]:
        """Form of each output."""
        return tuple(self.forms[i] for i in self.ends)

    def n_tokens(self, k: int) -> int:
        """The smallest number of tokens among the Embeddings that take input ``k``."""
        found = [
            layer.n_tokens
            for i, layer in enumerate(self.layers)
            if isinstance(layer, Embedding) and self._origin(i) == k
        ]
        return min(found, default=2**62)

    def _origin(self, i: int) -> int:
        """The input whose tokens call ``i`` takes."""
        source = self.plan.calls[i].sources[0]
        while source >= len(self.input_forms):
            source = self.plan.calls[source - len(self.input_forms)].sources[0]
        return source

    # -- shapes -------------------------------------------------------------------------------

    def rows_at_once(self, x: Arrays, itemsize: int) -> int:
        """How many rows of ``x`` a pass without a tape takes together."""
        if len(first_of(x)) <= FEWEST_ROWS:
            return FEWEST_ROWS
        shapes = _shapes(x)
        known, size = self._pass_size
        if known != [shape[1:] for shape in shapes]:
            before, forms = self._forms_for(shapes)
            every = zip(self.layers, before, forms, strict=True)
            size = sum(layer.pass_size(one, after) for layer, one, after in every)
            self._pass_size = [shape[1:] for shape in shapes], size
        return max(FEWEST_ROWS, PASS_BYTES // max(1, size * itemsize))

    def _forms_for(self, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Any], list[Form]]:
        """What each call takes and gives, for inputs of ``shapes``."""
        steps = [
            None if form.steps is None else Steps(shape[1])
            for form, shape in zip(self.input_forms, shapes, strict=True)
        ]
        return self._propagate(steps)

    def _propagate(
        self, steps: Sequence[Steps | None], where: Sequence[str] | None = None
    ) -> tuple[list[Any], list[Form]]:
        """What each call takes and gives, for inputs of ``steps``.

        With ``where``, the words for each input, a layer that cannot take as many steps is refused.
        """
        signals = [replace(f, steps=s) for f, s in zip(self.input_forms, steps, strict=True)]
        inputs, takes = len(signals), []
        for i, (layer, call) in enumerate(zip(self.layers, self.plan.calls, strict=True)):
            forms = tuple(signals[s] for s in call.sources)
            if where is not None:
                for form in forms:
                    self._refuse_steps(i, form, steps, where)
            takes.append(forms if layer.several else forms[0])
            signals.append(output_form(layer, takes[-1]))
        return takes, signals[inputs:]

    def _refuse_steps(
        self, i: int, form: Form, given: Sequence[Steps | None], where: Sequence[str]
    ) -> None:
        count = form.steps.count if form.steps else None
        refusal = self.layers[i].steps_refusal(count) if count else None
        if refusal is None:
            return
        needed, way_out = refusal
        whose, known = "", [(s, w) for s, w in zip(given, where, strict=True) if s and s.count]
        if known:
            own = next((w for s, w in known if s == form.steps), None)
            whose = f" in {own}" if own else f", of the {known[0][0]} of {known[0][1]}"
        raise ShapeError(f"{self.named(i)} needs {needed}; got {count}{whose}. {way_out}")

    def output_shapes(self, shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Shape of each output for inputs of ``shapes``."""
        _, forms = self._forms_for(shapes)
        result: list[tuple[int, ...]] = []
        for i in self.ends:
            form = forms[i]
            rows = shapes[0][0]
            if form.steps is None:
                result.append((rows, form.features))
                continue
            assert form.steps.count is not None  # because those of the inputs are known
            result.append((rows, form.steps.count, form.features))
        return result

    def output_shape(self, input_shape: Any) -> Any:
        """Shape of the only output for a single input of ``input_shape``."""
        return self.output_shapes([input_shape])[0]

    def dry_run(self, input_shape: Any) -> Any:
        """Check shapes as arrays of those shapes would be, and return the shape of the output."""
        plan = self.plan
        several = len(plan.forms) > 1
        found = [input_shape] if not several else plan.inputs.spread("input_shape", input_shape)
        shapes = []
        for name, shape, form in zip(plan.inputs.names, found, self.input_forms, strict=True):
            argument = f"input_shape[{name!r}]" if several else "input_shape"
            shapes.append(_check_shape(argument, shape, form))
        self.check_together("input_shape", shapes)
        if self.counts_steps:
            self._follow(
                [
                    None if form.steps is None else Steps(int(shape[1]))
                    for form, shape in zip(self.input_forms, shapes, strict=True)
                ]
            )
        return plan.outputs.gather(self.output_shapes(shapes))

    def check_together(self, argument: str, shapes: Sequence[tuple[int, ...]]) -> None:
        """Check that inputs of ``shapes`` have as many rows, and the steps that they must have."""
        called = [argument]
        if len(shapes) > 1:
            called = [f"{argument}[{name!r}]" for name in self.plan.inputs.names]
        for whose, shape, form in zip(called, shapes, self.input_forms, strict=True):
            if shape[0] != shapes[0][0]:
                wanted = f"{shapes[0][0]} rows, as {called[0]} has"
                raise ShapeError(sentence(whose, wanted, shape[0], must="have"))
            if form.steps is None:
                continue
            first = form.steps.axis
            steps, wanted = shapes[first][1], f" of {called[first]}, because a layer takes both"
            wanted = f"the {steps} steps{wanted} together"
            if form.steps.count is not None:
                steps, wanted = form.steps.count, f"{form.steps.count} steps"
            if shape[1] != steps:
                raise ShapeError(sentence(whose, wanted, shape[1], must="have"))

    def output_lengths(self, lengths: Any, argument: str = "x") -> Any:
        """Unmasked steps of the output for sequences of ``lengths (N,)``; 0 for a vector.

        Of a network with several inputs or outputs, tuples: of lengths, None for a vector and for
        a sequence that is not known, and of steps. Messages call the inputs ``argument``.

        Raises
        ------
        ShapeError
            If a layer cannot take a sequence of that many steps.
        """
        each = lengths if isinstance(lengths, tuple) else (lengths,)
        timed = [k for k, one in enumerate(each) if one is not None]
        if len(timed) == 1:  # much faster than with an axis
            numbers, first, kind = np.unique(each[timed[0]], return_index=True, return_inverse=True)
            kinds = numbers[:, None]
        else:
            table = np.stack([each[k] for k in timed], axis=1)
            kinds, first, kind = np.unique(table, axis=0, return_index=True, return_inverse=True)
        found = []
        for counts, row in zip(kinds.tolist(), first.tolist(), strict=True):
            key = tuple(zip(timed, counts, strict=True))
            if key not in self._steps_after:
                given = [form.steps for form in self.input_forms]
                for k, count in zip(timed, counts, strict=True):
                    given[k] = Steps(count)
                self._steps_after[key] = self._follow(given, row, argument)
            found.append(self._steps_after[key])
        after = tuple(
            np.array([steps[k] for steps in found], dtype=np.int64)[kind.reshape(-1)]
            for k in range(len(self.plan.signals))
        )
        return after if len(after) > 1 else after[0]

    def _follow(
        self, given: Sequence[Steps | None], row: int = 0, argument: str = "x"
    ) -> tuple[int, ...]:
        """Steps of each output for the ``given`` steps of row ``row``; 0 for a vector."""
        names = self.plan.inputs.names
        where = [f"{argument}[{name!r}][{row}]" for name in names]
        if len(names) == 1:
            where = [f"{argument}[{row}]"]
        _, forms = self._propagate(given, where)
        return tuple(
            (steps.count or 0) if steps else 0 for steps in (forms[i].steps for i in self.ends)
        )


def _shapes(x: Arrays) -> list[tuple[int, ...]]:
    return [a.shape for a in x] if isinstance(x, tuple) else [x.shape]


def _check_shape(argument: str, given: Any, form: Form) -> tuple[int, ...]:
    kind, features = form.kind, form.features
    wanted = {"sequence": f"(N, T, {features})", "tokens": "(N, T)"}.get(kind, f"(N, {features})")
    shape: tuple[Any, ...] = ()
    if isinstance(given, list | tuple):
        shape = tuple(given)
    elif isinstance(given, np.ndarray) and given.ndim == 1:
        shape = tuple(given.tolist())
    whole = all(isinstance(n, int | np.integer) and n >= 0 for n in shape)
    own_features = kind == "tokens" or shape[-1:] == (features,)
    if not whole or len(shape) != wanted.count(",") + 1 or not own_features:
        raise ShapeError(sentence(argument, wanted, describe(given)))
    return tuple(map(int, shape))
