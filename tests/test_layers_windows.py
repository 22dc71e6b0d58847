"""Convolution, windowed pools and Flatten: their windows, masks of outputs, refusals."""

import numpy as np
import pytest
from network_cases import Case

import throughtime as tt
from throughtime.errors import InvalidArgumentError, ShapeError
from throughtime.initializers import HeUniform
from throughtime.kernels import selection
from throughtime.layers import (
    GRU,
    RNN,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
    MaxPool1D,
    MeanPool1D,
    RepeatVector,
)
from throughtime.layers.windows import Window
from throughtime.network import Network

HOLES = np.array([[1, 0, 1, 1, 0, 1], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], dtype=bool)
X = np.arange(1.0, 19.0).reshape(3, 6, 1)


def sums(kernel_size, **options):
    """A convolution that adds up its window, the later steps at ten times the weight before."""
    net = Network([Conv1D(1, kernel_size, use_bias=False, **options)], 1, "float64")
    net.params["0.W"] = 10.0 ** np.arange(kernel_size)[:, None]
    return net


def refused(action, error=ShapeError):
    with pytest.raises(error) as caught:
        action()
    return str(caught.value)


# -- windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [321, 432, 543]),
        ({"padding": "same"}, [210, 321, 432, 543, 54]),
        ({"padding": "causal"}, [100, 210, 321, 432, 543]),
        ({"stride": 2}, [321, 543]),
        ({"stride": 3}, [321]),
        ({"stride": 2, "padding": "same"}, [210, 432, 54]),
        ({"stride": 3, "padding": "same"}, [321, 54]),  # 2 windows, 1 step of padding: at the end
        ({"stride": 2, "padding": "causal"}, [100, 321, 543]),
        ({"dilation": 2}, [531]),
        ({"dilation": 2, "padding": "same"}, [310, 420, 531, 42, 53]),
        ({"dilation": 2, "padding": "causal"}, [100, 200, 310, 420, 531]),
    ],
    ids=str,
)
def test_the_windows_of_five_steps(options, expected):
    net = sums(3, **options)
    y = net.predict(np.arange(1.0, 6.0)[None, :, None])
    assert y.ravel().tolist() == expected
    assert net.output_shape((1, 5, 1)) == y.shape


def test_an_odd_step_of_padding_is_at_the_end():
    assert sums(2, padding="same").predict(X[:1, :3]).ravel().tolist() == [21, 32, 3]


@pytest.mark.parametrize("padding", ["same", "causal"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_a_sequence_is_its_real_steps(padding, stride, kernel_size):
    """Its own end is where "same" pads, and a hole is as if it were not there."""
    net = sums(kernel_size, stride=stride, padding=padding)
    y, tape = net.forward(X, mask=HOLES)
    assert not y[~tape.output_mask].any()
    for n, real in enumerate(HOLES):
        own = y[n, tape.output_mask[n]]
        if not real.any():
            assert own.size == 0
            continue
        np.testing.assert_array_equal(own, net.predict(X[n : n + 1, real])[0])
    if stride == 1:
        np.testing.assert_array_equal(tape.output_mask, HOLES)
    else:  # at the front
        counts = -(-HOLES.sum(axis=1) // stride)
        np.testing.assert_array_equal(tape.output_mask, np.arange(y.shape[1]) < counts[:, None])


def test_valid_outputs_stand_at_the_front_of_their_row():
    y, tape = sums(2).forward(X, mask=HOLES)
    assert y[..., 0].tolist() == [[31, 43, 64, 0, 0], [120, 0, 0, 0, 0], [0] * 5]
    assert tape.output_mask.sum(axis=1).tolist() == [3, 1, 0]
    assert tape.output_mask[0].tolist() == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (MaxPool1D(2), [[3, 6], [11, 0], [0, 0]]),
        (MaxPool1D(2, stride=1), [[3, 4, 6], [11, 0, 0], [0, 0, 0]]),
        (MeanPool1D(2), [[2, 5], [10.5, 0], [0, 0]]),
        (MeanPool1D(1, stride=3), [[1, 6], [10, 0], [0, 0]]),
    ],
    ids=str,
)
def test_pools_of_windows(layer, expected):
    y, tape = Network([layer], 1, "float64").forward(X, mask=HOLES)
    width = len(expected[0])
    assert y[:, :width, 0].tolist() == expected
    assert not y[:, width:].any()
    assert (tape.output_mask.sum(axis=1) == np.count_nonzero(expected, axis=1)).all()


def test_steps_that_fill_no_window_are_left_out():
    net = Network([MaxPool1D(2)], 1, "float64")
    y, tape = net.forward(np.array([[[1.0], [3.0], [9.0]]]))
    assert y.ravel().tolist() == [3]
    assert net.backward(tape, np.ones((1, 1, 1))).ravel().tolist() == [0, 1, 0]


def test_the_earliest_of_equal_maxima_gets_the_gradient():
    net = Network([MaxPool1D(3, stride=1)], 1, "float64")
    _, tape = net.forward(np.array([[[2.0], [3.0], [3.0], [3.0]]]))
    assert net.backward(tape, np.ones((1, 2, 1))).ravel().tolist() == [0, 2, 0, 0]


def test_nan_is_not_hidden_by_a_pool():
    for layer in (MaxPool1D(2), MeanPool1D(2)):
        result = layer.forward(
            None, np.array([[[np.nan], [1.0]]]), None, None, tt.layers.base.Call()
        )
        assert np.isnan(result.y).all()


def test_all_steps_side_by_side():
    net = Network([Flatten(4)], 1, "float64")
    mask = np.array([[1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0]], dtype=bool)
    y, tape = net.forward(X, mask=mask)
    assert y.tolist() == [[1, 3, 4, 6], [0] * 4, [13, 14, 15, 16]]
    dx = net.backward(tape, np.arange(12.0).reshape(3, 4))
    assert dx[..., 0].tolist() == [[0, 0, 1, 2, 0, 3], [0] * 6, [8, 9, 10, 11, 0, 0]]
    wide = Network([Flatten(2)], 3).predict(np.arange(12.0).reshape(2, 2, 3))
    assert wide.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_side_by_side_has_the_bits_of_a_sequence_alone(dtype):
    layers = [Conv1D(17, 3, padding="same"), MaxPool1D(2), Flatten(3), Dense(5)]
    net = Case("", layers).network(dtype)
    x = np.random.default_rng(0).normal(size=(9, 7, 2))
    y = net.predict(x, lengths=np.array([6, 7] * 4 + [6]))
    for n in range(9):
        own = net.predict(x[n : n + 1, : 6 + n % 2])
        np.testing.assert_allclose(own[0], y[n], rtol=1e-4 if dtype == "float32" else 1e-12)
        if selection.current() == "native":
            assert own.tobytes() == y[n : n + 1].tobytes()


def test_no_row_with_a_real_step():
    nothing = np.zeros((2, 1), dtype=bool)
    for layer in (Conv1D(3, 4), Conv1D(3, 4, padding="same", activation="softmax"), MaxPool1D(5),
                  MeanPool1D(5), Conv1D(2, 3, padding="causal"), Flatten(3)):  # fmt: skip
        net = Network([layer], 2)
        y, tape = net.forward(np.ones((2, 1, 2)), mask=nothing)
        assert y.shape == ((2, 6) if layer == Flatten(3) else (2, 1, net.n_outputs))
        assert not y.any()
        assert not net.backward(tape, np.ones_like(y)).any()
        assert not net.grads.flat.any()


def test_counts_are_those_of_the_formulas():
    """By counting: windows that lie within a sequence with its padding."""
    for size, stride, dilation, L in np.ndindex(4, 4, 3, 12):
        window = Window(size + 1, stride + 1, dilation + 1, "valid")
        found = [t for t in range(0, L, stride + 1) if t + window.span <= L]
        assert window.count(L) == len(found)
        for padding in ("same", "causal"):
            assert Window(size + 1, stride + 1, 1, padding).count(L) == len(range(0, L, stride + 1))


# -- refusals ---------------------------------------------------------------------------------


def test_a_sequence_shorter_than_a_window_is_refused():
    way = (
        " Set padding to 'same' or 'causal', make kernel_size or dilation smaller, or leave shorter"
        " sequences out."
    )
    net = Network([Conv1D(2, 3, dilation=2)], 1)
    for attempt in (net.predict, net.forward):
        assert refused(lambda attempt=attempt: attempt(X[:, :4])) == (
            "layer 0 (Conv1D) needs at least 5 steps in every sequence; got 4 in x[0]." + way
        )
    assert refused(lambda: net.predict(X, lengths=[6, 0, 2])) == (
        "layer 0 (Conv1D) needs at least 5 steps in every sequence; got 2 in x[2]." + way
    )
    net = Network([MeanPool1D(2), MaxPool1D(4)], 1)
    assert refused(lambda: net.predict(X)) == (
        "layer 1 (MaxPool1D) needs at least 4 steps in every sequence; got 3, of the 6 of x[0]."
        " Make size smaller, or leave shorter sequences out."
    )
    net = Network([Embedding(3, 2), Conv1D(2, 3)])
    assert refused(lambda: net.predict([[0, 1, 2], [0, 1]])).startswith(
        "layer 1 (Conv1D) needs at least 3 steps in every sequence; got 2 in x[1]."
    )


def test_what_a_vector_is_repeated_to_is_known_at_once():
    layers = [Dense(2), RepeatVector(2), Conv1D(2, 3)]
    assert refused(lambda: Network(layers, 3)).startswith(
        "layer 2 (Conv1D) needs at least 3 steps in every sequence; got 2. Set padding"
    )


def test_another_number_of_steps_cannot_be_laid_side_by_side():
    net = Network([RNN(2, return_sequences=True), Flatten(4), Dense(1)], 1)
    assert refused(lambda: net.predict(X)) == (
        "layer 1 (Flatten) needs exactly 4 steps in every sequence; got 6 in x[0]. Write"
        " Flatten(6), or a pooling layer, which takes sequences of any length."
    )
    assert refused(lambda: net.predict(X, lengths=[4, 3, 4])).startswith(
        "layer 1 (Flatten) needs exactly 4 steps in every sequence; got 3 in x[1]."
    )
    assert refused(lambda: Network([MaxPool1D(2), Flatten(2)], 1).predict(X)).startswith(
        "layer 1 (Flatten) needs exactly 2 steps in every sequence; got 3, of the 6 of x[0]."
    )


def test_vectors_are_refused():
    for layer in (Conv1D(2, 3), MaxPool1D(2), Flatten(2)):
        assert refused(lambda layer=layer: Network([RNN(2), layer], 1), InvalidArgumentError) == (
            f"layer 1 ({layer.kind}) needs a sequence, and layer 0 (RNN) gives a vector. Set"
            " return_sequences=True in layer 0, or put a RepeatVector between."
        )


# -- states -----------------------------------------------------------------------------------


def test_the_state_is_the_last_inputs():
    net = Network([Conv1D(3, 2, dilation=3, padding="causal")], 1)
    _, tape = net.forward(X, mask=HOLES)
    ((past,),) = tape.final_state
    assert past.tolist() == [[3, 4, 6], [0, 10, 11], [0, 0, 0]]
    _, tape = net.forward(X[:, :2], initial_state=[(past,)], mask=HOLES[:, :2])
    assert tape.final_state[0][0].tolist() == [[4, 6, 1], [0, 10, 11], [0, 0, 0]]
    net.backward(tape, np.ones((3, 2, 3)))
    assert tape.d_initial_state[0][0].shape == (3, 3)


def test_without_a_given_state_there_is_no_gradient_of_one():
    net = Case("", [Conv1D(2, 3, padding="causal")]).network()
    x = np.random.default_rng(0).normal(size=(2, 4, 2))
    y, tape = net.forward(x)
    dx = net.backward(tape, np.ones_like(y))
    assert tape.d_initial_state == [None]
    zeros, given = net.forward(x, initial_state=[(np.zeros((2, 4)),)])
    np.testing.assert_array_equal(zeros, y)
    assert net.backward(given, np.ones_like(y), input_gradient=False) is None
    assert given.d_initial_state[0][0].any()
    np.testing.assert_array_equal(net.backward(given, np.ones_like(y)), dx)


def test_wrong_states_are_refused():
    net = Network([Conv1D(3, 3, padding="causal"), Conv1D(1, 2), GRU(2)], 2)
    x = np.zeros((2, 4, 2))
    assert refused(lambda: net.forward(x, initial_state={0: 3})) == (
        "initial_state[0] must be a tuple (past,) with past of shape (2, 4); got 3."
    )
    assert refused(lambda: net.forward(x, initial_state={0: (np.zeros((2, 2)),)})) == (
        "initial_state[0]: past must be of shape (2, 4); got shape (2, 2)."
    )
    assert refused(
        lambda: net.forward(x, initial_state={1: np.zeros((2, 3))}), InvalidArgumentError
    ) == (
        "initial_state[1] must be None: Conv1D has no state; got an array of shape (2, 3) and dtype"
        " float64."
    )


# -- training ---------------------------------------------------------------------------------


def test_weights_start_as_wide_as_what_a_window_sees():
    net = Network([Conv1D(4000, 5, initializer=HeUniform())], 8)
    bound = np.sqrt(6 / 40)
    assert 0.99 * bound < abs(net.params["0.W"]).max() <= bound
    assert not net.params["0.b"].any()


def test_a_frozen_convolution_stays_and_a_penalty_counts():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 6, 2)), rng.normal(size=(8, 1))
    net = tt.Network([Conv1D(3, 2, lr_multiplier=0.0, l2=2.0), GRU(2), Dense(1)], 2)
    before = net.params["0.W"].copy()
    history = tt.train(net, x, y, epochs=2)
    np.testing.assert_array_equal(net.params["0.W"], before)
    assert history["penalty"][0] == pytest.approx(float((before**2).sum()), rel=1e-5)
    names = {name for name, part in net.params.slices.items() if net.weight_mask()[part].all()}
    assert names == {"0.W", "1.W_x", "1.W_h", "2.W"}


RAGGED = [6, 3, 2, 5, 6, 4, 2, 6]


def ragged(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 2)) for n in RAGGED]


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_training_where_outputs_have_steps_of_their_own(padding):
    """The loss and the metrics of a batch are the means over the real outputs of its sequences."""
    layer = Conv1D(1, 2, stride=2, padding=padding)
    net = tt.Network([layer], 2, dtype="float64", seed=1)
    x = ragged()
    counts = layer.window.count(np.array(RAGGED))
    rng = np.random.default_rng(1)
    y = [rng.normal(size=(n, 1)) for n in counts]
    errors = np.concatenate([net.predict(a[None])[0] - b for a, b in zip(x, y, strict=True)])
    wanted = {"loss": (errors**2).mean(), "mae": abs(errors).mean()}
    for size in (None, 3):
        scores = tt.evaluate(net, x, y, metrics=["mae"], batch_size=size)
        assert scores == pytest.approx(wanted, rel=1e-12)
    padded = np.full((8, 3, 1), np.nan)
    for row, own in zip(padded, y, strict=True):
        row[: len(own)] = own
    assert tt.evaluate(net, x, padded, metrics=["mae"]) == pytest.approx(wanted, rel=1e-12)
    weights = [rng.uniform(0.5, 2.0, size=n) for n in counts]
    flat = np.concatenate(weights)[:, None]
    scores = tt.evaluate(net, x, y, sample_weight=weights)
    assert scores["loss"] == pytest.approx((flat * errors**2).sum() / flat.sum(), rel=1e-12)
    history = tt.train(net, x, y, epochs=3, batch_size=3, validation=0.25, metrics=["mae"],
                       optimizer="sgd", keep_outputs=True)  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]
    with pytest.raises(ShapeError) as caught:
        tt.evaluate(net, x, [row[:1] for row in y])
    assert str(caught.value) == ("y[0] must have 3 steps, as the output of x[0] has; got 1.")


def test_valid_outputs_are_not_taken_for_the_steps_of_the_input():
    net = tt.Network([Conv1D(1, 3)], 2)
    x = np.zeros((4, 6, 2))
    assert tt.evaluate(net, x, np.zeros((4, 4, 1)))["loss"] == 0
    with pytest.raises(ShapeError, match=r"\(4, 4, 1\)"):
        tt.evaluate(net, x, np.zeros((4, 6, 1)))


def test_sequences_too_short_are_found_before_training():
    net = tt.Network([Conv1D(4, 3), GRU(2), Dense(1)], 2)
    with pytest.raises(ShapeError, match=r"^layer 0 \(Conv1D\) needs at least 3 steps .*x\[2\]"):
        tt.train(net, ragged(), np.zeros((8, 1)), batch_size=1, epochs=1)


def test_batches_of_short_sequences_fit_a_flatten():
    """A batch is cut to its longest sequence; what counts are real steps."""
    net = tt.Network([Conv1D(2, 2, padding="causal"), Flatten(3), Dense(1)], 2)
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [1, 0, 1, 0, 1]], dtype=bool)
    x, y = np.random.default_rng(0).normal(size=(3, 5, 2)), np.zeros((3, 1))
    one = tt.evaluate(net, x, y, mask=mask, batch_size=1)
    assert one == pytest.approx(tt.evaluate(net, x, y, mask=mask), rel=1e-6)


@pytest.mark.parametrize("tbptt", [None, (2, 4)])
def test_a_causal_network_learns_a_filter(tbptt):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(32, 20, 1))
    y = x - 0.5 * np.pad(x, ((0, 0), (2, 0), (0, 0)))[:, :-2]
    net = tt.Network([Conv1D(1, 3, padding="causal")], 1, dtype="float64")
    history = tt.train(
        net, x, y, epochs=60, batch_size=8, optimizer=tt.optimizers.Adam(0.03), tbptt=tbptt
    )
    assert history["loss"][-1] < 1e-4
    np.testing.assert_allclose(net.params["0.W"].ravel(), [-0.5, 0, 1], atol=0.02)


def test_the_tape_keeps_what_it_saw():
    net = Case("", [Conv1D(3, 2, activation="tanh"), MaxPool1D(2)]).network()
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    y, tape = net.forward(x)
    net.backward(tape, np.ones_like(y))
    wanted = net.grads.flat.copy()
    net.grads.flat = 0.0
    y, tape = net.forward(x)
    x[...] = 7.0
    y[...] = 7.0
    net.backward(tape, np.ones_like(y))
    np.testing.assert_array_equal(net.grads.flat, wanted)
