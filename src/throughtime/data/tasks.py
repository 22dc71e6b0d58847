"""Problems with a known answer, generated from a seed.

Can a network remember, count, add, predict? Each function returns a :class:`Task`: the sequences,
the targets, a suitable loss, and the score of the trivial answer, which a network does not beat
unless it has learned something. ``seed`` is an integer or a NumPy Generator.

>>> task = adding_problem(3, steps=50, seed=0)
>>> task.x.shape, task.y.shape, task.loss, round(task.baseline, 4)
((3, 50, 2), (3, 1), 'mse', 0.1667)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from throughtime.data.encoding import Vocabulary, one_hot
from throughtime.data.masks import mask_from_lengths
from throughtime.data.sequences import pad
from throughtime.data.windows import ahead as pairs
from throughtime.data.windows import sliding_windows
from throughtime.errors import InvalidArgumentError, check_choice, check_float, check_int, sentence

__all__ = [
    "TASKS",
    "Task",
    "adding_problem",
    "adding_problem_1997",
    "copy_memory",
    "damped_oscillator",
    "delayed_echo",
    "embedded_reber",
    "first_equals_last",
    "next_digit",
    "noisy_sine",
    "running_sum",
    "sine_or_noise",
    "sine_windows",
    "sum_of_bits",
]

Seed = int | np.random.Generator


@dataclass(frozen=True, eq=False)
class Task:
    """Sequences with targets.

    Attributes
    ----------
    x : ndarray of shape (N, T, F)
    y : ndarray
        ``(N, K)``, or ``(N, T, K)``, or class ids ``(N, T)``.
    loss : str
        Name of a loss that suits ``y``.
    metric : {"mse", "half_mse", "accuracy", "cross-entropy"}
        Name of the score that ``baseline`` is.
    baseline : float
        Score of the trivial answer. The docstring of the task's function says what that answer is.
    lengths : ndarray of shape (N,), or None
        Number of steps of each sequence; None if all have T.
    """

    x: np.ndarray
    y: np.ndarray
    loss: str
    metric: str
    baseline: float
    lengths: np.ndarray | None = None


def _generator(seed: Seed) -> np.random.Generator:
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(check_int("seed", seed, 0))


def adding_problem(n: int = 1000, steps: int = 100, *, seed: Seed = 0) -> Task:
    """Add the two marked numbers; the modern form (Arjovsky, Shah and Bengio 2016).

    Each step has a number from U[0, 1] and a marker. The marker is 1 at one step of each half and 0
    elsewhere. The target ``(N, 1)`` is the sum of the two marked numbers. Baseline: always 1, mean
    squared error 1/6 (some papers print .1767 by mistake).
    """
    check_int("n", n, 1)
    check_int("steps", steps, 2)
    rng = _generator(seed)
    x = np.zeros((n, steps, 2))
    x[..., 0] = rng.uniform(size=(n, steps))
    rows, half = np.arange(n), steps // 2
    x[rows, rng.integers(half, size=n), 1] = 1.0
    x[rows, rng.integers(half, steps, size=n), 1] = 1.0
    return Task(x, x.prod(axis=2).sum(axis=1, keepdims=True), "mse", "mse", 1 / 6)


def adding_problem_1997(n: int = 1000, steps: int = 100, *, seed: Seed = 0) -> Task:
    """Add the two marked numbers; as first published (Hochreiter and Schmidhuber 1997, exp. 4).

    Lengths are uniform in [T, T + T/10], numbers from U[-1, 1]. The marker is 1 at one of the first
    ten steps (number X1) and at one of the first T/2 - 1 still unmarked ones (X2); -1 at the first
    and the last step, unless marked; 0 elsewhere. If the first step is the one marked for X1, X1
    is set to 0. Target ``(N, 1)``: 0.5 + (X1 + X2) / 4. An answer is right if its error is below
    0.04.
    Baseline: always 0.5, mean squared error (0.9/3 + 1/3) / 16 = 0.0396.
    """
    check_int("n", n, 1)
    check_int("steps", steps, 20)
    rng = _generator(seed)
    lengths = rng.integers(steps, steps + steps // 10 + 1, size=n)
    mask = mask_from_lengths(lengths)
    x = np.zeros((*mask.shape, 2))
    x[..., 0] = rng.uniform(-1.0, 1.0, size=mask.shape) * mask
    rows = np.arange(n)
    first = rng.integers(10, size=n)
    second = rng.integers(steps // 2 - 1, size=n)
    second += second >= first  # skip the step that is marked already
    x[rows[first == 0], 0, 0] = 0.0
    x[:, 0, 1] = x[rows, lengths - 1, 1] = -1.0
    x[rows, first, 1] = x[rows, second, 1] = 1.0
    y = 0.5 + (x[rows, first, 0] + x[rows, second, 0]) / 4.0
    return Task(x, y[:, None], "mse", "mse", (0.9 / 3 + 1 / 3) / 16, lengths)


def running_sum(n: int = 1000, steps: int = 20, *, modulus: int = 3, seed: Seed = 0) -> Task:
    """Output at each step the sum so far, modulo ``modulus`` (parity if that is 2).

    One-hot digits ``(N, T, m)``, targets ``(N, T)``. Baseline: the digit itself, which is right at
    the first step and once in m afterwards. No network without memory is better.
    """
    check_int("n", n, 1)
    check_int("steps", steps, 1)
    check_int("modulus", modulus, 2)
    digits = _generator(seed).integers(modulus, size=(n, steps))
    share = 1 / steps + (1 - 1 / steps) / modulus
    sums = digits.cumsum(axis=1) % modulus
    return Task(one_hot(digits, modulus), sums, "categorical_crossentropy", "accuracy", share)


def delayed_echo(
    n: int = 1000, steps: int = 20, *, delay: int = 3, symbols: int = 4, seed: Seed = 0
) -> Task:
    """Output at each step the symbol of ``delay`` steps before; symbol 0 at the first steps.

    One-hot symbols ``(N, T, symbols)``, targets ``(N, T)``. Baseline: always 0.
    """
    check_int("n", n, 1)
    check_int("steps", steps, 1)
    check_int("delay", delay, 0, steps)
    check_int("symbols", symbols, 2)
    ids = _generator(seed).integers(symbols, size=(n, steps))
    y = np.zeros_like(ids)
    y[:, delay:] = ids[:, : steps - delay]
    share = (delay + (steps - delay) / symbols) / steps
    return Task(one_hot(ids, symbols), y, "categorical_crossentropy", "accuracy", share)


def next_digit(n: int = 10, steps: int = 10, *, modulus: int = 3, seed: Seed = 0) -> Task:
    """Output the digit that follows the present one, modulo ``modulus``; it needs no memory.

    One-hot digits ``(N, T, m)``, targets ``(N, T)``. Baseline: always the same digit, right once in
    m. The sizes are those of a popular notebook. Use it together with :func:`running_sum`, which a
    network with wrong recurrent gradients cannot learn.
    """
    check_int("n", n, 1)
    check_int("steps", steps, 1)
    check_int("modulus", modulus, 2)
    digits = _generator(seed).integers(modulus, size=(n, steps))
    y = (digits + 1) % modulus
    return Task(one_hot(digits, modulus), y, "categorical_crossentropy", "accuracy", 1 / modulus)


def first_equals_last(
    n: int = 480, steps: int = 12, *, alphabet: str = "ACGT", seed: Seed = 0
) -> Task:
    """Decide whether a text ends with the letter it begins with (an experiment of EpyNN).

    One-hot letters ``(N, T, len(alphabet))``, targets 0 or 1 ``(N, 1)``. Baseline: the more common
    answer in this sample; three times in four it is "no".
    """
    check_int("n", n, 1)
    check_int("steps", steps, 2)
    letters = Vocabulary(alphabet)
    ids = _generator(seed).integers(len(letters), size=(n, steps))
    y = (ids[:, :1] == ids[:, -1:]).astype(np.float64)
    share = float(max(y.mean(), 1 - y.mean()))
    return Task(one_hot(ids, len(letters)), y, "binary_crossentropy", "accuracy", share)


def sine_or_noise(n: int = 1024, steps: int = 64, *, noise: float = 0.3, seed: Seed = 0) -> Task:
    """Tell a noisy sine from pure noise (after an experiment of EpyNN).

    Sines have 2 to 6 periods, any phase, and noise of standard deviation ``noise``. The pure noise
    has the same variance, but is less smooth. Signals ``(N, T, 1)``, targets ``(N, 1)``, 1 for a
    sine. Baseline: the more common answer in this sample, about one half.
    """
    check_int("n", n, 1)
    check_int("steps", steps, 2)
    check_float("noise", noise, 0.0)
    rng = _generator(seed)
    y = rng.integers(2, size=(n, 1)).astype(np.float64)
    turns = rng.uniform(2.0, 6.0, size=(n, 1)) * np.arange(steps) / steps
    sine = np.sin(2 * np.pi * (turns + rng.uniform(size=(n, 1))))
    grain = rng.normal(size=(n, steps))
    x = np.where(y == 1, sine + noise * grain, np.sqrt(0.5 + noise**2) * grain)
    share = float(max(y.mean(), 1 - y.mean()))
    return Task(x[..., None], y, "binary_crossentropy", "accuracy", share)


def copy_memory(n: int = 1000, delay: int = 10, *, seed: Seed = 0) -> Task:
    """Repeat ten symbols after a long wait (Arjovsky, Shah and Bengio 2016, their code).

    The input is ten of the symbols 1 ... 8, ``delay - 1`` blanks (0), the sign 9, and ten blanks.
    The target is ``delay + 10`` blanks and then the ten symbols. One-hot inputs
    ``(N, delay + 20, 10)``, targets of 9 classes ``(N, delay + 20)``. Baseline: blanks, then a
    guess, with the cross-entropy 10 ln 8 / (delay + 20).
    """
    check_int("n", n, 1)
    check_int("delay", delay, 1)
    ids = np.zeros((n, delay + 20), dtype=np.int64)
    ids[:, :10] = _generator(seed).integers(1, 9, size=(n, 10))
    y = np.zeros_like(ids)
    y[:, -10:] = ids[:, :10]
    ids[:, delay + 9] = 9
    guess = 10 * float(np.log(8)) / (delay + 20)
    return Task(one_hot(ids, 10), y, "categorical_crossentropy", "cross-entropy", guess)


#: Reber's grammar: for each state, the two symbols that may follow and the states they lead to.
_REBER = {
    1: (("T", 2), ("P", 3)),
    2: (("S", 2), ("X", 4)),
    3: (("T", 3), ("V", 5)),
    4: (("X", 3), ("S", 6)),
    5: (("P", 4), ("V", 6)),
}
_REBER_SYMBOLS = Vocabulary("BTSXPVE")


def embedded_reber(n: int = 256, *, seed: Seed = 0) -> Task:
    """Predict which symbols may follow in a string of the embedded Reber grammar.

    A string is B, then T or P, then a string of Reber's grammar from B to E, then *the same* T or
    P, then E. So the second symbol must be remembered until the last but one. One-hot symbols
    ``(N, T, 7)`` in the order BTSXPVE, targets ``(N, T, 7)`` with a 1 at every symbol that may
    follow (Hochreiter and Schmidhuber 1997, exp. 1: solved if these are the most active outputs at
    every step). Baseline: a guess of the remembered symbol, right in 1/2 of the strings.
    """
    check_int("n", n, 1)
    rng = _generator(seed)
    texts, allowed = [], []
    for _ in range(n):
        outer = "TP"[rng.integers(2)]
        text, may_follow, state = f"B{outer}B", ["TP", "B"], 1
        while state != 6:
            may_follow.append("".join(symbol for symbol, _ in _REBER[state]))
            symbol, state = _REBER[state][rng.integers(2)]
            text += symbol
        texts.append(f"{text}E{outer}")
        allowed.append([*may_follow, "E", outer, "E"])
    x, lengths = pad(_REBER_SYMBOLS.one_hot(texts))
    y = np.zeros_like(x)
    for row, sets in enumerate(allowed):
        for step, symbols in enumerate(sets):
            y[row, step, _REBER_SYMBOLS.encode(symbols)] = 1.0
    return Task(x, y, "binary_crossentropy", "accuracy", 0.5, lengths)


def sum_of_bits(n: int = 1000, steps: int = 5, *, seed: Seed = 0) -> Task:
    """Add the bits of a sequence (with 5 bits, a test of PyTorch's C++ interface).

    Bits ``(N, T, 1)``, targets ``(N, 1)``. Baseline: always T/2, mean squared error T/4.
    """
    check_int("n", n, 1)
    check_int("steps", steps, 1)
    x = _generator(seed).integers(2, size=(n, steps, 1)).astype(np.float64)
    return Task(x, x.sum(axis=1), "mse", "mse", steps / 4)


def damped_oscillator(
    steps: int = 300,
    *,
    mass: float = 1.0,
    damping: float = 0.1,
    stiffness: float = 1.0,
    dt: float = 0.1,
) -> Task:
    r"""Predict the next position of a mass on a spring (the signal of a lecture's experiment).

    ``m x'' + c x' + k x = 0`` from position 1 at rest has the exact solution
    ``x(t) = exp(-g t) (cos(w t) + g/w sin(w t))`` with ``g = c / 2m``, ``w = sqrt(k/m - g^2)``. One
    sequence ``(1, steps - 1, 1)``; the target is the next position. Baseline: persistence.
    """
    check_int("steps", steps, 2)
    for name, value in (("mass", mass), ("stiffness", stiffness), ("dt", dt)):
        check_float(name, value, 0.0, inclusive="neither")
    check_float("damping", damping, 0.0)
    decay = damping / (2 * mass)
    if stiffness / mass <= decay**2:
        raise InvalidArgumentError(
            sentence("damping", "< 2 sqrt(mass * stiffness) for the mass to swing", f"{damping:g}")
        )
    swing = np.sqrt(stiffness / mass - decay**2)
    t = np.arange(steps) * dt
    x = np.exp(-decay * t) * (np.cos(swing * t) + decay / swing * np.sin(swing * t))
    return _next_value(x, 1, "mse")


def noisy_sine(points: int = 200, *, noise: float = 0.1, ahead: int = 0, seed: Seed = 0) -> Task:
    """Fit or predict sin(x) + noise on x = -10, -9.9 ... (the example of a set of slides).

    One sequence ``(1, T, 1)``. With ``ahead=0`` it is the positions x, and the target is the signal
    (baseline: the mean). With ``ahead=k`` it is the signal, and the target is the signal k points
    later (baseline: persistence). Both baselines are half the mean squared error.
    """
    check_int("points", points, 2)
    check_int("ahead", ahead, 0, points - 1)
    check_float("noise", noise, 0.0)
    position = -10 + 0.1 * np.arange(points)
    signal = np.sin(position) + noise * _generator(seed).normal(size=points)
    if ahead:
        return _next_value(signal, ahead, "half_mse")
    half = float(signal.var()) / 2
    return Task(position[None, :, None], signal[None, :, None], "half_mse", "half_mse", half)


def _next_value(signal: np.ndarray, ahead: int, loss: str) -> Task:
    """The signal, itself ``ahead`` steps later as the target, and the score of persistence."""
    x, y = pairs(signal, ahead)
    error = float(np.mean((y - x) ** 2))
    return Task(x, y, loss, loss, error if loss == "mse" else error / 2)


def sine_windows(part: str = "train", *, window: int = 4) -> Task:
    """Predict the next point of sin(x / 20) from the last few (the task of a notebook).

    1000 points on [0, 10 pi]; "train" is the first quarter, "validation" the third. Windows
    ``(N, window, 1)``, targets ``(N, 1)``. Baseline: the last point repeated. It is so good here
    that few networks beat it.
    """
    check_choice("part", part, ("train", "validation"))
    points = np.sin(np.linspace(0.0, 10 * np.pi, 1000) / 20)
    cut = sliding_windows(points[:250] if part == "train" else points[500:750], window)
    y = cut.y[:, 0]
    half = float(np.mean((y - cut.x[:, -1]) ** 2)) / 2
    return Task(cut.x, y, "half_mse", "half_mse", half)


#: All tasks by name; each can be called without arguments.
TASKS: dict[str, Callable[..., Task]] = {
    task.__name__: task
    for task in (
        adding_problem, adding_problem_1997, running_sum, delayed_echo, next_digit,
        first_equals_last, sine_or_noise, copy_memory, embedded_reber, sum_of_bits,
        damped_oscillator, noisy_sine, sine_windows,
    )
}  # fmt: skip
