"""Losses of whole sequences beside others: three outputs of one network."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError
from throughtime.layers import CRF, GRU, Dense, MeanPool

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 2)) for n in (9, 12, 7, 10, 11, 8)]
Y = {
    "letters": [[1, 2], [2, 2, 1], [], [3], [1, 3], [2]],
    "tags": [RNG.integers(0, 3, size=len(x)) for x in X],
    "count": np.array([[2.0], [3.0], [0.0], [1.0], [2.0], [1.0]]),
}
LOSSES = {"letters": "ctc", "tags": "crf", "count": "mse"}


def network():
    signal = tt.Input(2, name="signal")
    h = GRU(6, return_sequences=True)(signal)
    outputs = {
        "letters": Dense(4, activation="softmax")(h),
        "tags": CRF()(Dense(3)(h)),
        "count": Dense(1)(MeanPool()(h)),
    }
    return tt.Network(inputs=signal, outputs=outputs, dtype="float64", seed=0)


def test_three_losses_of_one_network(tmp_path):
    net = network()
    assert tt.check_gradients(net, X, Y, LOSSES).ok
    metrics = {"letters": ["edit_distance"], "tags": ["accuracy", "auc"]}
    history = tt.train(
        net, X, Y, loss=LOSSES, metrics=metrics, epochs=4, batch_size=2, verbose=False,
        optimizer=tt.optimizers.Adam(0.02),
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]
    net.save(tmp_path / "net.safetensors")
    again = tt.load(tmp_path / "net.safetensors")
    scores = tt.evaluate(again, X, Y, batch_size=2)
    assert scores == tt.evaluate(net, X, Y, batch_size=2)
    parts = [scores[f"{name}_loss"] for name in LOSSES]
    assert scores["loss"] == pytest.approx(sum(parts))
    padded, lengths = tt.data.pad(X)
    y = net.predict(padded, lengths)
    for name in ("letters", "tags"):
        target = tt.losses.get(LOSSES[name])
        mask = tt.data.mask_from_lengths(lengths)
        wanted = Y[name]
        if name == "tags":
            wanted = tt.data.pad(Y[name])[0][..., 0]
        assert scores[f"{name}_loss"] == pytest.approx(target(y[name], wanted, mask)[0], rel=1e-12)
    said = tt.data.ctc_greedy(y["letters"], lengths)
    errors = tt.data.edit_distance(said, Y["letters"]).sum()
    assert scores["letters_edit_distance"] == pytest.approx(errors / 9)


def test_refusals_name_the_output():
    def refuses(error, message):
        return pytest.raises(error, match=f"^{re.escape(message)}$")

    with refuses(
        InvalidArgumentError,
        "tbptt must be None for loss 'ctc', which needs all steps of a sequence; got (3, 3).",
    ):
        tt.train(network(), X, Y, loss=LOSSES, tbptt=(3, 3), epochs=1)
    with refuses(
        DataError,
        "output 'letters': y[0] must hold labels that fit into the 9 steps of its output; got 9"
        " labels, which need 17. Give longer sequences, or ignore such targets with"
        " zero_infinity=True.",
    ):
        letters = [[1] * 9, *Y["letters"][1:]]
        tt.train(network(), X, {**Y, "letters": letters}, loss=LOSSES, epochs=1)
