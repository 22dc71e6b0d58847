"""User-defined losses of whole sequences: with their gradient, by JAX, and as a class."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from test_losses import assert_same_gradient, slopes

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.losses import LOSSES, CustomSequence, SequenceLoss

RNG = np.random.default_rng(0)
MASK = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0])
Y, TARGET = RNG.normal(size=(4, 4, 2)), RNG.normal(size=(4, 4, 2))


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def path(y, target, mask):
    """The squared distance of the ends, of sums over time."""
    d = ((y - target) * mask[..., None]).sum(axis=1)
    return (d**2).sum(axis=1)


def path_gradient(y, target, mask):
    d = ((y - target) * mask[..., None]).sum(axis=1)
    return 2.0 * np.repeat(d[:, None], y.shape[1], axis=1)


def one_path(y, target, mask):
    """The same of one sequence, for JAX."""
    import jax.numpy as jnp

    return jnp.sum(jnp.sum((y - target) * mask[:, None], axis=0) ** 2)


def by_hand(y, target, mask, weights, reduction):
    rows = [n for n in range(len(y)) if mask[n].any() and weights[n] > 0]
    each = {n: float((((y - target)[n][mask[n]]).sum(axis=0) ** 2).sum()) for n in rows}
    total = sum(weights[n] * each[n] for n in rows)
    return total if reduction == "sum" else total / sum(weights[n] for n in rows)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["gradient", "jax"])
def test_value_and_gradient(kind, reduction):
    if kind == "jax":
        pytest.importorskip("jax")
        loss = CustomSequence(one_path, reduction=reduction)
    else:
        loss = CustomSequence(path, path_gradient, reduction=reduction)
    y = Y.copy()
    value, dy = loss(y, TARGET, MASK, WEIGHTS)
    assert value == pytest.approx(by_hand(y, TARGET, MASK, WEIGHTS, reduction), rel=1e-12)
    assert not dy[~MASK].any()
    assert_same_gradient(dy, slopes(lambda: loss(y, TARGET, MASK, WEIGHTS)[0], y))
    y[~MASK] = np.nan
    again, dy_again = loss(y, np.where(MASK[..., None], TARGET, np.nan), MASK, WEIGHTS)
    assert again == value
    np.testing.assert_array_equal(dy_again, dy)
    assert loss.name == ("one_path" if kind == "jax" else "path")


def test_all_sequences_come_at_once(monkeypatch):
    monkeypatch.setattr("throughtime.losses.sequence.BLOCK", 1)
    sizes = []

    def function(y, target, mask):
        sizes.append(y.shape)
        return path(y, target, mask)

    CustomSequence(function, path_gradient)(Y, TARGET)
    assert sizes == [(4, 4, 2)]


def test_targets_of_their_own_form():
    def total(y, target, mask):
        return (y.sum(axis=(1, 2)) - target[:, 0]) ** 2

    def slope(y, target, mask):
        return (2 * (y.sum(axis=(1, 2)) - target[:, 0]))[:, None, None] * np.ones_like(y)

    loss = CustomSequence(total, slope, aligned=False)
    target = RNG.normal(size=(4, 3))
    value, _ = loss(np.where(MASK[..., None], Y, 0), target, MASK)
    sums = (Y * MASK[..., None]).sum(axis=(1, 2))
    assert value == pytest.approx(np.mean((sums - target[:, 0])[:3] ** 2))
    target[3] = np.nan  # its sequence has no step
    assert loss(Y, target, MASK)[0] == value
    net = tt.Network([tt.layers.GRU(3, return_sequences=True), tt.layers.Dense(2)], n_features=1)
    x = [RNG.normal(size=(n, 1)) for n in (4, 2, 6, 3)]
    assert tt.check_gradients(net, x, target[[0, 1, 2, 0]], loss).ok
    history = tt.train(net, x, target[:3].repeat(2, axis=0)[:4], loss=loss, epochs=3, batch_size=2,
                       verbose=False)  # fmt: skip
    assert np.isfinite(history["loss"]).all()


def test_training_with_it():
    net = tt.Network([tt.layers.GRU(3, return_sequences=True), tt.layers.Dense(2)], n_features=1)
    x = [RNG.normal(size=(n, 1)) for n in (4, 2, 6, 3)]
    y = [RNG.normal(size=(len(one), 2)) for one in x]
    loss = CustomSequence(path, path_gradient)
    assert tt.check_gradients(net, x, y, loss).ok
    history = tt.train(net, x, y, loss=loss, epochs=20, optimizer=tt.optimizers.Adam(0.05),
                       batch_size=2, metrics=["mae"], verbose=False)  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]
    message = (
        "loss must be given: the network was trained with 'path', a loss of your own, of which it"
        " remembers only the name."
    )
    with refuses(InvalidArgumentError, message):
        tt.evaluate(net, x, y)
    wrong = CustomSequence(path, lambda y, target, mask: y - target)
    assert not tt.check_gradients(net, x, y, wrong).ok


def test_a_class_of_your_own():
    @dataclass(frozen=True)
    class Ends(SequenceLoss):
        """The squared error at the last unmasked step, times a factor."""

        factor: float = 2.0

        def sequence_terms(self, y, target, mask, limits):
            rows, last = np.arange(len(y)), y.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
            d = y[rows, last] - target[rows, last]
            dy = np.zeros_like(y)
            dy[rows, last] = 2 * self.factor * d
            return self.factor * (d**2).sum(axis=1), dy

    loss = Ends(factor=3.0)
    value, _ = loss(Y, TARGET, MASK)
    d = (Y - TARGET)[[0, 1, 2], [3, 1, 3]]
    assert value == pytest.approx(3 * (d**2).sum() / 3)
    net = tt.Network([tt.layers.GRU(3, return_sequences=True), tt.layers.Dense(2)], n_features=2)
    assert tt.check_gradients(net, Y, TARGET, loss, mask=MASK).ok
    assert loss.name == "Ends"
    with pytest.raises(TypeError, match="abstract"):
        SequenceLoss()


def test_it_cannot_be_written_to_a_file():
    with pytest.raises(InvalidTypeError, match="is your own object and cannot be written"):
        LOSSES.to_config(CustomSequence(path, path_gradient))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: CustomSequence(3),
            InvalidTypeError,
            "function must be a function f(y, target, mask); got 3.",
        ),
        (
            lambda: CustomSequence(path, gradient=3),
            InvalidTypeError,
            "gradient must be a function f(y, target, mask); got 3.",
        ),
        (
            lambda: CustomSequence(path, aligned=1),
            InvalidTypeError,
            "aligned must be True or False; got 1.",
        ),
        (
            lambda: CustomSequence(lambda y, target, mask: y, path_gradient)(Y, TARGET),
            ShapeError,
            "loss '<lambda>' must return an array of shape (4,); got shape (4, 4, 2).",
        ),
        (
            lambda: CustomSequence(path, lambda y, target, mask: y[:, 0])(Y, TARGET),
            ShapeError,
            (
                "the gradient of loss 'path' must return an array of shape (4, 4, 2); got shape"
                " (4, 2)."
            ),
        ),
        (
            lambda: CustomSequence(path, path_gradient)(Y, TARGET[:, :3]),
            ShapeError,
            "y must be of shape (4, 4, ...); got shape (4, 3, 2).",
        ),
        (
            lambda: CustomSequence(path, path_gradient, aligned=False)(Y, TARGET[:3]),
            ShapeError,
            "y must be of shape (4, ...); got shape (3, 4, 2).",
        ),
        (
            lambda: CustomSequence(path, path_gradient)(Y, TARGET * np.nan),
            DataError,
            "y must be finite; got nan at index (0, 0, 0). Mask missing steps, or fill them.",
        ),
    ],
)
def test_refusals(make, error, message):
    with refuses(error, message):
        make()
