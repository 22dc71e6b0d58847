"""The training of the base networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recipes.base_model.examples import Examples
from throughtime.forecasting.base_network import QUANTILES, build
from throughtime.forecasting.outlook import AHEAD, PAST
from throughtime.losses import Quantile
from throughtime.network import Network
from throughtime.optimizers import AdamW
from throughtime.optimizers.schedules import Cosine
from throughtime.training import train
from throughtime.training.callbacks import Run

UNITS = 64
_BATCH, _LR, _LAST_LR, _DECAY, _CLIP_NORM = 128, 3e-3, 3e-5, 0.02, 1.0
#: Steps ahead count h to this power.
_POWER_OF_STEP = -0.25
#: An example whose mean target is t counts 1 / (this + t): the measure is a geometric mean of
#: errors, in which series that nobody forecasts well count no more than others.
_USUAL = 0.5
#: Added to both errors of a ratio, in units of u, so that none is zero.
_SMALLEST = 0.02


def fit(
    examples: Examples, used: np.ndarray, epochs: int, seed: int, say: Callable[[str], None]
) -> Network:
    """Train one network on the examples ``used (N,)`` and say how it does on the others."""
    network = build(UNITS, seed)
    rows = np.flatnonzero(used)
    target = np.zeros((len(rows), PAST + AHEAD, 1), dtype=np.float32)
    target[:, PAST:, 0] = examples.target[rows]
    weight = np.zeros((len(rows), PAST + AHEAD))
    weight[:, PAST:] = _weights(examples, rows)
    others = np.flatnonzero(~used & (examples.kind == "real"))

    def report(run: Run) -> None:
        ratio = f", unseen series {gain(network, examples, others):.4f}" if len(others) else ""
        say(f"seed {seed}, epoch {run.epoch}: loss {run.history.last()['loss']:.4f}{ratio}")

    train(
        network,
        examples.inputs[rows],
        target,
        loss=Quantile(QUANTILES),
        optimizer=AdamW(Cosine(_LR, length=epochs, min_lr=_LAST_LR), weight_decay=_DECAY),
        epochs=epochs,
        batch_size=_BATCH,
        sample_weight=weight,
        clip_norm=_CLIP_NORM,
        callbacks=[report],
        verbose=False,
        seed=seed,
    )
    return network


def _weights(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Weights of the steps ahead, (N, AHEAD)."""
    known = examples.known[rows]
    weight = known * np.arange(1.0, AHEAD + 1.0) ** _POWER_OF_STEP
    weight *= AHEAD / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    size = (np.abs(examples.target[rows]) * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return weight / (_USUAL + size[:, None])


def gain(network: Network, examples: Examples, rows: np.ndarray) -> float:
    """Geometric mean of the ratio of errors, corrected over not, on some examples."""
    answer = network.predict(examples.inputs[rows], batch_size=1024)
    moved = answer[:, PAST:, QUANTILES.index(0.5)]
    known, target = examples.known[rows], examples.target[rows]
    count = np.maximum(known.sum(axis=1), 1)
    before = (np.abs(target) * known).sum(axis=1) / count
    after = (np.abs(target - moved) * known).sum(axis=1) / count
    return float(np.exp(np.log((after + _SMALLEST) / (before + _SMALLEST)).mean()))
