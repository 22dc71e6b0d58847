"""How layers fit together: the form of every signal, and which layer passes its state to which."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_int,
    describe,
    sentence,
)
from throughtime.layers import Embedding, Layer, Recurrent, RepeatVector
from throughtime.layers.forms import Form, Steps
from throughtime.network.params import Params

#: What a pass without a tape may take: more rows than fit into this run one part after the other.
#: Parts of 16 to 64 MiB were the fastest (LSTM, GRU, Conv1D and Dense layers of 32 to 256 units).
PASS_BYTES = 2**26
#: Rows that run together in any case: on the native engine fewer take longer for each row (8 rows
#: 5 to 10 %, one row twice as long).
FEWEST_ROWS = 16


class Topology:
    """The fixed part of a network: its checked layers, and the form of every signal between them.

    Parameters
    ----------
    layers : sequence of Layer
    n_features : int or None
        F of the input; None for tokens.

    Attributes
    ----------
    input_form : Form
        Form of the network's input.
    forms : list of Form
        Form of the output of each layer.
    owners : list of str
        Owner of the parameters of each layer, with which their names begin: its number.
    hands_state : list of bool
        Whether each layer passes its final state to the next recurrent layer.
    returns_state : int or None
        Index of the layer whose final state ``predict`` returns.
    draws : bool
        Whether any layer draws random numbers in training.
    penalised : bool
        Whether any layer has its own penalty.
    counts_steps : bool
        Whether any layer refuses sequences of some numbers of steps.
    """

    def __init__(self, layers: Sequence[Layer], n_features: int | None) -> None:
        self.layers = _check_layers(layers)
        self.input_form = _input_form(self.layers, n_features)
        self.forms = _chain(self.layers, self.input_form)
        self.owners = [str(i) for i in range(len(self.layers))]
        self._numbers = {owner: i for i, owner in enumerate(self.owners)}
        self.hands_state = [False] * len(self.layers)
        self.returns_state: int | None = None
        self.draws = any(layer.draws for layer in self.layers)
        # What was found last: the numbers that a pass takes for a sample of a shape, and the steps
        # of the output by those of the input.
        self._pass_size: tuple[tuple[int, ...], int] = ((), 0)
        self._steps_after: dict[int, int] = {}
        self.penalised = any(penalty for layer in self.layers for penalty in (layer.l1, layer.l2))
        self._hand_over()
        self._warn_of_old_layers()
        self.counts_steps = any(
            type(layer).steps_refusal is not Layer.steps_refusal for layer in self.layers
        )
        if self.input_form.kind == "vector":
            self._follow(None)

    def __reduce__(self) -> tuple[Any, ...]:
        tokens = self.input_form.kind == "tokens"
        return Topology, (self.layers, None if tokens else self.input_form.features)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of 0.1 holds the attributes, of which there are more by now.
        form = state["input_form"]
        Topology.__init__(self, state["layers"], None if form.kind == "tokens" else form.features)

    def _hand_over(self) -> None:
        recurrent = [(i, r) for i, r in enumerate(self.layers) if isinstance(r, Recurrent)]
        for k, (i, layer) in enumerate(recurrent):
            if not layer.return_state:
                continue
            if k + 1 == len(recurrent):
                self.returns_state = i
                continue
            j, consumer = recurrent[k + 1]
            if _state_form(layer) != _state_form(consumer):
                raise InvalidArgumentError(
                    f"layer {i} ({layer.kind}) hands its state to layer {j} ({consumer.kind}),"
                    " which must have the same units, states and directions. Make them equal, or"
                    f" set return_state=False in layer {i}."
                )
            self.hands_state[i] = True

    def _warn_of_old_layers(self) -> None:
        for layer in self.layers:
            if type(layer).output_steps is not Layer.output_steps:
                warnings.warn(
                    f"{layer.kind}.output_steps goes with version 0.3: let output_form return a"
                    " Form with steps.",
                    DeprecationWarning,
                    stacklevel=4,
                )

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter of the network."""
        before = [self.input_form, *self.forms[:-1]]
        return {
            f"{owner}.{name}": shape
            for owner, layer, form in zip(self.owners, self.layers, before, strict=True)
            for name, shape in layer.param_shapes(form).items()
        }

    def layer_of(self, name: str) -> int:
        """The number of the layer that owns the parameter ``name``."""
        return self._numbers[Params.owner(name)]

    def rows_at_once(self, input_shape: tuple[int, ...], itemsize: int) -> int:
        """How many rows a pass without a tape takes together."""
        if input_shape[0] <= FEWEST_ROWS:
            return FEWEST_ROWS
        shape, size = self._pass_size
        if shape != input_shape[1:]:
            forms = self._forms_for(input_shape)
            pairs = zip(self.layers, itertools.pairwise(forms), strict=True)
            size = sum(layer.pass_size(*pair) for layer, pair in pairs)
            self._pass_size = input_shape[1:], size
        return max(FEWEST_ROWS, PASS_BYTES // max(1, size * itemsize))

    def _forms_for(self, input_shape: tuple[int, ...]) -> list[Form]:
        """Form of the input, and of the output of each layer, for an input of ``input_shape``."""
        form = self.input_form
        if form.kind != "vector":
            form = replace(form, steps=Steps(input_shape[1]))
        forms = [form]
        for layer in self.layers:
            forms.append(output_form(layer, forms[-1]))
        return forms

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the output for an input of ``input_shape``."""
        form = self._forms_for(input_shape)[-1]
        if form.steps is None:
            return input_shape[0], form.features
        assert form.steps.count is not None  # because that of the input is known
        return input_shape[0], form.steps.count, form.features

    def dry_run(self, input_shape: Any) -> tuple[int, ...]:
        """Check ``input_shape`` as an array of that shape would be, and return the output shape."""
        kind, features = self.input_form.kind, self.input_form.features
        wanted = {"sequence": f"(N, T, {features})", "tokens": "(N, T)"}.get(
            kind, f"(N, {features})"
        )
        shape: tuple[Any, ...] = ()
        if isinstance(input_shape, list | tuple):
            shape = tuple(input_shape)
        elif isinstance(input_shape, np.ndarray) and input_shape.ndim == 1:
            shape = tuple(input_shape.tolist())
        whole = all(isinstance(n, int | np.integer) and n >= 0 for n in shape)
        own_features = kind == "tokens" or shape[-1:] == (features,)
        if not whole or len(shape) != wanted.count(",") + 1 or not own_features:
            raise ShapeError(sentence("input_shape", wanted, describe(input_shape)))
        if self.counts_steps and kind != "vector":
            self._follow(Steps(int(shape[1])))
        return self.output_shape(tuple(map(int, shape)))

    def output_lengths(self, lengths: np.ndarray) -> np.ndarray:
        """Unmasked steps of the output for sequences of ``lengths (N,)``; 0 for a vector.

        Raises
        ------
        ShapeError
            If a layer cannot take a sequence of that many steps.
        """
        kinds, first, kind = np.unique(lengths, return_index=True, return_inverse=True)
        known = self._steps_after
        for steps, row in zip(kinds.tolist(), first.tolist(), strict=True):
            if steps not in known:
                known[steps] = self._follow(Steps(steps), row)
        return np.array([known[steps] for steps in kinds.tolist()], dtype=np.int64)[kind]

    def _follow(self, given: Steps | None, row: int = 0) -> int:
        """Steps of the output for the ``given`` steps of ``x[row]``; 0 for a vector."""
        form = replace(self.input_form, steps=given)
        for i, layer in enumerate(self.layers):
            count = form.steps.count if form.steps else None
            refusal = layer.steps_refusal(count) if count else None
            if refusal is not None:
                needed, way_out = refusal
                whose = f" in x[{row}]" if form.steps == given else f", of the {given} of x[{row}]"
                raise ShapeError(
                    f"layer {i} ({layer.kind}) needs {needed}; got {count}"
                    f"{'' if given is None else whose}. {way_out}"
                )
            form = output_form(layer, form)
        return (form.steps.count or 0) if form.steps else 0


def _check_layers(layers: Any) -> tuple[Layer, ...]:
    if isinstance(layers, Layer):
        layers = [layers]
    if not isinstance(layers, list | tuple) or not layers:
        raise InvalidTypeError(sentence("layers", "a list of at least one layer", describe(layers)))
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise InvalidTypeError(sentence(f"layers[{i}]", "a layer", describe(layer)))
    return tuple(layers)


def _input_form(layers: tuple[Layer, ...], n_features: int | None) -> Form:
    """Form of the input: the first layer that takes one kind of signal only decides."""
    if isinstance(layers[0], Embedding):
        if n_features is not None:
            raise InvalidArgumentError(
                sentence(
                    "n_features",
                    "left out where the first layer is an Embedding",
                    describe(n_features),
                )
            )
        return Form("tokens", 1, Steps())
    if n_features is None:
        raise InvalidArgumentError("n_features must be given: the number of features of a step.")
    strict = next((layer for layer in layers if len(layer.takes) == 1), None)
    kind = "vector" if isinstance(strict, RepeatVector) else "sequence"
    steps = None if kind == "vector" else Steps()
    return Form(kind, check_int("n_features", n_features, 1), steps)


def _chain(layers: tuple[Layer, ...], form: Form) -> list[Form]:
    forms: list[Form] = []
    for i, layer in enumerate(layers):
        if form.kind not in layer.takes:
            wanted = layer.takes[0] if layer.takes[0] == "tokens" else f"a {layer.takes[0]}"
            raise InvalidArgumentError(
                f"layer {i} ({layer.kind}) needs {wanted}, and layer {i - 1} ({layers[i - 1].kind})"
                f" gives a {form.kind}. {_way_out(layers, forms, layer.takes[0])}"
            )
        form = output_form(layer, form)
        forms.append(form)
    return forms


def output_form(layer: Layer, form: Form) -> Form:
    """Form of the output of ``layer``, also of a user-defined layer written for version 0.1.

    Such a layer says by ``output_steps`` how many steps its output has, and its forms have none.
    """
    after = layer.output_form(form)
    if after.kind == "vector":
        return replace(after, steps=None)
    if type(layer).output_steps is not Layer.output_steps:
        return replace(after, steps=_steps_by_number(layer, form.steps))
    return after if after.steps is not None else replace(after, steps=form.steps)


def _steps_by_number(layer: Layer, steps: Steps | None) -> Steps | None:
    """What ``layer.output_steps`` makes of a number, or of two large ones where none is known."""
    if steps is None or steps.count is not None:
        count = layer.output_steps(None if steps is None else steps.count)
        return None if count is None else Steps(int(count))
    numbers = 2**30, 2**31
    one, two = (layer.output_steps(number) for number in numbers)
    if one == two:
        return None if one is None else Steps(int(one))
    return steps if (one, two) == numbers else Steps(changed=True)


def _way_out(layers: tuple[Layer, ...], forms: list[Form], wanted: str) -> str:
    """The way out where the next layer needs ``wanted``.

    ``forms`` are those of the layers before it. There is at least one, because the first layer
    always has what it needs.
    """
    if wanted == "tokens":
        return "An Embedding must be the first layer."
    if wanted == "vector":
        return (
            "Let the recurrent layer before it have return_sequences=False, or put a pooling layer"
            " between."
        )
    maker = len(forms) - 1  # the layer that made the vector
    while maker > 0 and forms[maker - 1].kind == forms[-1].kind:
        maker -= 1
    if isinstance(layers[maker], Recurrent):
        return f"Set return_sequences=True in layer {maker}, or put a RepeatVector between."
    return "Put a RepeatVector between."


def _state_form(layer: Recurrent) -> tuple[Any, ...]:
    return layer.units, layer.cell.states, layer.time_bias, layer.bidirectional
