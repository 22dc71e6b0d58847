"""The training of base networks: examples at origins inside series, and learning from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import DataError, check_int, sentence
from throughtime.forecasting import base_network
from throughtime.forecasting.averaging import average, compare
from throughtime.forecasting.base_network import QUANTILES
from throughtime.forecasting.outlook import AHEAD, N_INPUTS, PAST, look
from throughtime.forecasting.reading import read_group
from throughtime.forecasting.seasonality import check_season, cycles
from throughtime.forecasting.sharing import for_each
from throughtime.losses import Quantile
from throughtime.network import Network
from throughtime.optimizers import AdamW
from throughtime.optimizers.schedules import Cosine
from throughtime.parallel import kept
from throughtime.training import train
from throughtime.training.callbacks import Run

#: Targets are cut here, in units of u.
_LARGEST_TARGET = 20.0
_BATCH, _DECAY, _CLIP_NORM = 128, 0.02, 1.0
#: First learning rate of new networks, and of those that have learned before; the last over it.
FIRST_LR, TUNING_LR, _LAST_LR = 3e-3, 3e-4, 0.01
#: Steps ahead count h to this power.
_POWER_OF_STEP = -0.25
#: An example whose mean target is t counts 1 / (this + t): the measure is a geometric mean of
#: errors, in which series that nobody forecasts well count no more than others.
_USUAL = 0.5
#: Added to both errors of a ratio, in units of u, so that none is zero.
_SMALLEST = 0.02
#: Origins in each series that networks are tuned on, at most, and the fewest of all.
_ORIGINS, _FEWEST = 30, 200
#: One in so many series validates.
_VALIDATION = 10


@dataclass(frozen=True, eq=False)
class Examples:
    """What networks read at N origins, and what they should have answered.

    Attributes
    ----------
    inputs : ndarray of float32 of shape (N, PAST + AHEAD, N_INPUTS)
    target : ndarray of float32 of shape (N, AHEAD)
        (y - a) / u; 0 where there is none.
    known : ndarray of bool of shape (N, AHEAD)
        Which targets there are.
    """

    inputs: np.ndarray
    target: np.ndarray
    known: np.ndarray

    @classmethod
    def stack(cls, found: Sequence[tuple[np.ndarray, np.ndarray]]) -> Examples:
        """The examples that :func:`example` found, together."""
        inputs = np.empty((len(found), PAST + AHEAD, N_INPUTS), dtype=np.float32)
        target = np.zeros((len(found), AHEAD), dtype=np.float32)
        known = np.zeros((len(found), AHEAD), dtype=bool)
        for i, (seen, wanted) in enumerate(found):
            inputs[i] = seen
            known[i, : len(wanted)] = ~np.isnan(wanted)
            target[i, : len(wanted)] = np.nan_to_num(wanted)
        return cls(inputs, target, known)

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Examples:
        """Some of the examples."""
        return Examples(self.inputs[rows], self.target[rows], self.known[rows])


def example(
    history: np.ndarray, future: np.ndarray, horizon: int, season: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """What networks read at the end of a history, and their targets; None if there is no error.

    Parameters
    ----------
    history, future : ndarray of shape (T,), (at most H,)
        The values before and after the origin.
    horizon : int
        Steps that are asked for, H.
    season : float
        The period; 1 is none.
    """
    blocks = compare(history, horizon, (1.0, season) if season > 1.0 else (1.0,), (False, True))
    seen = look(history, horizon, season, blocks, average(blocks))
    if seen is None:
        return None
    wanted = (future - seen.anchor[: len(future)]) / seen.unit
    return seen.inputs, np.clip(wanted[:AHEAD], -_LARGEST_TARGET, _LARGEST_TARGET)


def learn(
    network: Network,
    examples: Examples,
    epochs: int,
    lr: float,
    seed: int,
    report: Callable[[Run], object] | None = None,
) -> None:
    """Train one network on the examples, from the weights that it has."""
    target = np.zeros((len(examples), PAST + AHEAD, 1), dtype=np.float32)
    target[:, PAST:, 0] = examples.target
    weight = np.zeros((len(examples), PAST + AHEAD))
    weight[:, PAST:] = _weights(examples)
    schedule = Cosine(lr, length=epochs, min_lr=_LAST_LR * lr)
    train(
        network,
        examples.inputs,
        target,
        loss=Quantile(QUANTILES),
        optimizer=AdamW(schedule, weight_decay=_DECAY),
        epochs=epochs,
        batch_size=_BATCH,
        sample_weight=weight,
        clip_norm=_CLIP_NORM,
        callbacks=[report] if report else (),
        verbose=False,
        seed=seed,
    )


def _weights(examples: Examples) -> np.ndarray:
    """Weights of the steps ahead, (N, AHEAD)."""
    weight = examples.known * np.arange(1.0, AHEAD + 1.0) ** _POWER_OF_STEP
    weight *= AHEAD / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    count = np.maximum(examples.known.sum(axis=1), 1)
    size = (np.abs(examples.target) * examples.known).sum(axis=1) / count
    return np.asarray(weight / (_USUAL + size[:, None]))


def gain(networks: Sequence[Network], examples: Examples) -> float:
    """Geometric mean of the ratio of errors, corrected by the mean of some networks over not."""
    answers = [net.predict(examples.inputs, batch_size=1024)[:, PAST:] for net in networks]
    moved = np.mean(answers, axis=0)[..., QUANTILES.index(0.5)]
    known, target = examples.known, examples.target
    count = np.maximum(known.sum(axis=1), 1)
    before = (np.abs(target) * known).sum(axis=1) / count
    after = (np.abs(target - moved) * known).sum(axis=1) / count
    return float(np.exp(np.log((after + _SMALLEST) / (before + _SMALLEST)).mean()))


@dataclass(frozen=True)
class Tuned:
    """What tuning did to the error on series that were not learned from.

    Attributes
    ----------
    before, after : float
        Geometric mean of the errors with the whole correction over those of smoothing.
    examples, validation : int
        Examples that were learned from, and that validated.
    """

    before: float
    after: float
    examples: int
    validation: int

    def __str__(self) -> str:
        return (
            f"error over that of smoothing: {self.before:.3f} before, {self.after:.3f} after"
            f" tuning; {self.examples} examples, {self.validation} on other series"
        )


def tune_base_model(
    y: Any,
    path: str | os.PathLike[str],
    horizon: int,
    *,
    frequency: str | None = None,
    season: float | None = None,
    base_model: str | os.PathLike[str] = base_network.SHIPPED,
    epochs: int = 4,
    seed: int = 0,
    executor: Any = None,
) -> Tuned:
    """Train base networks further on many series of your own, and write them to a file.

    The file is what ``Forecaster(base_model=path)`` and ``--base-model`` take. It pays with
    hundreds of series, or long ones, that are unlike monthly, quarterly and yearly business data.

    Parameters
    ----------
    y : list or mapping of arrays of shape (T,)
        The series, without what they are to be judged on.
    path : str or PathLike
        The file.
    horizon : int
        Steps ahead that will be asked for, H; up to 24 are learned.
    frequency, season : str or float, optional
        As in :class:`~throughtime.forecasting.Forecaster`; of several seasons the shortest counts.
    base_model : {"shipped", "none"} or path
        The networks to begin with; with "none" one that has learned nothing.
    epochs, seed : int
        Epochs, and the seed of the origins and of the order of batches.
    executor : executor or callable, optional
        Who finds the examples, as in :class:`~throughtime.forecasting.Forecaster`.

    Returns
    -------
    Tuned
        The errors before and after, on a tenth of the series.

    Raises
    ------
    DataError
        If the series have fewer than 200 origins to learn from.
    ModelFileError
        If the file of the networks to begin with cannot be read.
    """
    horizon, epochs = check_int("horizon", horizon, 1), check_int("epochs", epochs, 1)
    networks = base_network.read(base_network.check_source(base_model)) or (
        base_network.build(64, seed),
    )
    named = None if season is None else check_season(season)
    usual = () if frequency is None else cycles(frequency)
    period = min(usual if named is None else named, default=1.0)
    values = [s.from_first_value().y for s in read_group(y, None).series if s.count]
    held = np.arange(len(values)) % _VALIDATION == _VALIDATION // 2
    drawn = [(one, (seed, i)) for i, one in enumerate(values)]
    with kept(executor) as ours:
        parts = for_each(_at_origins, (horizon, period), drawn, ours)
    learned = [one for part, no in zip(parts, held, strict=True) if not no for one in part]
    judging = [one for part, yes in zip(parts, held, strict=True) if yes for one in part]
    if len(learned) < _FEWEST or not judging:
        expected = f"at least {_FEWEST} origins in ten series or more"
        got = f"{len(learned)} in {len(values)}"
        raise DataError(sentence("y", expected, got, "Bring more series.", must="hold"))
    examples, others = Examples.stack(learned), Examples.stack(judging)
    before = gain(networks, others)
    tuned = [Network.from_config(net.to_config()) for net in networks]
    for i, (net, old) in enumerate(zip(tuned, networks, strict=True)):
        net.params.flat[...] = old.params.flat
        learn(net, examples, epochs, TUNING_LR, seed + i)
    base_network.save(tuned, path)
    return Tuned(before, gain(tuned, others), len(examples), len(others))


def _at_origins(
    horizon: int, season: float, drawn: tuple[np.ndarray, Sequence[int]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Examples from one series; later origins are drawn more often, because users ask there.

    Parameters
    ----------
    drawn : tuple of ndarray of shape (T,) and sequence of int
        The values, and the seed of the origins.
    """
    y, seed = drawn
    first = max(6, 2 * round(season) + 4 if season > 1.0 else 6)
    last = len(y) - max(1, horizon // 2)
    if last <= first:
        return []
    examples = []
    places = first + np.sqrt(np.random.default_rng(seed).random(_ORIGINS)) * (last - first)
    for origin in np.unique(places.astype(int)).tolist():
        future = y[origin : origin + horizon]
        if np.isnan(future).all() or np.isnan(y[1:origin]).all():
            continue
        found = example(y[:origin], future, horizon, season)
        if found is not None:
            examples.append(found)
    return examples
