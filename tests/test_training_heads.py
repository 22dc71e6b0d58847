"""Losses, weights, metrics and targets of outputs: what is refused, in one sentence each."""

import numpy as np
import pytest
from training_graphs import LOSSES, forked, forked_data, stepwise, stepwise_data

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.layers import GRU, Dense
from throughtime.training import train
from throughtime.training.heads import check_heads

X, Y = forked_data()


def refused(kind, net=None, x=X, y=Y, **options):
    net = forked() if net is None else net
    before = net.params.flat.copy()
    with pytest.raises(kind) as caught:
        train(net, x, y, **({"loss": LOSSES} | options))
    np.testing.assert_array_equal(net.params.flat, before)
    assert net.trained_with == {}
    return str(caught.value)


CLASSES = (
    "y must be class numbers from 0 to 2; got 3 at index (3,). The classes seem to be numbered from"
    " 1: write y - 1."
)
NAMES = "a dict with 'price' and 'kind', or a list of 2"

REFUSED = [
    ({"loss": {"price": "mse"}}, "loss must hold 'price' and 'kind'; got no 'kind'."),
    (
        {"loss": LOSSES | {"size": "mse"}},
        "a key of loss must be one of 'price', 'kind'; got 'size'.",
    ),
    ({"loss": ["mse"]}, f"loss must be {NAMES}; got 1 of them."),
    (
        {"loss": LOSSES | {"kind": "mes"}},
        "output 'kind': loss must be one of",
    ),
    ({"loss": "mes"}, "loss must be one of"),
    (
        {"loss": {"price": "mse", "kind": "gaussian_nll"}},
        (
            "output 'kind': loss 'gaussian_nll' needs 2 outputs for each column of y; got 3"
            " outputs. Give the network 2 * K for K columns."
        ),
    ),
    (
        {"loss": "categorical_crossentropy"},
        (
            "output 'price': loss 'categorical_crossentropy' needs at least 2 outputs, one a class;"
            " got 1. Use 'binary_crossentropy' for a single yes/no output."
        ),
    ),
    (
        {"loss_weights": {"size": 1.0}},
        "a key of loss_weights must be one of 'price', 'kind'; got 'size'.",
    ),
    ({"loss_weights": 2.0}, f"loss_weights must be {NAMES}; got 2.0."),
    (
        {"loss_weights": {"kind": -1.0}},
        "loss_weights['kind'] must be a finite number >= 0; got -1.0.",
    ),
    (
        {"loss_weights": {"kind": 0.0, "price": 0}},
        "loss_weights must hold a number above zero; got {'kind': 0.0, 'price': 0}.",
    ),
    ({"metrics": {"size": []}}, "a key of metrics must be one of 'price', 'kind'; got 'size'."),
    (
        {"metrics": {"kind": "accuracy"}},
        (
            "metrics['kind'] must be a list of metrics; got 'accuracy'."
            " Put a single one into brackets."
        ),
    ),
    (
        {"metrics": [["mae"]]},
        f"metrics must be {NAMES}; got 1 of them.",
    ),
    (
        {"metrics": {"kind": ["accuracy", "accuracy"]}},
        (
            "metrics['kind'] must have names that differ, and differ from the other columns of the"
            " history; got 'accuracy' twice."
        ),
    ),
    ({"y": Y | {"size": 1}}, "a key of y must be one of 'price', 'kind'; got 'size'."),
    ({"y": {"price": Y["price"]}}, "y must hold 'price' and 'kind'; got no 'kind'."),
    ({"y": np.zeros(3)}, f"y must be {NAMES}; got an array of shape (3,) and dtype float64."),
    (
        {"y": Y | {"kind": Y["kind"][:5]}},
        "output 'kind': y must hold one target for each of the 12 sequences; got 5 of them.",
    ),
    (
        {"y": Y | {"kind": Y["kind"] + 1}},
        f"output 'kind': {CLASSES}",
    ),
    (
        {"y": Y | {"price": np.zeros((12, 2))}},
        "output 'price': y must be of shape (12, 1); got shape (12, 2).",
    ),
    (
        {"y": Y | {"price": np.full((12, 1), np.nan)}},
        (
            "output 'price': y must be finite; got nan at index (0, 0). Mask missing steps, or fill"
            " them."
        ),
    ),
    (
        {"metrics": ["accuracy"]},
        (
            "output 'price': y must be 0 or 1; got -0.291529 at index (0, 0). Class metrics need"
            " classes; for numbers use 'mae' or 'r2'."
        ),
    ),
    (
        {"sample_weight": {"size": np.ones(12)}},
        "a key of sample_weight must be one of 'price', 'kind'; got 'size'.",
    ),
    (
        {"sample_weight": {"kind": np.ones(3)}},
        "output 'kind': sample_weight must be of shape (12,); got shape (3,).",
    ),
    (
        {"sample_weight": {"kind": np.zeros(12)}},
        (
            "output 'kind': sample_weight must leave something to learn from; got zero for every"
            " step."
        ),
    ),
    (
        {"class_weight": "balanced"},
        "class_weight must be a dict by output, of a network with several; got 'balanced'.",
    ),
    (
        {"class_weight": {"size": "balanced"}},
        "a key of class_weight must be one of 'price', 'kind'; got 'size'.",
    ),
    (
        {"class_weight": {"price": "balanced"}},
        (
            "output 'price': class_weight must be None for loss 'mse' with 1 outputs, which has no"
            " classes; got 'balanced'. Use sample_weight."
        ),
    ),
    (
        {"class_weight": {"kind": {0: 0.0, 1: 0.0, 2: 0.0}}},
        (
            "output 'kind': class_weight must leave something to learn from; got zero for every"
            " class that occurs."
        ),
    ),
    (
        {"validation": (X, {"price": Y["price"]})},
        "validation: y must hold 'price' and 'kind'; got no 'kind'.",
    ),
    (
        {"validation": (X, Y | {"kind": Y["kind"] + 1})},
        f"validation: output 'kind': {CLASSES}",
    ),
    (
        {"sample_weight": {"kind": np.eye(12)[3]}, "validation": 0.25},
        (
            "output 'kind': validation must leave something to learn from in the validation part;"
            " got a random subset in which every step is masked or has weight zero."
        ),
    ),
    ({"x": {"signal": X["signal"]}}, "x must hold 'signal' and 'static'; got no 'static'."),
    (
        {"lengths": {"static": np.ones(12, int)}},
        "input 'static': lengths and mask must be left out: the input is vectors (N, F).",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refused(options, message):
    found = refused((InvalidArgumentError, InvalidTypeError), **options)
    assert found == message if message.endswith(".") else found.startswith(message)


def test_a_sequence_of_targets_of_the_wrong_length():
    x, y = stepwise_data()
    rows = list(y["price"])
    rows[2] = rows[2][:5]
    ragged = {name: list(a) for name, a in x.items()}
    for name in ragged:
        ragged[name][1] = ragged[name][1][:4]
    rows[1] = rows[1][:4]
    message = refused(ShapeError, stepwise(), ragged, y | {"price": rows})
    assert message == ("output 'price': y[2] must have 7 steps, as x['left'][2] has; got 5.")


def test_weights_belong_to_networks_with_several_outputs():
    net = tt.Network([GRU(4), Dense(1)], n_features=3)
    message = refused(
        InvalidArgumentError, net, X["signal"], Y["price"], loss="mse", loss_weights=[1.0]
    )
    assert message == "loss_weights must be None for a network with one output; got [1.0]."


def test_one_output_in_a_dict_has_its_name_or_none():
    signal = tt.Input(3, name="signal")
    outputs = {"price": Dense(1)(GRU(4)(signal))}
    nets = [tt.Network(inputs=signal, outputs=outputs) for _ in range(2)]
    one = train(nets[0], X["signal"], Y["price"], epochs=2, metrics=["mae"])
    two = train(
        nets[1], {"signal": X["signal"]}, {"price": Y["price"]}, epochs=2, loss={"price": "mse"},
        metrics={"price": ["mae"]},
    )  # fmt: skip
    assert list(one) == ["loss", "mae", "lr", "grad_norm", "seconds"]
    assert one["mae"] == two["mae"]
    np.testing.assert_array_equal(nets[0].params.flat, nets[1].params.flat)
    assert nets[0].trained_with == nets[1].trained_with


def test_names_that_make_two_columns_the_same():
    signal = tt.Input(3)
    h = GRU(4)(signal)
    net = tt.Network(inputs=signal, outputs={"val": Dense(1)(h), "price": Dense(1)(h)})
    with pytest.raises(InvalidArgumentError) as caught:
        check_heads(net, "mse")
    assert str(caught.value) == (
        "the names of the outputs make two columns 'val_loss' of the history. Give an output"
        " another name."
    )


def test_an_activation_that_does_not_fit_the_loss_of_an_output():
    signal = tt.Input(3)
    h = GRU(4)(signal)
    net = tt.Network(
        inputs=signal, outputs={"kind": Dense(2, name="class")(h), "price": Dense(1)(h)}
    )
    message = refused(
        InvalidArgumentError, net, X["signal"],
        loss={"kind": "categorical_crossentropy", "price": "mse"},
    )  # fmt: skip
    assert message == (
        "output 'kind': loss 'categorical_crossentropy' needs outputs that are probabilities;"
        " layer 'class' (Dense) has activation='identity', which gives others. End the network with"
        " Dense(2, activation='softmax')."
    )


def test_values_at_weight_zero_may_be_anything():
    y = Y | {"kind": np.where(np.arange(12) < 6, Y["kind"], -1)}
    weight = {"kind": (np.arange(12) < 6).astype(float)}
    history = train(forked(), X, y, loss=LOSSES, sample_weight=weight, epochs=1)
    assert np.isfinite(history["loss"]).all()
    with pytest.raises(DataError):
        train(forked(), X, y, loss=LOSSES, epochs=1)
