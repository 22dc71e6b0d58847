"""One step at a time: equal to the batch at every step, with a state that can be kept and set."""

import copy
import pickle

import numpy as np
import pytest
from network_cases import CASES, CELLS, FUNCTIONS, Case, leaves, offered

from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.layers import (
    CRF,
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LastStep,
    LayerNorm,
    MaxPool,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    MultiHeadAttention,
    Repeat,
    RepeatVector,
    RMSNorm,
    SliceFeatures,
    SliceSteps,
    TimeReverse,
)
from throughtime.network import Network, generation
from throughtime.network import stream as streams

#: Layers that never put out one step for each step that they take.
WHOLE = (CRF, Flatten, MaxPool1D, MeanPool1D, Repeat, RepeatVector, SliceSteps, TimeReverse)

MODELS = {
    "mean": [RNN(3, return_sequences=True), MeanPool(), Dense(2)],
    "maximum": [RNN(3, return_sequences=True), MaxPool(), Dense(2)],
    "maximum of the input": [MaxPool()],
    "mean of the input": [MeanPool(), Dense(2)],
    "last step": [GRU(3, return_sequences=True), Dropout(0.5), LastStep(), Dense(2)],
    "dense": [Dense(3, activation="tanh"), Dense(2)],
    "tokens": [Embedding(5, 3), LSTM(2, return_sequences=True), Dense(4, activation="softmax")],
    "tokens, last": [Embedding(5, 3), LSTM(2), Dense(2)],
    "deep": [LSTM(2, return_sequences=True, time_bias=True), GRU(3, dropout=0.4), Dense(2)],
    "convolution": [Conv1D(3, 3, padding="causal", activation="tanh"), Dense(2)],
    "convolutions": [Conv1D(3, 2, padding="causal"), Conv1D(2, 2, dilation=4, padding="causal")],
    "convolution of tokens": [Embedding(5, 3), Conv1D(2, 3, padding="causal"), GRU(2), Dense(2)],
    "convolution and pool": [Conv1D(3, 3, padding="causal"), LSTM(2, return_sequences=True),
                             Conv1D(2, 2, dilation=2, padding="causal"), MaxPool()],
    "convolution of one step": [Conv1D(3, 1), Conv1D(2, 1, padding="same")],
    "normalised": [LayerNorm(), GRU(3, return_sequences=True), RMSNorm(), SliceFeatures(1)],
    "attention": [MultiHeadAttention(2, 4, causal=True), GRU(3, return_sequences=True), Dense(2)],
    "attention later": [LSTM(3, return_sequences=True), AdditiveAttention(2, causal=True)],
    "softmax inside": [GRU(3, recurrent_activation=FUNCTIONS["softmax, warm"]), Dense(1)],
} | {
    f"{name}{what}": [
        layer(3, return_sequences=True, **own, **offered(layer, **options)), Dense(2)
    ]
    for name, (layer, own) in CELLS.items()
    for what, options in {"": {}, ", time bias": {"time_bias": True},
                          ", learned state": {"learn_initial_state": True},
                          ", no bias": {"use_bias": False}}.items()
}  # fmt: skip
every_model = pytest.mark.parametrize("name", MODELS)


def problem(name="deep", rows=3, steps=6):
    layers = MODELS[name]
    tokens = isinstance(layers[0], Embedding)
    net = Case("", layers, None if tokens else 2).network()
    rng = np.random.default_rng(5)
    if tokens:
        return net, rng.integers(0, 5, size=(rows, steps))
    return net, rng.normal(size=(rows, steps, 2))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@every_model
def test_every_step_is_the_batch_so_far(name):
    net, x = problem(name)
    stream = net.stream(rows=3)
    for t in range(x.shape[1]):
        expected = net.predict(x[:, : t + 1])
        close(stream.step(x[:, t]), expected if expected.ndim == 2 else expected[:, -1])


def test_a_maximum_of_two_zeros_is_the_earlier_one():
    """As argmax decides: 0 and -0 are equal, and only their signs tell which one it is."""
    net = Network([MaxPool()], 1, dtype="float64")
    for first, second in ((0.0, -0.0), (-0.0, 0.0)):
        x = np.array([[[first], [second]]])
        stream = net.stream()
        stream.step([first])
        y = stream.step([second])
        assert np.signbit(y).tolist() == np.signbit(net.predict(x)[0]).tolist()
        assert np.signbit(y[0]) == np.signbit(first)


@every_model
def test_warm_up_stands_where_the_steps_lead(name):
    """Rows of different lengths with holes, one of them empty; each goes on from its own end."""
    net, x = problem(name)
    mask = np.array([[1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]], dtype=bool)
    more = x[:, :2]
    stream = net.stream(rows=3)
    stream.step(x[:, 0])  # warm_up starts anew
    first = stream.warm_up(np.where(mask.reshape(mask.shape + (1,) * (x.ndim - 2)), x, 0)
                           if x.dtype.kind == "i" else x, mask=mask)  # fmt: skip
    for row in range(3):
        own = net.stream()
        for t in np.flatnonzero(mask[row]):
            y = own.step(x[row : row + 1, t])
            if t == np.flatnonzero(mask[row])[-1]:
                close(first[row : row + 1], y)
        again = stream.copy()
        for t in range(2):
            close(again.step(more[:, t])[row : row + 1], own.step(more[row : row + 1, t]))


@every_model
def test_single_rows_start_anew(name):
    net, x = problem(name)
    for rows in (1, [1], [False, True, False], np.array([1]), slice(1, 2)):
        stream, old = net.stream(3), net.stream(3)
        for t in range(3):
            stream.step(x[:, t])
            old.step(x[:, t])
        if isinstance(rows, slice):
            rows = np.arange(3)[rows]
        stream.reset(rows)
        y, before = stream.step(x[:, 4]), old.step(x[:, 4])
        close(y[[0, 2]], before[[0, 2]])
        close(y[1], net.stream(3).step(x[:, 4])[1])
    stream.reset()
    close(stream.step(x[:, 0]), net.stream(3).step(x[:, 0]))
    stream.reset([])
    close(stream.step(x[:, 1]), net.predict(x[:, :2]).reshape(3, -1, y.shape[1])[:, -1])


@every_model
def test_rows_can_be_dropped_repeated_and_ordered(name):
    net, x = problem(name)
    stream = net.stream(3)
    for t in range(2):
        stream.step(x[:, t])
    for rows in ([2, 0], [1, 1, 1, 0], np.array([True, False, True]), [1], list(range(3)) * 4):
        some, chosen = stream.copy(), np.arange(3)[rows]
        some.take(rows)
        assert some.rows == len(chosen)
        both = [(some.step(x[chosen, t]), t) for t in (2, 3)]
        for y, t in both:
            close(y, net.predict(x[chosen, : t + 1]).reshape(len(chosen), -1, y.shape[1])[:, -1])
    close(stream.step(x[:, 2]), net.predict(x[:, :3]).reshape(3, -1, y.shape[1])[:, -1])


@every_model
def test_the_state_can_be_kept_set_and_copied(name):
    net, x = problem(name)
    stream = net.stream(3)
    stream.step(x[:, 0])
    kept, twin = stream.state, stream.copy()
    y = [stream.step(x[:, t]) for t in (1, 2)]
    for array in leaves(stream.state):
        array[...] = 7.0  # a copy: nothing happens
    stream.state = kept
    fresh = net.stream(3)
    fresh.state = kept
    for array in leaves(kept):
        array[...] = 9.0
    for other in (stream, twin, fresh):
        close([other.step(x[:, t]) for t in (1, 2)], y)


@pytest.mark.parametrize("case", [c for c in CASES if c.features == 2], ids=str)
def test_every_network_streams_or_says_why_not(case):
    net = case.network()
    try:
        stream = net.stream()
    except InvalidArgumentError as error:
        message = str(error)
        assert message.endswith(".")
        assert "stream" in message
        assert "handed on" in case.name or any(
            getattr(layer, "bidirectional", False)
            or getattr(layer, "reverse", False)
            or isinstance(layer, WHOLE)
            or not getattr(layer, "causal", True)
            or getattr(layer, "stride", 1) > 1
            or (isinstance(layer, Conv1D) and layer.padding != "causal" and layer.kernel_size > 1)
            for layer in case.layers
        )
        return
    x = np.random.default_rng(0).normal(size=(1, 4, 2))
    for t in range(4):
        y = stream.step(x[0, t])
    expected, _ = net.forward(x)
    close(y, expected[0] if expected.ndim == 2 else expected[0, -1])


def test_one_row_may_come_without_its_axis():
    net, x = problem(rows=1)
    a, b = net.stream(), net.stream()
    close(a.step(x[0, 0]), b.step(x[:, 0])[0])
    tokens, x = problem("tokens", rows=1)
    assert tokens.stream().step(3).shape == (4,)
    assert tokens.stream().step([3]).shape == (1, 4)


def test_parameters_are_used_as_they_are_at_each_step():
    net, x = problem("rnn")
    stream = net.stream(3)
    net.params.flat *= 0.5
    close(stream.step(x[:, 0]), net.predict(x[:, :1])[:, 0])


def test_float32_streams_in_float32():
    net, x = problem("lstm")
    y = net.astype("float32").stream(3).step(x[:, 0])
    assert y.dtype == np.float32


def refused(action, error):
    with pytest.raises(error) as caught:
        action()
    return str(caught.value)


def test_networks_that_cannot_stream_are_refused():
    def stream(*layers):
        return lambda: Network(list(layers), 2).stream()

    assert refused(stream(RNN(2, bidirectional=True)), InvalidArgumentError) == (
        "layer 0 (RNN) cannot be run as a stream: it reads each sequence from its end, which a"
        " stream has not seen yet."
    )
    assert refused(stream(RNN(2), RepeatVector(2)), InvalidArgumentError) == (
        "layer 1 (RepeatVector) cannot be run as a stream: it makes many steps of one."
    )
    assert refused(stream(Conv1D(2, 3)), InvalidArgumentError) == (
        "layer 0 (Conv1D) cannot be run as a stream: with padding 'valid' its output at a step"
        " depends on later ones; with padding='causal' it does not."
    )
    assert refused(stream(Conv1D(2, 3, stride=2, padding="causal")), InvalidArgumentError) == (
        "layer 0 (Conv1D) cannot be run as a stream: with stride 2 it does not put out one step"
        " for each it takes."
    )
    assert refused(stream(RNN(2, return_sequences=True), MaxPool1D(1)), InvalidArgumentError) == (
        "layer 1 (MaxPool1D) cannot be run as a stream: it does not put out one step for each"
        " step that it takes."
    )
    assert refused(stream(TimeReverse()), InvalidArgumentError) == (
        "layer 0 (TimeReverse) cannot be run as a stream: it reads each sequence from its end,"
        " which a stream has not seen yet."
    )
    assert refused(stream(SliceSteps(1)), InvalidArgumentError) == (
        "layer 0 (SliceSteps) cannot be run as a stream: it does not put out one step for each"
        " step that it takes."
    )
    assert refused(stream(Repeat(2)), InvalidArgumentError) == (
        "layer 0 (Repeat) cannot be run as a stream: it makes many steps of one."
    )
    assert refused(stream(Flatten(2)), InvalidArgumentError) == (
        "layer 0 (Flatten) cannot be run as a stream: it needs all steps of a sequence at once."
    )
    assert refused(stream(RepeatVector(2)), InvalidArgumentError) == (
        "the network takes one vector a sequence, so it cannot be run as a stream."
    )
    decoder = (RNN(2, return_sequences=True, return_state=True), RNN(2))
    assert refused(stream(*decoder), InvalidArgumentError) == (
        "a decoder starts from the end of its encoder's input, which a stream has not seen yet:"
        " stream the two as networks of their own."
    )


def test_wrong_steps_and_states_are_refused():
    net, x = problem("lstm")
    stream = net.stream(3)
    assert refused(lambda: stream.step(x[:2, 0]), ShapeError) == (
        "x must be of shape (3, 2), one step of each row; got shape (2, 2)."
    )
    assert refused(lambda: stream.step(np.full((3, 2), np.nan)), DataError).startswith(
        "x must be finite; got nan at index (0, 0)."
    )
    assert refused(lambda: net.stream(0), InvalidArgumentError) == (
        "rows must be an integer >= 1; got 0."
    )
    assert refused(lambda: stream.warm_up(x[:2]), ShapeError) == (
        "x must have 3 rows, those of the stream; got 2."
    )
    assert refused(lambda: stream.reset(3), InvalidArgumentError) == (
        "rows must select rows from 0 to 2; got 3."
    )

    for rows in (3, [0, -4], [True, False]):
        assert refused(lambda rows=rows: stream.take(rows), InvalidArgumentError) == (
            f"rows must select rows from 0 to 2; got {rows}."
        )
    for rows in ([], [False] * 3):
        assert refused(lambda rows=rows: stream.take(rows), InvalidArgumentError) == (
            "rows must select at least one row; got none."
        )

    def set_state(state):
        def action():
            stream.state = state

        return action

    assert refused(set_state(None), InvalidTypeError) == (
        "state must be a list of 2 tuples, as stream.state gives it; got None."
    )
    assert refused(set_state([3, ()]), InvalidTypeError) == (
        "state[0] must be a tuple of arrays; got 3."
    )
    h = np.zeros((3, 3))
    assert refused(set_state([(h,), ()]), ShapeError) == (
        "state[0] must have the shapes [(3, 3), (3, 3)]; got [(3, 3)]."
    )
    assert refused(set_state([(h, h[:, :1]), ()]), ShapeError) == (
        "state[0] must have the shapes [(3, 3), (3, 3)]; got [(3, 3), (3, 1)]."
    )
    tokens, _ = problem("tokens")
    assert refused(lambda: tokens.stream(3).step([1, 2]), ShapeError) == (
        "x must hold 3 tokens, one a row; got 2."
    )
    assert refused(lambda: tokens.stream(1).step([5]), InvalidArgumentError).startswith(
        "x must hold integers from 0 to 4, the tokens of its Embedding; got"
    )


# -- extrapolation ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm, time bias", "deep", "mean", "convolutions"])
def test_extrapolation_is_to_run_growing_sequences_again(name):
    net, x = problem(name)
    lengths = [6, 3, 1]
    result = net.extrapolate(x, steps=5, lengths=lengths)
    assert result.shape == (3, 5, 2)
    for row, length in enumerate(lengths):
        sequence = x[row : row + 1, :length]
        for t in range(5):
            y = net.predict(sequence)
            y = y if y.ndim == 2 else y[:, -1]
            close(result[row : row + 1, t], y)
            sequence = np.concatenate([sequence, y[:, None]], axis=1)


def test_extrapolation_of_tokens_with_feedback():
    net, x = problem("tokens")
    result = net.extrapolate(x, steps=4, feedback=lambda y: y.argmax(axis=1))
    sequence = x
    for t in range(4):
        y = net.predict(sequence)[:, -1]
        close(result[:, t], y)
        sequence = np.concatenate([sequence, y.argmax(axis=1)[:, None]], axis=1)


def test_extrapolation_of_other_outputs_needs_feedback():
    net = Network([RNN(3, return_sequences=True)], 2)
    assert refused(lambda: net.extrapolate(np.zeros((1, 2, 2)), 3), InvalidArgumentError) == (
        "feedback must be given, a function of an output (3 numbers) that returns the next input"
        " (2 numbers)."
    )
    result = net.extrapolate(np.zeros((1, 2, 2)), 3, feedback=lambda y: y[:, :2])
    assert result.shape == (1, 3, 3)
    tokens, x = problem("tokens")
    assert refused(lambda: tokens.extrapolate(x, 3), InvalidArgumentError) == (
        "feedback must be given, a function of an output (4 numbers) that returns the next input"
        " (a token)."
    )
    assert refused(lambda: net.extrapolate(np.zeros((1, 2, 2)), 0), InvalidArgumentError) == (
        "steps must be an integer >= 1; got 0."
    )
    assert refused(lambda: tokens.extrapolate(x, 3, feedback=3), InvalidTypeError) == (
        "feedback must be a function of an output (N, K); got 3."
    )


COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda stream: pickle.loads(pickle.dumps(stream)),
    "stream.copy": lambda stream: stream.copy(),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("rows", [1, 3, 20])
@every_model
def test_a_copy_goes_on_with_the_same_bits(name, rows, way):
    net, x = problem(name, rows)
    stream = net.stream(rows)
    for t in range(3):
        stream.step(x[:, t])
    other = COPIES[way](stream)
    assert (other.net is net) == (way in ("copy.copy", "stream.copy"))
    expected = [stream.step(x[:, t]) for t in (3, 4, 5)]
    assert [other.step(x[:, t]).tobytes() for t in (3, 4, 5)] == [y.tobytes() for y in expected]
    for one, two in zip(leaves(stream.state), leaves(other.state), strict=True):
        assert one.tobytes() == two.tobytes()
        assert not np.shares_memory(one, two)


def test_reprs_are_short():
    net, x = problem("deep")
    stream = net.stream(rows=3)
    stream.step(x[:, 0])
    assert repr(stream) == "<Stream of 3 rows through LSTM, GRU, Dense>"
    assert repr(net.stream()) == "<Stream of 1 row through LSTM, GRU, Dense>"
    _, tape = net.forward(x)
    assert repr(tape) == "<Tape of layers with outputs (3, 6, 2), (3, 3), (3, 2)>"


def test_the_old_path_of_extrapolate_warns():
    with pytest.warns(DeprecationWarning, match=r"^throughtime.network.stream.extrapolate is in"):
        assert streams.extrapolate is generation.extrapolate
    with pytest.raises(AttributeError, match=r"^module 'throughtime.network.stream' has no"):
        streams.extrapolated  # noqa: B018  # to look it up is the test
