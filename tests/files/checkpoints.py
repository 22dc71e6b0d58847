"""Checkpoints for a folder of files: every optimiser, every schedule, every option of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

import throughtime as tt
from throughtime import schedules
from throughtime.optimizers import SGD, Adagrad, Adam, AdamW, RMSProp

#: Epochs before a checkpoint, and epochs of the whole run.
SEEN, EPOCHS = 2, 4
OPTIMIZERS = {
    "sgd": SGD(0.1),
    "sgd-momentum": SGD(0.1, momentum=0.5, dampening=0.25),
    "sgd-nesterov": SGD(0.1, momentum=0.5, nesterov=True),
    "adagrad": Adagrad(0.1),
    "adagrad-momentum": Adagrad(0.1, momentum=0.5),
    "rmsprop": RMSProp(0.01),
    "rmsprop-centered": RMSProp(0.01, momentum=0.5, centered=True),
    "adam": Adam(0.01),
    "adam-amsgrad": Adam(0.01, amsgrad=True),
    "adamw": AdamW(0.01, weight_decay=0.1),
}
SCHEDULES = {
    "constant": schedules.Constant(0.1),
    "inverse_time": schedules.InverseTime(0.1, decay=0.5, per="step"),
    "exponential": schedules.Exponential(0.1, gamma=0.9),
    "exponential-cycle": schedules.Exponential(0.1, gamma=0.9, cycle=2, cycle_gamma=0.5),
    "linear": schedules.Linear(0.1, length=3, end=0.01),
    "cosine": schedules.Cosine(0.1, length=3, min_lr=0.01),
    "cosine-restarts": schedules.Cosine(0.1, length=2, restarts=True, growth=2, per="step"),
    "plateau": schedules.Plateau(0.1, factor=0.5, patience=1, threshold=0.5),
    "warmup": schedules.Warmup(schedules.Cosine(0.1, length=3), length=2),
    "warmup-plateau": schedules.Warmup(
        schedules.Plateau(0.1, factor=0.5, patience=1, threshold=0.5), length=2
    ),
}
#: Options of a run; ``stopping`` is that of EarlyStopping.
RUNS: dict[str, dict[str, Any]] = {
    "dropout": {"net": {"dropout": 0.25, "recurrent_dropout": 0.25}},
    "frozen": {"net": {"lr_multiplier": 0.0}},
    "float32": {"dtype": "float32"},
    "tbptt": {"tbptt": [2, 3]},
    "clip-norm": {"clip_norm": 0.1},
    "clip-value": {"clip_value": 0.01},
    "penalties": {"l1": 0.01, "l2": 0.1},
    "metrics": {"metrics": ["mae", "r2"]},
    "outputs": {"keep_outputs": True},
    "whole-batch": {"batch_size": None, "shuffle": False},
    "buckets": {"bucket": True, "ragged": True},
    "weights": {"weighted": True},
    "loss": {"loss": "huber"},
    "fraction": {"validation": 0.25},
    "stopping": {"stopping": {"monitor": "val_loss", "patience": 3, "min_delta": 0.001}},
}


def runs() -> dict[str, dict[str, Any]]:
    """A description of every run, as JSON says it."""
    found = {f"optimizer-{name}": {"optimizer": rule} for name, rule in OPTIMIZERS.items()}
    found |= {f"schedule-{name}": {"optimizer": SGD(rule)} for name, rule in SCHEDULES.items()}
    found |= {f"run-{name}": {"optimizer": Adam(0.01), **own} for name, own in RUNS.items()}
    for name, own in found.items():
        own["optimizer"] = tt.optimizers.OPTIMIZERS.to_config(own["optimizer"])
        layer = tt.layers.GRU(3, return_sequences=True, **own.pop("net", {}))
        net = tt.Network([layer, tt.layers.Dense(1)], 2, dtype=own.pop("dtype", "float64"), seed=1)
        own["network"] = net.to_config()
        if "plateau" in name or "stopping" in own:
            own["validated"] = True
    return found


def data() -> dict[str, np.ndarray]:
    """What is learned from, and what is held out."""
    rng = np.random.default_rng(4)
    x, x_val = rng.normal(size=(12, 6, 2)), rng.normal(size=(4, 6, 2))
    y, y_val = (np.cumsum(a[..., :1], axis=1) - a[..., 1:] for a in (x, x_val))
    weight = rng.uniform(0.5, 1.0, size=12)
    lengths = np.array([6, 2, 3, 6, 1, 5, 4, 6, 2, 3, 6, 5])
    return {"x": x, "y": y, "x_val": x_val, "y_val": y_val, "weight": weight, "lengths": lengths}


def train(
    run: dict[str, Any], arrays: dict[str, np.ndarray], epochs: int, **saved: Any
) -> dict[str, np.ndarray]:
    """Train what ``run`` describes; return the weights and the columns of the history."""
    own = dict(run)
    net = tt.Network.from_config(own.pop("network"))
    options: dict[str, Any] = {"batch_size": 4, "seed": 2, "verbose": False}
    options["optimizer"] = tt.optimizers.OPTIMIZERS.from_config(own.pop("optimizer"))
    if own.pop("ragged", False):
        options["lengths"] = arrays["lengths"]
    if own.pop("weighted", False):
        options["sample_weight"] = arrays["weight"]
    if own.pop("validated", False):
        options["validation"] = arrays["x_val"], arrays["y_val"]
    if "stopping" in own:
        options["callbacks"] = [tt.EarlyStopping(**own.pop("stopping"))]
    if "tbptt" in own:
        own["tbptt"] = tuple(own["tbptt"])
    options |= {**own, **saved}
    history = tt.train(net, arrays["x"], arrays["y"], epochs=epochs, **options)
    columns = {name: np.array(values) for name, values in history.items() if name != "seconds"}
    for i, output in enumerate(history.outputs):
        columns[f"outputs.{i}"] = output
    return {"params": net.params.flat.copy(), **columns}
