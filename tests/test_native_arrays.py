"""Inputs of the native loops: arrays of any layout, non-finite numbers, several threads."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from loop_cases import CELLS, Loop, needs_native, same_bits

import throughtime as tt
from throughtime import cells
from throughtime.kernels import selection

pytestmark = needs_native

every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

# -- the arrays that go in --------------------------------------------------------------------


def steps_apart(a):
    """The same numbers with others between them, along every axis but the last."""
    wide = np.full(tuple(2 * n + 1 for n in a.shape[:-1]) + a.shape[-1:], 7, dtype=a.dtype)
    wide[tuple(slice(0, 2 * n, 2) for n in a.shape[:-1])] = a
    return wide[tuple(slice(0, 2 * n, 2) for n in a.shape[:-1])]


def features_apart(a):
    wide = np.full((*a.shape, 3), 7, dtype=a.dtype)
    wide[..., 1] = a
    return wide[..., 1]


def backwards(a):
    return np.ascontiguousarray(a[::-1])[::-1]


def misaligned(a):
    """Off by one byte, which the compiler's vectors may not be."""
    raw = np.zeros(a.nbytes + 1, dtype="uint8")[1:]
    moved = raw.view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


def read_only(a):
    frozen = a.copy()
    frozen.flags.writeable = False
    return frozen


def repeated(a):
    """One row for all, by a stride of 0."""
    return np.broadcast_to(a[:1], a.shape)


LAYOUTS = {
    "time-major": lambda a: np.ascontiguousarray(a.swapaxes(0, -2)).swapaxes(0, -2),
    "Fortran": np.asfortranarray,
    "steps apart": steps_apart,
    "features apart": features_apart,
    "backwards": backwards,
    "misaligned": misaligned,
    "read-only": read_only,
    "repeated": repeated,
}


@every_cell
@every_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(cell, dtype, layout):
    change = LAYOUTS[layout]
    for shape in [(4, 5, 3, 18), (1, 3, 2, 5), (3, 1, 1, 1)]:
        loop = Loop(cell, shape, "holes", time_bias=True, started=True, drop=True)
        data = loop.data(dtype)
        options = {
            name: change(value[:, None])[:, 0] if value.ndim == 1 else change(value)
            for name, value in data.options.items()
            if isinstance(value, np.ndarray)
        }
        changed = replace(
            data,
            x=change(data.x),
            state=tuple(map(change, data.state)),
            options=data.options | options,
            dy=change(data.dy),
            d_final=tuple(map(change, data.d_final)),
        )
        plain = replace(
            changed,
            x=changed.x.copy("C"),
            state=tuple(s.copy("C") for s in changed.state),
            options=changed.options | {name: a.copy("C") for name, a in options.items()},
            dy=changed.dy.copy("C"),
            d_final=tuple(d.copy("C") for d in changed.d_final),
        )
        with tt.engine("native"):
            same_bits(changed.run(), plain.run())


@every_cell
@every_dtype
def test_what_goes_in_is_not_changed(cell, dtype):
    data = Loop(cell, (4, 5, 3, 18), "holes", time_bias=True, started=True, drop=True).data(dtype)
    given = [*data.p.values(), data.x, *data.state, data.dy, *data.d_final]
    given += [v for v in data.options.values() if isinstance(v, np.ndarray)]
    kept = [array.copy() for array in given]
    with tt.engine("native"):
        data.run()
    for array, before in zip(given, kept, strict=True):
        assert array.tobytes() == before.tobytes()


# -- what is not finite -----------------------------------------------------------------------


@every_cell
@every_dtype
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_poisoned_row_reaches_no_other(cell, dtype, value):
    for rows, row in itertools.product((2, 13, 20), (0, 1, -1)):
        loop = Loop(cell, (rows, 4, 3, 19), drop=True)
        clean, poisoned = loop.data(dtype), loop.data(dtype)
        poisoned.x[row, 1, 2] = value
        others = np.arange(rows) != row % rows
        with tt.engine("native"), np.errstate(invalid="ignore"):
            want, got = clean.run(), poisoned.run()
        for name in ("y", "dx", *(n for n in want if n.startswith(("final", "d initial")))):
            assert got[name][others].tobytes() == want[name][others].tobytes(), name
        assert got["y"][row, 0].tobytes() == want["y"][row, 0].tobytes()
        if np.isnan(value):
            assert np.isnan(got["y"][row, 1:]).all()
            linear = isinstance(cell, cells.LRU)  # its derivative does not depend on x
            assert linear or np.isnan(got["dx"][row, 1]).all()
            assert np.isnan(got["dW_h" if cell.recurrent_weights else "dW_x"][2]).all()


@every_cell
@every_dtype
def test_what_stands_at_masked_steps_of_dy_is_ignored(cell, dtype):
    for reverse in (False, True):
        data = Loop(cell, (13, 6, 3, 19), "empty row", time_bias=True, reverse=reverse).data(dtype)
        mask = data.options["mask"]
        poisoned = replace(data, dy=np.where(mask[..., None], data.dy, np.nan).astype(dtype))
        with tt.engine("native"):
            same_bits(poisoned.run(), data.run())


@every_cell
@every_dtype
def test_what_earlier_passes_left_in_memory_changes_nothing(cell, dtype):
    """The same blocks, full of NaN from a pass of the same size and larger ones."""
    for shape, mask in itertools.product([(3, 5, 2, 19), (14, 3, 9, 5)], ["none", "holes"]):
        loop = Loop(cell, shape, mask, time_bias=True, drop=True)
        with tt.engine("native"):
            want = loop.data(dtype).run()
            for larger in (loop, replace(loop, shape=tuple(n + 7 for n in shape))):
                poison = larger.data(dtype)
                for array in (poison.x, poison.dy, *poison.p.values(), *poison.state):
                    array[...] = np.nan
                with np.errstate(invalid="ignore"):
                    poison.run()
            same_bits(loop.data(dtype).run(), want)


# -- arrays that no kernel has ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["V0", "S0", "U0", "V3", "S5", "O", "M8[s]", "c16", "f2", "i1"])
def test_arrays_of_another_type_are_refused(dtype):
    """Also those whose items have no bytes: a division by that number ended the process."""
    bad, good = np.zeros(3, dtype), np.zeros(3)
    k = selection.extension()
    for found in (
        k.norm(bad),
        k.finite(bad),
        k.clip_norm(bad, 1.0),
        k.clip_value(bad, 1.0),
        k.penalise(bad, None, 1.0, 1.0),
        k.penalise(good, bad, 1.0, 1.0),
        k.sgd((bad,) * 2 + (None,) * 6, 0.1, 0.0, 1.0, False, False),
        k.sgd((good, good, *(None,) * 4, bad, None), 0.1, 0.0, 1.0, False, False),
        k.squared_error(bad[:, None], bad[:, None], None, None, True, 0.0),
        k.squared_error(good[:, None], good[:, None], bad, bad, True, 0.0),
    ):
        assert found is None
    for done in (
        k.activate(0, 0.0, bad, bad),
        k.activate(0, 0.0, good, good.copy(), bad),
        k.activate_backward(0, 0.0, bad, bad, bad),
        k.math("exp", bad, bad),
        k.math("exp", good, bad),
    ):
        assert not done
    with pytest.raises(ValueError, match=r"^(x must be an array|cannot include dtype)"):
        k.affine(bad[:, None], good[:, None], None, good[:, None])
    stream = tt.Network([tt.layers.RNN(2)], 3).stream()
    stream.step(np.zeros(3))
    assert not stream._stepper.step(bad, np.zeros(2, "float32"))


# -- threads of Python ------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("own", [1, 3])
def test_several_threads_of_python_at_once(dtype, own):
    """Each with a team of its own."""
    sizes = [(9, 6, 3, 33), (1, 5, 2, 150), (40, 6, 3, 48)]
    forms = itertools.product(CELLS.values(), sizes, ["none", "holes"])
    loops = [Loop(cell, shape, mask) for cell, shape, mask in forms] * 2
    with tt.engine("native"):
        want = [loop.data(dtype).run() for loop in loops]
        tt.set_num_threads(own)
        try:
            with ThreadPoolExecutor(4) as pool:
                got = list(pool.map(lambda loop: loop.data(dtype).run(), loops))
        finally:
            tt.set_num_threads(None)
    for a, b in zip(got, want, strict=True):
        same_bits(a, b)
