"""What the regression found, for the reader: the terms that are used, with their effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from throughtime.errors import Argument, Message
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.holidays import Holidays
from throughtime.forecasting.rows import Rows
from throughtime.forecasting.series import Group
from throughtime.forecasting.terms import Covariate, Season, Term

#: Points of a cycle at which its largest and smallest effect are looked for.
_POINTS = 1000
#: Lags and terms that a sentence names, at most.
_NAMED = 6

#: Parts of a sentence.
Pieces = list[str | Argument]


def notes_on(group: Group, adjustments: Mapping[Any, Adjustment]) -> list[str]:
    """Sentences on the terms that are used, with their effects, and on covariates that are not."""
    if not adjustments:
        return []
    found = list(adjustments.values())
    said = _of_one(found[0]) if len(group.series) == 1 else _of_many(found)
    used = {t.column for one in found for t in one.terms if isinstance(t, Covariate)}
    idle = [k for k in range(len(found[0].width)) if k not in used]
    if idle:
        said += [" Not used: ", *_listed([[_name(k)] for k in idle]), "."]
    return [Message.join(said)]


def on_holidays(
    group: Group, adjustments: Mapping[Any, Adjustment], country: str | None
) -> list[str]:
    """A sentence where holidays were asked for and are not used."""
    terms = [term for one in adjustments.values() for term in one.terms]
    if country is None or any(isinstance(term, Holidays) for term in terms):
        return []
    if all(one.calendar is None for one in group.series):
        return [f"The holidays of {country} are not used: the values have no times."]
    reason = "the history is not forecast better with them, or its steps are longer than a day."
    return [f"The holidays of {country} are not used: {reason}"]


def _of_one(found: Adjustment) -> Pieces:
    """A sentence on the only series."""
    parts, begin = [], 0
    for term in found.terms:
        count = len(term.widths)
        parts.append(_effect(found, term, found.effects[begin : begin + count]))
        begin += count
    return ["Its effects: ", *_listed(parts), "."]


def _of_many(found: Sequence[Adjustment]) -> Pieces:
    """A sentence on several series, with the number that use each term."""
    counted: Counter[Term] = Counter(t for one in found for t in one.terms)
    seasons: Counter[float] = Counter()
    parts: list[Pieces] = []
    for term, count in counted.most_common():
        if isinstance(term, Season):
            seasons[term.period] += count
        else:
            parts.append([*_term(term), f" in {count}"])
    parts += [[f"a season of {period:g} steps in {count}"] for period, count in seasons.items()]
    return ["Its terms and the series that have them: ", *_listed(parts), "."]


def _effect(found: Adjustment, term: Term, effects: np.ndarray) -> Pieces:
    """A term with its effect in units of the data, or as a factor."""
    if isinstance(term, Holidays):
        on, before, after = (_number(found, one) for one in effects[:3])
        own = [
            f"{name} {_number(found, effects[0] + one)}"
            for name, one in zip(term.names, effects[3:], strict=True)
        ]
        more = f" ({', '.join(own)})" if own else ""
        return [*_term(term), f" {on}{more}, the day before {before}, the day after {after}"]
    if isinstance(term, Season):
        positions = np.linspace(0.0, term.period, _POINTS)
        values = term.columns(Rows(positions, np.zeros((0, 0)), None)) @ effects
        low, high = (_number(found, value) for value in (values.min(), values.max()))
        return [*_term(term), f" {low} to {high}"]
    sizes = effects / found.width[term.column]
    said = [_number(found, size) for size in sizes[:_NAMED]]
    return [*_term(term), f" {', '.join(said)} for each unit"]


def _number(found: Adjustment, effect: float) -> str:
    """An effect as it is added or multiplied."""
    return f"times {np.exp(np.clip(effect, -99, 99)):.4g}" if found.log else f"{effect:+.3g}"


def _term(term: Term) -> Pieces:
    """A term in words."""
    if isinstance(term, Season):
        return [f"a season of {term.period:g} steps"]
    if isinstance(term, Holidays):
        return [f"holidays of {term.country}"]
    if term.lags == (0,):
        return [_name(term.column)]
    return [_name(term.column), f" {', '.join(map(str, term.lags[:_NAMED]))} steps before"]


def _name(column: int) -> Argument:
    """A covariate; the command line has the name of its column."""
    return Argument("covariate", column)


def _listed(parts: list[Pieces]) -> Pieces:
    """Parts with semicolons between; a number stands for those beyond the first."""
    pieces: Pieces = []
    for i, part in enumerate(parts[:_NAMED]):
        pieces += ["; "] * (i > 0) + part
    if len(parts) > _NAMED:
        pieces.append(f"; and {len(parts) - _NAMED} more")
    return pieces
