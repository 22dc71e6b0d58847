"""Sequences that are new in every epoch."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.training import train

SGD = tt.optimizers.SGD(0.05)


def network(seed: int = 0) -> tt.Network:
    layers = [tt.layers.GRU(4, return_sequences=True), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=2, dtype="float64", seed=seed)


def draw(epoch: int, n: int = 10) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(epoch).normal(size=(n, 6, 2))
    return x, np.cumsum(x[..., :1], axis=1)


def test_every_epoch_learns_from_its_own_sequences() -> None:
    asked: list[int] = []

    def renew(epoch: int) -> tuple[np.ndarray, np.ndarray]:
        asked.append(epoch)
        return draw(epoch)

    net = network()
    history = train(net, *draw(1), renew=renew, epochs=3, batch_size=None, optimizer=SGD)
    assert asked == [2, 3]
    # One batch of all is one step; three runs of one epoch make the same steps.
    other, losses = network(), []
    for epoch in (1, 2, 3):
        one = train(other, *draw(epoch), epochs=1, batch_size=None, optimizer=SGD)
        losses += one["loss"]
    # Batches differ in their order alone, so sums differ in their last digits.
    np.testing.assert_allclose(net.params.flat, other.params.flat, rtol=1e-9)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-9)


def test_epochs_differ_in_size_and_have_lengths_and_weights() -> None:
    batches: list[int] = []

    def renew(epoch: int) -> dict[str, np.ndarray]:
        x, y = draw(epoch, n=4 * epoch)
        y[:, 3:] = np.nan  # past the lengths anything may stand
        lengths, weight = np.full(len(x), 3), np.ones(len(x))
        return {"x": x, "y": y, "lengths": lengths, "sample_weight": weight}

    class Note(tt.Callback):
        def on_batch_end(self, run: tt.training.callbacks.Run) -> None:
            batches.append(run.batches)

    history = train(network(), *draw(1), renew=renew, epochs=3, batch_size=4, callbacks=[Note()])
    assert batches == [3, 3, 3, 2, 2, 3, 3, 3]
    assert np.isfinite(history["loss"]).all()


def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(tmp_path) -> None:
    options = {"renew": draw, "batch_size": 4, "checkpoint": tmp_path / "run.safetensors"}
    whole = network()
    train(whole, *draw(1), renew=draw, batch_size=4, epochs=4)
    net = network()
    train(net, *draw(1), epochs=2, **options)
    again = network(seed=9)
    train(again, *draw(1), epochs=4, resume=True, **options)
    np.testing.assert_array_equal(again.params.flat, whole.params.flat)
    with pytest.raises(tt.errors.ModelFileError, match="a run with other renew"):
        train(again, *draw(1), epochs=5, resume=True, **options | {"renew": lambda e: draw(e)})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"renew": (1, 2)},
            InvalidTypeError,
            (
                "renew must be a function; got (1, 2)."
                " It takes the number of an epoch and returns (x, y)."
            ),
        ),
        (
            {"renew": draw, "validation": 0.2},
            InvalidArgumentError,
            (
                "validation must be a separate set (x, y) where renew is given; got 0.2."
                " A fraction would be drawn from the first epoch alone."
            ),
        ),
        (
            {"renew": draw, "keep_outputs": True},
            InvalidArgumentError,
            (
                "keep_outputs must be False where renew is given; got True."
                " Outputs are kept for sequences that stay the same."
            ),
        ),
        (
            {"renew": lambda epoch: None},
            InvalidTypeError,
            "renew must return a tuple (x, y) or (x, y, lengths), or a dict; got None.",
        ),
        (
            {"renew": lambda epoch: (draw(1)[0],)},
            InvalidTypeError,
            (
                "renew must be a tuple (x, y) or (x, y, lengths), or a dict; got 1 entry."
                " A dict takes a mask and weights too."
            ),
        ),
        (
            {"renew": lambda epoch: (draw(1)[0], np.ones((3, 6, 1)))},
            ShapeError,
            "renew: y must hold one target for each of the 10 sequences; got 3 of them.",
        ),
    ],
)
def test_refusals(options, error, message) -> None:
    with pytest.raises(error) as caught:
        train(network(), *draw(1), epochs=2, verbose=False, **options)
    assert str(caught.value) == message
