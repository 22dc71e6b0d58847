"""The time loops against the same equations written naively, and what masks mean."""

import numpy as np
import pytest
from naive import row_of, run
from network_cases import CASES, leaves

WITHOUT_DROPOUT = [case for case in CASES if not case.training]


@pytest.mark.parametrize("case", WITHOUT_DROPOUT, ids=str)
def test_forward_is_the_equations(case):
    net = case.network()
    x, mask = case.batch(net)
    states = case.initial_state(net, len(x))
    y, tape = case.run(net, x, mask, states)
    expected, finals = run(net, x, mask, states)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
    for n, final in enumerate(finals):
        for got, want in zip(tape.final_state, final, strict=True):
            for a, b in zip(leaves(row_of(got, n)), leaves(want), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
