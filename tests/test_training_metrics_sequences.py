"""The edit distance of labels read from outputs."""

import json
import math
import re

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.training.metrics import METRICS, EditDistance, SequenceMetric

# Read as [1, 2], [1, 1], [] and [2].
PATHS = [[1, 1, 2, 2, 0], [1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [2, 2, 2, 2, 2]]
Y = np.eye(3)[PATHS]
TRUE = [[1, 2], [2, 1], [1, 2, 1], []]  # 0, 1, 3 and 1 errors; 7 labels


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_every_metric_of_sequences_is_here():
    assert {m for name in METRICS if issubclass(m := METRICS[name], SequenceMetric)} == {
        EditDistance
    }


def test_value_by_hand():
    value = EditDistance()(Y, TRUE)
    assert type(value) is float
    assert value == pytest.approx(5 / 7)
    assert EditDistance(normalize=False)(Y, TRUE) == pytest.approx(5 / 4)
    assert EditDistance(width=4)(Y, TRUE) == pytest.approx(5 / 7)
    assert EditDistance()(Y.astype(np.float32), TRUE) == pytest.approx(5 / 7)
    assert EditDistance()(Y, [[1, 2], [1, 1], [], [2]]) == 0.0
    assert EditDistance(blank=2)(Y[2:], [[0], []]) == 0.0


def test_weights_and_masks():
    weights = np.array([2.0, 1.0, 0.0, 3.0])
    expected = (1 * 1 + 3 * 1) / (2 * 2 + 1 * 2)
    assert EditDistance()(Y, TRUE, None, weights) == pytest.approx(expected)
    assert EditDistance()(Y, TRUE, None, 1e307 * weights) == pytest.approx(expected)
    mask = np.ones((4, 5), bool)
    mask[0, 2:] = False  # reads [1]
    mask[1, [1, 4]] = False  # reads [1]
    mask[2] = False
    y = np.where(mask[..., None], Y, np.nan)
    labels = [*TRUE[:2], [99], TRUE[3]]
    assert EditDistance()(y, labels, mask) == pytest.approx((1 + 1 + 1) / 4)


def test_no_labels():
    assert EditDistance()(Y[2:3], [[]]) == 0.0
    assert EditDistance()(Y[:1], [[]]) == math.inf
    assert EditDistance(normalize=False)(Y[:1], [[]]) == 2.0


def test_no_score_for_nothing_or_for_a_broken_network():
    assert math.isnan(EditDistance()(Y, TRUE, np.zeros((4, 5), bool)))
    assert math.isnan(EditDistance()(Y, TRUE, None, np.zeros(4)))
    assert math.isnan(EditDistance()(Y[:0], []))
    y = Y.copy()
    y[1, 2, 0] = np.nan
    assert math.isnan(EditDistance()(y, TRUE))
    assert EditDistance()(y, TRUE, None, np.array([1.0, 0.0, 1.0, 1.0])) == pytest.approx(4 / 5)


def test_config_survives_json():
    metric = EditDistance(blank=1, width=3, normalize=False)
    assert METRICS.from_config(json.loads(json.dumps(METRICS.to_config(metric)))) == metric


def test_in_training():
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(n, 2)) for n in (6, 9, 4, 7)]
    y = [[1, 2], [], [2, 2], [1]]
    layers = [tt.layers.GRU(4, return_sequences=True), tt.layers.Dense(3, activation="softmax")]
    net = tt.Network(layers, n_features=2)
    history = tt.train(
        net, x, y, loss="ctc", metrics=["edit_distance"], epochs=2, batch_size=2,
        validation=(x, y), verbose=False,
    )  # fmt: skip
    padded, lengths = tt.data.pad(x)
    said = tt.data.ctc_greedy(net.predict(padded, lengths), lengths)
    expected = tt.data.edit_distance(said, y).sum() / 5
    assert history["val_edit_distance"][-1] == pytest.approx(expected)
    assert tt.evaluate(net, x, y)["edit_distance"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: EditDistance(blank=-1),
            InvalidArgumentError,
            "blank must be an integer >= 0; got -1.",
        ),
        (
            lambda: EditDistance(width=0),
            InvalidArgumentError,
            "width must be an integer >= 1; got 0.",
        ),
        (
            lambda: EditDistance(normalize=None),
            InvalidTypeError,
            "normalize must be True or False; got None.",
        ),
        (
            lambda: EditDistance()(Y[:, 0], TRUE),
            ShapeError,
            (
                "metric 'edit_distance' must have an output at every step, (N, T, K); got shape"
                " (4, 3)."
            ),
        ),
        (
            lambda: EditDistance()(Y, TRUE[:3]),
            ShapeError,
            "y must hold the labels of 4 sequences; got 3.",
        ),
        (
            lambda: EditDistance()(Y, TRUE, None, np.ones((4, 5))),
            ShapeError,
            "weights must be of shape (4,); got shape (4, 5).",
        ),
    ],
)
def test_refusals(make, error, message):
    with refuses(error, message):
        make()
