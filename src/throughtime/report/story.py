"""What the report of a forecast shows, and its two main sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from throughtime.data.series import format_times
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.forecasting import BacktestReport
    from throughtime.plotting import ForecastView


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One line of the table of layers."""

    name: str
    shape: str
    parameters: int


@dataclasses.dataclass(frozen=True)
class ForecastStory:
    """Everything that the page of a forecast shows.

    Attributes
    ----------
    target : str
        What was forecast.
    source : str
        Where the data came from.
    frequency : str or None
        The step of the data, as pandas writes it.
    views : tuple of ForecastView
        One a series, with history and forecast.
    backtest : BacktestReport or None
        None where nothing was held out.
    findings : tuple of str
        Sentences on what was found in the data.
    notes : tuple of str
        Sentences on what was chosen, and on what the reader should know.
    layers : tuple of LayerRow
        The layers of one network.
    settings : mapping of str to str
        The forecaster's settings, in words.
    curves : mapping
        Losses by network, as :func:`throughtime.plotting.loss_figure` takes them.
    command : str
        The command that made the page.
    warning : str
        A sentence to show above everything else; empty if there is none.
    network_weight : float
        The share of the network's correction that the forecast contains; 0 is none.
    tested_itself : bool
        Whether the model of the backtest made the forecast, rather than one of all data.
    """

    target: str
    source: str
    frequency: str | None
    views: tuple[ForecastView, ...]
    backtest: BacktestReport | None
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    curves: Mapping[str, tuple[Sequence[float], Sequence[float] | None]] = dataclasses.field(
        default_factory=dict
    )
    command: str = ""
    warning: str = ""
    network_weight: float = 1.0
    tested_itself: bool = False

    @property
    def horizon(self) -> int:
        """Steps of the forecast."""
        return len(self.views[0].future)

    @property
    def held_out(self) -> int:
        """Steps of the hold-out; 0 without one."""
        starts = [(view, view.holdout_start) for view in self.views]
        return max((len(v.values) - start for v, start in starts if start is not None), default=0)

    @property
    def title(self) -> str:
        """The headline of the page and of the picture."""
        ahead = words.stretch(self.frequency, self.horizon)
        # Columns side by side are the series, and the target names each of them already.
        named = self.target == ", ".join(view.name for view in self.views)
        many = "" if named or len(self.views) == 1 else f" of {len(self.views):,} series"
        return f"{self.target}{many}: the next {ahead}"


def decimals_of(view: ForecastView) -> int:
    """How many decimals a forecast needs to show its differences."""
    forecast = view.forecast
    if not forecast.intervals:
        return words.decimals_for(forecast.mean, float(np.std(forecast.mean)) / 10)
    low, high = forecast.intervals[min(forecast.intervals)]
    return words.decimals_for(forecast.mean, float(np.median(high - low)) / 4)


def outlook(story: ForecastStory) -> str:
    """Where the forecast goes, in one sentence; for several series, their number."""
    view = story.views[0]
    forecast = view.forecast
    if len(story.views) > 1:
        return (
            f"One model forecasts {len(story.views):,} series,"
            f" {words.periods(story.frequency, story.horizon)} each."
        )
    seen = np.flatnonzero(np.isfinite(view.values))
    last = view.values[seen[-1]]
    decimals = decimals_of(view)
    start = format_times(view.time[seen[-1:]])[0]
    end = format_times(view.future)[-1]
    # A time stamp is a day or an hour; a number is a step.
    dated = view.time.dtype.kind == "M"
    before, ahead = ("on", "for") if dated else ("at step", "for step")
    if not dated and words.unit(story.frequency)[1] == "year":
        before, ahead = "in", "for"
    sentence = (
        f"{story.target} was {words.fixed(last, decimals)} {before} {start}; the forecast {ahead}"
        f" {end} is {words.fixed(forecast.mean[-1], decimals)}"
    )
    if forecast.intervals:
        widest = max(forecast.intervals)
        low, high = (words.fixed(bound[-1], decimals) for bound in forecast.intervals[widest])
        sentence += f" ({words.percent(widest)} interval {low} to {high})"
    return f"{sentence}."


def quality(story: ForecastStory) -> str:
    """How good the forecast was on the hold-out, in plain words."""
    backtest = story.backtest
    if backtest is None:
        return (
            "The data were too short to hold a part out, so nothing says how good this forecast is."
        )
    rival = words.best_rival(backtest)
    mine = words.number(words.error(backtest, "forecast"), 3)
    its = words.number(words.error(backtest, rival), 3)
    better = words.improvement(backtest)
    held = words.stretch(story.frequency, story.held_out)
    first = (
        f"Models that were fitted anew at every origin of the last {held} forecast them"
        if backtest.refitted
        else f"A first model, trained without the last {held}, forecast them"
    )
    who = (
        f"This model has not learned from the last {held}; it forecast them"
        if story.tested_itself
        else first
    )
    itself = words.naive_itself(backtest)
    if itself:
        return f"{who} with a {words.error_name(backtest)} of {mine}; it is {itself}."
    judged = f"{100 * better:.0f} % less than" if better > 0 else "not less than"
    explained = words.EXPLAINED[rival].rstrip(".")
    explained = explained[0].lower() + explained[1:]
    sentence = (
        f"{who} with a {words.error_name(backtest)} of {mine}, {judged} the {its} of the best naive"
        f" method, {rival} ({explained})."
    )
    remark = words.smoothing_remark(backtest)
    return f"{sentence} {remark}" if remark else sentence
