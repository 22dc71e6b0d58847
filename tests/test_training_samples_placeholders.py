"""A target that does not count may be anything: NaN, -100, a row of zeros."""

import numpy as np
import pytest
from loss_cases import CASES

import throughtime as tt
from throughtime.layers import GRU, Dense

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 6, 2))
LABELS = RNG.integers(0, 3, size=(9, 6))
#: About half of the steps, and of the first sequence and the last steps none.
COUNTS = RNG.integers(0, 2, size=(9, 6)).astype(bool)
COUNTS[0] = COUNTS[:, 4:] = False


def network(case, per_step):
    loss = case.loss()
    activation = None if loss.domain is None else loss.domain.activation
    outputs = case.data((1,))[0].shape[-1]
    layers = [GRU(4, return_sequences=per_step), Dense(outputs, activation=activation)]
    return tt.Network(layers, n_features=2)


def placeholders(y):
    """The values that other libraries put where there is no target."""
    return [-100] if y.dtype.kind in "iu" else [np.nan, np.inf, -100.0, 0.0]


def outcome(net, x, y, options, **more):
    """The history and the weights of a training run."""
    history = tt.train(net, x, y, epochs=2, batch_size=4, **options, **more)
    columns = {name: values for name, values in history.items() if name != "seconds"}
    return columns, net.params.flat.tobytes()


@pytest.mark.parametrize("way", ["weight", "weight of a sequence", "mask", "tbptt", "last"])
@pytest.mark.parametrize("name", CASES)
def test_training_never_looks_at_a_target_that_does_not_count(name, way):
    case, per_step = CASES[name], way != "last"
    _, y = case.data((9, 6) if per_step else (9,))
    counts = COUNTS if per_step else COUNTS.any(axis=1)
    options = {"loss": case.loss(), "sample_weight": counts * RNG.uniform(0.5, 2.0, counts.shape)}
    if way == "weight of a sequence":
        counts = np.repeat(COUNTS.any(axis=1)[:, None], 6, axis=1)
        options["sample_weight"] = 1.0 * counts[:, 0]
    elif way == "mask":
        options = {"loss": case.loss(), "mask": counts}
    elif way == "tbptt":
        options["tbptt"] = (2, 3)
    wanted = outcome(network(case, per_step), X, y, options)
    for value in placeholders(y):
        other = y.copy()
        other[~counts] = value
        assert outcome(network(case, per_step), X, other, options) == wanted


METRICS = ["accuracy", "f1", "balanced_accuracy", "perplexity"]


def tagger(outputs=3, activation="softmax"):
    layers = [GRU(4, return_sequences=True), Dense(outputs, activation=activation)]
    return tt.Network(layers, n_features=2, dtype="float64")


def label_forms():
    numbers = np.where(COUNTS, LABELS, -100)
    rows = np.where(COUNTS[..., None], np.eye(3)[LABELS], np.nan)
    return {
        "numbers": (LABELS, numbers),
        "numbers as floats": (LABELS, np.where(COUNTS, LABELS, np.nan)),
        "one-hot rows": (np.eye(3)[LABELS], rows),
        "a list": (list(LABELS), list(numbers)),
    }


@pytest.mark.parametrize("form", label_forms())
def test_labels_of_some_steps_alone(form):
    whole, part = label_forms()[form]
    options = {"loss": "crossentropy", "metrics": METRICS, "sample_weight": 1.0 * COUNTS}
    wanted = outcome(tagger(), X, whole, options)
    assert outcome(tagger(), X, part, options) == wanted
    assert tt.evaluate(tagger(), X, part, **options) == tt.evaluate(tagger(), X, whole, **options)


@pytest.mark.parametrize("form", label_forms())
def test_a_validation_set_with_labels_of_some_steps_alone(form):
    whole, part = label_forms()[form]
    options = {"loss": "crossentropy", "metrics": METRICS}

    def validated(y):
        held_out = {"x": X, "y": y, "sample_weight": 1.0 * COUNTS}
        return outcome(tagger(), X, LABELS, options, validation=held_out)

    assert validated(part) == validated(whole)
    weighted = options | {"sample_weight": 1.0 * COUNTS}
    wanted = outcome(tagger(), X, whole, weighted, validation=0.4)
    assert outcome(tagger(), X, part, weighted, validation=0.4) == wanted


def test_gradients_of_a_partially_labelled_sequence():
    y = np.where(COUNTS, LABELS, -100)
    options = {"sample_weight": 1.0 * COUNTS, "max_numbers": 40}
    report = tt.check_gradients(tagger(), X, y, "crossentropy", **options)
    assert report.ok
    assert report == tt.check_gradients(tagger(), X, LABELS, "crossentropy", **options)


def test_weights_and_padding_together():
    lengths = np.array([6, 5, 4, 3, 2, 1, 0, 6, 6])
    real = np.arange(6) < lengths[:, None]
    y = RNG.normal(size=(9, 6, 1))
    missing = np.where((COUNTS & real)[..., None], y, np.nan)
    weight = np.where(real, 1.0 * COUNTS, np.nan)  # the weight of padding does not count either
    options = {"lengths": lengths, "metrics": ["mae", "r2"], "sample_weight": weight}
    wanted = outcome(tagger(1, None), X, y, options)
    assert outcome(tagger(1, None), X, missing, options) == wanted


def test_a_function_as_a_metric_never_sees_a_placeholder():
    def largest_target(y, target):
        return float(np.abs(target).max())

    y = np.where(COUNTS, LABELS, -100)
    options = {"loss": "crossentropy", "metrics": [largest_target], "sample_weight": 1.0 * COUNTS}
    assert tt.evaluate(tagger(), X, y, **options)["largest_target"] == LABELS[COUNTS].max()


def test_a_placeholder_at_a_step_that_counts_is_refused():
    y = np.where(COUNTS, LABELS, -100)
    y[3, 1] = -100
    weight = 1.0 * COUNTS
    weight[3, 1] = 0.5
    with pytest.raises(tt.errors.DataError, match=r"^y must be class numbers .* at index \(3, 1\)"):
        tt.train(tagger(), X, y, loss="crossentropy", sample_weight=weight)
