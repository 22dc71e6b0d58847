"""The parts of a batch: their factors, and the sums of their gradients."""

import itertools

import numpy as np
import pytest

import throughtime as tt
from throughtime.training.heads import check_heads
from throughtime.training.parts import Node, add, shares, total
from throughtime.training.samples import check_samples


def summed(gradients):
    """(SH2) as it is written."""
    n = len(gradients)
    if n == 1:
        return gradients[0]
    half = 1 << (n - 1).bit_length() - 1
    return summed(gradients[:half]) + summed(gradients[half:])


def gradients(n):
    # Sums in another order differ: the sizes differ much.
    rng = np.random.default_rng(n)
    return (rng.normal(size=(n, 3)) * 10.0 ** rng.integers(-4, 4, (n, 3))).astype("float32")


def nodes_of(own, first, end):
    """What a worker that has the parts from ``first`` to ``end`` sends back."""
    nodes = []
    for k in range(first, end):
        add(nodes, Node(k, 1, own[k].copy()))
    return nodes


@pytest.mark.parametrize("n", [*range(1, 18), 31, 32, 33, 100])
def test_the_sum_does_not_depend_on_who_adds(n):
    own = gradients(n)
    wanted = summed(own).tobytes()
    for workers in range(1, min(n, 12) + 1):
        edges = [n * k // workers for k in range(workers + 1)]
        nodes = [node for a, b in itertools.pairwise(edges) for node in nodes_of(own, a, b)]
        assert total(nodes).tobytes() == wanted


def test_any_cut_gives_the_same_sum():
    own, n = gradients(7), 7
    for count in range(n):
        for cuts in itertools.combinations(range(1, n), count):
            edges = itertools.pairwise([0, *cuts, n])
            nodes = [node for a, b in edges for node in nodes_of(own, a, b)]
            assert total(nodes).tobytes() == summed(own).tobytes()


def test_a_worker_sends_one_vector_for_each_sum():
    own = gradients(8)
    assert [(node.first, node.size) for node in nodes_of(own, 0, 4)] == [(0, 4)]
    assert [(node.first, node.size) for node in nodes_of(own, 4, 8)] == [(4, 4)]
    assert [(node.first, node.size) for node in nodes_of(own, 3, 8)] == [(3, 1), (4, 4)]
    assert [(node.first, node.size) for node in nodes_of(own, 1, 7)] == [
        (1, 1),
        (2, 2),
        (4, 2),
        (6, 1),
    ]


def test_the_factors_are_the_shares_of_the_weights():
    net = tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=1)
    x, y = np.ones((6, 3, 1)), np.ones((6, 1))
    for loss, expected in (
        ("mse", [(0.25,), (0.75,)]),
        (tt.losses.MSE(reduction="sum"), [(1.0,)] * 2),
    ):
        heads = check_heads(net, loss)
        parts = [
            check_samples(net, heads, x[:2], y[:2], sample_weight=[1, 1]),
            check_samples(net, heads, x[2:], y[2:], sample_weight=[3, 1, 1, 1]),
        ]
        assert shares(net, heads, parts) == (expected, False)
    nothing = [
        check_samples(net, heads, x[:2], y[:2], sample_weight=[0, 0], empty=True) for _ in range(2)
    ]
    assert shares(net, check_heads(net, "mse"), nothing) == ([(1.0,), (1.0,)], True)
