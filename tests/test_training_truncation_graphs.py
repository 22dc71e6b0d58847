"""Truncated backpropagation through graphs."""

import numpy as np
import pytest
from training_graphs import forked, pair, stepwise, translator

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.layers import GRU, LSTM, Concatenate, Dense, LastStep, MeanPool
from throughtime.optimizers import SGD
from throughtime.training import train
from throughtime.training.heads import check_heads
from throughtime.training.samples import check_samples
from throughtime.training.truncation import check_chunks, truncated

RNG = np.random.default_rng(0)
X = {
    "left": RNG.normal(size=(4, 7, 2)), "static": RNG.normal(size=(4, 3)),
    "right": RNG.normal(size=(4, 7, 1)),
}  # fmt: skip
LENGTHS = np.array([7, 5, 2, 1])
CANNOT = "cannot be cut into chunks of time, because"


def ends(h, vector, two):
    h = LastStep()(h) if vector else h
    outputs = {"price": Dense(2, name="number")(h)}
    return outputs | ({"size": Dense(1, name="other")(h)} if two else {})


def graph(vector=False, two=False):
    """Two sequences and a vector, which every step gets."""
    left, right = tt.Input(2, name="left"), tt.Input(1, name="right")
    static = tt.Input(3, name="static", time=False)
    h = LSTM(4, return_sequences=True, name="memory")(Concatenate()([left, static, right]))
    return tt.Network(inputs=[left, static, right], outputs=ends(h, vector, two), dtype="float64")


def flat(vector=False, two=False):
    """The same with one input, which has the vector at every step."""
    x = tt.Input(6, name="x")
    h = LSTM(4, return_sequences=True, name="memory")(x)
    return tt.Network(inputs=x, outputs=ends(h, vector, two), dtype="float64")


def joined():
    return np.concatenate([X["left"], np.repeat(X["static"][:, None], 7, 1), X["right"]], axis=2)


def chunks(net, x, y, tbptt, loss="mse", **options):
    heads = check_heads(net, loss)
    data = check_samples(net, heads, x, y, **options)
    found = []
    weight = {"sample_weight": data.weight, "mask": data.mask}
    for chunk in truncated(net, data.x, data.y, heads, tbptt, **weight):
        found.append([chunk.value, *net.grads.flat])
        net.grads.flat[...] = 0
    return np.array(found)


@pytest.mark.parametrize("tbptt", [(3, 3), (2, 5), (7, 7), (1, 2)])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_inputs_are_cut_together(tbptt, vector, two, ragged, reduction):
    y = {"price": RNG.normal(size=(4, 2) if vector else (4, 7, 2))}
    if two:
        y["size"] = RNG.normal(size=(4, 1) if vector else (4, 7, 1))
    weight = {"sample_weight": {"price": np.array([1.0, 0.5, 2.0, 1.0])}}
    loss = tt.losses.MSE(reduction=reduction)
    net, other = graph(vector, two), flat(vector, two)
    lengths = {"lengths": {"left": LENGTHS}} if ragged else {}
    found = chunks(net, X, y, tbptt, loss, **weight, **lengths)
    lengths = {"lengths": LENGTHS} if ragged else {}
    other.params.flat = net.params.flat
    wanted = chunks(other, joined(), y, tbptt, loss, **weight, **lengths)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tbptt", [(4, 7), (3, 3), (1, 2)])
@pytest.mark.parametrize("given", [("left", "right"), ("left",), ("right",)], ids=str)
def test_each_sequence_is_cut_at_its_own_end(tbptt, given):
    """Sequences of a fixed number of steps that never meet may have masks that differ."""
    left, right = tt.Input(2, name="left", steps=7), tt.Input(1, name="right", steps=7)
    h = Concatenate()([GRU(3, name="one")(left), GRU(2, name="two")(right)])
    net = tt.Network(inputs=[left, right], outputs=Dense(1)(h), dtype="float64")
    x, y = {k: X[k] for k in ("left", "right")}, RNG.normal(size=(4, 1))
    own = {"left": LENGTHS, "right": LENGTHS[::-1]}
    lengths = {k: own[k] if k in given else np.full(4, 7) for k in own}
    found = chunks(net, x, y, tbptt, lengths={k: own[k] for k in given})
    # The same with the sequences moved to the end by hand.
    moved = {k: np.zeros_like(x[k]) for k in x}
    for k, counts in lengths.items():
        for row, n in enumerate(counts):
            moved[k][row, 7 - n :] = x[k][row, :n]
    mask = {k: np.arange(7) >= 7 - counts[:, None] for k, counts in lengths.items()}
    wanted = chunks(net, moved, y, tbptt, mask=mask)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)
    value = tt.evaluate(net, x, y, loss="mse", lengths=lengths)["loss"]
    np.testing.assert_allclose(found[:, 0], value, rtol=1e-12)


def started(dtype="float64"):
    """A layer that starts from vectors, which another layer makes."""
    signal, static = tt.Input(2, name="signal"), tt.Input(3, name="static", time=False)
    begin = Dense(4, activation="tanh", name="begin")(static)
    h = GRU(4, return_sequences=True, name="memory")(signal, initial_state=begin)
    return tt.Network(inputs=[signal, static], outputs=Dense(1, name="end")(h), dtype=dtype)


def test_a_state_of_vectors_begins_the_first_chunk_only():
    net = started()
    x = {"signal": X["left"][:, :6], "static": X["static"]}
    y = RNG.normal(size=(4, 6, 1))
    found = chunks(net, x, y, (3, 3))
    begin = 1 + np.flatnonzero(np.isin(owners(net), "begin"))
    assert np.abs(found[0, begin]).max() > 1e-3
    assert (found[1:, begin] == 0.0).all()
    # The chunks are passes that start from the state of the one before.
    heads = check_heads(net, "mse")
    state, data = None, check_samples(net, heads, x, y)
    for k, first in enumerate((0, 3)):
        part = slice(first, first + 3)
        own = {"signal": x["signal"][:, part], "static": x["static"]}
        found_y, tape = net.forward(own, initial_state=state)
        value, dy = heads[0].loss(found_y, data.y[:, part])
        net.grads.flat[...] = 0
        net.backward(tape, dy)
        np.testing.assert_allclose(found[k], [value, *net.grads.flat], rtol=1e-12, atol=1e-15)
        state = tape.final_state


def owners(net):
    result = np.empty(net.params.size, dtype=object)
    for name, part in net.params.slices.items():
        result[part] = name.partition(".")[0]
    return result.astype(str)


@pytest.mark.parametrize("make", [graph, started])
def test_training_in_chunks_of_the_whole_is_training(make):
    x = X if make is graph else {"signal": X["left"], "static": X["static"]}
    y = RNG.normal(size=(4, 7, 2 if make is graph else 1))
    one, two = make(), make()
    options = {"epochs": 3, "batch_size": 2, "optimizer": SGD(0.1)}
    first = train(one, x, {"price": y} if make is graph else y, **options)
    second = train(two, x, {"price": y} if make is graph else y, tbptt=(7, 7), **options)
    np.testing.assert_allclose(one.params.flat, two.params.flat, rtol=1e-12)
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-12)


def test_the_scores_are_those_of_all_chunks():
    net = graph(two=True)
    y = {"price": RNG.normal(size=(4, 7, 2)), "size": RNG.normal(size=(4, 7, 1))}
    options = {"lengths": {"left": LENGTHS}, "metrics": ["mae"]}
    wanted = tt.evaluate(net, X, y, loss="mse", **options)
    options |= {"epochs": 1, "batch_size": 3, "optimizer": SGD(1e-300)}
    history = train(net, X, y, tbptt=(2, 3), **options)
    for name, value in wanted.items():
        assert history[name] == [pytest.approx(value, rel=1e-12)]


def with_end():
    """A vector of the whole sequence beside every step of it."""
    signal = tt.Input(2, name="signal")
    h = GRU(4, name="reader")(signal)
    z = Concatenate(name="both")([signal, h])
    return tt.Network(inputs=signal, outputs=Dense(1)(z))


def pooled():
    signal = tt.Input(2, name="signal")
    h = GRU(4, return_sequences=True, name="reader")(signal)
    return tt.Network(inputs=signal, outputs=Dense(1)(MeanPool(name="mean")(h)))


def vectors_only():
    static = tt.Input(3, name="static", time=False)
    return tt.Network(inputs=static, outputs=Dense(1)(static))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            translator,
            f"layer 'encoder' (GRU) {CANNOT} its decoder starts from its end.",
        ),
        (
            with_end,
            (
                f"layer 'both' (Concatenate) {CANNOT} it takes what is known only at the end of a"
                " sequence."
            ),
        ),
        (
            pooled,
            f"layer 'mean' (MeanPool) {CANNOT} it looks at all steps at once.",
        ),
        (pair, "inputs 'first' and 'second' have steps of their own, and are not cut together."),
        (
            stepwise,
            "output 'kind' has one value a sequence, and output 'price' one at every step.",
        ),
        (vectors_only, "it takes no sequence."),
    ],
)
def test_what_cannot_be_cut(make, reason):
    with pytest.raises(InvalidArgumentError) as caught:
        check_chunks(make())
    assert str(caught.value) == f"tbptt must be None for this network: {reason}"


def test_a_vector_of_the_whole_sequence_is_cut_where_only_vectors_follow():
    check_chunks(forked())
