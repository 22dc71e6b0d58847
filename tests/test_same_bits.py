"""One sample has the same bits alone, in any batch, with any padding, on any number of threads.

This holds on the native engine. On the reference engine it holds up to rounding: NumPy's products
sum in another order for another shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cases import keeps_steps, leaves, offered
from window_cases import WIDTHS, least, wide, windows_of

import throughtime as tt
from throughtime.activations import ACTIVATIONS
from throughtime.kernels import selection
from throughtime.layers import (
    GRU,
    LRU,
    LSTM,
    RNN,
    Dense,
    Dropout,
    Embedding,
    IndRNN,
    LastStep,
    MaxPool,
    MeanPool,
    MinGRU,
    MinLSTM,
)

few = settings(max_examples=25)
THREADS = (1, 2, 3, 4)
#: Layers without a product in their time loop.
SCANS = (MinGRU, MinLSTM, IndRNN, LRU)


@pytest.fixture(autouse=True)
def threads_as_before():
    yield
    tt.set_num_threads(None)


def same(got: Any, want: Any) -> None:
    """Equal bytes; on the reference engine, equal up to rounding."""
    for a, b in zip(leaves(got), leaves(want), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if selection.current() == "native":
            assert a.tobytes() == b.tobytes()
        else:
            tolerance = 1e-4 if a.dtype == np.float32 else 1e-11
            # A number near zero is the difference of others, as large as the largest of them.
            size = max(1.0, float(np.abs(b).max(initial=0.0)))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size)


def row_of(state: Any, rows: Any) -> Any:
    if state is None:
        return None
    if isinstance(state, np.ndarray):
        return state[rows]
    return tuple(row_of(part, rows) for part in state)


# -- networks and data ------------------------------------------------------------------------


@dataclass
class Problem:
    """A network with a batch; ``ends`` where an output belongs to a sequence, not to a step."""

    net: tt.Network
    x: np.ndarray
    mask: np.ndarray

    @property
    def ends(self) -> bool:
        return self.net.topology.forms[-1].kind == "vector"

    @property
    def in_place(self) -> bool:
        """Whether an output, if it belongs to a step, stands at its place."""
        return self.ends or keeps_steps(self.net)

    def run(self, x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, Any]:
        """The output, and the final states."""
        y, tape = self.net.forward(x, mask=mask)
        same(self.net.predict(x, mask=mask), y)
        if not self.in_place:  # at the front of its row, which has room for those of all steps
            y = wide(y, len(mask[0]) + 7)
        return y, tape.final_state


#: An unbounded exp overflows in a recurrent network.
FUNCTIONS = [name for name in ACTIVATIONS if name != "exp"]

#: Softmax in a gated cell runs on the reference loop.
ALONE = [name for name in FUNCTIONS if name != "softmax"]


@st.composite
def extra_options(draw: Any, layer: type[Any], units: int) -> dict[str, Any]:
    """Some of the options that have loops of their own."""
    offered: dict[str, tuple[Any, ...]] = {
        "layer_norm": (False, units > 1), "zoneout": (0.0, 0.3), "hidden_clip": (None, 0.4),
    }  # fmt: skip
    if layer is LSTM:
        offered |= {
            "peepholes": (False, True), "coupled_gates": (False, True), "proj_size": (None, 3, 18),
            "cell_clip": (None, 0.5), "cell_zoneout": (0.0, 0.2),
        }  # fmt: skip
    return {name: draw(st.sampled_from(values)) for name, values in offered.items()}


@st.composite
def layers_of(draw: Any, both_ways: bool) -> list[Any]:
    """One or two recurrent layers, and what may stand around them."""
    found: list[Any] = draw(windows_of(both_ways))
    last = draw(st.sampled_from(["steps", "end", "mean", "maximum", "last step"]))
    depth = draw(st.integers(1, 2))
    for i in range(depth):
        options: dict[str, Any] = {
            "return_sequences": last != "end" or i + 1 < depth,
            "use_bias": draw(st.booleans()),
            "time_bias": draw(st.booleans()),
            "learn_initial_state": draw(st.booleans()),
            "dropout": 0.3,  # none of it in use
        }
        if both_ways:
            options[draw(st.sampled_from(["bidirectional", "reverse"]))] = True
        layer = draw(st.sampled_from([RNN, GRU, LSTM, *SCANS]))
        units = draw(st.sampled_from(WIDTHS))
        more = draw(extra_options(layer, units)) if draw(st.booleans()) else {}
        plain = layer is RNN and not more
        options["activation"] = draw(st.sampled_from(FUNCTIONS if plain else ALONE))
        if layer is not RNN:
            gates = ["sigmoid", "hard_sigmoid", "tanh"]  # others may grow without bound
            options["recurrent_activation"] = draw(st.sampled_from(gates))
        if layer is GRU:
            options["reset_after"] = bool(more) or draw(st.booleans())
        found.append(layer(units, **offered(layer, **options, **more)))
    pools = {"mean": MeanPool(), "maximum": MaxPool(), "last step": LastStep()}
    found += [pools[last]] if last in pools else []
    return [
        *found,
        Dropout(0.5),
        Dense(draw(st.sampled_from([1, 3, 17])), activation=draw(st.sampled_from(FUNCTIONS))),
    ]


@st.composite
def problems(draw: Any, both_ways: bool | None = None) -> Problem:
    if both_ways is None:
        both_ways = draw(st.booleans())
    layers = draw(layers_of(both_ways))
    rows, steps = draw(st.integers(1, 20)), draw(st.integers(1, 7))
    features = draw(st.sampled_from([1, 2, 5, 16]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    tokens = draw(st.integers(0, 4)) == 0
    if tokens:
        layers = [Embedding(5, features), *layers]
    dtype = draw(st.sampled_from(["float32", "float64"]))
    net = tt.Network(layers, None if tokens else features, dtype)
    net.params.flat = 0.4 * rng.normal(size=net.params.size)
    needed = least(net)
    steps += needed - 1
    if tokens:
        x = rng.integers(0, 5, size=(rows, steps))
    else:
        x = rng.normal(size=(rows, steps, features)).astype(dtype)
    kind = draw(st.sampled_from(["whole", "lengths", "holes"]))
    mask = np.ones((rows, steps), dtype=bool)
    if kind == "lengths":
        mask = np.arange(steps) < rng.integers(needed, steps + 1, size=(rows, 1))
    elif kind == "holes":
        mask = rng.random((rows, steps)) < 0.6
        mask[:, rng.permutation(steps)[:needed]] = True
    return Problem(net, x, mask)


# -- a forward pass ---------------------------------------------------------------------------


@few
@given(problem=problems(), seed=st.integers(0, 2**16))
def test_alone_and_at_any_place_in_any_batch(problem, seed):
    rng = np.random.default_rng(seed)
    y, finals = problem.run(problem.x, problem.mask)
    rows = len(y)
    others = [[n] for n in range(rows)]
    others += [rng.permutation(rows), rng.permutation(rows)[: rng.integers(1, rows + 1)]]
    others += [rng.integers(0, rows, size=rows + 3)]
    for chosen in others:
        part, ends = problem.run(problem.x[chosen], problem.mask[chosen])
        same(part, y[chosen])
        same(ends, [row_of(final, chosen) for final in finals])
    size = int(rng.integers(1, rows + 1))
    cut = problem.net.predict(problem.x, mask=problem.mask, batch_size=size)
    same(cut if problem.in_place else wide(cut, y.shape[1]), y)


@few
@given(problem=problems(), seed=st.integers(0, 2**16))
def test_with_any_padding_whatever_stands_in_it(problem, seed):
    rng = np.random.default_rng(seed)
    x, mask = problem.x, problem.mask
    y, finals = problem.run(x, mask)
    where = np.sort(rng.integers(0, x.shape[1] + 1, size=rng.integers(1, 6)))
    garbage = 3 if x.dtype.kind == "i" else rng.choice([np.nan, np.inf, 1e30, -0.0])
    wide, real = np.insert(x, where, garbage, axis=1), np.insert(mask, where, False, axis=1)
    padded, ends = problem.run(wide, real)
    old = np.insert(np.ones(x.shape[1], dtype=bool), where, False)
    if not problem.in_place:
        same(padded[:, : y.shape[1]], y)
        assert not padded[:, y.shape[1] :].any()
    else:
        same(padded if problem.ends else padded[:, old], y)
    same(ends, finals)
    for n, steps in enumerate(mask):  # and with none
        bare, ends = problem.run(x[n : n + 1, steps], np.ones((1, steps.sum()), dtype=bool))
        if not problem.in_place:
            same(bare, y[n : n + 1, : bare.shape[1]])
        else:
            same(bare, y[n : n + 1] if problem.ends else y[n : n + 1, steps])
        same(ends, [row_of(final, [n]) for final in finals])


# -- streams ----------------------------------------------------------------------------------


@few
@given(problem=problems(both_ways=False), seed=st.integers(0, 2**16))
def test_step_by_step(problem, seed):
    net, x = problem.net, problem.x
    rows, steps = x.shape[:2]
    whole = net.predict(x)
    stream, chosen = net.stream(rows), int(np.random.default_rng(seed).integers(rows))
    single = net.stream()
    for t in range(steps):
        want = net.predict(x[:, : t + 1]) if problem.ends else whole[:, t]
        same(stream.step(x[:, t]), want)
        same(single.step(x[chosen : chosen + 1, t]), want[chosen : chosen + 1])
    _, tape = net.forward(x)
    for own, final in zip(stream.state, tape.final_state, strict=True):
        if final is not None:
            same(own, final)


@few
@given(problem=problems(both_ways=False), first=st.integers(0, 6))
def test_warm_up_and_steps(problem, first):
    """Rows of any length are warmed up together and stepped together."""
    net, x, mask = problem.net, problem.x, problem.mask
    rows, steps = x.shape[:2]
    cut = min(first, steps - 1)
    head = mask.copy()
    head[:, cut + 1 :] = False
    stream = net.stream(rows)
    y = stream.warm_up(x, mask=head)
    alone = []
    for n in np.flatnonzero(head.any(axis=1)):
        own = net.stream()
        for t in np.flatnonzero(head[n]):
            out = own.step(x[n : n + 1, t])
        same(y[n : n + 1], out)
        alone.append((n, own))
    for t in range(cut + 1, steps):
        y = stream.step(x[:, t])
        for n, own in alone:
            same(y[n : n + 1], own.step(x[n : n + 1, t]))


@few
@given(problem=problems(both_ways=False), steps=st.integers(1, 4))
def test_extrapolation_is_to_predict_growing_sequences(problem, steps):
    net, x = problem.net, problem.x
    n_features = net.n_features

    def feedback(y):
        wide = np.zeros((len(y), n_features), dtype=y.dtype)
        wide[:, : y.shape[1]] = np.clip(
            y[:, :n_features], -1, 1
        )  # clipped, or it would grow without bound
        return np.full(len(y), 2) if x.dtype.kind == "i" else wide

    more = net.extrapolate(x, steps, feedback=feedback)
    sequence = x
    for t in range(steps):
        y = net.predict(sequence)
        y = y if problem.ends else y[:, -1]
        same(more[:, t], y)
        sequence = np.concatenate([sequence, feedback(y)[:, None]], axis=1)


# -- threads ----------------------------------------------------------------------------------


def everything(problem: Problem) -> list[Any]:
    """Outputs, states and all gradients."""
    net = problem.net
    net.grads.flat[...] = 0
    y, tape = net.forward(problem.x, mask=problem.mask)
    dx = net.backward(tape, np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))
    return [y, tape.final_state, net.grads.flat.copy(), tape.d_initial_state, dx]


@few
@given(problem=problems())
def test_on_any_number_of_threads(problem):
    want = everything(problem)
    for n in THREADS:
        tt.set_num_threads(n)
        same(everything(problem), want)


#: N, T, F, H: rows and units that threads can share, or cannot, or share unequally.
LARGE = [
    (1, 5, 8, 200),
    (2, 3, 3, 141),
    (5, 4, 8, 130),
    (16, 6, 5, 64),
    (23, 9, 3, 33),
    (64, 3, 2, 40),
    (61, 20, 3, 40),  # a scan goes back over 12 rows at a time, and over one at the end
]


@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (RNN, {}),
        (GRU, {}),
        (GRU, {"reset_after": False}),
        (LSTM, {"time_bias": True}),
        (GRU, {"layer_norm": True, "zoneout": 0.2}),
        (LSTM, {"layer_norm": True, "peepholes": True, "proj_size": 29, "cell_clip": 1.0}),
        *((layer, {}) for layer in SCANS),
    ],
    ids=[
        "rnn", "gru", "gru, reset before", "lstm", "gru, options", "lstm, options",
        *(layer.__name__ for layer in SCANS),
    ],
)  # fmt: skip
def test_work_enough_for_several_threads(layer, options, dtype, shape):
    N, T, F, H = shape
    rng = np.random.default_rng(N)
    options = offered(layer, recurrent_initializer="glorot_uniform") | options
    net = tt.Network([layer(H, return_sequences=True, **options), Dense(70), Dense(3)], F, dtype)
    x = rng.normal(size=(N, T, F)).astype(dtype)
    for mask in (np.ones((N, T), dtype=bool), rng.random((N, T)) < 0.7):
        problem = Problem(net, x, mask)
        results = []
        for n in THREADS:
            tt.set_num_threads(n)
            results.append(everything(problem))
            same(results[-1], results[0])
        y = results[0][0]
        n = N // 2
        same(net.predict(x[n : n + 1], mask=mask[n : n + 1]), y[n : n + 1])
        stream = net.stream(N)
        if mask.all():
            same([stream.step(x[:, t]) for t in range(T)], list(y.swapaxes(0, 1)))


# -- training ---------------------------------------------------------------------------------


def trained(layer: Any, dtype: str, **options: Any) -> tuple[np.ndarray, list[float]]:
    """The parameters after a few epochs with everything on, and what the history says."""
    rng = np.random.default_rng(0)
    more = offered(getattr(layer, "func", layer), recurrent_dropout=0.2)
    layers = [
        layer(40, return_sequences=True, dropout=0.2, **more),
        Dropout(0.1),
        Dense(1),
    ]
    net = tt.Network(layers, 3, dtype)
    x = rng.normal(size=(40, 8, 3))
    y = np.cumsum(x[..., :1], axis=1) / 3
    history = tt.train(
        net, x, y, lengths=rng.integers(3, 9, size=40), epochs=3, batch_size=16, l2=1e-3,
        clip_norm=1.0, validation=0.2, **options,
    )  # fmt: skip
    return net.params.flat.copy(), [*history["loss"], *history["val_loss"], *history["grad_norm"]]


OPTIONED = [
    partial(GRU, layer_norm=True, zoneout=0.2, hidden_clip=0.9),
    partial(LSTM, layer_norm=True, peepholes=True, proj_size=20, zoneout=0.1, cell_zoneout=0.3),
]


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM, *OPTIONED, *SCANS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "tbptt": (3, 5)},
        {"optimizer": "rmsprop", "tbptt": (4, 4)},
    ],
    ids=["whole", "overlapping chunks", "chunks"],
)
def test_training_on_any_number_of_threads(layer, dtype, options):
    params, scores = trained(layer, dtype, **options)
    for n in (None, *THREADS[:3]):
        tt.set_num_threads(n)
        again, values = trained(layer, dtype, **options)
        assert again.tobytes() == params.tobytes()
        assert values == scores
