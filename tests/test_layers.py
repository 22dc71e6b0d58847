"""Layers: what they refuse, their messages, and what each one does with masked steps."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from network_cases import Case, offered

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import (
    GRU,
    LAYERS,
    LRU,
    LSTM,
    RECURRENT,
    RNN,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    IndRNN,
    LastStep,
    Layer,
    MaxPool,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    MinGRU,
    MinLSTM,
    MultiHeadAttention,
    RepeatVector,
)
from throughtime.layers.base import summary_of
from throughtime.network import Network

recurrent = pytest.mark.parametrize("layer", list(RECURRENT.values()))

#: (option, a value that is refused, the error, its words)
REFUSED = [
    ("units", 0, InvalidArgumentError, "units must be an integer >= 1; got 0."),
    ("units", 2.0, InvalidTypeError, "units must be an integer >= 1; got 2.0."),
    ("units", True, InvalidTypeError, "units must be an integer >= 1; got True."),
    ("dropout", 1.0, InvalidArgumentError, "dropout must be a number in [0, 1); got 1.0."),
    ("dropout", -0.1, InvalidArgumentError, "dropout must be a number in [0, 1); got -0.1."),
    ("recurrent_dropout", "x", InvalidTypeError,
     "recurrent_dropout must be a number in [0, 1); got 'x'."),
    ("lr_multiplier", -1.0, InvalidArgumentError,
     "lr_multiplier must be a finite number >= 0; got -1.0."),
    ("lr_multiplier", None, InvalidTypeError,
     "lr_multiplier must be a finite number >= 0; got None."),
    ("l1", -1.0, InvalidArgumentError, "l1 must be a finite number >= 0; got -1.0."),
    ("l2", float("nan"), InvalidArgumentError, "l2 must be a finite number >= 0; got nan."),
    *((name, 1, InvalidTypeError, f"{name} must be True or False; got 1.")
      for name in ("return_sequences", "return_state", "bidirectional", "reverse", "use_bias",
                   "time_bias", "learn_initial_state")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "option", "value", "error", "words"),
    [(layer, *row) for layer in RECURRENT.values() for row in REFUSED
     if offered(layer, **{row[0]: None})],
)  # fmt: skip
def test_recurrent_options_are_checked(layer, option, value, error, words):
    with pytest.raises(error) as caught:
        layer(**{"units": 2, option: value})
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: GRU(2, bidirectional=True, reverse=True),
            ("reverse must be False in a bidirectional layer; got True."
             " A bidirectional layer already runs both ways."),
        ),
        (
            lambda: GRU(2, bidirectional=True, merge="add"),
            "merge must be one of 'concat', 'sum', 'mul', 'ave'; got 'add'.",
        ),
        (
            lambda: LSTM(2, merge="sum"),
            ("merge must be 'concat' in a layer that is not bidirectional; got 'sum'."
             " There is one direction, and nothing to merge."),
        ),
        (lambda: GRU(2, reset_after=1), "reset_after must be True or False; got 1."),
        (lambda: LSTM(2, forget_bias="1"), "forget_bias must be a finite number; got '1'."),
        (lambda: LRU(2, state_size=0), "state_size must be an integer >= 1; got 0."),
        (lambda: LRU(2, r_min=1), "r_min must be a number in [0, 1); got 1."),
        (lambda: LRU(2, r_max=0.0), "r_max must be a number in (0, 1]; got 0.0."),
        (lambda: LRU(2, r_min=0.9, r_max=0.5), "r_max must be at least r_min, 0.9; got 0.5."),
        (lambda: LRU(2, max_phase=0), "max_phase must be a finite number > 0; got 0."),
        (lambda: Dense(0), "units must be an integer >= 1; got 0."),
        (lambda: Dense(2, use_bias=None), "use_bias must be True or False; got None."),
        (lambda: Dropout(1), "rate must be a number in [0, 1); got 1."),
        (lambda: Dropout(0.1, variational=1), "variational must be True or False; got 1."),
        (lambda: Embedding(0, 2), "n_tokens must be an integer >= 1; got 0."),
        (lambda: Embedding(2, 0), "units must be an integer >= 1; got 0."),
        (lambda: RepeatVector(0), "steps must be an integer from 1 to 1048576; got 0."),
        (lambda: Flatten(0), "steps must be an integer from 1 to 1048576; got 0."),
        (lambda: MaxPool1D(2.0), "size must be an integer from 1 to 1048576; got 2.0."),
        (lambda: MeanPool1D(2, 0), "stride must be an integer from 1 to 1048576; got 0."),
        (lambda: Conv1D(0, 2), "filters must be an integer >= 1; got 0."),
        (lambda: Conv1D(2, 0), "kernel_size must be an integer from 1 to 1048576; got 0."),
        (lambda: Conv1D(2, True), "kernel_size must be an integer from 1 to 1048576; got True."),
        (lambda: Conv1D(2, 3, stride=0), "stride must be an integer from 1 to 1048576; got 0."),
        (
            lambda: Conv1D(2, 3, dilation=None),
            "dilation must be an integer from 1 to 1048576; got None.",
        ),
        (
            lambda: Conv1D(2, 5, dilation=2**18),
            ("dilation must be at most 262143 with kernel_size=5; got 262144. A window spans at"
             " most 1048576 steps."),
        ),
        (
            lambda: Conv1D(2, 3, padding="casual"),
            ("padding must be one of 'valid', 'same', 'causal'; got 'casual'. Did you mean"
             " 'causal'?"),
        ),
        (lambda: Conv1D(2, 3, use_bias=1), "use_bias must be True or False; got 1."),
        (lambda: Conv1D(2, 3, l1=-1), "l1 must be a finite number >= 0; got -1."),
        (
            lambda: Conv1D(2, 3, lr_multiplier="1"),
            "lr_multiplier must be a finite number >= 0; got '1'.",
        ),
    ],
)  # fmt: skip
def test_other_options_are_checked(make, words):
    with pytest.raises((InvalidArgumentError, InvalidTypeError)) as caught:
        make()
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("layer", "option"),
    [(layer, option) for layer in RECURRENT.values()
     for option in offered(layer, activation=0, initializer=0, recurrent_initializer=0)],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, 3, Dense(2)], ids=["None", "number", "layer"])
def test_what_is_no_function_is_refused(layer, option, value):
    with pytest.raises(
        InvalidTypeError, match=rf"^{option.removeprefix('recurrent_')} must be one"
    ):
        layer(2, **{option: value})


@pytest.mark.parametrize("layer", [MinGRU, MinLSTM, IndRNN, LRU])
def test_without_a_product_in_the_loop_there_are_no_options_of_it(layer):
    assert not offered(layer, time_bias=True, recurrent_dropout=0.1)
    with pytest.raises(InvalidTypeError) as caught:
        layer(2, time_bias=True)
    assert str(caught.value) == (
        f"{layer.__name__} has no argument 'time_bias'; did you mean 'use_bias'?"
    )


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM, Dense])
def test_options_are_written_by_name_but_for_sizes(layer):
    with pytest.raises(TypeError, match=r"takes 1 argument without a name \(units\); got 2"):
        layer(2, "tanh")


def test_a_dense_layer_without_an_activation_is_linear():
    assert Dense(2, activation=None) == Dense(2) == Dense(2, activation="linear")
    assert Conv1D(2, 3, activation=None) == Conv1D(2, 3) == Conv1D(2, 3, activation="linear")


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers_are_values(name):
    """Frozen, comparable and hashable; a description makes an equal one."""
    sizes = {"units": 3, "n_tokens": 4, "steps": 2, "rate": 0.5, "size": 2}
    sizes |= {"filters": 3, "kernel_size": 2, "start": 1, "times": 2, "heads": 2}
    fields = dataclasses.fields(LAYERS[name])
    needed = {f.name: sizes[f.name] for f in fields if f.default is dataclasses.MISSING}
    layer, twin = LAYERS[name](**needed), LAYERS[name](**needed)
    assert layer == twin
    assert hash(layer) == hash(twin)
    assert LAYERS.from_config(LAYERS.to_config(layer)) == layer
    for f in fields:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(layer, f.name, None)


def test_one_layer_object_in_two_networks():
    layer = GRU(2)
    a, b = Network([layer], 2, seed=0), Network([layer], 3, seed=1)
    a.predict(np.ones((1, 2, 2)))
    assert b.predict(np.ones((1, 2, 3))).shape == (1, 2)
    assert a.params.size != b.params.size


def test_descriptions_in_words():
    assert summary_of(LSTM(8)) == "LSTM(8)"
    assert summary_of(GRU(8, activation="relu", reset_after=False)) == (
        "GRU(8, activation='relu', reset_after=False)"
    )
    assert summary_of(MultiHeadAttention(2, causal=True, name="look")) == (
        "MultiHeadAttention(2, causal=True, name='look')"
    )
    assert summary_of(Dense(2, l2=0.1, use_bias=False)) == "Dense(2, use_bias=False, l2=0.1)"
    assert summary_of(Embedding(10, 4)) == "Embedding(10, 4)"
    assert summary_of(Dropout(0.5, variational=True)) == "Dropout(0.5, variational=True)"
    assert summary_of(LastStep()) == "LastStep()"
    assert summary_of(Conv1D(8, 3, padding="causal")) == "Conv1D(8, 3, padding='causal')"
    assert summary_of(MaxPool1D(2)) == "MaxPool1D(2)"
    assert summary_of(MeanPool1D(3, 1)) == "MeanPool1D(3, stride=1)"
    assert summary_of(Flatten(5)) == "Flatten(5)"


def test_parameters_and_their_shapes():
    everything = {"time_bias": True, "learn_initial_state": True}
    shapes = Network([LSTM(3, bidirectional=True, **everything), Dense(2)], 4).params.shapes
    one = {"W_x": (4, 12), "W_h": (3, 12), "b": (12,), "b_time": (12,), "h_0": (3,), "c_0": (3,)}
    assert shapes == {
        **{f"0.{way}.{name}": s for way in ("forward", "backward") for name, s in one.items()},
        "1.W": (6, 2),
        "1.b": (2,),
    }
    assert Network([GRU(3)], 4).params.shapes == {
        "0.W_x": (4, 9), "0.W_h": (3, 9), "0.b": (9,), "0.b_hn": (3,),
    }  # fmt: skip
    assert set(Network([GRU(3, reset_after=False)], 4).params) == {"0.W_x", "0.W_h", "0.b"}
    assert set(Network([GRU(3, use_bias=False)], 4).params) == {"0.W_x", "0.W_h"}
    assert Network([Embedding(5, 3)]).params.shapes == {"0.W": (5, 3)}
    assert Network([Conv1D(5, 3)], 2).params.shapes == {"0.W": (6, 5), "0.b": (5,)}
    assert set(Network([Conv1D(5, 3, use_bias=False)], 2).params) == {"0.W"}
    assert Network([Flatten(4), Dense(1)], 3).params.shapes == {"1.W": (12, 1), "1.b": (1,)}


def outputs(layers, x, **options):
    return Case("", layers).network().forward(np.asarray(x, dtype=float), **options)[0]


X = np.arange(24.0).reshape(2, 6, 2) - 12.0
HOLES = np.array([[1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=bool)


def test_pooling_looks_at_real_steps_alone():
    assert outputs([LastStep()], X, mask=HOLES).tolist() == [[-6, -5], [0, 0]]
    assert outputs([MaxPool()], X, mask=HOLES).tolist() == [[-6, -5], [0, 0]]
    np.testing.assert_allclose(outputs([MeanPool()], X, mask=HOLES), [[-26 / 3, -23 / 3], [0, 0]])
    assert outputs([LastStep()], X).tolist() == X[:, -1].tolist()
    assert outputs([MaxPool()], -X).tolist() == (-X[:, 0]).tolist()


def test_the_earliest_of_equal_maxima_gets_the_gradient():
    net = Network([MaxPool()], 1, "float64")
    _, tape = net.forward(np.array([[[1.0], [3.0], [3.0]]]))
    assert net.backward(tape, np.ones((1, 1))).ravel().tolist() == [0, 1, 0]


def test_a_repeated_vector_has_no_mask():
    net = Case("", [RNN(2), RepeatVector(3), Dense(2)]).network()
    y, tape = net.forward(X, lengths=[6, 0])
    assert y.shape == (2, 3, 2)
    assert tape.output_mask is None
    assert (y == y[:, :1]).all()
    assert y[1].any()


@recurrent
def test_the_last_output_is_the_final_state(layer):
    for options in ({}, {"reverse": True}):
        many = Case("", [layer(3, return_sequences=True, **options)]).network()
        last = Case("", [layer(3, **options)]).network()
        y, tape = many.forward(X, mask=HOLES)
        h, _ = last.forward(X, mask=HOLES)
        if layer is not LRU:
            np.testing.assert_array_equal(h, tape.final_state[0][0])
        at = 0 if options else 3
        np.testing.assert_allclose(h[0], y[0, at], rtol=1e-14)
        assert not (h[1] - last.params["0.b_y"] if layer is LRU else h[1]).any()


@recurrent
def test_reverse_is_the_turned_sequence(layer):
    forward = Case("", [layer(3, return_sequences=True)]).network()
    backward = Case("", [layer(3, return_sequences=True, reverse=True)]).network()
    y, _ = forward.forward(X[:, ::-1], mask=HOLES[:, ::-1])
    z, _ = backward.forward(X, mask=HOLES)
    np.testing.assert_allclose(z, y[:, ::-1], atol=1e-15)


@recurrent
def test_both_directions_are_two_layers_side_by_side(layer):
    both = Case("", [layer(3, return_sequences=True, bidirectional=True)]).network()
    y, _ = both.forward(X, mask=HOLES)
    for group, options in (("forward", {}), ("backward", {"reverse": True})):
        one = Network([layer(3, return_sequences=True, **options)], 2, "float64")
        for name in one.params:
            one.params[name] = both.params[f"0.{group}.{name[2:]}"]
        half = slice(0, 3) if group == "forward" else slice(3, 6)
        np.testing.assert_array_equal(y[..., half], one.forward(X, mask=HOLES)[0])


def test_the_longest_window_is_one():
    assert Conv1D(2, 5, dilation=2**18 - 1).window.span == 2**20 - 3
    assert Conv1D(2, 2**20).window.span == 2**20


@pytest.mark.parametrize("layer", [RNN, GRU, LSTM])
def test_without_a_time_bias_a_zero_one_changes_nothing(layer):
    plain = Case("", [layer(3, return_sequences=True)]).network()
    timed = Network([layer(3, return_sequences=True, time_bias=True)], 2, "float64")
    for name in plain.params:
        timed.params[name] = plain.params[name]
    np.testing.assert_array_equal(plain.predict(X, mask=HOLES), timed.predict(X, mask=HOLES))


def test_a_time_bias_is_absent_at_the_first_real_step():
    net = Network(
        [RNN(1, activation="identity", time_bias=True, return_sequences=True)], 1, "float64"
    )
    net.params["0.b_time"] = 1.0
    y, tape = net.forward(np.zeros((1, 5, 1)), mask=np.array([[0, 1, 0, 1, 0]], dtype=bool))
    assert y.ravel().tolist() == [0, 0, 0, 1, 0]
    assert tape.final_state[0][1].tolist() == [[1]]
    y, _ = net.forward(np.zeros((1, 1, 1)), initial_state=tape.final_state)
    net.params["0.W_h"] = 0.0
    assert net.forward(np.zeros((1, 1, 1)), initial_state=tape.final_state)[0].item() == 1.0


def test_the_base_class_has_no_forward():
    for attempt in (
        lambda: Layer().forward(None, None, None, None, None),
        lambda: Layer().backward(None, None, None),
    ):
        with pytest.raises(NotImplementedError):
            attempt()


def test_a_name_is_one_word_that_no_parameter_is_called_by():
    assert tt.layers.GRU(3, name="encoder").name == "encoder"
    assert tt.layers.GRU(3).name is None
    assert tt.layers.GRU(3).kind == "GRU"
    assert summary_of(tt.layers.GRU(3, name="a")) == "GRU(3, name='a')"
    for bad in ("", "  ", "3", "a.b", "a/b", "a\nb"):
        with pytest.raises(InvalidArgumentError) as caught:
            tt.layers.Dense(3, name=bad)
        assert str(caught.value) == (
            f"name must be a text without dots and slashes, and not a number; got {bad!r}."
        )
    with pytest.raises(InvalidTypeError, match=r"^name must be a text; got 3\.$"):
        tt.layers.Dense(3, name=3)


def test_a_property_of_that_name_is_what_kind_is_now():
    with pytest.warns(DeprecationWarning, match=r"^Odd.name is the name of one layer now"):

        @dataclass(frozen=True)
        class Odd(tt.layers.Layer):
            @property
            def name(self):
                return "strange"

    assert Odd(name="x").kind == "strange"
    assert Odd(name="x").name == "x"
