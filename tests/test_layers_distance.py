"""Distances of two signals: values, gradients, masks, and a siamese network that learns."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.layers import GRU, Dense, Distance
from throughtime.layers.base import Call
from throughtime.layers.distance import MEASURES

RNG = np.random.default_rng(0)
MASK = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
WANTED = {
    "euclidean": lambda a, b: np.sqrt(((a - b) ** 2).sum()),
    "manhattan": lambda a, b: np.abs(a - b).sum(),
    "cosine": lambda a, b: 1 - a @ b / np.sqrt((a @ a) * (b @ b)),
}
every_measure = pytest.mark.parametrize("measure", MEASURES)


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def run(measure, x, masks=(None, None)):
    return Distance(measure=measure).forward(None, x, masks, None, Call())


@every_measure
def test_every_number(measure):
    a, b = RNG.normal(size=(2, 3, 5))
    y = run(measure, (a, b)).y
    assert y.shape == (3, 1)
    expected = [WANTED[measure](*pair) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(y[:, 0], expected, rtol=1e-13)


@every_measure
@pytest.mark.parametrize("axes", [(2, 2), (3, 3), (3, 2), (2, 3)], ids=str)
def test_gradients(measure, axes):
    """Of vectors, of sequences with a mask, and of one beside the other."""
    x = tuple(RNG.normal(size=(3, 4, 5) if n == 3 else (3, 5)) for n in axes)
    masks = tuple(MASK if n == 3 else None for n in axes)
    result = run(measure, x, masks)
    u = RNG.normal(size=result.y.shape)
    found, _ = Distance(measure=measure).backward(None, result.cache, u.copy())
    for array, dx in zip(x, found, strict=True):
        assert dx.shape == array.shape
        for index in np.ndindex(array.shape):
            centre, values = array[index], []
            for h in (1e-5, -1e-5):
                array[index] = centre + h
                values.append((u * run(measure, x, masks).y).sum())
            array[index] = centre
            assert dx[index] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6, abs=1e-8)
    if 3 in axes:
        assert not result.y[~MASK].any()


@every_measure
def test_equal_and_zero_vectors(measure):
    x = np.array([[1.0, 2.0], [0.0, 0.0]])
    result = run(measure, (x, x.copy()))
    expected = [0.0, 1.0 if measure == "cosine" else 0.0]
    np.testing.assert_allclose(result.y[:, 0], expected, atol=1e-15)
    found, _ = Distance(measure=measure).backward(None, result.cache, np.ones((2, 1)))
    for dx in found:
        np.testing.assert_allclose(dx, 0.0, atol=1e-15)


def siamese(measure="euclidean", **options):
    encode = GRU(6)
    a, b = tt.Input(2, name="a"), tt.Input(2, name="b")
    outputs = Distance(measure=measure)([encode(a), encode(b)])
    return tt.Network(inputs=[a, b], outputs=outputs, dtype="float64", **options)


@every_measure
def test_a_siamese_network(measure):
    """Both branches have one set of weights, whose gradients add."""
    net = siamese(measure)
    net.params.flat = 0.7 * RNG.normal(size=net.params.size)
    a, b = RNG.normal(size=(2, 3, 4, 2))
    x, swapped = {"a": a, "b": b}, {"a": b, "b": a}
    y, tape = net.forward(x)
    np.testing.assert_array_equal(net.predict(swapped), y)
    net.backward(tape, np.ones((3, 1)))
    gradient = net.grads.flat.copy()
    v = RNG.normal(size=net.params.size)
    centre, values = net.params.flat.copy(), []
    for h in (1e-5, -1e-5):
        net.params.flat = centre + h * v
        values.append(net.predict(x).sum())
    assert gradient @ v == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6)


def test_refusals():
    message = "measure must be one of 'euclidean', 'manhattan', 'cosine'; got 'cosin'."
    with refuses(InvalidArgumentError, message + " Did you mean 'cosine'?"):
        Distance(measure="cosin")
    with refuses(
        InvalidArgumentError,
        "layer 0 (Distance): its inputs must have equally many features, and have 2 and 3.",
    ):
        one, two = tt.Input(2), tt.Input(3)
        tt.Network(inputs=[one, two], outputs=Distance()([one, two]))
    with refuses(
        InvalidArgumentError, "layer 1 (Distance): it is the distance of two inputs, and has 1."
    ):
        tt.Network([Dense(2), Distance()], n_features=2)
