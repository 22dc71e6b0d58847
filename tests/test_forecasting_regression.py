"""The regression beside a moving level: its filter, its effects, and origins to judge it at."""

import numpy as np
import pytest

from throughtime.forecasting.regression import (
    Problem,
    Trial,
    innovations,
    learned_before,
    trial_errors,
)

RNG = np.random.default_rng


@pytest.mark.parametrize("alpha", [0.02, 0.3, 0.97, 1.0])
def test_the_filter_is_the_recursion(alpha: float) -> None:
    values = RNG(0).normal(size=(300, 2)) + 5.0
    level, expected = np.zeros(2), []
    for row in values:  # (Z1) and (Z2) without columns, from the level 0
        expected.append(row - level)
        level = level + alpha * expected[-1]
    np.testing.assert_allclose(innovations(values, alpha), expected, atol=1e-9)


def a_problem(steps: np.ndarray | None = None, level: float = 0.3) -> Problem:
    """A level that moves like a random walk, and two columns of which the first has effect 4."""
    rng = RNG(1)
    places = np.arange(200) if steps is None else steps
    columns = rng.normal(size=(len(places), 2))
    z = 10.0 + np.cumsum(rng.normal(0, level, len(places))) + 4.0 * columns[:, 0]
    z += rng.normal(0, 0.5, len(places))
    return Problem(z, False, np.ones((len(places), 1)), columns, np.ones(2), places)


def effects(problem: Problem, filtered: np.ndarray, used: np.ndarray, penalty: float) -> np.ndarray:
    return problem.solve(filtered.T @ filtered, used, penalty)


def test_effects_are_those_of_least_squares_on_the_filtered_columns() -> None:
    problem = a_problem()
    filtered = problem.filtered(0.4)
    both = np.array([True, True])
    found = effects(problem, filtered, both, 0.0)
    expected = np.linalg.lstsq(filtered[:, 1:], filtered[:, 0], rcond=None)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    errors = filtered[:, 0] - filtered[:, 1:] @ found
    squares = problem.squares(filtered.T @ filtered, both, 0.0)
    np.testing.assert_allclose(squares, errors @ errors, rtol=1e-6)
    # The effect is found although the level moves: 5 standard errors are 0.2.
    assert abs(found[1] - 4.0) < 0.2
    assert effects(problem, filtered, np.array([False, True]), 0.0)[1] == 0.0


def test_the_penalty_shrinks_narrow_columns_more() -> None:
    problem = a_problem()
    wide = effects(problem, problem.filtered(0.4), np.array([True, True]), 50.0)
    narrow = Problem(
        problem.z, False, problem.nuisance, problem.columns, np.array([0.1, 1.0]), problem.steps
    )
    tight = effects(narrow, narrow.filtered(0.4), np.array([True, True]), 50.0)
    assert 0.0 < tight[1] < 0.3 * wide[1] < wide[1] < 4.0


def test_origins_are_judged_by_values_after_them() -> None:
    steps = np.delete(np.arange(100), [70, 71])
    trial = Trial.of(steps, 50, 4, 5, 6)
    assert trial.cutoffs[0] == 50
    for cutoff, origins, ahead in zip(trial.cutoffs, trial.origins, trial.ahead, strict=True):
        assert (origins >= cutoff).all()
        for origin, rows in zip(origins, ahead, strict=True):
            due = steps[origin - 1] + np.arange(1, 7)
            known = rows >= 0
            np.testing.assert_array_equal(known, np.isin(due, steps))
            np.testing.assert_array_equal(steps[rows[known]], due[known])


def test_errors_are_those_of_forecasts_one_after_the_other() -> None:
    problem = a_problem()
    trial = Trial.of(problem.steps, 120, 2, 3, 4)
    used, alpha = np.array([True, False]), 0.4
    filtered = problem.filtered(alpha)
    learned = learned_before(problem, trial, filtered, [used], 0.1)
    found = trial_errors(problem, trial, filtered, alpha, learned)[0]
    for j, (cutoff, origins) in enumerate(zip(trial.cutoffs, trial.origins, strict=True)):
        known = effects(problem, filtered[:cutoff], used, 0.1)
        np.testing.assert_allclose(learned[j][:, 0], known)
        rest = problem.z - np.c_[problem.nuisance, problem.columns] @ known
        total = weights = 0.0
        for origin in origins:
            level = 0.0
            for value in rest[:origin]:
                level += alpha * (value - level)
            for weight, row in zip(trial.weights, range(origin, origin + 4), strict=True):
                if row < len(rest):
                    total += weight * abs(rest[row] - level)
                    weights += weight
        np.testing.assert_allclose(found[j], total / weights, rtol=1e-6)


def test_the_future_changes_no_error_before_it() -> None:
    problem = a_problem()
    trial = Trial.of(problem.steps, 120, 4, 3, 4)
    other = Problem(
        np.r_[problem.z[:144], problem.z[144:] + 100.0],
        False,
        problem.nuisance,
        problem.columns,
        problem.widths,
        problem.steps,
    )
    sets = [np.array([True, True])]
    one, two = (
        trial_errors(p, trial, f, 0.4, learned_before(p, trial, f, sets, 0.1))[0]
        for p, f in ((p, p.filtered(0.4)) for p in (problem, other))
    )
    assert trial.cutoffs[:2] == (120, 140)
    assert one[0] == two[0]  # its last origin is 139, its last row 142
    assert one[-1] != two[-1]
