"""Engines: chosen by name, permanently or in a block; all compute the same."""

import os
import subprocess
import sys

import numpy as np
import pytest
from network_cases import CASES, leaves

import throughtime as tt
from throughtime import bptt
from throughtime.engines import LOOPS, engine
from throughtime.errors import InvalidArgumentError
from throughtime.kernels import selection

BUSY = [case for case in CASES if case.name.split(":")[0] in ("rnn", "gru", "lstm")]


@pytest.fixture
def second(monkeypatch):
    """Another engine: the reference under another name, which writes its own tapes."""

    class Tape(bptt.LoopTape):
        engine = "second"

    def unroll(*args, **options):
        y, state, tape = bptt.unroll(*args, **options)
        if tape is not None:
            tape.__class__ = Tape
        return y, state, tape

    module = type("module", (), {"unroll": staticmethod(unroll), "bptt": staticmethod(bptt.bptt)})
    monkeypatch.setitem(LOOPS, "second", module)
    names = (*selection.available(), "second")
    monkeypatch.setattr(selection, "available", lambda: names)
    return module


def test_the_reference_is_there_and_chosen():
    assert LOOPS["reference"] is bptt
    assert selection.current() in selection.available()
    assert tt.engine is engine


def test_an_engine_for_a_block_and_for_good(second):
    before = selection.current()
    with engine("second"):
        assert selection.current() == "second"
        with engine("reference"):
            assert selection.current() == "reference"
        assert selection.current() == "second"
    assert selection.current() == before
    engine("second")
    assert selection.current() == "second"
    engine(before)


def test_an_error_inside_a_block_restores_the_engine(second):
    before = selection.current()
    with pytest.raises(ZeroDivisionError), engine("second"):
        raise ZeroDivisionError
    assert selection.current() == before


def test_a_tape_goes_back_to_the_engine_that_wrote_it(second, monkeypatch):
    net = tt.Network([tt.layers.GRU(2)], 2)
    calls = []
    monkeypatch.setattr(second, "bptt", lambda *args: calls.append(1) or bptt.bptt(*args))
    with engine("second"):
        y, tape = net.forward(np.ones((1, 3, 2)))
    net.backward(tape, y)
    assert calls == [1]


def test_unknown_engines_are_refused():
    before = selection.current()
    with pytest.raises(InvalidArgumentError) as caught:
        engine("natve")
    names = ", ".join(map(repr, selection.available()))
    assert str(caught.value).startswith(f"engine must be one of {names}; got 'natve'.")
    assert selection.current() == before


@pytest.mark.parametrize("name", ["reference", "none"])
def test_the_environment_chooses(name):
    code = "from throughtime.kernels import selection; print(selection.current())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | {"THROUGHTIME_ENGINE": name},
    )  # fmt: skip
    if name == "reference":
        assert done.stdout.strip() == "reference"
    else:
        names = ", ".join(map(repr, selection.available()))
        assert f"THROUGHTIME_ENGINE must be one of {names}" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", selection.available())
@pytest.mark.parametrize("case", BUSY, ids=str)
def test_every_engine_computes_what_the_reference_does(case, name):
    results = []
    for chosen in ("reference", name):
        net = case.network()
        x, mask = case.batch(net)
        states = case.initial_state(net, len(x))
        with engine(chosen):
            y, tape = case.run(net, x, mask, states)
            dx = net.backward(tape, np.cos(y))
        results.append([y, dx, net.grads.flat, *leaves(tape.final_state),
                        *leaves(tape.d_initial_state)])  # fmt: skip
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)
