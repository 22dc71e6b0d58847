"""A digest for every number that the package computes: did a change alter a bit?

``python tests/bits.py`` prints one line for each network, loss, optimiser, schedule, stream and
forecaster, on each engine. Run it before and after a change that should alter no result::

    python tests/bits.py > before.txt
    ...
    python tests/bits.py --compare before.txt

Digests differ between processors and between releases of NumPy, so none is stored here.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from loss_cases import CASES as LOSS_CASES
from network_cases import CASES, leaves

import throughtime as tt
from throughtime.optimizers import OPTIMIZERS

ENGINES = ("native", "reference")
DTYPES = ("float32", "float64")


def digest(*values: Any) -> str:
    """A digest of arrays and containers of arrays, including shapes and dtypes."""
    found = hashlib.sha256()
    for value in values:
        for array in leaves(value):
            found.update(f"{array.dtype} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def networks() -> Iterator[tuple[str, str]]:
    """Every case of the suite: initial parameters, outputs, states and all gradients."""
    for case in CASES:
        for dtype in DTYPES:
            fresh = tt.Network(list(case.layers), case.features, dtype, seed=3)
            net = case.network(dtype)
            x, mask = case.batch(net)
            y, tape = case.run(net, x, mask, case.initial_state(net, len(x)))
            upstream = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
            dx = net.backward(tape, upstream)
            yield (
                f"network {case} {dtype}",
                digest(
                    fresh.params.flat, y, tape.final_state, net.grads.flat, dx, tape.d_initial_state
                ),
            )


def losses() -> Iterator[tuple[str, str]]:
    """Every loss, from outputs and, if it can be fused with an activation, from logits."""
    for name, case in LOSS_CASES.items():
        for dtype in DTYPES:
            for shape in ((6,), (3, 4)):
                y, target = case.data(shape)
                y, weight = y.astype(dtype), np.linspace(0.5, 2, shape[0])
                found = [case.loss(r)(y, target, weights=weight) for r in ("mean", "sum")]
                if "crossentropy" in case.name:
                    found.append(case.loss().from_logits(y, target))
                values = [(np.array(value), dy) for value, dy in found]
                yield f"loss {name} {shape} {dtype}", digest(values)


def data(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(24, 9, 3)).astype(dtype)
    return x, x[:, :, :2].sum(axis=1)


def trained(name: str, layers: list[Any], dtype: str, **options: Any) -> tuple[str, str]:
    x, y = data(dtype)
    net = tt.Network(layers, n_features=3, dtype=dtype, seed=2)
    history = tt.train(
        net, x, y, **{"loss": "mse", "epochs": 3, "batch_size": 7, "seed": 4} | options
    )
    losses = np.array(history["loss"])
    return f"trained {name} {dtype}", digest(net.params.flat, net.predict(x), losses)


CELLS = {
    "RNN": tt.layers.RNN,
    "GRU": tt.layers.GRU,
    "LSTM": tt.layers.LSTM,
}


def training() -> Iterator[tuple[str, str]]:
    """Every optimiser, schedule and option of ``tt.train``."""
    schedules, make = tt.schedules, tt.optimizers
    optimizers = {
        **{name: OPTIMIZERS[name]() for name in OPTIMIZERS},
        "nesterov": make.SGD(0.05, momentum=0.9, nesterov=True),
        "damped": make.SGD(0.05, momentum=0.9, dampening=0.3),
        "centred": make.RMSProp(0.01, momentum=0.5, centered=True),
        "adagrad, momentum": make.Adagrad(0.05, momentum=0.5),
        "amsgrad": make.Adam(0.01, amsgrad=True),
        "decay": make.AdamW(0.01, weight_decay=0.1),
        "inverse time": make.SGD(schedules.InverseTime(0.05, 0.2)),
        "exponential": make.SGD(schedules.Exponential(0.05, 0.5, cycle=2)),
        "linear": make.SGD(schedules.Linear(0.05, 5)),
        "cosine": make.SGD(schedules.Cosine(0.05, 2, restarts=True)),
        "plateau": make.SGD(schedules.Plateau(0.05, patience=1)),
        "warm-up": make.SGD(schedules.Warmup(schedules.Constant(0.05), 3)),
    }
    options: dict[str, dict[str, Any]] = {
        "clip_norm": {"clip_norm": 0.1},
        "clip_value": {"clip_value": 0.01},
        "penalties": {"l1": 0.01, "l2": 0.02},
        "truncated": {"tbptt": (4, 4)},
        "overlapping": {"tbptt": (3, 5)},
        "validation": {"validation": 0.25, "metrics": ["mae"]},
        "ordered": {"shuffle": False},
        "weights": {"sample_weight": np.linspace(0, 2, 24)},
        "ragged": {"lengths": np.arange(24) % 9 + 1, "bucket": True},
        "mask": {"mask": np.random.default_rng(3).random((24, 9)) < 0.7},
        "huber": {"loss": "huber"},
    }
    for dtype in DTYPES:
        for name, optimizer in optimizers.items():
            layers = [tt.layers.GRU(5), tt.layers.Dense(2)]
            yield trained(f"optimizer {name}", layers, dtype, optimizer=optimizer)
        for cell, layer in CELLS.items():
            for name, own in options.items():
                layers = [layer(5), tt.layers.Dense(2)]
                if name in ("truncated", "overlapping"):
                    layers = [layer(5, return_sequences=True), tt.layers.LastStep(), layers[1]]
                yield trained(f"{cell}, {name}", layers, dtype, **own)
            deep = [
                layer(6, return_sequences=True, dropout=0.2, lr_multiplier=0.5),
                layer(4, bidirectional=True, recurrent_dropout=0.3, l2=0.01),
                tt.layers.Dense(2),
            ]
            yield trained(f"{cell}, deep", deep, dtype)


def streams() -> Iterator[tuple[str, str]]:
    for dtype in DTYPES:
        x, _ = data(dtype)
        for cell, layer in CELLS.items():
            for activation in ("tanh", "relu", "softmax"):
                layers = [
                    tt.layers.Conv1D(4, 3, padding="causal"),
                    layer(5, activation=activation, return_sequences=True),
                    layer(4, return_sequences=True, time_bias=True),
                    tt.layers.Dense(2),
                ]
                net = tt.Network(layers, n_features=3, dtype=dtype, seed=6)
                stream = net.stream(len(x))
                y = [stream.step(x[:, t]) for t in range(x.shape[1])]
                far = net.extrapolate(x[:, :, :], 4, feedback=lambda y: np.hstack([y, y[:, :1]]))
                yield f"stream {cell} {activation} {dtype}", digest(y, far)


def forecasters() -> Iterator[tuple[str, str]]:
    t = np.arange(120)
    rng = np.random.default_rng(8)
    series = 50 + 0.1 * t + 5 * np.sin(t / 12 * 2 * np.pi) + rng.normal(size=120)
    extra = rng.normal(size=(120, 1))
    for cell in ("rnn", "gru", "lstm"):
        for network in ("auto", "never"):
            model = tt.forecasting.Forecaster(
                6,
                cell=cell,
                hidden_size=6,
                frequency="MS",
                epochs=3,
                network=network,
                future_covariates=False,
                seed=1,
            )
            model.fit([series, series[::-1] + 3], [extra, -extra])
            found = model.predict(6)
            yield (
                f"forecast {cell} {network}",
                digest([(f.mean, f.anchor, list(f.intervals.values())) for f in found]),
            )


def lines() -> Iterator[str]:
    for engine in ENGINES:
        with tt.engine(engine):
            for part in (networks, losses, training, streams, forecasters):
                for name, found in part():
                    yield f"{found}  {engine} {name}"


def main() -> int:
    """Print the digests, or the names of those that differ from an earlier run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", metavar="FILE", type=Path, help="an earlier run's output")
    earlier = parser.parse_args().compare
    if earlier is None:
        for line in lines():
            sys.stdout.write(f"{line}\n")
        return 0
    before = earlier.read_text("utf-8").splitlines()
    now = list(lines())
    moved = sorted(set(before) ^ set(now), key=lambda line: line[18:])
    sys.stdout.write("\n".join(moved) or f"{len(now)} digests, none of them moved")
    sys.stdout.write("\n")
    return bool(moved)


if __name__ == "__main__":
    sys.exit(main())
