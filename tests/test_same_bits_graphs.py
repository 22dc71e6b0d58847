"""One sample of a graph has the same bits alone, in any batch, with any padding, on any threads.

As in test_same_bits.py: on the native engine bit by bit, on the reference engine up to rounding.
"""

import numpy as np
import pytest
from graph_cases import CASES, DRAWN, Problem
from network_cases import leaves
from test_same_bits import THREADS, row_of, same

import throughtime as tt
from throughtime.network.signals import cut, each

CASES = [*(case for case in CASES if case.masks and not case.training), *DRAWN]


@pytest.fixture(autouse=True)
def threads_as_before():
    yield
    tt.set_num_threads(None)


def problem_of(case, dtype):
    """The problem without given states."""
    problem = case.problem(dtype, rows=7)
    problem.states = [None] * len(problem.states)
    return problem


def outputs(problem, x, mask):
    """Outputs and final states."""
    y, tape = Problem(problem.net, x, mask, problem.states).run()
    return y, [final for final in tape.final_state if final is not None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_alone_and_in_any_order(case, dtype):
    problem = problem_of(case, dtype)
    x, mask = problem.x, problem.mask
    y, finals = outputs(problem, x, mask)
    order = np.random.default_rng(0).permutation(7)
    for rows in (order, [2], [6], [0, 3]):
        some, ends = outputs(problem, cut(x, rows), cut(mask, rows))
        same(some, [one[rows] for one in y])
        same(ends, [row_of(final, rows) for final in finals])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_with_any_padding(case, dtype):
    """Masked steps of NaN: behind each sequence, and in between where the outputs keep the steps.

    ``check_input`` makes zeros of them.
    """
    problem = problem_of(case, dtype)
    net = problem.net
    y, finals = outputs(problem, problem.x, problem.mask)
    forms = net.topology.output_forms
    kept = not any(f.steps and (f.steps.changed or f.steps.count) for f in forms)
    x, mask, added = [], [], {}
    pairs = zip(each(problem.x), each(problem.mask), net.topology.input_forms, strict=True)
    for a, real, form in pairs:
        if form.steps is None or form.steps.count is not None:
            x.append(a)
            mask.append(real)
            continue
        count = a.shape[1]
        where = [0, count // 2, count, count] if kept else [count] * 4
        added.setdefault(
            form.steps.axis, np.delete(np.arange(count + 4), np.array(where) + range(4))
        )
        filler = 0 if a.dtype.kind == "i" else np.nan
        x.append(np.insert(a, where, filler, axis=1))
        real = np.ones((7, count), bool) if real is None else real
        mask.append(np.insert(real, where, False, axis=1))
    wide, real = net.check_input(x if len(x) > 1 else x[0], mask=mask if len(mask) > 1 else mask[0])
    more, ends = outputs(problem, wide, real)
    for one, form, want in zip(more, forms, y, strict=True):
        if form.steps is None:
            same(one, want)
        elif kept:
            places = added[form.steps.axis]
            same(one[:, places], want)
            assert not np.delete(one, places, axis=1).any()
        else:
            same(one[:, : want.shape[1]], want)
            assert not one[:, want.shape[1] :].any()
    same(ends, finals)


@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_on_any_number_of_threads(case):
    def everything():
        problem = case.problem("float32", rows=7)
        y, tape = problem.run()
        u, v = problem.slopes(y, tape)
        dx = problem.back(tape, u, v)
        return [
            y,
            tape.final_state,
            problem.net.grads.flat,
            leaves([d for d in dx if d is not None]),
        ]

    tt.set_num_threads(1)
    want = everything()
    for n in THREADS:
        tt.set_num_threads(n)
        same(everything(), want)
