"""Which cycles a series may have: from a word for its frequency, or from the data."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, check_float, describe, sentence

_YEAR = 365.25
#: Words of pandas for a step, old and new -> the cycles of a day, a week and a year, in such steps.
_CYCLES: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(("Y", "YS", "YE", "A", "AS", "BY", "BYS", "BYE", "BA", "BAS"), ()),
    **dict.fromkeys(("Q", "QS", "QE", "BQ", "BQS", "BQE"), (4.0,)),
    **dict.fromkeys(("M", "MS", "ME", "BM", "BMS", "BME"), (12.0,)),
    "W": (_YEAR / 7.0,),
    "B": (5.0,),
    "D": (7.0, _YEAR),
    **dict.fromkeys(("h", "H"), (24.0, 168.0)),
    **dict.fromkeys(("min", "T"), (1440.0, 10080.0)),
    **dict.fromkeys(("s", "S"), (3600.0, 86400.0)),
    **dict.fromkeys(("ms", "us", "ns", "L", "U", "N"), ()),
}
#: Cycles longer than this are too long to learn a pattern for, step by step.
_LONGEST = 400.0
#: How far a peak of the autocorrelation must stand out to be taken for a season.
_PEAK = 0.3
#: What must be left of it after two and three periods.
_LASTING = 0.8
#: Multiples of a period that say where exactly it is, at most.
_MULTIPLES = 5


def cycles(frequency: str) -> tuple[float, ...]:
    """The periods, in steps, that people live by at a frequency such as "W", "15min" or "MS".

    Examples
    --------
    >>> cycles("MS"), cycles("h"), cycles("15min"), cycles("YE-DEC")
    ((12.0,), (24.0, 168.0), (96.0,), ())

    Raises
    ------
    InvalidArgumentError
        The word is not known.
    """
    text = frequency if isinstance(frequency, str) else ""
    match = re.fullmatch(r"(\d{0,9})([A-Za-z]+)(-[A-Za-z]+)?", text)
    if match is None or match[2] not in _CYCLES:
        words = "a word like 'h', 'D', 'W', 'MS', 'QE', 'YE' or '15min'"
        hint = "Omit it to find the season from the data."
        raise InvalidArgumentError(sentence("frequency", words, describe(frequency), hint))
    times = int(match[1] or 1)
    if times < 1:
        got = describe(frequency)
        raise InvalidArgumentError(sentence("frequency", "at least one unit", got, must="count"))
    found = [period / times for period in _CYCLES[match[2]] if period / times >= 2.0]
    return tuple(period for period in found if period <= _LONGEST)


def check_season(season: Any) -> tuple[float, ...] | None:
    """Return the periods that ``season`` names; None for "auto"."""
    if isinstance(season, str) and season == "auto":
        return None
    if season is None:
        return ()
    many = isinstance(season, list | tuple) or getattr(season, "ndim", 0) == 1
    hint = "Write 'auto', None, a number of steps, or several numbers."
    found = [check_float("season", p, 1.0, hint=hint) for p in (season if many else [season])]
    for period in found:
        if 1.0 < period < 2.0:
            raise InvalidArgumentError(f"season must be 1 (none) or at least 2; got {period:g}.")
    return tuple(period for period in found if period > 1.0)


def detect(y: np.ndarray) -> float | None:
    """The period of a lasting cycle in ``y (T,)``, if one stands out.

    It must be a peak of the autocorrelation that stands out twice: from the valley before it, once
    a straight line is taken out of the series, and from chance, in the series of differences. And
    it must last: after two and three periods the series, or its differences, have to be as alike as
    after one. Cycles that lose step, like those of sunspots, are none; a network follows them
    better. At least three periods must have been seen.
    """
    seen = ~np.isnan(y)
    if seen.sum() < 12:
        return None
    places = np.arange(len(y))
    filled = np.interp(places, places[seen], y[seen])
    line = np.polynomial.Polynomial.fit(places, filled, 1)(places)
    flat, moved = autocorrelation(filled - line), autocorrelation(np.diff(filled))
    chance = 2.0 / np.sqrt(len(y))
    best, height = 0, 2.0 * _PEAK
    for lag in range(2, min(len(y) // 3, int(_LONGEST)) + 1):
        here = _near(moved, lag)
        if flat[lag] < max(chance, flat[lag - 1], flat[lag + 1]) or here < chance:
            continue
        # A multiple of the season is a peak nearly as high: the shorter one stays.
        if flat[lag] - flat[1:lag].min() >= _PEAK and flat[lag] + here > height:
            best, height = lag, float(flat[lag] + here) + 0.2
    if best == 0:
        return None
    lasting = any(
        min(_near(values, 2 * best), _near(values, 3 * best)) >= _LASTING * _near(values, best)
        for values in (moved, flat)
    )
    return float(_sharpened(flat, best)) if lasting else None


def _sharpened(values: np.ndarray, lag: int) -> int:
    """The lag near ``lag``, by a tenth at most, whose multiples are best; noise moves one peak."""
    room = lag // 10
    near = range(lag - room, lag + room + 1)
    count = max(1, min(_MULTIPLES, len(values) // 2 // (lag + room)))
    return max(near, key=lambda p: float(values[p * np.arange(1, count + 1)].sum()))


def _near(values: np.ndarray, lag: int) -> float:
    """The highest value next to ``lag``; infinite beyond what is known."""
    part = values[lag - 1 : lag + 2]
    return float(part.max()) if len(part) == 3 else np.inf


def autocorrelation(values: np.ndarray) -> np.ndarray:
    """Autocorrelation at all lags but the last few, where few products are left.

    It is scaled for the number of products, so a perfect cycle has a 1 at every period; zeros
    where nothing varies.
    """
    size = len(values)
    count = max(size - 3, 4)
    centred = values - values.mean()
    power = float(centred @ centred)
    if power <= 1e-20 * max(1.0, float(values @ values)):
        return np.zeros(count)
    length = 1 << (2 * size - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, length)) ** 2
    products = np.fft.irfft(spectrum, length)[:count]
    return np.asarray(products / power * size / (size - np.arange(count)))
