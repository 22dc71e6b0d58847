"""Sentences on the data and on what was chosen, for the reader of a forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.errors import Argument, Message, Setting, describe
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.anchor import FEWEST_TO_SMOOTH
from throughtime.forecasting.base_network import Share
from throughtime.forecasting.choosing import CROSTON, FEWEST_STRETCHES, USUAL, Choice
from throughtime.forecasting.holidays import Holidays
from throughtime.forecasting.intermittent import Demand
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings, to_json
from throughtime.forecasting.terms import Covariate, Season
from throughtime.forecasting.trust import FEWEST_PATHS

#: Sentences about single series, at most; a count stands for the others.
_MOST = 5
#: A ratio of errors above this is not written as a percentage.
_MANY_TIMES = 10.0
#: Level of the quantile of the sum of demand that a note tells.
_FOR_STOCK = 0.95
#: What the reader reads for the usual forecast of demand that is mostly zero.
_MEAN_DEMAND = "the mean demand (Croston and TSB)"

NAIVE_ASKED_FOR = "A naive forecast was asked for, so no network was trained."
NETWORK_NOT_ASKED_FOR = "No network was asked for, so the forecast is exponential smoothing alone."
TOO_FEW_VALUES = "Too few values are left to train a network on these data."
NOTHING_TO_LEARN = "Exponential smoothing fits every value, so there is nothing to learn."
MOSTLY_ZERO = "Demand is mostly zero, so no network is trained."
INTERRUPTED = "Training was interrupted; the best weights until then are used."


def on_data(group: Sequence[Observed]) -> list[str]:
    """Sentences on gaps, on short series, and on series that do not vary."""
    notes: list[str] = []
    for series in group:
        y = series.from_first_value().y
        gaps = int(np.isnan(y).sum())
        if gaps:
            notes.append(
                Message(
                    "{series} lacks {gaps} of {total} values; gaps are marked in the input, and"
                    " never learned from or scored.",
                    series=series.label,
                    gaps=gaps,
                    total=len(y),
                )
            )
        if series.count < FEWEST_TO_SMOOTH and series.name is not None:
            held = "one number" if series.count == 1 else f"{series.count} numbers"
            notes.append(
                Message(
                    "{series} holds only {held}, so the last one is repeated, with intervals like"
                    " those of the other series.",
                    series=series.label,
                    held=held,
                )
            )
        elif np.nanmin(y) == np.nanmax(y):
            notes.append(
                Message("{series} is constant, and so is its forecast.", series=series.label)
            )
    if len(notes) <= _MOST:
        return notes
    return [*notes[:_MOST], f"... and {len(notes) - _MOST} more notes."]


def always_zero(series: Observed, steps: int, total: int) -> str:
    """Why some steps of the forecast are 0."""
    return Message(
        "{series} was always 0 at that place of the season for {steps} of {total} steps ahead, so"
        " they are forecast as 0.",
        series=series.label,
        steps=steps,
        total=total,
        hint=Message("Set {off} to let them differ.", off=Setting("nonnegative", True)),
    )


def mostly_zero(series: Observed, demand: Demand, settings: Settings) -> str:
    """What the forecast of demand that is mostly zero is, and what it is for."""
    share = 100.0 * float((series.y > 0.0).sum()) / series.count
    total = demand.quantile_of_sum(_FOR_STOCK, settings.horizon, settings.seed)
    return Message(
        "{series} is 0 but for {share:.0f} % of its values, so the forecast is its mean demand of a"
        " step, {mean:.3g}, and not an amount to order. For stock, read an upper quantile, or the"
        " sum over the {horizon} steps ahead: {sum:.3g} in the mean, and at most {total:.4g} with"
        " {level:.0f} %.",
        series=series.label,
        share=share,
        mean=demand.mean,
        horizon=settings.horizon,
        sum=demand.mean * settings.horizon,
        level=100.0 * _FOR_STOCK,
        total=total,
    )


def cut_at_zero(series: Observed) -> str:
    """Why no forecast of ``series`` is below 0."""
    return Message(
        "{series} was never below 0, so its forecast is cut there.",
        hint=Message("Set {off} to let it go lower.", off=Setting("nonnegative", False)),
        series=series.label,
    )


def without_logarithms(series: Observed) -> str:
    """Why ``series`` is not forecast with the transformation that was chosen at fitting."""
    return Message(
        "{series} is no longer positive, so it is forecast without logarithms.", series=series.label
    )


def too_few_paths(paths: int, horizon: int) -> str:
    """Why no network is trained where nothing could say how far to trust it."""
    return Message(
        "No network was trained on these data: what is held back to judge it holds {paths} of"
        " {horizon}, and {fewest} are needed.",
        hint=Message("Use a shorter {horizon}, or bring more data."),
        paths="one stretch" if paths == 1 else f"{paths} stretches",
        fewest=FEWEST_PATHS,
        horizon=Setting("horizon", horizon),
    )


def on_trust(weight: float) -> str:
    """How much of the correction of the network trained on these data is used, and why."""
    if weight == 0.0:
        return (
            "The network that was trained on these data is not used: on its validation data it was"
            " no better than the forecast without it."
        )
    share = "fully" if weight == 1.0 else f"at {100 * weight:.0f} %"
    return (
        f"The network that was trained on these data is used {share}. The share follows from how"
        " certain its gain on the validation data is."
    )


def on_choices(choices: Sequence[Choice], settings: Settings, corrected: bool) -> list[str]:
    """Which naive forecasts are delivered, if there are any."""
    naive = [choice for choice in choices if choice.method not in (USUAL, CROSTON)]
    return [delivered(choices, settings, corrected)] if naive else []


def delivered(
    choices: Sequence[Choice], settings: Settings, corrected: bool, winner: str = ""
) -> str:
    """Which forecast is delivered, and why.

    Parameters
    ----------
    choices : sequence of Choice
        Those of all series.
    corrected : bool
        Whether networks correct smoothing.
    winner : str
        The naive method that did best on the hold-out, if it beat the forecast there.
    """
    usual = "exponential smoothing" + (" corrected by networks" if corrected else "")
    mean_demand = len(choices) == 1 and choices[0].method == CROSTON
    if settings.delivers not in ("best", "naive") and not mean_demand:
        use = Setting("use", settings.use)
        asked = Setting("network", "never") if settings.network == "never" else use
        return Message("Delivered is {usual}, by {asked}.", usual=usual, asked=asked)
    if len(choices) != 1:
        return f"Delivered: {_counted(choices, usual)}, by their errors inside the histories."
    (choice,) = choices
    own = choice.method in (USUAL, CROSTON)
    if choice.method == CROSTON:
        usual = _MEAN_DEMAND
    name = usual if own else choice.method
    if not choice.gains:
        return f"Delivered is {name}: the history is too short to compare it with another forecast."
    if own:
        rival = winner if winner in choice.gains else choice.rival
        ratio = choice.ratio(rival)
    else:
        rival, ratio = usual, choice.ratio(choice.method)
        ratio = 1.0 / ratio if ratio > 0.0 else np.inf
    where = f"in {choice.stretches} stretches of {settings.horizon} steps inside the history"
    if ratio >= 1.0:
        return f"Delivered is {name}: {where} the error of {rival} was {_more(ratio)}."
    why = "was not asked for"
    if settings.delivers == "best":
        few = choice.stretches < FEWEST_STRETCHES
        why = "has had too few stretches to prove it" if few else "may owe that to chance"
    return (
        f"Delivered is {name}: {rival} had {100 * (1 - ratio):.0f} % less error {where}, but {why}."
    )


def _counted(choices: Sequence[Choice], usual: str) -> str:
    """The methods of several series, the most frequent first."""
    names = {USUAL: usual, CROSTON: _MEAN_DEMAND}
    methods = [names.get(c.method, c.method) for c in choices]
    order = sorted(set(methods), key=lambda m: (-methods.count(m), m))
    parts = [
        f"{method} for {methods.count(method)} of {len(methods)} series" for method in order[:1]
    ]
    return ", ".join([*parts, *(f"{method} for {methods.count(method)}" for method in order[1:])])


def _more(ratio: float) -> str:
    """How much larger an error is."""
    if ratio > _MANY_TIMES:
        return f"more than {_MANY_TIMES:.0f} times as large"
    return f"{100 * (ratio - 1):.0f} % larger"


def on_adjustments(adjustments: Mapping[Any, Adjustment], group: Sequence[Observed]) -> list[str]:
    """What a regression explains of the series, before they are smoothed."""
    count = group[0].covariates.shape[1]
    rest = "what it leaves is smoothed."
    if not adjustments:
        named = "the covariate" if count == 1 else "the covariates"
        no_gain = "did not forecast the history better, so smoothing does without."
        return [f"A regression on {named} {no_gain}"] if count else []
    if len(group) > 1:
        words = {Covariate: "covariates", Season: "long seasons", Holidays: "holidays"}
        kinds = {type(term) for one in adjustments.values() for term in one.terms}
        by = " or ".join(word for kind, word in words.items() if kind in kinds)
        where = f"{len(adjustments)} of {len(group)} series"
        return [f"A regression on {by} explains a part of {where}; {rest}"]
    (found,) = adjustments.values()
    parts = []
    used = len({term.column for term in found.terms if isinstance(term, Covariate)})
    if used:
        every = "the covariate" if count == 1 else f"all {count} covariates"
        parts.append(every if used == count else f"{used} of {count} covariates")
    if found.season > 1.0:
        parts.append(f"a season of {found.season:g} steps")
    if any(isinstance(term, Holidays) for term in found.terms):
        parts.append("holidays")
    return [f"A regression on {' and '.join(parts)} explains a part of the values; {rest}"]


def on_base(shares: Sequence[Share]) -> list[str]:
    """What the base networks change, and why they are trusted with it."""
    learned = "The base networks, which learned from other series,"
    if not shares:
        return []
    if len(shares) > 1:
        used = [one for one in shares if one.share > 0.0]
        mean = 100.0 * float(np.mean([one.share for one in used])) if used else 0.0
        change = float(np.median([one.ratio for one in used])) if used else 1.0
        found = f"correct smoothing for {len(used)} of {len(shares)} series"
        if not used:
            return [f"{learned} {found}: at earlier origins they did not help enough."]
        where = f"At earlier origins of these series that {_changes(change)}, in the median."
        return [f"{learned} {found}, at {mean:.0f} % on average. {where}"]
    (one,) = shares
    if one.share == 0.0 and one.origins == 0:
        return [f"{learned} are not used: the series is too short, or smoothing fits every value."]
    if one.share == 0.0:
        why = "at earlier origins of this series they did not help enough."
        return [f"{learned} are not used: {why}"]
    used_at = f"{learned} correct smoothing at {100 * one.share:.0f} %:"
    if one.origins == 0:
        return [f"{used_at} the series is too short to try it, and others gained by it."]
    origins = "one earlier origin" if one.origins == 1 else f"{one.origins} earlier origins"
    where = f"at {origins} of this series that {_changes(one.ratio)}."
    return [f"{used_at} {where} What it gains on other series counts, too."]


def _changes(ratio: float) -> str:
    """What happened to the error."""
    percent = 100.0 * abs(1.0 - ratio)
    if percent < 0.5:
        return "left the error as it was"
    return f"made the error {percent:.0f} % {'smaller' if ratio < 1.0 else 'larger'}"


def to_config(note: str) -> Any:
    """A note as JSON, with the arguments that it names marked."""
    if not isinstance(note, Message):
        return note
    pieces: list[Any] = []
    for piece in note.pieces:
        if isinstance(piece, Argument):
            pieces.append({"argument": piece.name, "key": to_json(piece.key)})
        elif isinstance(piece, Setting):
            pieces.append({"argument": piece.name, "value": to_json(piece.value)})
        else:
            pieces.append(piece)
    return {"pieces": pieces, "hint": to_config(note.hint)}


def from_config(note: Any) -> str:
    """The note that :func:`to_config` described; in files of 0.1 it is a string."""
    if isinstance(note, str):
        return note
    if not isinstance(note, dict) or not isinstance(note.get("pieces"), list):
        raise ValueError(f"a note must be a text or its pieces; got {describe(note)}")
    pieces: list[str | Argument | Setting] = []
    for piece in note["pieces"]:
        if not isinstance(piece, dict):
            pieces.append(str(piece))
        elif "value" in piece:
            pieces.append(Setting(str(piece["argument"]), piece["value"]))
        else:
            pieces.append(Argument(str(piece["argument"]), piece["key"]))
    return Message.join(pieces, hint=from_config(note["hint"]))
