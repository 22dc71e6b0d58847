"""Tasks: each follows the definition of its source, and its baseline is the trivial score."""

import re

import numpy as np
import pytest

from throughtime.data import tasks
from throughtime.data.encoding import labels
from throughtime.errors import InvalidArgumentError, InvalidTypeError

RANDOM = [name for name in tasks.TASKS if name not in ("damped_oscillator", "sine_windows")]


def exactly(sentence):
    return f"^{re.escape(sentence)}$"


def digits(task):
    return labels(task.x)


@pytest.mark.parametrize("name", list(tasks.TASKS))
def test_every_task_is_well_formed(name):
    task = tasks.TASKS[name]()
    n, steps, _ = task.x.shape
    assert len(task.y) == n
    assert np.isfinite(task.x).all()
    assert np.isfinite(task.y).all()
    assert task.baseline > 0
    assert task.metric in ("mse", "half_mse", "accuracy", "cross-entropy")
    if task.lengths is not None:
        assert task.lengths.shape == (n,)
        assert task.lengths.max() == steps
        assert not task.x[np.arange(steps) >= task.lengths[:, None]].any()
    assert tasks.TASKS[name].__doc__.count("Baseline:") + (
        tasks.TASKS[name].__doc__.count("baseline:")
    ), "the docstring names the trivial answer"


@pytest.mark.parametrize("name", RANDOM)
def test_the_seed_decides(name):
    make = tasks.TASKS[name]
    first, again, other = make(seed=5), make(seed=np.random.default_rng(5)), make(seed=6)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    changed = first.y if name == "noisy_sine" else first.x
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(changed, other.y if name == "noisy_sine" else other.x)


def test_adding_problem():
    task = tasks.adding_problem(20_000, 11, seed=1)
    marks = task.x[..., 1]
    assert set(np.unique(marks)) == {0.0, 1.0}
    assert (marks[:, :5].sum(axis=1) == 1).all()
    assert (marks[:, 5:].sum(axis=1) == 1).all()
    assert (marks.sum(axis=0) > 0).all()
    for x, y in zip(task.x[:50], task.y, strict=False):
        assert y == pytest.approx(sum(value for value, mark in x if mark))
    assert np.mean((task.y - 1) ** 2) == pytest.approx(task.baseline, rel=0.02)


def test_adding_problem_1997():
    task = tasks.adding_problem_1997(20_000, 20, seed=1)
    assert set(task.lengths) == {20, 21, 22}
    for x, y, length in zip(task.x[:200], task.y, task.lengths, strict=False):
        (marked,) = np.nonzero(x[:, 1] == 1)
        assert len(marked) == 2
        assert marked[0] < 10
        assert marked[1] < 10  # T/2 - 1 = 9 unmarked steps and one marked before them
        assert x[length - 1, 1] == -1
        assert x[0, 1] == (1 if 0 in marked else -1)
        assert np.count_nonzero(x[:, 1]) == (3 if 0 in marked else 4)
        assert y == pytest.approx(0.5 + x[marked, 0].sum() / 4)
    assert np.abs(task.x[..., 0]).max() <= 1
    assert np.mean((task.y - 0.5) ** 2) == pytest.approx(task.baseline, rel=0.02)


def test_adding_problem_1997_sets_a_marked_first_number_to_zero():
    task = tasks.adding_problem_1997(4000, 20, seed=2)
    first = task.x[task.x[:, 0, 1] == 1, 0, 0]
    # Zero where drawn as X1; as X2 the first step keeps its number.
    assert 0.3 < np.mean(first == 0) < 0.7


@pytest.mark.parametrize("modulus", [2, 3, 5])
def test_running_sum(modulus):
    task = tasks.running_sum(4000, 6, modulus=modulus, seed=1)
    total = np.zeros(4000, int)
    for t in range(6):
        total = (total + digits(task)[:, t]) % modulus
        np.testing.assert_array_equal(task.y[:, t], total)
    assert np.mean(task.y == digits(task)) == pytest.approx(task.baseline, abs=0.01)


@pytest.mark.parametrize("delay", [0, 3, 8])
def test_delayed_echo(delay):
    task = tasks.delayed_echo(4000, 8, delay=delay, symbols=4, seed=1)
    for t in range(8):
        want = digits(task)[:, t - delay] if t >= delay else 0
        np.testing.assert_array_equal(task.y[:, t], want)
    assert np.mean(task.y == 0) == pytest.approx(task.baseline, abs=0.01)


def test_next_digit():
    task = tasks.next_digit(500, 10, seed=1)
    np.testing.assert_array_equal(task.y, (digits(task) + 1) % 3)
    assert np.mean(task.y == 0) == pytest.approx(task.baseline, abs=0.02)


def test_first_equals_last():
    task = tasks.first_equals_last(5000, seed=1)
    ids = digits(task)
    np.testing.assert_array_equal(task.y[:, 0], ids[:, 0] == ids[:, 11])
    assert task.x.shape == (5000, 12, 4)
    assert task.baseline == pytest.approx(0.75, abs=0.02)
    assert task.baseline == np.mean(task.y == 0)


def test_sine_or_noise():
    task = tasks.sine_or_noise(4000, seed=1)
    sines, noise = task.x[task.y[:, 0] == 1], task.x[task.y[:, 0] == 0]
    assert sines.var() == pytest.approx(noise.var(), rel=0.02)
    neighbours = [np.mean(x[:, 1:] * x[:, :-1]) for x in (sines, noise)]
    assert neighbours[0] > 0.4
    assert abs(neighbours[1]) < 0.02
    assert task.baseline == pytest.approx(0.5, abs=0.02)


def test_copy_memory():
    task = tasks.copy_memory(50, 7, seed=1)
    ids = digits(task)
    assert ids.shape == task.y.shape == (50, 27)
    assert set(np.unique(ids[:, :10])) == set(range(1, 9))
    assert not ids[:, 10:16].any()
    assert (ids[:, 16] == 9).all()
    assert not ids[:, 17:].any()
    assert not task.y[:, :17].any()
    np.testing.assert_array_equal(task.y[:, 17:], ids[:, :10])
    for delay, published in ((100, 0.1733), (200, 0.0945), (500, 0.0400), (1000, 0.0204)):
        assert tasks.copy_memory(1, delay).baseline == pytest.approx(published, abs=5e-5)


def test_embedded_reber():
    after_x = "(?:XT*VP)*(?:S|XT*VV)"  # the grammar once more, as a regular expression
    reber = re.compile(f"B(?:TS*X{after_x}|PT*V(?:V|P{after_x}))E")
    task = tasks.embedded_reber(300, seed=1)
    symbols = np.array(list("BTSXPVE"))
    for x, y, length in zip(task.x, task.y, task.lengths, strict=True):
        text = "".join(symbols[labels(x[:length])])
        inner = text[2:-1]
        assert text[0] == "B"
        assert text[1] in "TP"
        assert text[-1] == text[1]
        assert reber.fullmatch(inner)
        allowed = ["".join(symbols[step == 1]) for step in y[:length]]
        assert allowed[0] == "TP"
        assert allowed[1] == "B"
        assert allowed[-3:] == ["E", text[1], "E"]
        assert all(after in may for after, may in zip(text[1:], allowed, strict=False))
        assert {len(may) for may in allowed[2:-3]} == {2}
    assert 8 <= task.lengths.min() <= 9
    assert task.lengths.mean() == pytest.approx(11, abs=1.0)


def test_sum_of_bits():
    task = tasks.sum_of_bits(20_000, seed=1)
    np.testing.assert_array_equal(task.y, task.x.sum(axis=1))
    assert np.mean((task.y - 2.5) ** 2) == pytest.approx(task.baseline, rel=0.03)


def test_damped_oscillator_obeys_its_equation():
    task = tasks.damped_oscillator(2000, mass=2.0, damping=0.3, stiffness=1.5, dt=0.001)
    x = np.concatenate([task.x[0, :, 0], task.y[0, -1:, 0]])
    speed = (x[2:] - x[:-2]) / 0.002
    pull = (x[2:] - 2 * x[1:-1] + x[:-2]) / 1e-6
    np.testing.assert_allclose(2.0 * pull + 0.3 * speed + 1.5 * x[1:-1], 0.0, atol=1e-6)
    assert x[0] == 1.0
    assert tasks.damped_oscillator().x.shape == (1, 299, 1)
    np.testing.assert_array_equal(task.x[0, 1:], task.y[0, :-1])
    assert task.baseline == np.mean((task.x - task.y) ** 2)


def test_noisy_sine():
    task = tasks.noisy_sine(noise=0.0)
    assert task.x[0, 0, 0] == -10
    assert task.x[0, -1, 0] == pytest.approx(9.9)
    np.testing.assert_allclose(task.y, np.sin(task.x), atol=1e-15)
    assert task.baseline == pytest.approx(np.mean((task.y - task.y.mean()) ** 2) / 2)
    ahead = tasks.noisy_sine(ahead=5, seed=3)
    signal = tasks.noisy_sine(seed=3).y
    np.testing.assert_array_equal(ahead.x, signal[:, :-5])
    np.testing.assert_array_equal(ahead.y, signal[:, 5:])
    assert ahead.baseline == pytest.approx(np.mean((ahead.x - ahead.y) ** 2) / 2)


def test_sine_windows():
    train, validation = tasks.sine_windows(), tasks.sine_windows("validation")
    points = np.sin(np.linspace(0, 10 * np.pi, 1000) / 20)
    assert train.x.shape == validation.x.shape == (246, 4, 1)
    np.testing.assert_array_equal(train.x[1, :, 0], points[1:5])
    assert train.y[1, 0] == points[5]
    assert validation.x[0, 0, 0] == points[500]
    # Persistence over the whole signal: 6e-7, the figure that shames the notebook's network.
    assert np.mean(np.diff(points) ** 2) / 2 == pytest.approx(6.2e-7, rel=0.01)
    assert train.baseline == np.mean((train.x[:, -1] - train.y) ** 2) / 2


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: tasks.adding_problem(0),
            InvalidArgumentError,
            "n must be an integer >= 1; got 0.",
        ),
        (
            lambda: tasks.adding_problem_1997(5, 10),
            InvalidArgumentError,
            "steps must be an integer >= 20; got 10.",
        ),
        (
            lambda: tasks.running_sum(seed=None),
            InvalidTypeError,
            "seed must be an integer >= 0; got None.",
        ),
        (
            lambda: tasks.delayed_echo(steps=4, delay=5),
            InvalidArgumentError,
            "delay must be an integer from 0 to 4; got 5.",
        ),
        (
            lambda: tasks.damped_oscillator(damping=3.0),
            InvalidArgumentError,
            "damping must be < 2 sqrt(mass * stiffness) for the mass to swing; got 3.",
        ),
        (
            lambda: tasks.sine_windows("test"),
            InvalidArgumentError,
            "part must be one of 'train', 'validation'; got 'test'.",
        ),
    ],
)
def test_errors_are_whole_sentences(call, error, sentence):
    with pytest.raises(error, match=exactly(sentence)):
        call()
