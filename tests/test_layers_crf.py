"""The layer of a conditional random field: its potentials, its parameters, what it refuses."""

import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import CRF, GRU, Dense


def test_potentials_by_hand():
    net = tt.Network([CRF()], n_features=2, dtype="float64")
    net.params["0.W"] = [[1.0, 2.0], [3.0, 4.0]]
    net.params["0.start"] = [10.0, 20.0]
    net.params["0.end"] = [100.0, 200.0]
    x = np.array([[[0.1, 0.2], [np.nan, np.nan], [0.3, 0.4], [0.5, 0.6], [0.0, 0.0]]])
    y = net.predict(x, mask=np.array([[True, False, True, True, False]]))
    expected = [
        [10.1, 20.2, 10.1, 20.2],
        [0.0, 0.0, 0.0, 0.0],
        [1.3, 2.4, 3.3, 4.4],
        [101.5, 202.6, 103.5, 204.6],
        [0.0, 0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(y[0], expected, rtol=1e-14)
    one = net.predict(x[:, :1])
    np.testing.assert_allclose(one[0], [[110.1, 220.2, 110.1, 220.2]], rtol=1e-14)


def test_parameters():
    net = tt.Network([Dense(3), CRF()], n_features=2)
    assert net.params.shapes == {
        "0.W": (2, 3), "0.b": (3,), "1.W": (3, 3), "1.start": (3,), "1.end": (3,),
    }  # fmt: skip
    assert not net.params["1.W"].any()
    net = tt.Network([Dense(3), CRF(use_ends=False, initializer="normal")], n_features=2)
    assert [*net.params] == ["0.W", "0.b", "1.W"]
    assert net.params["1.W"].all()


def test_without_transitions_it_is_a_softmax():
    """Marginals of a new layer are the softmax of the scores, and so is the loss."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, 5, 4))
    y = tt.Network([CRF()], n_features=4, dtype="float64").predict(z)
    np.testing.assert_allclose(
        tt.data.crf_marginals(y), tt.activations.get("softmax")(z), rtol=1e-13
    )
    np.testing.assert_array_equal(tt.data.crf_viterbi(y), z.argmax(axis=2))
    tags = rng.integers(0, 4, size=(3, 5))
    value, _ = tt.losses.CRF()(y, tags)
    expected, _ = tt.losses.get("cce").from_logits(z, tags)
    assert value == pytest.approx(5 * expected, rel=1e-13)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: CRF(use_ends=1),
            InvalidTypeError,
            "use_ends must be True or False; got 1.",
        ),
        (
            lambda: tt.Network([GRU(3), CRF()], n_features=2),
            InvalidArgumentError,
            (
                "layer 1 (CRF) needs a sequence, and layer 0 (GRU) gives a vector."
                " Set return_sequences=True in layer 0, or put a RepeatVector between."
            ),
        ),
        (
            lambda: tt.Network([Dense(3), CRF()], n_features=2).stream(),
            InvalidArgumentError,
            "layer 1 (CRF) cannot be run as a stream: it needs whole sequences.",
        ),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
