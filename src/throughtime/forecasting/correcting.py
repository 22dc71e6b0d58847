"""The base networks in a forecaster: the share that each series takes, and what they add."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
#: Validation windows of a series for which the correction is computed, at most.
_WINDOWS = 12
#: Outlooks that are held at once: 17 kB each, and a panel has a dozen of each series.
_AT_ONCE = 1024


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
    found = for_each(lambda s: share_of(settings, base, s, candidates, count), asked)
    named = list(zip([s.name for s in asked], found, strict=True))
    shares = {name: share for name, (share, _) in named}
    return Base(base.networks, shares, {name: past for name, (_, past) in named if past})


def share_of(
    settings: Settings,
    base: Base,
    series: Observed,
    candidates: Sequence[float],
    count: int = base_network.TRIALS,
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
        found, _ = share_of(settings, base, known, candidates)
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
    horizon = settings.horizon
    found = np.full((len(owner), horizon), np.nan)
    rows: list[int] = []
    for i, name in enumerate(names):
        own = np.flatnonzero(owner == i)
        if base.shares.get(name, Share()).share <= 0.0:
            found[own] = 0.0
        else:
            picked = np.linspace(0, len(own) - 1, min(len(own), _WINDOWS)).astype(int)
            rows += own[np.unique(picked)].tolist()

    def seen(row: int) -> Outlook | None:
        y = histories[owner[row]].y[: windows.origin[row]]
        return _look(settings, y, candidates) if np.isfinite(y).sum() >= FEWEST else None

    for begin in range(0, len(rows), _AT_ONCE):
        part = rows[begin : begin + _AT_ONCE]
        both = zip(part, for_each(seen, part), strict=True)
        usable = [(row, one) for row, one in both if one is not None]
        if not usable:
            continue
        answers = base_network.medians(base.networks, [one for _, one in usable], horizon)
        for (row, outlook), answer in zip(usable, answers, strict=True):
            history = histories[owner[row]]
            share = base.shares[names[owner[row]]].share
            origin = windows.origin[row : row + 1]
            anchor = history.anchor.paths(history.y, origin, horizon)[0]
            moved = history.smoothing.transform_forecast(
                anchor + share * outlook.unit * answer, history.y
            )
            found[row] = (moved - windows.anchor[row]) / windows.scale[row]
    return found


def _look(
    settings: Settings, y: np.ndarray, candidates: Sequence[float], anchor: Average | None = None
) -> Outlook | None:
    """The outlook from the end of ``y``; by default on the average that it would get."""
    blocks = compare(y, settings.horizon, candidates, logs_of(settings))
    used = average(blocks) if anchor is None else anchor
    return look(y, settings.horizon, shortest(candidates), blocks, used)
