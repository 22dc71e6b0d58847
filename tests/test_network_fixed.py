import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.layers import GRU, LSTM, AdditiveAttention, Conv1D, Dense

RNG = np.random.default_rng(3)
X = {
    "source": RNG.normal(size=(2, 6, 3)),
    "target": RNG.normal(size=(2, 5, 2)),
    "static": RNG.normal(size=(2, 4)),
}


def translator(dtype="float32"):
    """An encoder whose state a decoder starts from; a second decoder starts from a vector."""
    source, target = tt.Input(3, name="source"), tt.Input(2, name="target")
    static = tt.Input(4, name="static", time=False)
    _, state = LSTM(5, return_state=True)(source)
    h = LSTM(5, return_sequences=True)(target, initial_state=state)
    h = GRU(4, return_sequences=True)(h, initial_state=static)
    inputs = [source, target, static]
    return tt.Network(inputs=inputs, outputs=Dense(2)(h), dtype=dtype)


def stream_of(net, lengths=None):
    fixed = {name: X[name] for name in ("source", "static")}
    return net.stream(2, fixed, lengths=lengths)


@pytest.mark.parametrize("lengths", [None, {"source": [6, 3]}])
def test_a_decoder_steps_from_the_end_of_its_source(lengths):
    net = translator()
    y = net.predict(X, lengths=lengths)
    stream = stream_of(net, lengths)
    steps = [stream.step(X["target"][:, t]) for t in range(5)]
    np.testing.assert_array_equal(np.stack(steps, axis=1), y)
    stream.reset()
    np.testing.assert_array_equal(stream.step(X["target"][:, 0]), y[:, 0])


def test_rows_are_taken_with_what_is_fixed():
    net = translator()
    y = net.predict(X)
    stream = stream_of(net)
    stream.step(X["target"][:, 0])
    stream.take([1, 1, 0])
    z = stream.step(X["target"][[1, 1, 0], 1])
    np.testing.assert_array_equal(z, y[[1, 1, 0], 1])
    stream.reset([0])
    z = stream.step(X["target"][[1, 1, 0], 0])
    np.testing.assert_array_equal(z[0], y[1, 0])


def test_a_vector_that_is_not_fixed_comes_with_every_step():
    signal, static = tt.Input(3, name="signal"), tt.Input(4, name="static", time=False)
    h = GRU(4)(signal)
    outputs = {"a": Dense(1)(h), "b": Dense(2)(Dense(3)(static))}
    net = tt.Network(inputs=[signal, static], outputs=outputs)
    x = {"signal": X["source"], "static": X["static"]}
    stream = net.stream(2)
    for t in range(6):
        y = stream.step({"signal": x["signal"][:, t], "static": x["static"]})
        want = net.predict({"signal": x["signal"][:, : t + 1], "static": x["static"]})
        assert y.keys() == want.keys()
        for name in want:
            np.testing.assert_array_equal(y[name], want[name])
    one = net.stream(1).step([x["signal"][0, 0], x["static"][0]])
    np.testing.assert_array_equal(
        one["b"], net.predict([x["signal"][:1, :1], x["static"][:1]])["b"][0]
    )
    warm = net.stream(2)
    last = warm.warm_up(x)
    np.testing.assert_array_equal(last["a"], net.predict(x)["a"])


@pytest.mark.parametrize(
    ("fixed", "error", "message"),
    [
        (
            None,
            InvalidArgumentError,
            (
                "a decoder starts from the end of its encoder's input, which a stream has not seen"
                " yet: stream the two as networks of their own. Or give that input as fixed=."
            ),
        ),
        (
            {"source": X["source"]},
            InvalidArgumentError,
            (
                "layer 2 (GRU) starts from a vector, which a stream must know before its first"
                " step: give that input as fixed=."
            ),
        ),
        (
            {"sauce": 1},
            InvalidArgumentError,
            "a key of fixed must be one of 'source', 'target', 'static'; got 'sauce'.",
        ),
        (
            X,
            InvalidArgumentError,
            "fixed holds every input, so there is nothing to step through: use net.predict.",
        ),
        ([1], InvalidTypeError, "fixed must be a dict of inputs by name; got [1]."),
        (
            {"source": X["source"][:1], "static": X["static"]},
            ShapeError,
            "fixed['source'] must have 2 rows, those of the stream; got 1.",
        ),
        (
            {"source": X["target"], "static": X["static"]},
            ShapeError,
            "fixed['source'] must have 3 features a step, the last axis; got shape (2, 5, 2).",
        ),
    ],
    ids=["nothing", "no static", "unknown", "all", "list", "rows", "features"],
)
def test_what_a_stream_cannot_do_is_refused(fixed, error, message):
    with pytest.raises(error) as caught:
        translator().stream(2, fixed)
    assert str(caught.value) == message


def test_lengths_need_fixed_inputs_and_fixed_inputs_no_warming_up():
    with pytest.raises(InvalidArgumentError) as caught:
        translator().stream(2, lengths=[1, 2])
    assert str(caught.value) == "lengths and mask are those of fixed inputs: give fixed as well."
    with pytest.raises(InvalidArgumentError) as caught:
        stream_of(translator()).warm_up(X)
    assert str(caught.value) == (
        "a stream with fixed inputs cannot be warmed up: take its first steps one by one."
    )


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (
            {"sauce": [6, 3]},
            "a key of lengths must be one of 'source', 'static'; got 'sauce'.",
        ),
        (
            {"target": [5, 5]},
            "a key of lengths must be one of 'source', 'static'; got 'target'.",
        ),
        (
            {"static": [4, 4]},
            "lengths and mask must be left out: the input is vectors (N, F).",
        ),
    ],
)
def test_lengths_are_those_of_fixed_sequences(lengths, message):
    with pytest.raises(InvalidArgumentError) as caught:
        stream_of(translator(), lengths)
    assert str(caught.value) == message


def test_lengths_alone_are_those_of_the_only_fixed_sequence():
    one, other = stream_of(translator(), [6, 3]), stream_of(translator(), {"source": [6, 3]})
    x = X["target"][:, 0]
    np.testing.assert_array_equal(one.step(x), other.step(x))
    static = {"static": X["static"]}
    with pytest.raises(InvalidArgumentError) as caught:
        translator().stream(2, static, lengths=[6, 3])
    assert str(caught.value) == (
        "lengths must be a dict with an entry for each fixed sequence; got [6, 3]."
    )


def attentive(layer=None, steps=None):
    """Queries, which are steps, look at a source, which is fixed."""
    source, query = tt.Input(3, name="source", steps=steps), tt.Input(3, name="query")
    values = source if layer is None else layer(source)
    context = AdditiveAttention(4)([query, values])
    return tt.Network(inputs=[source, query], outputs=Dense(1)(context))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (attentive(steps=7), "fixed['source'] must have 7 steps; got 6."),
        (
            attentive(Conv1D(3, 4)),
            (
                "layer 0 (Conv1D) needs at least 4 steps in every sequence; got 3 in"
                " fixed['source'][1]. Set padding to 'same' or 'causal', make kernel_size or"
                " dilation smaller, or leave shorter sequences out."
            ),
        ),
    ],
    ids=["steps of the input", "steps of a layer"],
)
def test_a_fixed_sequence_has_the_steps_that_it_must_have(net, message):
    with pytest.raises(ShapeError) as caught:
        net.stream(2, {"source": X["source"]}, lengths=[6, 3])
    assert str(caught.value) == message
