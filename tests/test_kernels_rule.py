"""Which objects use a kernel: those of exactly a class that names one."""

from __future__ import annotations

import numpy as np
import pytest

import throughtime as tt
from throughtime import cells
from throughtime.activations import ACTIVATIONS
from throughtime.engines.native import native_form
from throughtime.kernels.arrays import alike, packed, packed_rows, strided
from throughtime.kernels.rule import own_kernel
from throughtime.losses import LOSSES
from throughtime.optimizers import OPTIMIZERS

CELLS = [cells.Elman(), cells.GRU(), cells.LSTM()]
OBJECTS = {
    **{f"cell {type(c).__name__}": (c, "kernel") for c in CELLS},
    **{f"activation {name}": (ACTIVATIONS[name](), "kernel") for name in ACTIVATIONS},
    **{f"loss {name}": (LOSSES[name](), "kernel") for name in ("mse", "half_mse", "mae", "huber")},
    **{f"optimizer {name}": (OPTIMIZERS[name](), "_kernel") for name in OPTIMIZERS},
    **{
        f"layer {name}": (getattr(tt.layers, name)(2), "native_stream")
        for name in ("RNN", "GRU", "LSTM", "Dense")
    },
}


@pytest.mark.parametrize(("obj", "attribute"), OBJECTS.values(), ids=OBJECTS)
def test_a_class_names_its_kernel_for_itself_alone(obj, attribute):
    assert own_kernel(obj, attribute) is not None
    derived = type("Derived", (type(obj),), {})
    assert own_kernel(object.__new__(derived), attribute) is None


def test_a_derived_cell_runs_on_the_reference_loops():
    class Own(cells.LSTM):
        pass

    assert native_form(Own()) is None


def test_a_derived_layer_streams_by_its_own_step():
    class Doubled(tt.layers.Dense):
        def stream_step(self, p, x, state):
            y, state = super().stream_step(p, x, state)
            return 2 * y, state

    net = tt.Network([Doubled(2)], n_features=3, seed=0)
    x = np.ones(3, "float32")
    expected = 2 * net.predict(x.reshape(1, 1, 3))[0, 0]
    np.testing.assert_allclose(net.stream().step(x), expected, rtol=1e-6)


def test_arrays_in_the_layout_are_not_copied():
    a = np.zeros((2, 3, 4))
    assert packed(a) is a
    assert strided(a[:, ::2]).base is a
    assert packed_rows(a).base is a
    assert alike(a, a, a[0])


def test_other_arrays_are_copied():
    a = np.arange(24.0).reshape(2, 3, 4)
    for got in (packed(a[:, ::2]), packed(a.T), strided(a.T), packed_rows(a.transpose(1, 0, 2))):
        assert got.flags.c_contiguous
        assert got.flags.aligned
    np.testing.assert_array_equal(packed(a.T), a.T)
    assert not alike(a, a.astype("float32"))
    assert not alike(a.astype(int))
