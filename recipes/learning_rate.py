"""The rule of ``tt.find_lr`` beside others: ``python -m recipes.learning_rate``.

Seven tasks are trained by four optimisers with rates from 1e-4 to 5.6, and with the rates that
rules find in the same test. The loss after 12 epochs at a rate, L, is compared with the best one,
B, and with the loss at the start, A: what is printed is (L - B) / (A - B), the part of the progress
that the rate misses. It takes some four minutes on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import throughtime as tt
from throughtime.errors import DivergedError

GRID = 10.0 ** np.arange(-4, 0.76, 0.25)
Task = tuple[np.ndarray, np.ndarray, list[Any], dict[str, Any], str]


def _digits() -> Task:
    x, y = tt.data.digits()
    order = np.random.default_rng(0).permutation(len(x))[:800]
    layers = [tt.layers.LSTM(32), tt.layers.Dense(10, activation="softmax")]
    return x[order].reshape(-1, 8, 8), y[order], layers, {"n_features": 8}, "crossentropy"


def _adding() -> Task:
    task = tt.data.tasks.adding_problem(800, steps=30, seed=0)
    return task.x, task.y, [tt.layers.GRU(24), tt.layers.Dense(1)], {"n_features": 2}, "mse"


def _waves() -> Task:
    t = np.arange(3000) * 0.1
    noise = np.random.default_rng(0).normal(scale=0.1, size=t.size)
    series = np.sin(t) + 0.5 * np.sin(2.3 * t) + noise
    windows = np.lib.stride_tricks.sliding_window_view(series, 31)[::4].copy()
    layers = [tt.layers.RNN(24), tt.layers.Dense(1)]
    return windows[:, :30, None], windows[:, 30:], layers, {"n_features": 1}, "mse"


def _sums() -> Task:
    x = np.random.default_rng(0).normal(size=(600, 20, 2))
    layers = [tt.layers.LSTM(24, return_sequences=True), tt.layers.Dense(1)]
    return x, np.cumsum(x[..., :1], axis=1), layers, {"n_features": 2}, "mse"


def _densities() -> Task:
    x = np.random.default_rng(0).normal(size=(600, 20, 2))
    layers = [tt.layers.GRU(24, return_sequences=True), tt.layers.Dense(2)]
    y = np.tanh(np.cumsum(x[..., :1], axis=1))
    return x, y, layers, {"n_features": 2}, "gaussian_nll"


def _signs() -> Task:
    x = np.random.default_rng(0).normal(size=(600, 30, 3))
    layers = [tt.layers.MinGRU(32), tt.layers.Dense(2, activation="softmax")]
    return x, (x[:, :, 0].sum(axis=1) > 0).astype(int), layers, {"n_features": 3}, "crossentropy"


def _letters() -> Task:
    text = tt.data.alice()[:40000]
    letters = tt.data.Vocabulary.from_texts([text])
    x, y = tt.data.next_tokens(letters.encode(text), window=40)
    layers = [
        tt.layers.Embedding(len(letters), 16), tt.layers.GRU(48, return_sequences=True),
        tt.layers.Dense(len(letters), activation="softmax"),
    ]  # fmt: skip
    return x, y, layers, {}, "crossentropy"


TASKS = {f.__name__[1:]: f for f in (_digits, _adding, _waves, _sums, _densities, _signs, _letters)}
OPTIMIZERS: dict[str, Callable[[float], tt.optimizers.Optimizer]] = {
    "Adam": tt.optimizers.Adam,
    "SGD": tt.optimizers.SGD,
    "SGD, momentum": lambda lr: tt.optimizers.SGD(lr, momentum=0.9),
    "RMSProp": tt.optimizers.RMSProp,
}
RULES: dict[str, Callable[[Any], float]] = {
    "tt.find_lr": lambda found: found.lr,
    "steepest": lambda found: found.rates[
        np.argmin(np.gradient(found.smoothed, np.log(found.rates)))
    ],
    "lowest / 10": lambda found: found.rates[np.argmin(found.smoothed)] / 10,
    "0.001": lambda _: 1e-3,
}


def loss_after(task: Task, optimizer: tt.optimizers.Optimizer) -> float:
    """The loss of the last of 12 epochs."""
    x, y, layers, options, loss = task
    net = tt.Network(layers, **options)
    try:
        history = tt.train(net, x, y, loss=loss, optimizer=optimizer, epochs=12, verbose=False)
    except DivergedError:
        return np.inf
    return history["loss"][-1]


def main() -> None:
    """Print a row for each task and optimiser, then means and medians."""
    print(f"{'':<26}{'best':>9}" + "".join(f"{name:>20}" for name in RULES))
    rows = []
    for name, make in TASKS.items():
        task = make()
        x, y, layers, options, loss = task
        for optimizer, of in OPTIMIZERS.items():
            found = tt.find_lr(tt.Network(layers, **options), x, y, loss=loss, optimizer=of(1.0))
            grid = [loss_after(task, of(lr)) for lr in GRID]
            best, start = min(grid), float(np.mean(found.losses[:10]))
            rates = [rule(found) for rule in RULES.values()]
            progress = [(loss_after(task, of(lr)) - best) / (start - best) for lr in rates]
            missed = [min(part, 1.0) for part in progress]
            rows.append(missed)
            cells = [f"{lr:.2g}: {part:.3f}" for lr, part in zip(rates, missed, strict=True)]
            print(
                f"{f'{name}, {optimizer}':<26}{GRID[int(np.argmin(grid))]:9.2g}"
                + "".join(f"{cell:>20}" for cell in cells),
                flush=True,
            )
    for name, average in (("mean", np.mean), ("median", np.median)):
        print(f"{name:<35}" + "".join(f"{value:20.3f}" for value in average(rows, axis=0)))


if __name__ == "__main__":
    main()
