"""What fitting leaves, as plain data: all that a forecast is computed from."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.anchor import FEWEST_TO_SMOOTH
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.base_network import Share
from throughtime.forecasting.calibration import Calibration
from throughtime.forecasting.choosing import Choice
from throughtime.forecasting.correcting import Base
from throughtime.forecasting.series import Group, Observed, T
from throughtime.network import Network

#: Series, at most, whose errors give a series of few numbers its intervals; more would only cost
#: time, because their median is taken.
LENDERS = 50


class Part(NamedTuple):
    """What fitting leaves of one series, each by its name; empty where nothing is known.

    Attributes
    ----------
    series : tuple of Observed
        Its history. Before it, where that is too short to have errors of its own, those that lend
        theirs.
    anchors, choices, adjustments, shares : dict
        As in :class:`Fitted` and :class:`~throughtime.forecasting.correcting.Base`.
    """

    series: tuple[Observed, ...]
    anchors: dict[Any, Average]
    choices: dict[Any, Choice]
    adjustments: dict[Any, Adjustment]
    shares: dict[Any, Share]


def _only(name: Any, known: Mapping[Any, T]) -> dict[Any, T]:
    return {name: known[name]} if name in known else {}


@dataclass
class Fitted:
    """A fitted model.

    Attributes
    ----------
    group : Group
        The history, which ``update`` extends.
    anchors : dict
        The average of smoothing of each series, by name.
    candidates : tuple of float
        Seasons that smoothing could choose from; 1 is none.
    window : int
        Past steps that the networks read.
    centre, width : ndarray of shape (F,)
        Mean and standard deviation of the covariates.
    networks : list of Network
        The members; the mean of their corrections is used.
    calibration : Calibration
        The weight of the correction and the width of the intervals.
    floor : float
        0 where forecasts are cut at 0, otherwise minus infinity.
    notes : list of str
        Sentences for the reader.
    choices : dict or None
        What is delivered for each series, by name. None, as in files of 0.2 and before: the usual
        forecast for all.
    adjustments : dict
        What is removed from each series before smoothing, by name; those without any are missing.
    long_seasons : tuple of float
        Seasons too long for smoothing, which only an adjustment may have.
    base : Base
        The base networks, and the share of their correction that each series takes.
    seasons : tuple or None
        ``season`` and ``naive_season``, where the series that they follow from are not here.
    """

    group: Group
    anchors: dict[Any, Average]
    candidates: tuple[float, ...]
    window: int
    centre: np.ndarray
    width: np.ndarray
    networks: list[Network]
    calibration: Calibration
    floor: float
    notes: list[str] = field(default_factory=list)
    choices: dict[Any, Choice] | None = None
    adjustments: dict[Any, Adjustment] = field(default_factory=dict)
    base: Base = field(default_factory=Base)
    long_seasons: tuple[float, ...] = ()
    seasons: tuple[float | None, int] | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of release 0.1 or 0.2 holds one setting for every series.
        nothing: dict[str, Any] = {"adjustments": {}, "long_seasons": (), "base": Base()}
        state = nothing | state
        if "smoothing" in state:
            single = state.pop("smoothing")
            state["anchors"] = {name: Average.of(setting) for name, setting in single.items()}
        self.__dict__.update(state)

    @property
    def frame(self) -> Fitted:
        """The model without its series: what the forecasts of all of them are computed from."""
        return dataclasses.replace(
            self,
            group=Group(self.group.kind, ()),
            anchors={},
            notes=[],
            choices=None if self.choices is None else {},
            adjustments={},
            base=Base(self.base.networks),
            seasons=(self.season, self.naive_season),
        )

    def parts(self, several: Sequence[Observed]) -> list[Part]:
        """What each of some histories is forecast from beside the :attr:`frame`."""
        known = {one.name: one for one in self.group.series}
        usable = (one for one in self.group.series if one.count >= FEWEST_TO_SMOOTH)
        lenders = tuple(itertools.islice(usable, LENDERS))
        parts = []
        for one in several:
            series = lenders if one.count < FEWEST_TO_SMOOTH else ()
            if one.name in known and known[one.name] not in series:
                series = (*series, known[one.name])
            parts.append(
                Part(
                    series,
                    _only(one.name, self.anchors),
                    _only(one.name, self.choices or {}),
                    _only(one.name, self.adjustments),
                    _only(one.name, self.base.shares),
                )
            )
        return parts

    def with_part(self, part: Part) -> Fitted:
        """The frame with what belongs to one series."""
        return dataclasses.replace(
            self,
            group=Group(self.group.kind, part.series),
            anchors=part.anchors,
            choices=None if self.choices is None else part.choices,
            adjustments=part.adjustments,
            base=Base(self.base.networks, part.shares),
        )

    def with_static(self, group: Group) -> Group:
        """``group`` with what is known of its series; of a new one zeros are known."""
        known = {s.name: s.static for s in self.group.series}
        nothing = np.zeros(len(self.group.series[0].static))
        return group.map(lambda s: dataclasses.replace(s, static=known.get(s.name, nothing)))

    @property
    def corrected(self) -> bool:
        """Whether networks correct smoothing, for some series at least."""
        return self.calibration.weight > 0.0 or self.base.used

    def corrects(self, name: Any) -> bool:
        """Whether networks correct the smoothing of a series; that of a new one they may."""
        return self.calibration.weight > 0.0 or self.base.takes(name)

    @property
    def based(self) -> bool:
        """Whether the base networks change any forecast."""
        return self.calibration.weight < 1.0 and self.base.used

    @cached_property  # for each forecast of a panel, and it counts all series
    def season(self) -> float | None:
        """The period that most series have; None if most have none."""
        if self.seasons is not None:
            return self.seasons[0]
        found = [self._season_of(name) for name in self.anchors]
        common = max(set(found), key=lambda p: (found.count(p), p))
        return None if common <= 1.0 else common

    def _season_of(self, name: Any) -> float:
        """The season that smoothing follows, or else the longest that was removed before it."""
        period = self.anchors[name].principal.period
        removed = self.adjustments.get(name)
        return period if period > 1.0 or removed is None else removed.season

    @property
    def naive_season(self) -> int:
        """The season of the seasonal naive forecast and of MASE; 1 is none."""
        if self.seasons is not None:
            return self.seasons[1]
        if self.season is not None:
            return round(self.season)
        longest = max(len(s) for s in self.group.series)
        fitting = [round(p) for p in self.candidates if 1.0 < p < longest]
        return fitting[0] if fitting else 1

    @property
    def transform(self) -> str:
        """How most series are transformed: "log" or "none"."""
        logs = [a.principal.log for a in self.anchors.values()]
        return "log" if 2 * sum(logs) > len(logs) else "none"
