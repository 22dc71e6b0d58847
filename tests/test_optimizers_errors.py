"""What every optimiser refuses: options, vectors and foreign checkpoints, each in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, InvalidTypeError, ModelFileError, ShapeError
from throughtime.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, RMSProp
from throughtime.optimizers.schedules import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    Plateau,
    Warmup,
)
from throughtime.training import EarlyStopping


def test_refuses_another_vector():
    optimizer = Adam()
    optimizer.step(np.ones(5), np.ones(5))
    for params, got in (
        (np.ones(3), "an array of shape (3,) and dtype float64"),
        (np.ones(5, "float32"), "an array of shape (5,) and dtype float32"),
    ):
        with pytest.raises(ShapeError) as caught:
            optimizer.step(params, np.ones_like(params))
        assert str(caught.value) == (
            "params must be the vector that this Adam has stepped before, of shape (5,) and dtype"
            f" float64; got {got}. Call reset() before using it for another network."
        )
    restored = Adam()
    restored.load_state_dict(optimizer.state_dict())
    with pytest.raises(ShapeError, match="of shape \\(5,\\) and dtype float64; got an array"):
        restored.step(np.ones(3), np.ones(3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ([1.0], np.ones(1)),
            InvalidTypeError,
            (
                "params must be an array of float32 or float64; got [1.0]."
                " Pass the flat vector of a Params."
            ),
        ),
        (
            (np.ones(1), np.ones(1, int)),
            InvalidTypeError,
            (
                "grads must be an array of float32 or float64; got an array of shape (1,) and dtype"
                " int64. Pass the flat vector of a Params."
            ),
        ),
        (
            (np.ones((2, 2)), np.ones((2, 2))),
            ShapeError,
            "params must be one flat vector; got an array of shape (2, 2) and dtype float64.",
        ),
        (
            (np.ones(2), np.ones(2, "float32")),
            ShapeError,
            (
                "grads must have the form of params, an array of shape (2,) and dtype float64;"
                " got an array of shape (2,) and dtype float32."
            ),
        ),
        (
            (np.ones(2), np.ones(2), np.ones(3)),
            ShapeError,
            "multiplier must be of shape (2,), one number a parameter; got shape (3,).",
        ),
        (
            (np.ones(2), np.ones(2), None, np.ones(1, bool)),
            ShapeError,
            "decay_mask must be of shape (2,), one number a parameter; got shape (1,).",
        ),
    ],
)
def test_refused_steps_change_nothing(arguments, error, message):
    optimizer = Adam()
    with pytest.raises(error) as caught:
        optimizer.step(*arguments)
    assert str(caught.value) == message
    assert optimizer.state_dict() == {"steps": 0, "epoch": 0}
    optimizer.step(np.ones(9), np.ones(9))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Adam("fast"),
            InvalidTypeError,
            (
                "lr must be a finite number > 0; got 'fast'."
                " Pass a number or a schedule, for example Cosine(0.001, length=50)."
            ),
        ),
        (
            lambda: SGD(0.0),
            InvalidArgumentError,
            (
                "lr must be a finite number > 0; got 0.0."
                " Pass a number or a schedule, for example Cosine(0.001, length=50)."
            ),
        ),
        (
            lambda: SGD(momentum=1.0),
            InvalidArgumentError,
            "momentum must be a number in [0, 1); got 1.0.",
        ),
        (
            lambda: SGD(nesterov=True),
            InvalidArgumentError,
            "nesterov needs a momentum > 0 and a dampening of 0; got momentum 0 and dampening 0.",
        ),
        (
            lambda: SGD(momentum=0.9, nesterov=True, dampening=0.5),
            InvalidArgumentError,
            (
                "nesterov needs a momentum > 0 and a dampening of 0;"
                " got momentum 0.9 and dampening 0.5."
            ),
        ),
        (
            lambda: SGD(dampening=-1),
            InvalidArgumentError,
            "dampening must be a number in [0, 1]; got -1.",
        ),
        (
            lambda: Adagrad(epsilon=0.0),
            InvalidArgumentError,
            "epsilon must be a finite number > 0; got 0.0.",
        ),
        (lambda: RMSProp(rho=1), InvalidArgumentError, "rho must be a number in [0, 1); got 1."),
        (
            lambda: RMSProp(centered=1),
            InvalidTypeError,
            "centered must be True or False; got 1.",
        ),
        (
            lambda: Adam(beta1=-0.1),
            InvalidArgumentError,
            "beta1 must be a number in [0, 1); got -0.1.",
        ),
        (
            lambda: Adam(beta2=1.0),
            InvalidArgumentError,
            "beta2 must be a number in [0, 1); got 1.0.",
        ),
        (
            lambda: AdamW(weight_decay=math.inf),
            InvalidArgumentError,
            "weight_decay must be a finite number >= 0; got inf.",
        ),
        (
            lambda: Adam().begin_epoch(-1),
            InvalidArgumentError,
            "epoch must be an integer >= 0; got -1.",
        ),
        (
            lambda: OPTIMIZERS.get("adm"),
            InvalidArgumentError,
            (
                "optimizer must be one of 'sgd', 'adagrad', 'rmsprop', 'adam', 'adamw'; got 'adm'."
                " Did you mean 'adam'?"
            ),
        ),
    ],
)
def test_refused_options(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("optimizer", "change", "message"),
    [
        (
            Adam(),
            {"mean": None},
            (
                "the checkpoint holds no optimizer state 'mean';"
                " it was not written by this Adam with these options."
            ),
        ),
        (
            Adam(),
            {"velocity": np.ones(2)},
            (
                "the checkpoint holds an unknown optimizer state 'velocity';"
                " it was not written by this Adam with these options."
            ),
        ),
        (
            Adam(),
            {"mean": np.ones(3)},
            (
                "the checkpoint's optimizer state must be flat vectors of one form;"
                " got 'mean' an array of shape (3,) and dtype float64,"
                " 'square_mean' an array of shape (2,) and dtype float64."
            ),
        ),
        (
            Adam(),
            {"schedule.rate": 0.1},
            (
                "the checkpoint holds the state of a schedule, but lr is the number 0.001;"
                " use the schedule that it was written with."
            ),
        ),
        (
            Adam(Plateau(0.1)),
            {},
            (
                "the checkpoint holds no schedule state 'cooling';"
                " it was written with another schedule."
            ),
        ),
        (
            Adam(Constant(0.1)),
            {"schedule.rate": 0.1},
            (
                "the checkpoint holds an unknown schedule state 'rate';"
                " it was written with another schedule."
            ),
        ),
    ],
)
def test_foreign_state_is_refused_and_changes_nothing(optimizer, change, message):
    source = Adam()
    source.step(np.ones(2), np.ones(2))
    state = source.state_dict() | change
    before = optimizer.state_dict()
    with pytest.raises(ModelFileError) as caught:
        optimizer.load_state_dict({name: v for name, v in state.items() if v is not None})
    assert str(caught.value) == message
    assert optimizer.state_dict() == before


@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.parametrize(
    "previous", [3, "x", [0.0] * 3, np.zeros(2), np.zeros((3, 1)), np.zeros(3, "float32")], ids=repr
)
def test_a_buffer_that_does_not_fit(name, previous):
    optimizer, params = OPTIMIZERS[name](), np.ones(3)
    for _ in range(2):  # a first step and a later one
        with pytest.raises(ShapeError, match=r"^previous must be None, or a buffer of the form of"):
            optimizer.step(params, np.ones(3), previous=previous)
        optimizer.reset()
        optimizer.step(params, np.ones(3))


def test_factors_that_are_no_array():
    for name in ("multiplier", "decay_mask"):
        with pytest.raises(ShapeError, match=f"^{name} must be a rectangular array; got a ragged"):
            AdamW().step(np.ones(3), np.ones(3), **{name: [[1.0, 2.0], [3.0]]})


@pytest.mark.parametrize("state", [None, 3, [], "x", np.zeros(3)], ids=repr)
def test_a_state_that_is_no_dictionary(state):
    with pytest.raises(
        InvalidTypeError, match=r"^state must be a dictionary, as state_dict returns"
    ):
        AdamW().load_state_dict(state)
    with pytest.raises(ModelFileError, match=r"^the checkpoint holds no memory"):
        EarlyStopping().load_state_dict(state)


@pytest.mark.parametrize("value", [None, "x", [1.0], 10**400], ids=str)
def test_an_observed_value_is_a_number(value):
    with pytest.raises(InvalidTypeError, match=r"^value must be a number; got "):
        AdamW(Plateau(0.1)).observe(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: Cosine(0.1, length=n),
        lambda n: Cosine(0.1, length=3, restarts=True, growth=n),
        lambda n: Linear(0.1, length=n),
        lambda n: Exponential(0.1, gamma=0.5, cycle=n),
        lambda n: Warmup(Constant(0.1), length=n),
    ],
)
def test_a_number_of_units_that_no_float_can_hold(make):
    with pytest.raises(InvalidArgumentError, match=r" must be an integer < 2\*\*63; got 1000"):
        make(10**400)
    assert make(2**62).rate(3, 3) >= 0.0
