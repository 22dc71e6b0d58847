"""Which cycles a series may have: from a word for its frequency, or from the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from throughtime.errors import InvalidArgumentError, check_float

_YEAR = 365.25
#: Letters of pandas (old and new spelling) -> steps a year, a week and a day that they mean.
_CYCLES: dict[str, tuple[float, ...]] = {
    "Y": (),
    "A": (),
    "Q": (4.0,),
    "M": (12.0,),
    "W": (_YEAR / 7.0,),
    "B": (5.0,),
    "D": (7.0, _YEAR),
    "H": (24.0, 168.0),
    "T": (1440.0,),
    "MIN": (1440.0,),
    "S": (3600.0,),
}
#: Cycles longer than this are too long to learn a pattern for, step by step.
_LONGEST = 400.0
#: How far a peak of the autocorrelation must stand out to be taken for a season.
_PEAK = 0.3


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
    match = re.fullmatch(r"(\d*)([A-Za-z]+)(-[A-Za-z]+)?", str(frequency))
    unit = match[2].upper() if match else ""
    if unit not in _CYCLES and unit[:-1] in ("Y", "A", "Q", "M", "BQ", "BM", "BY"):
        unit = unit[-2:-1]  # MS and ME, QS and QE: first and last day of the month
    if match is None or unit not in _CYCLES:
        raise InvalidArgumentError(
            "frequency must be a word like 'h', 'D', 'W', 'MS', 'QE', 'YE' or '15min';"
            f" got {frequency!r}. Leave it out to let the data decide."
        )
    times = int(match[1] or 1)
    if times < 1:
        raise InvalidArgumentError(f"frequency must count at least one unit; got {frequency!r}.")
    found = [period / times for period in _CYCLES[unit] if period / times >= 2.0]
    return tuple(period for period in found if period <= _LONGEST)


def check_season(season: Any) -> tuple[float, ...] | None:
    """Return the periods that ``season`` names; None for "auto"."""
    if isinstance(season, str) and season == "auto":
        return None
    if season is None:
        return ()
    many = isinstance(season, Sequence) and not isinstance(season, str)
    hint = "Write 'auto', None, a number of steps, or several numbers."
    found = [check_float("season", p, 1.0, hint=hint) for p in (season if many else [season])]
    for period in found:
        if 1.0 < period < 2.0:
            raise InvalidArgumentError(f"season must be 1 (none) or at least 2; got {period:g}.")
    return tuple(period for period in found if period > 1.0)


def detect(y: np.ndarray) -> float | None:
    """The period at which the autocorrelation of ``y (T,)`` has its highest peak, if one stands out.

    It has to stand out twice: from the valley before it, once a straight line is taken out of the
    series, and from chance, in the series of differences. At least three cycles must have been seen.
    """
    seen = ~np.isnan(y)
    if seen.sum() < 12:
        return None
    places = np.arange(len(y))
    filled = np.interp(places, places[seen], y[seen])
    line = np.polynomial.Polynomial.fit(places, filled, 1)(places)
    flat, moved = autocorrelation(filled - line), autocorrelation(np.diff(filled))
    chance = 2.0 / np.sqrt(len(y))
    best, height = None, 0.0
    for lag in range(2, min(len(flat), len(moved), int(_LONGEST) + 1) - 1):
        peak = flat[lag] >= flat[lag - 1 : lag + 2].max() - 1e-12
        valley = flat[1:lag].min()
        near = moved[lag - 1 : lag + 2].max()
        if not peak or flat[lag] - valley < _PEAK or flat[lag] < chance or near < chance:
            continue
        # Twice the season is a peak nearly as high: the shorter one stays.
        if flat[lag] + near > height + 0.1:
            best, height = lag, float(flat[lag] + near)
    return None if best is None or height < 2 * _PEAK else float(best)


def autocorrelation(values: np.ndarray) -> np.ndarray:
    """Autocorrelation at the lags 0 to a third of the length; zeros where nothing varies."""
    count = max(3, len(values) // 3 + 1)
    centred = values - values.mean()
    power = float(centred @ centred)
    if power <= 1e-20 * max(1.0, float(values @ values)):
        return np.zeros(count)
    size = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    return np.asarray(np.fft.irfft(spectrum, size)[:count] / power)
