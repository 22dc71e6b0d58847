"""Public holidays of a country, and the days around them; needs the package ``holidays``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, describe, import_extra, sentence
from throughtime.forecasting.rows import Rows

#: Codes that are shown where a country is not known, at most.
_NEAR = 5
#: Expected size of what tells one holiday from the others, beside what all have in common.
_OWN_WIDTH = 0.7
_DAY = np.timedelta64(1, "D")


def _package() -> Any:
    return import_extra("holidays", "holidays", "A calendar of holidays")


def check_code(name: str, value: Any) -> str | None:
    """Return what looks like the code of a country or of a part of it, "DE" or "DE-BY", or None."""
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{2}(-[A-Za-z0-9]+)?", value):
        expected = "None or the code of a country, such as 'DE' or 'DE-BY'"
        raise InvalidArgumentError(sentence(name, expected, describe(value), value=value))
    return value


def check_country(code: str) -> None:
    """Refuse a code that the package does not know; the message has those that are like it.

    Raises
    ------
    InvalidArgumentError, MissingDependencyError
        If the country is not known, or the package is not installed.
    """
    known = _package().list_supported_countries()
    country, _, part = code.partition("-")
    if country not in known:
        near = difflib.get_close_matches(country, sorted(known), _NEAR, 0.4)
        hint = f"Like it: {', '.join(near)}." if near else "Write for example 'DE'."
        expected = "a country that the package holidays knows"
        raise InvalidArgumentError(sentence("holidays", expected, describe(code), hint, value=code))
    if part and part not in known[country]:
        parts = ", ".join(known[country]) or "none"
        expected = f"{country} alone or with one of its parts ({parts})"
        raise InvalidArgumentError(sentence("holidays", expected, describe(code), value=code))


def names_by_day(country: str, days: np.ndarray) -> dict[np.datetime64, str]:
    """The holidays of ``country`` in the years of ``days``, and in those around them."""
    code, _, part = country.partition("-")
    first, last = (day.astype("datetime64[Y]").astype(int) + 1970 for day in (min(days), max(days)))
    years = range(first - 1, last + 2)
    found = _package().country_holidays(code, subdiv=part or None, years=years)
    return {np.datetime64(day, "D"): str(name) for day, name in found.items()}


@dataclass(frozen=True)
class Holidays:
    """The holidays of a country, for steps of a day or less.

    The columns are 1 on a holiday, on the day before and on the day after one, and for each of
    ``names`` on that one.

    Attributes
    ----------
    country : str
    names : tuple of str
        Holidays that have an effect of their own beside that of all.
    """

    country: str
    names: tuple[str, ...] = ()

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {"country": self.country, "names": list(self.names)}

    def columns(self, rows: Rows) -> np.ndarray:
        """The columns (T, 3 + names); zero without times."""
        found = np.zeros((rows.total, len(self.widths)))
        if rows.times is None or not rows.total:
            return found
        days = rows.times.astype("datetime64[D]")
        known = names_by_day(self.country, days)
        marks = np.array(list(known), dtype="datetime64[D]")
        free = np.isin(days, marks)
        found[:, 0] = free
        found[:, 1] = ~free & np.isin(days + _DAY, marks)
        found[:, 2] = ~free & np.isin(days - _DAY, marks)
        for i, name in enumerate(self.names):
            own = np.array([day for day, one in known.items() if one == name], "datetime64[D]")
            found[:, 3 + i] = np.isin(days, own)
        return found

    @property
    def widths(self) -> np.ndarray:
        """Expected sizes of the effects beside each other."""
        return np.concatenate([np.ones(3), np.full(len(self.names), _OWN_WIDTH)])


def tried(country: str, rows: Rows, known: np.ndarray) -> tuple[Holidays, ...]:
    """The terms to try for a series: all holidays alike, or those seen twice each for itself.

    There are none without times, with steps longer than a day, or where no holiday was seen.

    Parameters
    ----------
    known : ndarray of int
        The steps that have a value.
    """
    if rows.times is None or len(rows.times) < 2:
        return ()
    days = rows.times.astype("datetime64[D]")[known]
    if np.median(np.diff(rows.times)) > _DAY:
        return ()
    names = names_by_day(country, days)
    # The hours of a day are one day.
    seen = [names[day] for day in np.unique(days) if day in names]
    twice = tuple(dict.fromkeys(name for name in seen if seen.count(name) > 1))
    if not seen:
        return ()
    return (Holidays(country), Holidays(country, twice)) if twice else (Holidays(country),)
