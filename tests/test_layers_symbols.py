import itertools

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import GRU, LSTM, Add, Concatenate, Dense, symbols

A, B = tt.Input(3, name="a"), tt.Input(3)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: A + B, "symbols are added by a layer: write Add()([a, b])."),
        (lambda: 2 + A, "symbols are added by a layer: write Add()([a, b])."),
        (lambda: A * 2, "symbols are multiplied by a layer: write Multiply()([a, b])."),
        (
            lambda: A[:, 1:],
            (
                "a symbol is cut by a layer: write SliceSteps(start, stop) or SliceFeatures(start,"
                " stop)."
            ),
        ),
        (
            lambda: [*LSTM(3, return_state=True)(A)[1]],
            (
                "the states of a layer are one object, also the h and c of an LSTM: pass it on as"
                " initial_state=. The last h is the layer's output, without"
                " return_sequences=True."
            ),
        ),
        (
            lambda: LSTM(3, return_state=True)(A)[1][0],
            (
                "the states of a layer are one object, also the h and c of an LSTM: pass it on as"
                " initial_state=. The last h is the layer's output, without"
                " return_sequences=True."
            ),
        ),
        (lambda: bool(A), "a symbol has no value: a network computes it from arrays."),
        (
            lambda: [*A],
            (
                "a symbol is one signal. A recurrent layer gives two, its output and its state,"
                " with return_state=True."
            ),
        ),
        (
            lambda: GRU(3)(np.zeros((2, 3))),
            (
                "the input of GRU must be a symbol, or a list of symbols; got an array of shape (2,"
                " 3) and dtype float64. A graph begins with tt.Input(n_features). Arrays go to"
                " net.predict."
            ),
        ),
        (
            lambda: Dense(2)(GRU(3, return_state=True)(A)),
            (
                "the input of Dense must be a symbol, the output of a layer; got a state. A state"
                " goes to another recurrent layer as initial_state=."
            ),
        ),
        (
            lambda: GRU(2)(A, initial_state=3),
            (
                "initial_state of GRU must be the state that another layer returned, or symbols of"
                " vectors; got 3. h, state = GRU(8, return_state=True)(x) gives a state."
            ),
        ),
        (
            lambda: Dense(2)([]),
            "the input of Dense must be a symbol, or a list of symbols; got none.",
        ),
    ],
)
def test_what_a_symbol_is_not(act, message):
    with pytest.raises(InvalidTypeError) as caught:
        act()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Dense(2)([A, B]), "the input of Dense must be 1 symbol; got 2."),
        (lambda: Concatenate()(A), "the input of Concatenate must be 2 or more symbols; got 1."),
        (
            lambda: Dense(2)(A, initial_state=A),
            "initial_state must be left out: Dense has no state; got one.",
        ),
        (tt.Input, "n_features must be given: the number of features of a step."),
        (lambda: tt.Input(3, tokens=True), "n_features must be left out for tokens; got 3."),
        (
            lambda: tt.Input(tokens=True, time=False),
            "time must be True for tokens, which are steps; got False.",
        ),
        (
            lambda: tt.Input(2, time=False, steps=3),
            "steps must be left out for a vector, which has none; got 3.",
        ),
    ],
)
def test_wrong_calls_are_refused(act, message):
    with pytest.raises(InvalidArgumentError) as caught:
        act()
    assert str(caught.value) == message


def test_symbols_say_what_they_are():
    assert repr(A) == "<Input a (N, T, 3)>"
    assert repr(tt.Input(tokens=True)) == "<Input (N, T) tokens>"
    assert repr(tt.Input(2, time=False, name="v")) == "<Input v (N, 2)>"
    assert repr(GRU(3)(A)) == "<Output of GRU>"
    assert repr(GRU(3, return_state=True)(A)[1]) == "<State of GRU>"


def test_a_symbol_of_another_process_is_before_its_takers(monkeypatch):
    x = tt.Input(3)
    h = Dense(2)(Dense(2)(x))
    monkeypatch.setattr(symbols, "_ORDER", itertools.count())  # as where a pickle is read
    y = Add()([Dense(2)(h), Dense(2)(x)])
    net = tt.Network(inputs=x, outputs=y)
    assert net.predict(np.ones((1, 1, 3))).shape == (1, 1, 2)
