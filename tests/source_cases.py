"""Networks with data of every form, and the same data as batches, for the tests of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from training_graphs import LOSSES, forked, forked_data, stepwise, stepwise_data

import throughtime as tt
from throughtime.layers import CRF, GRU, LSTM, RNN, Conv1D, Dense, Dropout, Embedding

N, STEPS = 10, 6
RNG = np.random.default_rng(3)
X = RNG.normal(size=(N, STEPS, 2))
TOKENS = RNG.integers(0, 5, (N, STEPS))
LENGTHS = np.array([6, 2, 4, 1, 6, 3, 5, 2, 3, 1])
HOLES = RNG.random((N, STEPS)) < 0.7
HOLES[:, 0] = True
HOLES[4] = False  # nothing of this sequence counts
CLASSES = RNG.integers(0, 3, N)
STEP_CLASSES = RNG.integers(0, 3, (N, STEPS))
SUMS = np.cumsum(X[..., :1], axis=1)
LAST = SUMS[:, -1]
WEIGHTS = RNG.random(N) + 0.1
STEP_WEIGHTS = RNG.random((N, STEPS))
STEP_WEIGHTS[2] = 0.0


def vector(*, dtype: str = "float32", outputs: int = 1, **options: Any) -> tt.Network:
    """One output a sequence."""
    layers = [GRU(4, **options), Dense(outputs)]
    return tt.Network(layers, n_features=2, dtype=dtype, seed=1)


def steps(*, dtype: str = "float32", outputs: int = 1, **options: Any) -> tt.Network:
    """An output at every step."""
    layers = [LSTM(4, return_sequences=True, **options), Dense(outputs)]
    return tt.Network(layers, n_features=2, dtype=dtype, seed=1)


def stack(*layers: Any, n_features: int | None = 2) -> tt.Network:
    return tt.Network(list(layers), n_features=n_features, seed=1)


def frozen() -> tt.Network:
    net = stack(GRU(3, return_sequences=True), GRU(3, l2=0.1), Dense(1))
    net.freeze(0)
    return net


def softmax(net: Callable[..., tt.Network]) -> Callable[[], tt.Network]:
    return lambda: net(outputs=3)


def ragged(array: np.ndarray) -> list[np.ndarray]:
    return [row[:end].copy() for row, end in zip(array, LENGTHS, strict=True)]


@dataclass(frozen=True)
class Case:
    """A network, its data by the arguments of ``tt.train``, and options."""

    net: Callable[[], tt.Network]
    data: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        x = self.data["x"]
        return len(next(iter(x.values())) if isinstance(x, dict) else x)

    def rows(self, start: int, end: int) -> dict[str, Any]:
        """Some of the sequences, as a batch that is a dict."""
        return {name: cut(value, slice(start, end)) for name, value in self.data.items()}

    def batches(self, size: int = 4) -> list[dict[str, Any]]:
        return [self.rows(i, i + size) for i in range(0, len(self), size)]


def cut(value: Any, rows: slice) -> Any:
    if isinstance(value, dict):
        return {name: cut(one, rows) for name, one in value.items()}
    return value[rows]


def ctc() -> dict[str, Any]:
    labels = np.where(np.arange(2) < RNG.integers(0, 3, (N, 1)), RNG.integers(1, 4, (N, 2)), -1)
    return {"x": RNG.normal(size=(N, STEPS, 2)), "y": labels}


def weighted_graph() -> dict[str, Any]:
    x, y = forked_data(N)
    return {"x": x, "y": y, "sample_weight": {"price": WEIGHTS, "kind": 1.0 * (np.arange(N) > 4)}}


def ragged_graph() -> dict[str, Any]:
    x, y = stepwise_data(N, STEPS)
    return {"x": {name: ragged(one) for name, one in x.items()},
            "y": {"price": ragged(y["price"]), "kind": y["kind"]}}  # fmt: skip


def graph(data: tuple[Any, Any], **more: Any) -> dict[str, Any]:
    return {"x": data[0], "y": data[1], **more}


HEADS = {"loss": LOSSES, "loss_weights": {"kind": 0.3}, "metrics": {"kind": ["accuracy"]}}
CASES: dict[str, Case] = {
    "vector": Case(vector, {"x": X, "y": LAST}, {"metrics": ["mae", "r2"]}),
    "steps": Case(steps, {"x": X, "y": SUMS}, {"metrics": ["rmse"]}),
    "float64": Case(lambda: steps(dtype="float64"), {"x": X, "y": SUMS}, {"clip_norm": 0.1}),
    "lengths": Case(steps, {"x": X, "y": SUMS, "lengths": LENGTHS}, {"metrics": ["mae"]}),
    "holes": Case(steps, {"x": X, "y": SUMS, "mask": HOLES}, {"clip_value": 0.01}),
    "ragged": Case(steps, {"x": ragged(X), "y": ragged(SUMS)}, {"metrics": ["mae"]}),
    "ragged, vector": Case(vector, {"x": ragged(X), "y": LAST}, {"l2": 0.1}),
    "weights": Case(vector, {"x": X, "y": LAST, "sample_weight": WEIGHTS}, {"metrics": ["mae"]}),
    "weights of steps": Case(
        steps, {"x": X, "y": SUMS, "sample_weight": STEP_WEIGHTS, "lengths": LENGTHS}
    ),
    "ragged weights": Case(
        steps, {"x": ragged(X), "y": ragged(SUMS), "sample_weight": ragged(STEP_WEIGHTS)}
    ),
    "tokens": Case(
        lambda: stack(Embedding(5, 3), GRU(4), Dense(3, activation="softmax"), n_features=None),
        {"x": TOKENS, "y": CLASSES, "lengths": LENGTHS},
        {"loss": "categorical_crossentropy", "metrics": ["accuracy"]},
    ),
    "class weights": Case(
        lambda: stack(GRU(4), Dense(3, activation="softmax")),
        {"x": X, "y": CLASSES, "sample_weight": WEIGHTS},
        {"loss": "categorical_crossentropy", "class_weight": {0: 3.0, 2: 0.0}},
    ),
    "class weights of steps": Case(
        lambda: stack(GRU(4, return_sequences=True), Dense(3, activation="softmax")),
        {"x": X, "y": STEP_CLASSES, "mask": HOLES},
        {"loss": "categorical_crossentropy", "class_weight": {1: 2.0}, "metrics": ["f1"]},
    ),
    "label smoothing": Case(
        lambda: stack(GRU(4), Dense(3, activation="softmax")),
        {"x": X, "y": CLASSES},
        {"loss": tt.losses.CategoricalCrossentropy(label_smoothing=0.1)},
    ),
    "ctc": Case(
        lambda: stack(GRU(4, return_sequences=True), Dense(4, activation="softmax")),
        ctc(),
        {"loss": "ctc"},
    ),
    "crf": Case(
        lambda: stack(GRU(4, return_sequences=True), Dense(3), CRF()),
        {"x": ragged(X), "y": ragged(STEP_CLASSES)},
        {"loss": "crf", "metrics": ["accuracy"]},
    ),
    "tbptt": Case(
        steps,
        {"x": X, "y": SUMS, "lengths": LENGTHS},
        {"tbptt": (2, 3), "l1": 0.01, "metrics": ["mae"]},
    ),
    "tbptt, vector": Case(vector, {"x": X, "y": LAST, "lengths": LENGTHS}, {"tbptt": (2, 3)}),
    "dropout": Case(
        lambda: stack(RNN(4, dropout=0.3, recurrent_dropout=0.2), Dropout(0.2), Dense(1)),
        {"x": X, "y": LAST},
    ),
    "frozen": Case(frozen, {"x": X, "y": LAST}, {"l1": 0.01}),
    "windows": Case(
        lambda: stack(Conv1D(3, 2, stride=2), GRU(4, return_sequences=True), Dense(1)),
        {"x": X, "y": SUMS[:, ::2]},
    ),
    "ragged windows": Case(
        lambda: stack(Conv1D(3, 2, padding="causal"), GRU(4, return_sequences=True), Dense(1)),
        {"x": ragged(X), "y": ragged(SUMS)},
    ),
    "windows, vector": Case(
        lambda: stack(Conv1D(3, 2, stride=2, padding="same"), GRU(4), Dense(1)),
        {"x": ragged(X), "y": LAST},
    ),
    "sum": Case(vector, {"x": X, "y": LAST}, {"loss": tt.losses.MSE(reduction="sum"), "l2": 0.1}),
    "inputs and outputs": Case(forked, graph(forked_data(N)), HEADS),
    "weights by output": Case(forked, weighted_graph(), HEADS),
    "ragged inputs": Case(stepwise, ragged_graph(), HEADS),
    "equal steps": Case(
        stepwise, graph(stepwise_data(N, STEPS), lengths={"left": LENGTHS}), HEADS
    ),
}  # fmt: skip


class Everywhere:
    """A class with ``__iter__``."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        yield from self.batches


def trained(case: Case, **options: Any) -> tuple[np.ndarray, tt.History]:
    """The weights and the history after two epochs."""
    net = case.net()
    options = {"epochs": 2, "seed": 4, "verbose": False, **case.options, **options}
    history = tt.train(net, **options)
    return net.params.flat.copy(), history


def in_memory(case: Case, **options: Any) -> tuple[np.ndarray, tt.History]:
    return trained(case, **case.data, batch_size=4, shuffle=False, **options)


def assert_same(
    found: tuple[np.ndarray, tt.History], wanted: tuple[np.ndarray, tt.History], rtol: float = 1e-12
) -> None:
    """The same bits of the weights and the losses; metrics to rounding."""
    np.testing.assert_array_equal(found[0], wanted[0])
    ours, theirs = found[1], wanted[1]
    names = [name for name in theirs if name != "seconds"]
    assert [name for name in ours if name != "seconds"] == names
    for name in names:
        if name.endswith(("loss", "lr", "grad_norm", "penalty")):
            assert ours[name] == theirs[name], name
        else:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=rtol, atol=1e-12)


def to_maps(value: Any, folder: Path, name: str = "a") -> Any:
    """The same data in files that are mapped into memory."""
    if isinstance(value, dict):
        return {key: to_maps(one, folder, f"{name}_{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [to_maps(one, folder, f"{name}_{i}") for i, one in enumerate(value)]
    path = folder / f"{name}.npy"
    np.save(path, value)
    return np.load(path, mmap_mode="r")
