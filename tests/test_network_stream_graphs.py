"""Streams of graphs: each step gives the bits of the end of a prediction of the steps so far."""

import numpy as np
import pytest
from graph_cases import CASES, DRAWN, data, drawn
from test_same_bits import same

from throughtime.errors import InvalidArgumentError

ROWS, STEPS = 3, 5


def has_free_steps(case):
    forms = case.network().topology.input_forms
    return not any(form.steps and form.steps.count for form in forms)


DRAWN = [*DRAWN, *(drawn(seed) for seed in range(200, 280))]
CASES = [case for case in [*CASES[::3], *DRAWN] if has_free_steps(case)]


def started(case):
    """The network and a stream of it, whose vectors are fixed, and its input; None if refused."""
    net = case.network()
    x = data(net, None, 1, ROWS)[0]
    x = dict(zip(net.plan.inputs.names, x if isinstance(x, list) else [x], strict=True))
    forms = dict(zip(x, net.topology.input_forms, strict=True))
    rng = np.random.default_rng(2)
    for name, array in x.items():
        if forms[name].steps is not None:
            x[name] = rng.permutation(np.repeat(array, 2, axis=1)[:, :STEPS])
    fixed = {name: array for name, array in x.items() if forms[name].steps is None}
    try:
        return net, net.stream(ROWS, **({"fixed": fixed} if fixed else {})), x, fixed
    except InvalidArgumentError:  # in the words of test_network_stream.py
        return None


def values(y):
    return list(y.values()) if isinstance(y, dict) else y if isinstance(y, list) else [y]


def given(x):
    return x if len(x) > 1 else next(iter(x.values()))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_step_is_the_end_of_a_prediction(case):
    found = started(case)
    if found is None:
        return
    net, stream, x, fixed = found
    for t in range(STEPS):
        step = {name: array[:, t] for name, array in x.items() if name not in fixed}
        y = stream.step(step if len(x) > 1 else given(step))
        past = {name: a if name in fixed else a[:, : t + 1] for name, a in x.items()}
        for one, want in zip(values(y), values(net.predict(given(past))), strict=True):
            # An output that depends on fixed inputs alone is there as a whole.
            end = want if want.ndim == one.ndim else want[:, -1]
            same(one, end)


def test_many_of_the_graphs_can_be_streamed():
    assert sum(started(case) is not None for case in CASES) >= 25
