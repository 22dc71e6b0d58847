"""The base networks in a forecaster: the share that each series takes, and what they add."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from throughtime.forecasting import base_network
from throughtime.forecasting.anchor import logs_of
from throughtime.forecasting.averaging import Average, average, compare
from throughtime.forecasting.base_network import Past, Share
from throughtime.forecasting.inputs import PreparedSeries, WindowBatch
from throughtime.forecasting.outlook import Outlook, look
from throughtime.forecasting.seasonality import shortest
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.sharing import for_each
from throughtime.network import Network

#: Known values below which a series takes no correction: the networks have seen none as short.
FEWEST = 6
#: Series from which on a correction is tried at fewer origins of each, to save time.
_MANY, _TRIALS_OF_MANY = 200, 6
#: Validation windows of a series for which the correction is computed, at most, and series for
#: which it is computed together: few windows at once take the base networks longer.
_WINDOWS, _TOGETHER = 12, 4


@dataclass(frozen=True, eq=False)
class Base:
    """Base networks, and the share of their correction that each series takes.

    Attributes
    ----------
    networks : tuple of Network
        Empty where none is used.
    shares : mapping
        The share of each series, by its name.
    past : mapping
        Forecasts from earlier origins of the series that were fitted, by name.
    """

    networks: tuple[Network, ...] = ()
    shares: Mapping[Any, Share] = field(default_factory=dict)
    past: Mapping[Any, Past] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Whether any series takes a share."""
        return any(one.share > 0.0 for one in self.shares.values())

    def takes(self, name: Any) -> bool:
        """Whether a series takes a share; one that was not fitted may."""
        share = self.shares.get(name)
        return bool(self.networks) and (share is None or share.share > 0.0)


def networks_of(settings: Settings) -> tuple[Network, ...]:
    """The base networks that the settings name; none where the forecast does without them."""
    if settings.delivers in ("smoothing", "naive"):
        return ()
    return base_network.read(settings.base_model)


def fit_base(
    settings: Settings,
    networks: tuple[Network, ...],
    several: Sequence[Observed],
    candidates: Sequence[float],
    without: Collection[Any],
) -> Base:
    """The base networks, and what each series takes of them.

    Parameters
    ----------
    networks : tuple of Network
        Those of :func:`networks_of`.
    several : sequence of Observed
        The series without the effects of columns.
    candidates : sequence of float
        Periods that smoothing may use, 1 standing for none.
    without : collection
        Names of series that take none.
    """
    if not networks:
        return Base()
    base = Base(networks)
    asked = [s for s in several if s.name not in without]
    count = base_network.TRIALS if len(asked) < _MANY else _TRIALS_OF_MANY
    shared = settings, base, candidates, count
    found = for_each(share_of, shared, asked, settings.executor, doing="trying base networks")
    named = list(zip([s.name for s in asked], found, strict=True))
    shares = {name: share for name, (share, _) in named}
    return Base(base.networks, shares, {name: past for name, (_, past) in named if past})


def share_of(
    settings: Settings,
    base: Base,
    candidates: Sequence[float],
    count: int,
    series: Observed,
) -> tuple[Share, Past | None]:
    """The share that one series takes, tried at up to ``count`` earlier origins."""
    if series.count < FEWEST:
        return Share(), None
    y, horizon = series.from_first_value().y, settings.horizon
    season = shortest(candidates)
    tried = base_network.trials(y, horizon, season, candidates, logs_of(settings), count)
    if not tried and _look(settings, y, candidates) is None:  # nothing to correct
        return Share(), None
    return base_network.share(base.networks, tried, len(y), season, horizon)


def answer(
    settings: Settings, base: Base, known: Observed, anchor: Average, candidates: Sequence[float]
) -> tuple[float, np.ndarray]:
    """The share that one series takes, and how far it will lie from its anchor: quantiles (H, Q).

    They are in the units of the data, at the levels of ``base_network.QUANTILES``, and 0 where no
    share is taken.

    Parameters
    ----------
    known : Observed
        The series from its first known value on.
    """
    found = base.shares.get(known.name) if base.networks else Share()
    if found is None:
        found, _ = share_of(settings, base, candidates, base_network.TRIALS, known)
    outlook = None
    if found.share > 0.0 and known.count >= FEWEST:
        outlook = _look(settings, known.y, candidates, anchor)
    if outlook is None:
        return 0.0, np.zeros((settings.horizon, len(base_network.QUANTILES)))
    answers = base_network.answers(base.networks, [outlook], settings.horizon)[0]
    return found.share, outlook.unit * answers


def corrections_of_windows(
    settings: Settings,
    base: Base,
    names: Sequence[Any],
    histories: Sequence[PreparedSeries],
    windows: WindowBatch,
    owner: np.ndarray,
    candidates: Sequence[float],
) -> np.ndarray:
    """What is added to the anchors of windows (M, H), in units of their scales.

    It is NaN for windows that it is not computed for: of each series, all but a dozen.

    Parameters
    ----------
    names, histories : sequence
        The S series, and their names.
    windows : WindowBatch
        M windows.
    owner : ndarray of int of shape (M,)
        The series of each window.
    """
    found = np.full((len(owner), settings.horizon), np.nan)
    rows, asked = [], []
    for i, (name, history) in enumerate(zip(names, histories, strict=True)):
        own = np.flatnonzero(owner == i)
        share = base.shares.get(name, Share()).share
        if share <= 0.0:
            found[own] = 0.0
            continue
        picked = np.linspace(0, len(own) - 1, min(len(own), _WINDOWS)).astype(int)
        own = own[np.unique(picked)]
        rows.append(own)
        places = windows.origin[own], windows.anchor[own], windows.scale[own]
        asked.append(_Asked(history.y, history.anchor, share, *places))
    shared = settings, base.networks, candidates
    together = [asked[i : i + _TOGETHER] for i in range(0, len(asked), _TOGETHER)]
    parts = for_each(
        _corrections, shared, together, settings.executor, 2, doing="applying base networks"
    )
    for own, answers in zip(rows, itertools.chain(*parts), strict=True):
        found[own] = answers
    return found


class _Asked(NamedTuple):
    """The windows of one series for which the correction is computed; M of them.

    Attributes
    ----------
    y : ndarray of shape (T,)
        The values of the series.
    anchor : Average
    share : float
        The share that the series takes.
    origin, ahead, scale : ndarray of shape (M,), (M, H), (M,)
        Origin, anchor and scale of each window.
    """

    y: np.ndarray
    anchor: Average
    share: float
    origin: np.ndarray
    ahead: np.ndarray
    scale: np.ndarray


def _corrections(
    settings: Settings,
    networks: Sequence[Network],
    candidates: Sequence[float],
    together: Sequence[_Asked],
) -> list[np.ndarray]:
    """What is added to the anchors of the windows of some series, as above: (M, H) of each."""
    horizon = settings.horizon
    found = [np.full(asked.ahead.shape, np.nan) for asked in together]
    places, outlooks = [], []
    for i, asked in enumerate(together):
        for row, origin in enumerate(asked.origin.tolist()):
            before = asked.y[:origin]
            if np.isfinite(before).sum() < FEWEST:
                continue
            outlook = _look(settings, before, candidates)
            if outlook is not None:
                places.append((i, row))
                outlooks.append(outlook)
    if not outlooks:
        return found
    answers = base_network.medians(networks, outlooks, horizon)
    for (i, row), outlook, answer in zip(places, outlooks, answers, strict=True):
        asked = together[i]
        anchor = asked.anchor.paths(asked.y, asked.origin[row : row + 1], horizon)[0]
        moved = asked.anchor.principal.transform_forecast(
            anchor + asked.share * outlook.unit * answer, asked.y
        )
        found[i][row] = (moved - asked.ahead[row]) / asked.scale[row]
    return found


def _look(
    settings: Settings, y: np.ndarray, candidates: Sequence[float], anchor: Average | None = None
) -> Outlook | None:
    """The outlook from the end of ``y``; by default on the average that it would get."""
    blocks = compare(y, settings.horizon, candidates, logs_of(settings))
    used = average(blocks) if anchor is None else anchor
    return look(y, settings.horizon, shortest(candidates), blocks, used)
