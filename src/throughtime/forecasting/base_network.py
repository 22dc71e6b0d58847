r"""The base networks have seen a thousand series before. They correct the average of smoothing.

Their answer for each step ahead is a set of quantiles of (y - a) / u: how far the value will lie
from the average a, in units of its error u (:mod:`throughtime.forecasting.outlook`). The median is
the correction. How much of it a series takes is found in its own history. From up to twelve earlier
origins, each with the values before it alone, let e_i(s) be the error of the average with the share
s of the correction, weighted by :func:`step_weights`. The share is the s in 0 ... 1 that minimises

    n mean_i e_i(s) / mean_i e_i(0) + k (1 - g (2 s - s^2))             (H7)

with n the number of origins that do not overlap, and a prior that counts as k origins on which the
whole correction gains g. A series of few origins gets what was good for others; one that was
forecast worse with it, as random walks and noise are, gets little or nothing. For a series unlike
those that were learned from (longer, with another season, or asked for more steps ahead) g is
negative: there the correction must earn its place.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.errors import InvalidTypeError, ModelFileError, describe, sentence
from throughtime.forecasting.averaging import average, compare
from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.networks import fill
from throughtime.forecasting.outlook import AHEAD, N_INPUTS, PAST, Outlook, look
from throughtime.layers import GRU, Dense
from throughtime.network import Network
from throughtime.serialization.container import read_container, write_container

#: The quantiles that the network answers with; the middle one is the correction.
QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
MEDIAN = QUANTILES.index(0.5)
#: Words for a base network that are no file.
NONE, SHIPPED = "none", "shipped"
#: The file that comes with the package; recipes/base_model makes it.
PATH = Path(__file__).with_name("base_model.safetensors")
KIND = "base model"
_HINT = "Write the path of a file of tune_base_model or 'make base-model'."
#: Earlier origins, at most, at which the correction of a series is tried.
TRIALS = 12
#: k of (H7); g for series like those that were learned from, and for others. With 0.05 for all,
#: weekly series that none of the networks has seen lose 7 %.
_PRIOR_ORIGINS, _PRIOR_GAIN, _PRIOR_LOSS = 8.0, 0.05, -0.075
#: Seasons and longest history of the observed series that were learned from.
_SEASONS_LEARNED, _LONGEST_LEARNED = (1, 4, 12), 320
#: Part of a history that the forecasts from the earlier origins cover, roughly: n of (H7) is as
#: many horizons as fit into it.
_TRIED_PART = 0.75
#: Shares that are tried.
_SHARES = np.linspace(0.0, 1.0, 11)
#: Outlooks that the network reads at once; it bounds memory and changes no bit.
_AT_ONCE = 1024


def check_source(source: Any) -> str:
    """Return the name of base networks: a word, or the path of a file."""
    if isinstance(source, str | os.PathLike):
        return str(os.fspath(source))
    raise InvalidTypeError(
        sentence("base_model", "'shipped', 'none' or a path", describe(source), _HINT, value=source)
    )


def read(source: str | os.PathLike[str]) -> tuple[Network, ...]:
    """The base networks of a word or a file; "none" has none.

    Raises
    ------
    ModelFileError
        If the file cannot be read, or holds something else.
    """
    if source == NONE:
        return ()
    if source == SHIPPED:
        return _shipped()
    if not Path(source).exists():
        expected = "'shipped', 'none' or a file"
        raise ModelFileError(
            sentence("base_model", expected, describe(source), _HINT, value=source)
        )
    return _from_file(source)


@functools.cache
def _shipped() -> tuple[Network, ...]:
    """The networks that come with the package."""
    return _from_file(PATH)


def _from_file(path: str | os.PathLike[str]) -> tuple[Network, ...]:
    arrays, meta = read_container(path, KIND)
    try:
        return from_parts(meta["networks"], arrays, "network")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"{os.fspath(path)} is not a usable {KIND} file: {error}") from None


def save(networks: Sequence[Network], path: str | os.PathLike[str]) -> None:
    """Write base networks to a file that :func:`read` takes."""
    arrays = {f"network.{i}": net.params.flat for i, net in enumerate(networks)}
    write_container(path, arrays, {"networks": [net.to_config() for net in networks]}, KIND)


def from_parts(configs: Any, arrays: Mapping[str, np.ndarray], name: str) -> tuple[Network, ...]:
    """The networks that a file describes, each with the weights of ``arrays``, checked."""
    networks = []
    for i, config in enumerate(configs):
        weights = arrays[f"{name}.{i}"]
        network = Network.from_config(config, weights.size)
        if not _fits(network):
            raise ValueError(f"{name}.{i} is not of the form that a base network has")
        fill(network, weights, f"{name}.{i}")
        networks.append(network)
    return tuple(networks)


def _fits(network: Network) -> bool:
    """Whether a network has the form of a base network."""
    first, *others = network.layers
    return (
        network.n_features == N_INPUTS
        and isinstance(first, GRU)
        and first == GRU(first.units, return_sequences=True)
        and others == [Dense(len(QUANTILES), initializer="zeros")]
    )


def build(units: int, seed: int) -> Network:
    """A base network before its training; its correction is zero."""
    layers = [GRU(units, return_sequences=True), Dense(len(QUANTILES), initializer="zeros")]
    return Network(layers, n_features=N_INPUTS, seed=seed)


def answers(networks: Sequence[Network], outlooks: Sequence[Outlook], horizon: int) -> np.ndarray:
    """The quantiles for some outlooks, (N, H, Q) in units of u, in increasing order.

    They are means over the networks. Beyond :data:`AHEAD` steps those of the last one are held.
    """
    inputs = np.stack([outlook.inputs for outlook in outlooks])
    found = np.mean(
        [net.predict(inputs, batch_size=_AT_ONCE)[:, PAST:].astype(np.float64) for net in networks],
        axis=0,
    )
    steps = np.minimum(np.arange(horizon), AHEAD - 1)
    return np.sort(found[:, steps], axis=2)


def medians(networks: Sequence[Network], outlooks: Sequence[Outlook], horizon: int) -> np.ndarray:
    """The medians of :func:`answers`, (N, H) in units of u."""
    return answers(networks, outlooks, horizon)[..., MEDIAN]


@dataclass(frozen=True, eq=False)
class Trial:
    """What an earlier origin of a series says of the correction.

    Attributes
    ----------
    origin : int
    outlook : Outlook
        Of the values before the origin.
    actual : ndarray of float64 of shape (H,)
        The values that followed; NaN where one is not known.
    """

    origin: int
    outlook: Outlook
    actual: np.ndarray


def trials(
    y: np.ndarray,
    horizon: int,
    season: float,
    periods: Sequence[float],
    logs: Sequence[bool],
    count: int = TRIALS,
) -> list[Trial]:
    """Up to ``count`` earlier origins of a series, each with what was known there.

    Parameters
    ----------
    y : ndarray of float64 of shape (T,)
        The values; NaN where one is missing. y[0] is known.
    horizon, season, periods, logs :
        As in :func:`~throughtime.forecasting.outlook.look` and
        :func:`~throughtime.forecasting.averaging.compare`.
    """
    found = []
    for origin in _origins(len(y), horizon, season, count):
        actual = np.full(horizon, np.nan)
        rest = y[origin : origin + horizon]
        actual[: len(rest)] = rest
        before = y[:origin]
        if np.isnan(actual).all() or np.isnan(before[1:]).all():
            continue
        blocks = compare(before, horizon, periods, logs)
        outlook = look(before, horizon, season, blocks, average(blocks))
        if outlook is not None:
            found.append(Trial(origin, outlook, actual))
    return found


def _origins(total: int, horizon: int, season: float, count: int) -> list[int]:
    """Where the correction is tried: from two seasons on, while something follows."""
    first = max(6, min(total // 3, 60))
    if season > 1.0:
        first = max(first, 2 * round(season) + 4)
    last = total - max(1, min(horizon, (total - first) // 2))
    if last < first:
        return []
    return np.unique(np.linspace(first, last, count).astype(int)).tolist()


@dataclass(frozen=True)
class Share:
    """How much of the correction a series takes, and what speaks for it.

    Attributes
    ----------
    share : float
        From 0 to 1.
    ratio : float
        The error with this share at the earlier origins, over that without.
    origins : int
        Earlier origins at which it was tried.
    """

    share: float = 0.0
    ratio: float = 1.0
    origins: int = 0


@dataclass(frozen=True, eq=False)
class Past:
    """Corrected forecasts from earlier origins, each with nothing but the values until there.

    Attributes
    ----------
    origins : ndarray of int of shape (N,)
    paths : ndarray of float64 of shape (N, H)
        In the units of the data.
    """

    origins: np.ndarray
    paths: np.ndarray


def share(
    networks: Sequence[Network], tried: Sequence[Trial], total: int, season: float, horizon: int
) -> tuple[Share, Past | None]:
    """The share of the correction that a series of ``total`` steps takes, by (H7).

    Beside it stand the forecasts with this share from the origins that were tried, if there are
    any.
    """
    alike = round(season) in _SEASONS_LEARNED and total <= _LONGEST_LEARNED and horizon <= AHEAD
    gain = _PRIOR_GAIN if alike else _PRIOR_LOSS
    prior = 1.0 - gain * (2.0 * _SHARES - _SHARES**2)
    if not tried:
        return Share(float(_SHARES[np.argmin(prior)])), None
    origins = np.array([t.origin for t in tried])
    smoothed = np.array([t.outlook.anchor for t in tried])
    moved = medians(networks, [t.outlook for t in tried], horizon)
    errors = np.array([_errors(t, own) for t, own in zip(tried, moved, strict=True)]).mean(axis=0)
    if errors[0] <= 0.0:
        return Share(origins=len(tried)), Past(origins, smoothed)
    paths = min(float(len(tried)), max(1.0, _TRIED_PART * total / horizon))
    best = int(np.argmin(paths * errors / errors[0] + _PRIOR_ORIGINS * prior))
    found = Share(float(_SHARES[best]), float(errors[best] / errors[0]), len(tried))
    units = np.array([[t.outlook.unit] for t in tried])
    return found, Past(origins, smoothed + found.share * units * moved)


def _errors(trial: Trial, moved: np.ndarray) -> np.ndarray:
    """The error with every share of a correction (H,) in units of u."""
    known = ~np.isnan(trial.actual)
    weight = step_weights(len(known))[known]
    rest = (trial.actual - trial.outlook.anchor)[known]
    ahead = trial.outlook.unit * moved[known]
    return np.asarray(np.abs(rest - _SHARES[:, None] * ahead) @ weight / weight.sum())
