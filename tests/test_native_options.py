"""The native loops of cells with options: the reference's results, and the same bits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from loop_cases import CELLS, MASKS, UPDATES, Loop, needs_native, same_bits
from test_native_equivalence import LEVELS, SIZES, every_dtype
from test_native_equivalence import agree as agree_within

import throughtime as tt
from throughtime import cells
from throughtime.engines.options import OptionTape
from throughtime.kernels import selection

pytestmark = needs_native

#: Cells with each option alone.
ALONE = {
    "rnn, normalised": cells.NormElman(),
    "gru, normalised": cells.NormGRU(),
    "every option": cells.GeneralLSTM(layer_norm=True, peepholes=True, proj_size=6, cell_clip=0.7),
    "layer_norm": cells.GeneralLSTM(layer_norm=True),
    "peepholes": cells.GeneralLSTM(peepholes=True),
    "projection": cells.GeneralLSTM(proj_size=3),
    "wide projection": cells.GeneralLSTM(proj_size=20),
    "cell clip": cells.GeneralLSTM(cell_clip=0.3),
    "coupled": cells.CoupledLSTM(),
    "coupled, normalised": cells.CoupledLSTM(layer_norm=True, proj_size=5),
}
#: Everything that the loops run, with what follows a step.
RUN = [
    (cell, update)
    for (name, cell), update in itertools.product((CELLS | ALONE).items(), UPDATES)
    if name not in ("gru, reset before", "mingru", "minlstm", "indrnn", "lru")
    and (update != "none" or name not in ("rnn", "gru", "lstm"))
]
#: Of one number nothing is left but what epsilon adds, the difference of larger numbers.
NORMALISED_SIZES = [shape for shape in SIZES if shape[2] != 1 and shape[3] != 1]
every_run = pytest.mark.parametrize(("cell", "update"), RUN, ids=lambda value: str(value))


def agree(loop):
    """Normalisation divides by small numbers, and clipped outputs are small."""
    agree_within(loop, 1e-11, 1e-5)


@every_run
def test_they_run_on_the_native_engine(cell, update):
    with tt.engine("native"):
        _, tape = Loop(cell, update=update).data().forward()
    assert isinstance(tape, OptionTape)


@every_run
@pytest.mark.parametrize("mask", MASKS)
def test_every_mask(cell, update, mask):
    agree(Loop(cell, (5, 4, 3, 19), mask, update=update))


@every_run
def test_every_size(cell, update):
    for i, shape in enumerate(NORMALISED_SIZES if cell.normalised else SIZES):
        agree(
            Loop(cell, shape, "holes", seed=i, reverse=i % 2 == 1, update=update, drop=i % 3 == 0)
        )


@every_run
@pytest.mark.parametrize("level", LEVELS)
def test_every_instruction_set(cell, update, level):
    extension = selection.extension()
    before = extension.level()
    extension.use_level(level)
    try:
        agree(Loop(cell, (3, 4, 5, 21), "holes", time_bias=True, drop=True, update=update))
    finally:
        extension.use_level(before)


@every_run
def test_every_combination(cell, update):
    for bias, drop, timed, started in itertools.product([True, False], repeat=4):
        options = (bias, timed, started, drop)
        agree(Loop(cell, (4, 5, 3, 9), "holes", *options, update=update))


@every_run
@every_dtype
def test_a_tape_can_be_used_again_and_gradients_are_added(cell, update, dtype):
    loop = Loop(cell, (4, 5, 3, 18), "holes", time_bias=True, drop=True, update=update)
    data = loop.data(dtype)
    with tt.engine("native"):
        _, tape = data.forward()
        first = data.backward(tape)
        same_bits(data.backward(tape), first)
        added = data.backward(tape, start=3.0)
        with tt.engine("reference"):
            same_bits(data.backward(tape), first)
    limit = 1e-14 if dtype == "float64" else 2e-6
    for name in data.p:
        np.testing.assert_allclose(added[f"d{name}"], first[f"d{name}"] + 3, rtol=limit, atol=limit)


@every_run
@every_dtype
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_without_a_tape_the_bits_are_the_same(cell, update, dtype, mask):
    for shape in SIZES:
        data = Loop(cell, shape, mask, time_bias=True, drop=True, update=update).data(dtype)
        with tt.engine("native"):
            kept, _ = data.forward()
            without, none = data.forward(keep=False)
        assert none is None
        same_bits(without, kept)


@every_run
@pytest.mark.parametrize("outputs", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_only_some_gradients_come_in(cell, update, outputs, ends):
    found = []
    for engine in ("reference", "native"):
        data = Loop(cell, (4, 5, 3, 18), "holes", update=update).data()
        data.dy = data.dy if outputs else None
        data.d_final = data.d_final if ends else None
        with tt.engine(engine):
            _, tape = data.forward()
            found.append(data.backward(tape, inputs=ends))
    want, got = found
    assert got.keys() == want.keys()
    for name, array in want.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-10, atol=1e-12)


@every_run
@every_dtype
def test_a_row_has_its_bits_alone_and_on_any_number_of_threads(cell, update, dtype):
    loop = Loop(cell, (37, 9, 8, 40), "holes", update=update)
    data = loop.data(dtype)
    if update == "drawn":  # of one row there would be other draws
        data.options["update"] = None
    try:
        with tt.engine("native"):
            want = data.run()
            for n in (1, 2, 3):
                tt.set_num_threads(n)
                same_bits(data.run(), want)
            for row in (0, 17, 36):
                alone = loop.data(dtype)
                part = slice(row, row + 1)
                alone.x, alone.state = data.x[part], tuple(s[part] for s in data.state)
                alone.options |= {
                    "mask": data.options["mask"][part], "update": data.options["update"],
                }  # fmt: skip
                found, _ = alone.forward()
                same_bits(found, {name: want[name][part] for name in found})
    finally:
        tt.set_num_threads(None)


def test_what_has_no_kernel_runs_on_the_reference_loops():
    for cell in (cells.NormGRU(reset_after=False), cells.NormElman(tt.activations.Softmax())):
        with tt.engine("native"):
            _, tape = Loop(cell).data().forward()
        assert tape.engine == "reference"
    with tt.engine("native"):
        _, tape = Loop(cells.GRU(reset_after=False), update="expected").data().forward()
    assert tape.engine == "reference"


@pytest.mark.parametrize(
    ("missing", "message"),
    [("W_h", "W_h is missing"), ("h", "h is missing"), ("gates", "gates is missing"),
     ("W_r", "W_r is missing"), ("m", "m is missing"), ("w", "w is missing")],
)  # fmt: skip
def test_the_kernel_says_what_is_missing(missing, message):
    cell = cells.GeneralLSTM(layer_norm=True, proj_size=2)
    with tt.engine("native"):
        _, tape = Loop(cell).data().forward()
    arrays = {name: a for name, a in tape.arrays.items() if name != missing}
    with pytest.raises(ValueError, match=f"^{message}$"):
        selection.extension().option_forward(tape.form, arrays, *tape.numbers, True)


def test_the_kernel_refuses_arrays_of_other_shapes():
    with tt.engine("native"):
        _, tape = Loop(cells.NormElman()).data().forward()
    for name in ("W_h", "h_new", "w", "k", "g_h"):
        arrays = tape.arrays | {name: tape.arrays[name][..., :1].copy()}
        with pytest.raises(ValueError, match=f"^{name} is of another shape$"):
            selection.extension().option_forward(tape.form, arrays, *tape.numbers, True)
    arrays = tape.arrays | {"a": tape.arrays["a"][..., :2].copy()}
    with pytest.raises(ValueError, match=r"^a is of another shape$"):
        selection.extension().option_forward(tape.form, arrays, *tape.numbers, True)
