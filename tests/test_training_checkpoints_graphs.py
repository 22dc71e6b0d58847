"""Checkpoints of runs of graphs: the same bits, and runs that are other ones."""

import numpy as np
import pytest
from training_graphs import LOSSES, forked, forked_data

import throughtime as tt
from throughtime.errors import ModelFileError
from throughtime.layers import GRU, Concatenate, Dense
from throughtime.training import EarlyStopping, train

X, Y = forked_data()
OPTIONS = {
    "loss": LOSSES, "loss_weights": {"kind": 0.3}, "metrics": {"price": ["mae"]}, "batch_size": 5,
    "validation": 0.25, "keep_outputs": True,
}  # fmt: skip


def run(net, **options):
    rule = EarlyStopping("val_price_mae", patience=50)
    return train(net, X, Y, callbacks=[rule], **(OPTIONS | options))


@pytest.mark.parametrize("container", ["dict", "list"])
def test_a_run_that_goes_on_has_the_same_bits(tmp_path, container):
    def new():
        net = forked("float32", dropout=0.2)
        if container == "dict":
            return net.freeze("class")
        signal, static = tt.Input(3), tt.Input(4, time=False)
        z = Concatenate()([GRU(5, dropout=0.2)(signal), static])
        outputs = [Dense(1)(z), Dense(3, activation="softmax")(z)]
        return tt.Network(inputs=[signal, static], outputs=outputs)

    options = {} if container == "dict" else {
        "loss": list(LOSSES.values()), "loss_weights": [1.0, 0.3], "metrics": [["mae"], []],
    }  # fmt: skip
    x, y = (X, Y) if container == "dict" else (list(X.values()), list(Y.values()))
    options = OPTIONS | options
    whole, part = new(), new()
    first = train(whole, x, y, epochs=6, **options)
    path = tmp_path / "run"
    train(part, x, y, epochs=3, checkpoint=path, **options)
    part = new()
    second = train(part, x, y, epochs=6, checkpoint=path, resume=True, **options)
    np.testing.assert_array_equal(whole.params.flat, part.params.flat)
    for name in first:
        assert first[name] == second[name] or name == "seconds"
    assert len(second.outputs) == 6
    for one, two in zip(first.outputs, second.outputs, strict=True):
        assert type(one) is type(two) is (dict if container == "dict" else list)
        every = (one.values(), two.values()) if container == "dict" else (one, two)
        for a, b in zip(*every, strict=True):
            np.testing.assert_array_equal(a, b)


def other_wiring():
    signal, static = tt.Input(3, name="signal"), tt.Input(4, name="static", time=False)
    h = GRU(5, name="encoder")(signal)
    z = Concatenate()([static, h])
    outputs = {
        "price": Dense(1, name="number")(z),
        "kind": Dense(3, activation="softmax", name="class")(z),
    }
    return tt.Network(inputs=[signal, static], outputs=outputs)


def other_name():
    signal, static = tt.Input(3, name="signal"), tt.Input(4, name="static", time=False)
    z = Concatenate()([GRU(5, name="reader")(signal), static])
    outputs = {
        "price": Dense(1, name="number")(z),
        "kind": Dense(3, activation="softmax", name="class")(z),
    }
    return tt.Network(inputs=[signal, static], outputs=outputs)


@pytest.mark.parametrize(
    ("net", "options", "what"),
    [
        (lambda: forked("float32").freeze("encoder"), {}, "network"),
        (other_wiring, {}, "network"),
        (other_name, {}, "network"),
        (lambda: forked("float32"), {"loss_weights": {"kind": 0.4}}, "loss_weights"),
        (lambda: forked("float32"), {"loss": LOSSES | {"price": "mae"}}, "loss"),
        (lambda: forked("float32"), {"sample_weight": {"kind": np.ones(12)}}, "data"),
    ],
    ids=["frozen", "wiring", "name", "loss_weights", "loss", "data"],
)
def test_another_run_is_refused(tmp_path, net, options, what):
    path = tmp_path / "run"
    run(forked("float32"), epochs=2, checkpoint=path)
    with pytest.raises(ModelFileError, match=f"belongs to a run with other {what}[.:]"):
        run(net(), epochs=4, checkpoint=path, resume=True, **options)


def test_a_stack_that_is_frozen_is_another_network(tmp_path):
    path, options = tmp_path / "run", {"epochs": 2, "checkpoint": tmp_path / "run"}
    net = tt.Network([GRU(4), Dense(1)], n_features=3)
    train(net, X["signal"], Y["price"], **options)
    net = tt.Network([GRU(4), Dense(1)], n_features=3).freeze(0)
    with pytest.raises(ModelFileError, match="belongs to a run with other network:"):
        train(net, X["signal"], Y["price"], resume=True, **options)
    assert path.exists()
