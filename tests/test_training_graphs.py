"""Training of networks with several inputs and outputs."""

import numpy as np
import pytest
from training_graphs import LOSSES, forked, forked_data, pair, stepwise, stepwise_data, translator

import throughtime as tt
from throughtime.layers import GRU, Dense
from throughtime.optimizers import SGD, Adam, AdamW
from throughtime.training import EarlyStopping, train
from throughtime.training.heads import check_heads
from throughtime.training.objective import evaluate_and_backward
from throughtime.training.samples import check_samples

OPTIONS = {"loss": LOSSES, "epochs": 3, "batch_size": 5}
LENGTHS = np.array([7, 3, 5, 1, 7, 2, 6, 4, 7])


def test_the_gradient_is_the_weighted_sum_of_those_of_the_outputs():
    x, y = forked_data()
    net = forked()
    heads = check_heads(net, LOSSES, {"price": 0.3, "kind": 2.0})
    data = check_samples(net, heads, x, y)
    found = evaluate_and_backward(net, data.x, data.y, heads, mask=data.mask)
    total, value = np.zeros_like(net.grads.flat), 0.0
    for name, weight in (("price", 0.3), ("kind", 2.0)):
        one = forked()
        heads = check_heads(one, LOSSES, {"price": 0.0, "kind": 0.0, name: 1.0})
        alone = evaluate_and_backward(one, data.x, data.y, heads, mask=data.mask)
        value += weight * alone.value
        total += weight * one.grads.flat
    assert found.value == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(net.grads.flat, total, rtol=1e-10, atol=1e-14)


def test_the_columns_of_the_history():
    x, y = forked_data()
    metrics = {"price": ["mae"], "kind": ["accuracy"]}
    weights = {"kind": 0.5}
    history = train(
        forked(), x, y, metrics=metrics, loss_weights=weights, validation=0.25, **OPTIONS
    )
    own = ["price_loss", "kind_loss", "price_mae", "kind_accuracy"]
    assert list(history) == [
        "loss", "val_loss", *own, *(f"val_{name}" for name in own), "lr", "grad_norm", "seconds",
    ]  # fmt: skip
    for start in ("", "val_"):
        both = np.array([history[f"{start}price_loss"], history[f"{start}kind_loss"]])
        np.testing.assert_allclose(history[f"{start}loss"], both[0] + 0.5 * both[1])
    assert history["loss"][-1] < history["loss"][0]


def test_dicts_and_lists_are_the_same():
    x, y = forked_data()
    one, two = forked(), forked()
    first = train(one, x, y, metrics={"price": ["mae"]}, **OPTIONS)
    options = OPTIONS | {"loss": list(LOSSES.values())}
    second = train(two, list(x.values()), list(y.values()), metrics=[["mae"], []], **options)
    np.testing.assert_array_equal(one.params.flat, two.params.flat)
    assert first["price_mae"] == second["price_mae"]


def test_outputs_that_are_a_list_have_numbers():
    signal = tt.Input(3)
    h = GRU(4)(signal)
    net = tt.Network(inputs=signal, outputs=[Dense(1)(h), Dense(2)(h)])
    x = np.zeros((4, 5, 3))
    history = train(net, x, [np.zeros((4, 1)), np.zeros((4, 2))], epochs=1, metrics=["mae"])
    assert list(history)[:5] == ["loss", "0_loss", "1_loss", "0_mae", "1_mae"]
    assert [y.shape for y in net.predict(x)] == [(4, 1), (4, 2)]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_output_has_its_own_mean_over_the_batches(reduction):
    net = stepwise()
    x, y = stepwise_data()
    loss = {"price": tt.losses.MSE(reduction=reduction), "kind": LOSSES["kind"]}
    weight = {"kind": np.linspace(0.0, 2.0, 9)}
    options = {"loss": loss, "lengths": {"left": LENGTHS}, "sample_weight": weight}
    options |= {"metrics": {"price": ["mae"], "kind": ["accuracy"]}}
    whole = tt.evaluate(net, x, y, batch_size=None, **options)
    parts = tt.evaluate(net, x, y, batch_size=2, **options)
    assert whole == pytest.approx(parts, rel=1e-12)
    found = net.predict(x, lengths={"left": LENGTHS})
    real = np.arange(7) < LENGTHS[:, None]
    error = (found["price"] - y["price"])[real] ** 2
    assert whole["price_loss"] == pytest.approx(error.sum() if reduction == "sum" else error.mean())
    own = -np.log(found["kind"][np.arange(9), y["kind"]])
    assert whole["kind_loss"] == pytest.approx(np.average(own, weights=weight["kind"]))
    # An epoch whose steps move nothing has the means of the evaluation.
    history = train(net, x, y, epochs=1, batch_size=2, optimizer=SGD(1e-300), **options)
    for name, value in whole.items():
        assert history[name] == [pytest.approx(value, rel=1e-12)]


def test_what_stands_at_masked_steps_does_not_matter():
    x, y = stepwise_data()
    bits = []
    for filling in (0.0, np.nan):
        net = stepwise("float32")
        own = {name: a.copy() for name, a in x.items()}
        aim = {name: a.copy() for name, a in y.items()}
        real = np.arange(7) < LENGTHS[:, None]
        own["left"][~real] = own["right"][~real] = filling
        aim["price"][~real] = filling
        train(net, own, aim, lengths={"right": LENGTHS}, **OPTIONS)
        bits.append(net.params.flat.copy())
    np.testing.assert_array_equal(*bits)


def test_more_padding_changes_no_bit():
    """Batches are cut to their longest sequence, both inputs and the output together."""
    x, y = stepwise_data()
    bits = []
    for more in (0, 4):
        net = stepwise("float32")
        own = {name: np.pad(a, ((0, 0), (0, more), (0, 0))) for name, a in x.items()}
        aim = y | {"price": np.pad(y["price"], ((0, 0), (0, more), (0, 0)))}
        history = train(
            net, own, aim, lengths={"left": LENGTHS}, metrics={"price": ["mse"]}, **OPTIONS
        )
        bits.append(np.array([*net.params.flat, *history["price_mse"]]))
    np.testing.assert_array_equal(*bits)


def ragged_pairs(n=16):
    rng = np.random.default_rng(1)
    x = {name: [rng.normal(size=(k, 2)) for k in rng.integers(1, 9, n)] for name in pair_names()}
    same = np.array([a.sum() > b.sum() for a, b in zip(*x.values(), strict=True)], dtype=float)
    return x, same


def pair_names():
    return pair().plan.inputs.names


def test_two_inputs_of_different_lengths_and_shared_weights():
    x, same = ragged_pairs()
    net = pair()
    options = {"loss": "binary_crossentropy", "metrics": ["accuracy"], "optimizer": Adam(0.02)}
    history = train(net, x, same, epochs=60, batch_size=4, bucket=True, **options)
    assert history["accuracy"][-1] == 1.0
    # Padded arrays with lengths are the same data.
    padded, lengths = {}, {}
    for name, rows in x.items():
        padded[name], mask = tt.data.pad(rows)
        lengths[name] = mask.sum(axis=1) if mask.ndim == 2 else mask
    scores = tt.evaluate(net, padded, same, lengths=lengths)
    assert scores == pytest.approx(tt.evaluate(net, x, same), rel=1e-12)
    assert tt.check_gradients(net, x, same)


def test_a_sequence_counts_if_one_of_its_inputs_has_a_step():
    x, same = ragged_pairs(4)
    x["first"][2] = np.zeros((0, 2))  # the second is there
    net = pair()
    whole = tt.evaluate(net, x, same, loss="mse")["loss"]
    error = (net.predict(x)[:, 0] - same) ** 2
    assert whole == pytest.approx(error.mean())
    x["second"][2] = np.zeros((0, 2))
    same[2] = np.nan
    kept = [0, 1, 3]
    assert tt.evaluate(net, x, same, loss="mse")["loss"] == pytest.approx(error[kept].mean())
    history = train(net, x, same, epochs=1, batch_size=None, optimizer=SGD(1e-300))
    assert history["loss"] == [pytest.approx(error[kept].mean())]


def test_an_encoder_and_its_decoder_learn_to_reverse():
    rng = np.random.default_rng(0)
    words = rng.integers(2, 8, size=(400, 5))
    target = np.concatenate([np.ones((400, 1), int), words[:, ::-1]], axis=1)
    x = {"source": words, "target": target[:, :-1]}
    net = translator()
    history = train(
        net, x, target[:, 1:], loss="categorical_crossentropy", metrics=["accuracy"], epochs=60,
        batch_size=32, optimizer=Adam(0.01),
        callbacks=[EarlyStopping("accuracy", patience=60), until("accuracy", 0.999)],
    )  # fmt: skip
    assert history["accuracy"][-1] > 0.99
    # Without the teacher: every word from those before it.
    new = rng.integers(2, 8, size=(20, 5))
    said = np.ones((20, 1), int)
    for _ in range(5):
        y = net.predict({"source": new, "target": said})
        said = np.concatenate([said, y[:, -1:].argmax(axis=2)], axis=1)
    assert (said[:, 1:] == new[:, ::-1]).mean() > 0.9


def until(column, value):
    def stop(run):
        if run.history[column][-1] >= value:
            run.stop("good enough")

    return stop


def test_one_sample_weight_is_that_of_every_output():
    x, y = forked_data()
    weight = np.linspace(0.1, 1.0, 12)
    net = forked()
    one = tt.evaluate(net, x, y, loss=LOSSES, sample_weight=weight)
    each = tt.evaluate(net, x, y, loss=LOSSES, sample_weight=dict.fromkeys(LOSSES, weight))
    assert one == each
    assert one != tt.evaluate(net, x, y, loss=LOSSES, sample_weight={"price": weight})


def test_class_weights_of_an_output():
    x, y = forked_data()
    net = forked()
    table = np.array([1.0, 3.0, 0.5])
    by_class = {"kind": dict(enumerate(table.tolist()))}
    one = tt.evaluate(net, x, y, loss=LOSSES, class_weight=by_class)
    two = tt.evaluate(net, x, y, loss=LOSSES, sample_weight={"kind": table[y["kind"]]})
    assert one == pytest.approx(two)
    train(net, x, y, class_weight={"kind": "balanced"}, **OPTIONS)


@pytest.mark.parametrize("form", ["tuple", "dict"])
def test_a_validation_set(form):
    x, y = forked_data()
    held_out = (
        (x, y) if form == "tuple" else {"x": x, "y": y, "sample_weight": {"kind": [1.0] * 12}}
    )
    net = forked()
    history = train(net, x, y, validation=held_out, **OPTIONS)
    scores = tt.evaluate(net, x, y)
    for name in ("loss", "price_loss", "kind_loss"):
        assert history[f"val_{name}"][-1] == pytest.approx(scores[name])


def test_data_that_are_renewed():
    x, y = forked_data()
    one, two = forked(), forked()
    train(one, x, y, **OPTIONS)
    train(two, x, y, renew=lambda epoch: (list(x.values()), y), **OPTIONS)
    np.testing.assert_array_equal(one.params.flat, two.params.flat)


def test_early_stopping_watches_a_column_of_an_output():
    x, y = forked_data()
    rule = EarlyStopping("val_kind_accuracy", patience=2)
    history = train(
        forked(), x, y, loss=LOSSES, metrics={"kind": ["accuracy"]}, validation=(x, y), epochs=50,
        callbacks=[rule], optimizer=SGD(1e-9),
    )  # fmt: skip
    assert (history.stopped, history.best_epoch, len(history.epochs)) == ("early stopping", 1, 3)
    with pytest.raises(tt.errors.InvalidArgumentError) as caught:
        train(forked(), x, y, loss=LOSSES, callbacks=[EarlyStopping("kind_accuracy")])
    assert str(caught.value) == (
        "monitor must be one of 'loss', 'price_loss', 'kind_loss'; got 'kind_accuracy'."
    )


def test_a_network_remembers_the_loss_of_each_output(tmp_path):
    x, y = forked_data()
    net = forked()
    metrics = {"price": ["mae"], "kind": ["accuracy"]}
    train(net, x, y, metrics=metrics, loss_weights={"price": 0.1}, **OPTIONS)
    scores = tt.evaluate(net, x, y)
    assert scores == tt.evaluate(
        net, x, y, loss=LOSSES, metrics=metrics, loss_weights={"price": 0.1}
    )
    net.save(tmp_path / "net.safetensors")
    other = tt.load(tmp_path / "net.safetensors")
    assert tt.evaluate(other, x, y) == scores
    assert tt.evaluate(other, x, y, loss_weights={"price": 0.0})["loss"] == scores["kind_loss"]
    assert tt.evaluate(other, x, y, loss=LOSSES)["loss"] == pytest.approx(
        scores["price_loss"] + scores["kind_loss"]
    )
    other.trained_with = {"loss": {"price": {"name": "mse"}}}
    with pytest.raises(tt.errors.ModelFileError) as caught:
        tt.evaluate(other, x, y)
    assert str(caught.value) == (
        "the file does not say of each output how it was trained; got {'price': {'name': 'mse'}}."
    )


def test_an_output_that_a_layer_takes_is_computed_as_it_is():
    """Its activation is not skipped for a loss that is fused with it."""
    signal = tt.Input(2, name="signal")
    kind = Dense(3, activation="softmax")(GRU(4)(signal))
    net = tt.Network(
        inputs=signal,
        outputs={"kind": kind, "price": Dense(1)(kind), "again": kind},
        dtype="float64",
    )
    rng = np.random.default_rng(0)
    x, classes = rng.normal(size=(6, 5, 2)), rng.integers(0, 3, 6)
    y = {"kind": classes, "price": rng.normal(size=(6, 1)), "again": np.eye(3)[classes]}
    loss = {"kind": LOSSES["kind"], "price": "mse", "again": "mse"}
    assert tt.check_gradients(net, x, y, loss)
    found = net.predict(x)
    scores = tt.evaluate(net, x, y, loss=loss)
    assert scores["kind_loss"] == pytest.approx(
        -np.log(found["kind"][np.arange(6), classes]).mean()
    )
    assert scores["price_loss"] == pytest.approx(((found["price"] - y["price"]) ** 2).mean())
    train(net, x, y, loss=loss, epochs=2)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1, momentum=0.9, nesterov=True),
        AdamW(0.1, weight_decay=0.5),
        tt.optimizers.RMSProp(0.1),
    ],
    ids=["momentum", "decay", "rmsprop"],
)
def test_what_is_frozen_does_not_move_by_one_bit(optimizer):
    x, y = forked_data()
    net = forked("float32")
    train(net, x, y, optimizer=optimizer, **OPTIONS)
    before = net.params.copy()
    net.freeze("encoder", "class")
    history = train(net, x, y, optimizer=optimizer, l2=0.1, **OPTIONS)
    for name in net.params:
        same = np.array_equal(net.params[name], before[name])
        assert same == name.startswith(("encoder.", "class.")), name
    # The norm is that of the parameters that move.
    net.params.flat = before.flat
    options = OPTIONS | {"batch_size": None, "epochs": 1}
    history = train(net, x, y, optimizer=SGD(1e-300), **options)
    heads = check_heads(net, LOSSES)
    data = check_samples(net, heads, x, y)
    net.grads.flat[...] = 0
    evaluate_and_backward(net, data.x, data.y, heads, mask=data.mask)
    moving = [net.grads[name].ravel() for name in net.params if name.startswith("number.")]
    assert history["grad_norm"] == [pytest.approx(np.linalg.norm(np.concatenate(moving)))]
