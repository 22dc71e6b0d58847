"""Layers with the arguments of Keras and the mathematics of throughtime, for Keras's own tests.

This module adds to our network what Keras does differently: a masked step repeats the output
before it (ours are zero), ``go_backwards`` puts its outputs in the order of its steps, a stateful
layer starts where its last call ended, and ``Bidirectional`` merges the directions in other ways
than side by side. Keras has the gates of a GRU in the order z r h, with two rows of biases.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

import throughtime as tt


def draw(initializer: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the numbers of a Keras initialiser (an object, or the name of a constant one)."""
    if isinstance(initializer, str):
        return np.full(shape, {"zeros": 0.0, "ones": 1.0}[initializer])
    return np.asarray(initializer(shape))


class Cell:
    """One of our layers, and its parameters from Keras's initialisers."""

    kind = "RNN"

    def __init__(
        self,
        units: int,
        *,
        kernel_initializer: Any = "ones",
        recurrent_initializer: Any = "ones",
        bias_initializer: Any = "zeros",
        use_bias: bool = True,
        activation: str = "tanh",
        **options: Any,
    ) -> None:
        self.units = units
        self.initializers = kernel_initializer, recurrent_initializer, bias_initializer
        self.use_bias = use_bias
        self.activation = activation
        self.options = options

    def layer(self, **options: Any) -> tt.layers.Layer:
        """Our layer."""
        own = {k: v for k, v in self.options.items() if k != "unit_forget_bias"}
        return getattr(tt.layers, self.kind)(
            self.units, activation=self.activation, use_bias=self.use_bias, **own, **options
        )

    def parameters(self, features: int) -> dict[str, np.ndarray]:
        """Our parameters for an input of ``features``."""
        kernel, recurrent, bias = self.initializers
        width = self.units * len(self.layer().cell.gates)
        result = {
            "W_x": self.ours(draw(kernel, (features, width))),
            "W_h": self.ours(draw(recurrent, (self.units, width))),
        }
        return result | self.biases(bias, width) if self.use_bias else result

    def ours(self, array: np.ndarray) -> np.ndarray:
        """Put Keras's gates into our order."""
        return array

    def biases(self, initializer: Any, width: int) -> dict[str, np.ndarray]:
        """Our biases."""
        return {"b": draw(initializer, (width,))}


class GRUCell(Cell):
    kind = "GRU"

    def ours(self, array: np.ndarray) -> np.ndarray:
        z, r, h = np.split(array, 3, axis=-1)
        return np.concatenate([r, z, h], axis=-1)

    def biases(self, initializer: Any, width: int) -> dict[str, np.ndarray]:
        if not self.options.get("reset_after", True):
            return {"b": self.ours(draw(initializer, (width,)))}
        b, second = self.ours(draw(initializer, (2, width)))
        gates = 2 * self.units
        return {"b": np.append(b[:gates] + second[:gates], b[gates:]), "b_hn": second[gates:]}


class LSTMCell(Cell):
    kind = "LSTM"

    def biases(self, initializer: Any, width: int) -> dict[str, np.ndarray]:
        b = draw(initializer, (width,))
        if self.options.get("unit_forget_bias", True):
            b[self.units : 2 * self.units] = 1.0
        return {"b": b}


class OneStateRNNCell(Cell):
    """The cell of Keras's tests: h_t = x_t W + h_{t-1} U, all weights 1."""

    def __init__(self, units: int) -> None:
        super().__init__(units, use_bias=False, activation="identity")


class RNN:
    """Keras's layer around one cell, or a list of cells one on the other."""

    def __init__(
        self,
        cell: Cell | list[Cell],
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        zero_output_for_mask: bool = False,
        unroll: bool = False,
        implementation: int = 2,
    ) -> None:
        self.cells = cell if isinstance(cell, list) else [cell]
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.state: Any = None

    def network(self, features: int) -> tt.Network:
        """Our network."""
        layers = [
            cell.layer(return_sequences=True, reverse=self.go_backwards) for cell in self.cells
        ]
        net = tt.Network(layers, n_features=features)
        for k, cell in enumerate(self.cells):
            for name, value in cell.parameters(features).items():
                net.params[f"{k}.{name}"] = value
            features = cell.units
        return net

    def run(self, net: tt.Network, x: Any, mask: Any, states: Any) -> tuple[np.ndarray, list[Any]]:
        """Run the network; remember its final states if stateful."""
        if states is None and self.stateful:
            states = self.state
        y, tape = net.forward(np.asarray(x), initial_state=states, mask=mask)
        self.state = tape.final_state
        return y, tape.final_state

    def reset_state(self) -> None:
        self.state = None

    def shown(self, y: np.ndarray, h: np.ndarray, mask: Any, *, backwards: bool) -> np.ndarray:
        """What Keras puts out where ours is y (N, T, H), ending in state h."""
        if not self.return_sequences:
            return h
        y = y[:, ::-1].copy() if backwards else y.copy()
        if mask is not None and not self.zero_output_for_mask:
            real = mask[:, ::-1] if backwards else mask
            for t in range(1, y.shape[1]):
                y[:, t] = np.where(real[:, t, None], y[:, t], y[:, t - 1])
        return y

    def __call__(self, x: Any, mask: Any = None, initial_state: Any = None) -> Any:
        given = None
        if initial_state is not None:
            parts = initial_state if isinstance(initial_state, list) else [initial_state]
            given = [tuple(parts)]
        y, final = self.run(self.network(x.shape[-1]), x, mask, given)
        output = self.shown(y, final[-1][0], mask, backwards=self.go_backwards)
        if not self.return_state:
            return output
        if len(self.cells) == 1:
            return output, *final[0]
        return output, *(s[0] if len(s) == 1 else list(s) for s in final)


def layer_of(cell: type[Cell]) -> Any:
    """Keras's layer that takes the arguments of its cell and its own together."""
    own = (
        *("return_sequences", "return_state", "go_backwards", "stateful"),
        *("zero_output_for_mask", "unroll", "implementation"),
    )

    def make(units: int, **options: Any) -> RNN:
        mine = {k: options.pop(k) for k in own if k in options}
        return RNN(cell(units, **options), **mine)

    return make


class Bidirectional(RNN):
    """Two layers of one cell each as one of our bidirectional layers."""

    MERGES: ClassVar = {
        "concat": lambda a, b: np.concatenate([a, b], axis=-1),
        "sum": lambda a, b: a + b,
        "ave": lambda a, b: (a + b) / 2,
        "mul": lambda a, b: a * b,
        None: lambda a, b: (a, b),
    }

    def __init__(
        self, layer: RNN, merge_mode: str | None = "concat", backward_layer: RNN | None = None
    ) -> None:
        super().__init__(
            [layer.cells[0], (backward_layer or layer).cells[0]],
            return_sequences=layer.return_sequences,
            return_state=layer.return_state,
            stateful=layer.stateful,
            zero_output_for_mask=layer.zero_output_for_mask,
        )
        self.merge = self.MERGES[merge_mode]

    def network(self, features: int) -> tt.Network:
        layer = self.cells[0].layer(return_sequences=True, bidirectional=True)
        net = tt.Network([layer], n_features=features)
        for group, cell in zip(("forward", "backward"), self.cells, strict=True):
            for name, value in cell.parameters(features).items():
                net.params[f"0.{group}.{name}"] = value
        return net

    def __call__(self, x: Any, mask: Any = None, initial_state: Any = None) -> Any:
        given = None
        if initial_state is not None:
            half = len(initial_state) // 2
            given = [(tuple(initial_state[:half]), tuple(initial_state[half:]))]
        y, (final,) = self.run(self.network(x.shape[-1]), x, mask, given)
        parts = [
            self.shown(part, state[0], mask, backwards=False)
            for part, state in zip(np.split(y, 2, axis=-1), final, strict=True)
        ]
        output = self.merge(*parts)
        return (output, *final[0], *final[1]) if self.return_state else output


class Dense:
    """Our Dense layer without a bias, at every step."""

    def __init__(self, units: int, *, kernel_initializer: Any, use_bias: bool) -> None:
        self.layer = tt.layers.Dense(units, use_bias=use_bias)
        self.initializer = kernel_initializer

    def __call__(self, x: Any) -> np.ndarray:
        net = tt.Network([self.layer], n_features=x.shape[-1])
        net.params["0.W"] = draw(self.initializer, net.params["0.W"].shape)
        return net.predict(x)


#: The replacement of ``keras.layers`` in Keras's tests.
LAYERS = SimpleNamespace(
    RNN=RNN,
    SimpleRNN=layer_of(Cell),
    GRU=layer_of(GRUCell),
    LSTM=layer_of(LSTMCell),
    LSTMCell=LSTMCell,
    Bidirectional=Bidirectional,
    Dense=Dense,
    TimeDistributed=lambda layer: layer,
)
