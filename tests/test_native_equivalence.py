"""The native loops give the results of the reference loops, for every cell and option."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_cases import (
    ACTIVE,
    CELLS,
    MASKS,
    Loop,
    error,
    is_native,
    mask_of,
    needs_native,
    run,
    same_bits,
    scale_of,
)
from network_cases import CASES, leaves, offered
from network_cases import CELLS as LAYERS

import throughtime as tt
from throughtime import cells
from throughtime.activations import Activation, Tanh
from throughtime.cells.base import dropped
from throughtime.kernels import selection

pytestmark = needs_native

#: Tolerances relative to the largest number of an array.
DOUBLE, SINGLE = 1e-12, 2e-6

every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

LEVELS = selection.extension().levels() if selection.extension() else ()

#: N, T, F, H: zero, one, one more than a vector or a tile holds, and both at once.
SIZES = [
    (0, 3, 2, 4), (2, 0, 2, 4), (2, 3, 0, 4), (0, 0, 0, 1), (1, 1, 1, 1), (3, 5, 2, 1),
    (1, 6, 3, 17), (5, 1, 2, 16), (2, 4, 1, 33), (13, 3, 5, 8), (7, 4, 31, 3), (3, 3, 2, 70),
    (19, 3, 9, 40),
]  # fmt: skip


def agree(loop: Loop, double_limit: float = DOUBLE, single_limit: float = SINGLE) -> None:
    """Both dtypes, against the reference in float64."""
    exact = run(loop, "reference")
    double, single = run(loop, "native"), run(loop, "native", "float32")
    rounded: dict[str, np.ndarray] | None = None
    assert double.keys() == single.keys() == exact.keys()
    for name, want in exact.items():
        assert double[name].dtype == np.float64
        assert single[name].dtype == np.float32
        assert error(double[name], want) <= double_limit, name
        wrong = error(single[name], want)
        if wrong > single_limit:  # then NumPy is as far off in float32: sums cancel, or errors grow
            rounded = run(loop, "reference", "float32") if rounded is None else rounded
            assert wrong <= 256 * error(rounded[name], want), name


# -- everything that comes out ----------------------------------------------------------------


@every_cell
@pytest.mark.parametrize("mask", MASKS)
def test_every_size_and_mask(cell, mask):
    for i, shape in enumerate(SIZES):
        agree(Loop(cell, shape, mask, seed=i, reverse=i % 2 == 1))


@every_cell
@pytest.mark.parametrize("level", LEVELS)
def test_every_instruction_set(cell, level):
    extension = selection.extension()
    before = extension.level()
    extension.use_level(level)
    try:
        for i, shape in enumerate(SIZES):
            agree(Loop(cell, shape, "holes", time_bias=True, drop=True, seed=i))
    finally:
        extension.use_level(before)


#: Shapes with one axis much longer than a tile, a cache or one pass over a sum.
LONG = [(1, 2, 700, 5), (1, 2, 3, 300), (150, 2, 3, 4), (1, 150, 1, 3), (33, 20, 40, 70)]


@every_cell
@pytest.mark.parametrize("shape", LONG, ids=str)
def test_long_axes(cell, shape):
    agree(Loop(cell, shape, "lengths", scale=0.3, size=0.5))


@every_cell
@pytest.mark.parametrize("size", [0.0, 1e-30])
def test_the_smallest_numbers(cell, size):
    agree(Loop(cell, (3, 4, 2, 19), "holes", bias=False, size=size))


@every_cell
@every_dtype
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_saturated(cell, dtype, size):
    """Functions at their ends; of the gradient nothing is left but what cancels there."""
    loop = Loop(cell, (3, 4, 2, 19), "holes", size=size)
    want, got = run(loop, "reference"), run(loop, "native", dtype)
    for name, array in got.items():
        assert np.isfinite(array).all()
        if name == "y" or name.startswith("final"):
            # Large terms may cancel to a small argument, which has lost its last digits.
            assert error(array, want[name]) <= (1e-10 if dtype == "float64" else 1e-4), name


@every_cell
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_every_combination_of_options(cell, bias, drop, reverse):
    times = [(False, False), (True, False), (True, True)]
    for (time_bias, started), mask in itertools.product(times, ["none", "holes"]):
        agree(Loop(cell, (5, 6, 3, 9), mask, bias, time_bias, started, drop, reverse))


@pytest.mark.parametrize("name", ACTIVE)
def test_every_activation_in_every_place(name):
    agree(Loop(ACTIVE[name], (3, 4, 2, 21), "holes", scale=scale_of(name)))


@settings(max_examples=150)
@given(
    name=st.sampled_from([n for n, cell in ACTIVE.items() if is_native(cell) and " exp" not in n]),
    shape=st.tuples(*(st.integers(1, top) for top in (14, 7, 12, 50))),
    mask=st.sampled_from(MASKS),
    options=st.tuples(*[st.booleans()] * 5),
    seed=st.integers(0, 99),
)
def test_whatever_is_drawn(name, shape, mask, options, seed):
    agree(Loop(ACTIVE[name], shape, mask, *options, scale_of(name), seed))


@every_cell
@every_dtype
def test_only_some_gradients_come_in_and_only_some_are_wanted(cell, dtype):
    loop = Loop(cell, (4, 5, 3, 18), "holes", time_bias=True, drop=True)
    limit = DOUBLE if dtype == "float64" else 2 * SINGLE
    for outputs, ends, inputs in itertools.product([True, False], repeat=3):
        found = []
        for engine, precision in (("reference", "float64"), ("native", dtype)):
            data = loop.data(precision)
            data.dy = data.dy if outputs else None
            data.d_final = data.d_final if ends else None
            with tt.engine(engine):
                _, tape = data.forward()
                found.append(data.backward(tape, inputs))
        want, got = found
        assert got.keys() == want.keys()
        assert ("dx" in got) == inputs
        for name, array in want.items():
            assert error(got[name], array) <= limit, name


@every_cell
@every_dtype
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_without_a_tape_the_bits_are_the_same(cell, dtype, mask):
    for shape in SIZES:
        data = Loop(cell, shape, mask, time_bias=True, drop=True).data(dtype)
        with tt.engine("native"):
            kept, _ = data.forward()
            without, none = data.forward(keep=False)
        assert none is None
        same_bits(without, kept)


@every_dtype
@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize("bias", [True, False])
def test_dense_layers(dtype, mask, bias):
    for i, (N, T, F, K) in enumerate([*SIZES[4:], *LONG]):
        rng = np.random.default_rng(i)
        real = mask_of(mask, N, T, rng)
        x, dy = rng.normal(size=(N, T, F)), rng.normal(size=(N, T, K))
        if real is not None:
            x[~real] = 0
        weights = rng.normal(size=F * K + K * bias) / np.sqrt(F)
        found = []
        for engine, precision in (("reference", "float64"), ("native", dtype)):
            net = tt.Network([tt.layers.Dense(K, activation="tanh", use_bias=bias)], F, precision)
            net.params.flat = weights
            with tt.engine(engine):
                y, tape = net.forward(x, mask=real)
                found.append([y, net.backward(tape, dy), *net.grads.values()])
        for want, got in zip(*found, strict=True):
            assert error(got, want) <= (DOUBLE if dtype == "float64" else SINGLE)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_network(case):
    def everything(engine, dtype):
        net = case.network(dtype)
        x, mask = case.batch(net)
        states = case.initial_state(case.network(), len(x))
        with tt.engine(engine):
            y, tape = case.run(net, x, mask, net.check_states(states, len(x)))
            dx = net.backward(tape, np.cos(np.arange(y.size, dtype=dtype)).reshape(y.shape))
        found = [y, net.grads.flat, *leaves(tape.final_state), *leaves(tape.d_initial_state)]
        return found if dx is None else [*found, dx]

    exact, double = everything("reference", "float64"), everything("native", "float64")
    single, rounded = everything("native", "float32"), everything("reference", "float32")
    # Two normalised numbers are nearly 1 and -1: little is left of their gradients.
    normalised = any(getattr(layer, "layer_norm", False) for layer in case.layers)
    limits = (1e-10, 1e-2) if normalised else (DOUBLE, SINGLE)
    for want, close, near, numpy in zip(exact, double, single, rounded, strict=True):
        assert error(close, want) <= limits[0]
        assert error(near, want) <= max(limits[1], 4 * error(numpy, want))


# -- tapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, cell in ACTIVE.items() if is_native(cell)])
@every_dtype
def test_the_native_engine_runs_what_is_built_in(name, dtype):
    with tt.engine("native"):
        _, tape = Loop(ACTIVE[name], scale=scale_of(name)).data(dtype).forward()
    assert tape.engine == "native"


@every_cell
@every_dtype
def test_gradients_are_added(cell, dtype):
    """To what stood there; and a tape that is used again gives the same bits."""
    data = Loop(cell, (4, 5, 3, 18), "holes", time_bias=True, drop=True).data(dtype)
    with tt.engine("native"):
        _, tape = data.forward()
        first = data.backward(tape)
        same_bits(data.backward(tape), first)
        added = data.backward(tape, start=3.0)
    for name in data.p:
        limit = 1e-14 if dtype == "float64" else 1e-6
        np.testing.assert_allclose(added[f"d{name}"], first[f"d{name}"] + 3, rtol=limit, atol=limit)


@every_cell
def test_two_tapes_at_once(cell):
    """The second pass does not write into the memory of the first."""
    loops = [Loop(cell, shape, "holes", seed=i) for i, shape in enumerate([(4, 5, 3, 18)] * 3)]
    with tt.engine("native"):
        alone = [loop.data().run() for loop in loops]
        datas = [loop.data() for loop in loops]
        passes = [data.forward() for data in datas]
        for data, (outputs, tape), want in reversed(list(zip(datas, passes, alone, strict=True))):
            same_bits(outputs | data.backward(tape), want)


@pytest.mark.parametrize("cell", [c for n, c in CELLS.items() if n != "lru"], ids=repr)
def test_parameters_that_change_between_the_two_passes(cell):
    """What one engine does then, the other does: the way back reads them as they are.

    The scan of an LRU has parameters of its own, which the forward pass has computed.
    """
    found = []
    for engine in ("reference", "native"):
        data = Loop(cell, (4, 5, 3, 18), "holes", time_bias=True).data()
        with tt.engine(engine):
            _, tape = data.forward()
            for value in data.p.values():
                value *= 0.5
            found.append(data.backward(tape))
    for name, want in found[0].items():
        assert error(found[1][name], want) <= DOUBLE, name


@every_cell
@pytest.mark.parametrize(("first", "then"), [("native", "reference"), ("reference", "native")])
def test_a_tape_goes_back_on_the_engine_that_wrote_it(cell, first, then):
    loop = Loop(cell, (4, 5, 3, 18), "holes")
    data, want = loop.data(), run(loop, first)
    with tt.engine(first):
        outputs, tape = data.forward()
    with tt.engine(then):
        same_bits(outputs | data.backward(tape), want)


@pytest.mark.parametrize("name", LAYERS)
def test_a_stream_may_change_its_engine(name):
    layer, own = LAYERS[name]
    own = own | offered(layer, time_bias=True)
    net = tt.Network(
        [layer(9, return_sequences=True, **own), tt.layers.MeanPool(),
         tt.layers.Dense(2, activation="tanh")], 3, "float64",
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(2, 9, 3))
    with tt.engine("reference"):
        want = [net.predict(x[:, : t + 1]) for t in range(9)]
    stream = net.stream(2)
    for t, name in enumerate(["native", "native", "reference"] * 3):
        with tt.engine(name):
            assert error(stream.step(x[:, t]), want[t]) <= DOUBLE


# -- what only the reference can do -----------------------------------------------------------


@dataclass(frozen=True)
class Steep(Tanh):
    """Derived from a built-in activation, and another function."""

    def __call__(self, z):
        return np.tanh(2 * z)

    def derivative(self, y):
        return 2 * (1 - y * y)


@dataclass(frozen=True)
class Sine(Activation):
    needs_input: ClassVar[bool] = True

    def __call__(self, z):
        return np.sin(z)

    def backward(self, dy, y, z=None):
        return dy * np.cos(z)


class Bent(Activation):
    """Without a hash, and without options that compare."""

    __hash__ = None

    def __eq__(self, other):
        raise NotImplementedError

    def __repr__(self):
        return "Bent()"

    def __call__(self, z):
        return z / (1 + abs(z))

    def derivative(self, y):
        return (1 - abs(y)) ** 2


@dataclass(frozen=True)
class Leaky(cells.Elman):
    """Derived from a built-in cell, and another one: h_t = h_{t-1} / 2 + f(z_t) / 2."""

    def step(self, p, a, state, drop=None):
        (h,) = state
        z = a + dropped(h, drop) @ p.W_h
        f = self.activation(z)
        return ((h + f) / 2,), (f,)

    def step_backward(self, p, dstate, state_prev, state, saved, drop=None):
        (dh,), (f,) = dstate, saved
        dz = self.activation.backward(dh / 2, f)
        return dz, (dh / 2 + dropped(dz @ p.W_h.T, drop),)


@pytest.mark.parametrize(
    "cell",
    [cells.Elman(Steep()), cells.Elman(Sine()), cells.Elman(Bent()), cells.LSTM(Bent()), Leaky(),
     cells.GRU(Steep()), cells.LSTM(Sine()), cells.GRU(recurrent_activation=Steep()),
     cells.LSTM(recurrent_activation=Sine())],
    ids=repr,
)  # fmt: skip
@every_dtype
def test_ones_own_runs_on_the_reference_loop_silently(cell, dtype, capfd):
    loop = Loop(cell, (4, 5, 3, 6), "holes")
    want = run(loop, "reference")
    data = loop.data(dtype)
    with warnings.catch_warnings(), tt.engine("native"):
        warnings.simplefilter("error")
        outputs, tape = data.forward()
        got = outputs | data.backward(tape)
    assert tape.engine == "reference"
    for name, array in want.items():
        assert error(got[name], array) <= (DOUBLE if dtype == "float64" else SINGLE), name
    assert capfd.readouterr() == ("", "")
