"""The table in docs/how-to/average-weights.md: ``python -m recipes.averaging``.

Two noisy tasks: handwritten digits, read line by line, of which a fifth of the labels are wrong;
and the adding problem with noise on its answers. What is printed are errors on data without noise,
means over ten seeds. It takes about a minute on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import throughtime as tt

SEEDS = range(10)
EPOCHS = 20
Task = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tt.Network, dict[str, Any]]


def digits(seed: int) -> Task:
    """Training data, test data, a network and options."""
    x, y = tt.data.digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    x, y = x[order].reshape(-1, 8, 8), y[order]
    wrong = np.where(rng.random(1000) < 0.2, rng.integers(0, 10, size=1000), y[:1000])
    layers = [tt.layers.GRU(48), tt.layers.Dense(10, activation="softmax")]
    net = tt.Network(layers, n_features=8, seed=seed)
    return x[:1000], wrong, x[1000:], y[1000:], net, {"loss": "crossentropy"}


def adding(seed: int) -> Task:
    """Training data, test data, a network and options."""
    train, test = (tt.data.tasks.adding_problem(1000, steps=30, seed=2 * seed + i) for i in (0, 1))
    noisy = train.y + np.random.default_rng(seed).normal(scale=0.3, size=train.y.shape)
    net = tt.Network([tt.layers.GRU(24), tt.layers.Dense(1)], n_features=2, seed=seed)
    return train.x, noisy, test.x, test.y, net, {"loss": "mse"}


def error(task: Callable[[int], Task], seed: int, lr: Any, *callbacks: tt.Callback) -> float:
    """The share of wrong answers in percent, or 1000 times the squared error, on the test data."""
    x, y, x_test, y_test, net, options = task(seed)
    metric = "accuracy" if options["loss"] == "crossentropy" else "mse"
    tt.train(
        net, x, y, optimizer=tt.optimizers.Adam(lr), epochs=EPOCHS, clip_norm=1.0, seed=seed,
        callbacks=callbacks, verbose=False, **options,
    )  # fmt: skip
    value = tt.evaluate(net, x_test, y_test, metrics=[metric])[metric]
    return 100 * (1 - value) if metric == "accuracy" else 1000 * value


ROWS: dict[str, Callable[[float], tuple[Any, ...]]] = {
    "last weights": lambda lr: (lr,),
    "EMA(0.9)": lambda lr: (lr, tt.EMA(0.9)),
    "EMA()": lambda lr: (lr, tt.EMA()),
    "SWA()": lambda lr: (lr, tt.SWA()),
    "SWA(per='step')": lambda lr: (lr, tt.SWA(per="step")),
    "last weights, cosine": lambda lr: (tt.schedules.Cosine(lr, length=EPOCHS),),
    "EMA(), cosine": lambda lr: (tt.schedules.Cosine(lr, length=EPOCHS), tt.EMA()),
}


def main() -> None:
    """Print a row for each way."""
    cases = [(task, lr) for task in (digits, adding) for lr in (0.003, 0.01)]
    print(" " * 22 + "".join(f"{f'{task.__name__} {lr}':>14}" for task, lr in cases))
    for name, make in ROWS.items():
        means = [np.mean([error(t, seed, *make(lr)) for seed in SEEDS]) for t, lr in cases]
        print(f"{name:<22}" + "".join(f"{mean:14.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
