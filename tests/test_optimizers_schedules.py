"""Every schedule: rates by hand, the state of a plateau, configurations, refusals."""

from __future__ import annotations

import json
import math

import pytest

from throughtime.errors import InvalidArgumentError, InvalidTypeError, ModelFileError
from throughtime.optimizers.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    Plateau,
    Schedule,
    Warmup,
)

CASES = {
    "constant": [(Constant(0.5), [0.5, 0.5, 0.5])],
    "inverse_time": [(InverseTime(1.0, decay=0.5), [1.0, 1 / 1.5, 1 / 2, 1 / 2.5])],
    "exponential": [
        (Exponential(8.0, gamma=0.5), [8.0, 4.0, 2.0, 1.0]),
        (Exponential(8.0, gamma=0.5, cycle=2), [8.0, 4.0, 8.0, 4.0]),
        (Exponential(8.0, gamma=0.5, cycle=3, cycle_gamma=0.75), [8.0, 4.0, 2.0, 6.0, 3.0, 1.5]),
    ],
    "linear": [
        (Linear(1.0, length=4), [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]),
        (Linear(1.0, length=2, end=3.0), [1.0, 2.0, 3.0, 3.0]),
    ],
    "cosine": [
        (
            Cosine(1.0, length=3, min_lr=0.2),
            [1.0, 0.2 + 0.8 * 0.75, 0.2 + 0.8 * 0.25, 0.2, 0.2],
        ),
        (Cosine(1.0, length=2, restarts=True), [1.0, 0.5, 1.0, 0.5, 1.0]),
        (
            Cosine(1.0, length=1, restarts=True, growth=2),
            [1.0, 1.0, 0.5, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 1.0],
        ),
    ],
    "warmup": [
        (Warmup(Constant(2.0), length=4, start=0.0), [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]),
        (
            Warmup(Linear(1.0, length=2), length=2, start=0.5),
            [0.5, 0.75, 1.0, 0.5, 0.0],
        ),
    ],
    "plateau": [(Plateau(0.5), [0.5, 0.5, 0.5])],
}


def test_the_cases_are_the_whole_registry():
    assert set(CASES) == set(SCHEDULES)
    for name, cases in CASES.items():
        assert all(type(schedule) is SCHEDULES[name] for schedule, _ in cases)


@pytest.mark.parametrize("name", CASES)
def test_rates_by_hand(name):
    for schedule, rates in CASES[name]:
        assert [schedule.at(k) for k in range(len(rates))] == pytest.approx(rates, abs=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_config_survives_json(name):
    for schedule, _ in CASES[name]:
        config = json.loads(json.dumps(SCHEDULES.to_config(schedule)))
        assert SCHEDULES.from_config(config) == schedule


@pytest.mark.parametrize("name", CASES)
def test_state_survives_json(name):
    for schedule, _ in CASES[name]:
        schedule.reset()
        for value in (3.0, 2.0, 2.5):
            schedule.observe(value)
        state = json.loads(json.dumps(schedule.state_dict()))
        other = SCHEDULES.from_config(SCHEDULES.to_config(schedule))
        other.load_state_dict(state)
        assert other.state_dict() == schedule.state_dict()
        schedule.reset()
        assert (
            schedule.state_dict()
            == SCHEDULES.from_config(SCHEDULES.to_config(schedule)).state_dict()
        )


def test_the_unit_says_which_count_is_k():
    by_step = Linear(1.0, length=10, per="step")
    by_epoch = Linear(1.0, length=10)
    assert by_step.rate(step=5, epoch=2) == 0.5
    assert by_epoch.rate(step=5, epoch=2) == 0.8


def test_warmup_in_steps_to_a_schedule_in_epochs():
    """The inner one counts all epochs: four steps are no number of epochs."""
    schedule = Warmup(InverseTime(1.0, decay=1.0), length=4, start=0.0, per="step")
    assert schedule.rate(step=2, epoch=0) == 0.5
    assert schedule.rate(step=3, epoch=1) == 0.375
    assert schedule.rate(step=9, epoch=3) == 0.25


def test_warmup_in_epochs_to_a_schedule_in_steps():
    schedule = Warmup(InverseTime(1.0, decay=1.0, per="step"), length=2, start=0.5)
    assert schedule.rate(step=1, epoch=1) == 0.375
    assert schedule.rate(step=3, epoch=5) == 0.25


def test_warmup_arrives_at_exactly_the_rate():
    assert all(Warmup(Constant(0.3), length=7, start=s / 97).at(7) == 0.3 for s in range(98))


def test_warmup_passes_on_what_is_observed():
    schedule = Warmup(Plateau(1.0, factor=0.5, patience=0), length=1)
    for value in (1.0, 2.0):
        schedule.observe(value)
    assert schedule.at(3) == 0.5
    assert schedule.state_dict()["best"] == 1.0


def observed(schedule, values):
    rates = []
    for value in values:
        schedule.observe(value)
        rates.append(schedule.at(0))
    return rates


def test_plateau_waits_then_reduces_down_to_the_minimum():
    schedule = Plateau(1.0, factor=0.5, patience=1, min_lr=0.2)
    values = [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0]
    assert observed(schedule, values) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]


def test_plateau_cools_down():
    schedule = Plateau(1.0, factor=0.5, patience=0, cooldown=2)
    assert observed(schedule, [1.0] * 7) == [1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_needs_more_than_the_threshold():
    schedule = Plateau(1.0, factor=0.5, patience=0, threshold=0.1)
    assert observed(schedule, [10.0, 9.0, 8.9]) == [1.0, 0.5, 0.5]


@pytest.mark.parametrize("large", [False, True])
def test_plateau_takes_no_equal_value_for_a_better_one(large):
    schedule = Plateau(1.0, factor=0.5, patience=0, threshold=0.0, greater_is_better=large)
    assert observed(schedule, [3.0, 3.0, 3.0]) == [1.0, 0.5, 0.25]


def test_plateau_below_zero_takes_no_worse_value_for_a_better_one():
    schedule = Plateau(1.0, factor=0.5, patience=0, threshold=0.1)
    assert observed(schedule, [-10.0, -9.5, -10.5, -11.1]) == [1.0, 0.5, 0.25, 0.25]
    schedule = Plateau(1.0, factor=0.5, patience=0, threshold=0.1, greater_is_better=True)
    assert observed(schedule, [-10.0, -9.5, -8.9]) == [1.0, 0.5, 0.5]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_plateau_takes_no_broken_value_for_a_better_one(bad):
    schedule = Plateau(1.0, factor=0.5, patience=0)
    assert observed(schedule, [bad, 1.0, bad, 0.5]) == [0.5, 0.5, 0.25, 0.25]


def test_the_base_class_has_no_rate():
    with pytest.raises(NotImplementedError):
        Schedule().rate(0, 0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Constant(0.0),
            InvalidArgumentError,
            "lr must be a finite number > 0; got 0.0.",
        ),
        (
            lambda: Constant(0.1, per="batch"),
            InvalidArgumentError,
            "per must be one of 'epoch', 'step'; got 'batch'.",
        ),
        (
            lambda: Plateau(0.1, per="step"),
            InvalidArgumentError,
            "per must be one of 'epoch'; got 'step'.",
        ),
        (
            lambda: InverseTime(0.1, decay=-1.0),
            InvalidArgumentError,
            "decay must be a finite number >= 0; got -1.0.",
        ),
        (
            lambda: Exponential(0.1, gamma=1.5),
            InvalidArgumentError,
            "gamma must be a number in (0, 1]; got 1.5.",
        ),
        (
            lambda: Exponential(0.1, gamma=0.5, cycle=0),
            InvalidArgumentError,
            "cycle must be an integer >= 1; got 0.",
        ),
        (
            lambda: Exponential(0.1, gamma=0.5, cycle_gamma=0),
            InvalidArgumentError,
            "cycle_gamma must be a number in (0, 1]; got 0.",
        ),
        (
            lambda: Linear(0.1, length=2.5),
            InvalidTypeError,
            "length must be an integer >= 1; got 2.5.",
        ),
        (
            lambda: Linear(0.1, length=2, end=-0.1),
            InvalidArgumentError,
            "end must be a finite number >= 0; got -0.1.",
        ),
        (
            lambda: Cosine(0.1, length=2, min_lr=0.2),
            InvalidArgumentError,
            "min_lr must be a number in [0, 0.1]; got 0.2.",
        ),
        (
            lambda: Cosine(0.1, length=2, growth=0),
            InvalidArgumentError,
            "growth must be an integer >= 1; got 0.",
        ),
        (
            lambda: Cosine(0.1, length=2, restarts=3),
            InvalidTypeError,
            "restarts must be True or False; got 3.",
        ),
        (
            lambda: Plateau(0.1, factor=1.0),
            InvalidArgumentError,
            "factor must be a number in (0, 1); got 1.0.",
        ),
        (
            lambda: Plateau(0.1, patience=-1),
            InvalidArgumentError,
            "patience must be an integer >= 0; got -1.",
        ),
        (
            lambda: Warmup(0.1, length=3),
            InvalidTypeError,
            "schedule must be a Schedule; got 0.1. Write Constant(0.001) for a fixed rate.",
        ),
        (
            lambda: Warmup(Constant(0.1), length=3, start=1.5),
            InvalidArgumentError,
            "start must be a number in [0, 1]; got 1.5.",
        ),
        (
            lambda: Plateau(0.1).load_state_dict({"rate": 0.1, "waited": 0}),
            ModelFileError,
            (
                "the checkpoint holds no schedule state 'cooling';"
                " it was written with another schedule."
            ),
        ),
        (
            lambda: Constant(0.1).load_state_dict({"rate": 0.1}),
            ModelFileError,
            (
                "the checkpoint holds an unknown schedule state 'rate';"
                " it was written with another schedule."
            ),
        ),
        (
            lambda: SCHEDULES.from_config({"name": "linear", "lr": 0.1, "length": 0}),
            ModelFileError,
            "the file holds a bad schedule: length must be an integer >= 1; got 0.",
        ),
    ],
)
def test_refused(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message
