r"""How wide the intervals must be.

Errors of the anchor from all origins in the history give two things: the growth of the error with
the step h, u(h) = a h^b, and the distribution of the errors divided by u(h). The latter is pooled
over h, because the errors of one path are correlated. The intervals are its empirical quantiles.
This is the idea of conformal prediction (Vovk et al. 2005) without its guarantee: errors of one
series are not exchangeable, and smoothing was chosen on the same history. Errors are in units of
the one-step error of their series.

The quantiles are multiplied by the ratio of the errors with the correction to those without, on the
validation block, a stretch at the end of the history from which the network learned nothing. The
measured slope b, weighted by n independent paths, is pooled with a prior of
0.6 weighted as 5 paths. A gain that may be chance is pooled in the same way with a prior of no
gain. For n paths of one series the intervals are wider by 1 + 2 / n.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import InvalidTypeError, check_float, describe, sentence

#: Quantiles are kept at these levels; an interval with coverage c reads (1 - c)/2 and (1 + c)/2.
LEVELS = np.linspace(0.0, 1.0, 401)
#: Intervals are wider by this over n. Student's 97.5 % quantile exceeds the normal one by 1.4 / n,
#: and smoothing was chosen on the same history. Measured on 80 walks, trends and autoregressions
#: with 24 or 48 values: 80 % intervals hold 80 to 90 % of the values, without it 61 to 74 %.
_SMALL_SAMPLE = 2.0
#: Prior of b. Errors of a random walk grow with b = 0.5, those of a trend faster.
_PRIOR_SLOPE = 0.6
#: Weight of the priors, in paths. In the same measurement it changes the coverage by 1 to 3 points;
#: it keeps the slope of a single path from going anywhere.
_PRIOR_PATHS = 5.0
#: Largest b: errors of a series whose slope is a random walk grow with h^1.5.
_STEEPEST = 1.5
#: How much of a gain is trusted at once: 1 - 2 / (n gain^2), so half of it where the gain, in
#: logarithms, is twice its error of 1 / sqrt(n), and nothing where it is 1.4 times that.
_DOUBT = 2.0
#: Smallest factor for a gain: a validation block without any error says nothing about later ones.
_SMALLEST_FACTOR = 0.01


@dataclass(frozen=True)
class Calibration:
    """The result of the validation block.

    Attributes
    ----------
    weight : float
        Share of the correction that is used, 0 to 1.
    spread : ndarray of shape (H,)
        u(h) times all factors, in units of the one-step error of a series.
    quantiles : ndarray of shape (len(LEVELS),)
        Quantiles of the errors divided by u(h).
    gain : float
        Ratio of the errors of the forecast to those of its anchor, shrunk towards 1.
    """

    weight: float
    spread: np.ndarray
    quantiles: np.ndarray
    gain: float = 1.0

    @classmethod
    def unknown(cls, horizon: int) -> Calibration:
        """That of a history in which no error is known: intervals have no width."""
        return cls(0.0, np.zeros(horizon), np.zeros(len(LEVELS)))

    def bounds(self, coverage: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances of both bounds from the point forecast, in units of the one-step error."""
        levels = [(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0]
        low, high = np.interp(levels, LEVELS, self.quantiles)
        width = self.spread[steps - 1]
        return min(low, 0.0) * width, max(high, 0.0) * width


@dataclass(frozen=True)
class Errors:
    """Errors of one method from N origins, in units of the one-step error; NaN where unknown.

    Attributes
    ----------
    values : ndarray of shape (N, H)
        Actual minus forecast.
    paths : float
        Number of independent stretches of H steps among the N.
    series : int
        Number of series that they are from.
    """

    values: np.ndarray
    paths: float
    series: int = 1


def check_coverage(name: str, value: Any) -> float:
    """Return a coverage in (0, 1)."""
    hint = "Write 0.9 for 90 %."
    return check_float(name, value, 0.0, 1.0, inclusive="neither", hint=hint)


def check_coverages(name: str, values: Any) -> tuple[float, ...]:
    """Return several coverages in (0, 1)."""
    several = isinstance(values, list | tuple) or getattr(values, "ndim", 0) == 1
    if not several:
        hint = "Write (0.8, 0.95), for example."
        raise InvalidTypeError(sentence(name, "numbers in (0, 1)", describe(values), hint))
    return tuple(check_coverage(name, value) for value in values)


def spread(
    history: Errors,
    anchor: Errors | None = None,
    final: Errors | None = None,
    weight: float = 0.0,
) -> Calibration:
    """The calibration of intervals.

    Parameters
    ----------
    history : Errors
        Errors of the anchor from all origins.
    anchor, final : Errors, optional
        Errors of the anchor and of the forecast on the validation block; without them the anchor
        is the forecast.
    weight : float
        Result of :func:`~throughtime.forecasting.trust.weigh`.
    """
    size, count = _mean_abs(history.values)
    growth = _power_law(size, count, history.paths)
    if not growth.any():
        return dataclasses.replace(Calibration.unknown(len(size)), weight=weight)
    scaled = (history.values / growth)[~np.isnan(history.values)]
    wider = 1.0 + _SMALL_SAMPLE * history.series / max(history.paths, 1.0)
    better = 1.0 if anchor is None or final is None else _improvement(anchor, final)
    return Calibration(weight, growth * better * wider, np.quantile(scaled, LEVELS), better)


def _improvement(anchor: Errors, final: Errors) -> float:
    """Ratio of the errors of the forecast to those of the anchor, shrunk towards 1.

    The logarithm of the ratio has an error of about 1 / sqrt(n). A gain that is much larger is not
    chance and is hardly shrunk (James and Stein 1961): there the network is the model.
    """
    if np.isnan(anchor.values).all():
        return 1.0
    before, after = (float(np.nanmean(np.abs(e.values))) for e in (anchor, final))
    if not 0.0 < after < before:
        return 1.0 if after > 0.0 or before == 0.0 else _SMALLEST_FACTOR
    gain = max(np.log(after / before), np.log(_SMALLEST_FACTOR))
    usual = anchor.paths / (anchor.paths + _PRIOR_PATHS)
    return float(np.exp(gain * max(usual, 1.0 - _DOUBT / (anchor.paths * gain**2))))


def _mean_abs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute error of each step, and the number of errors."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(known, np.abs(values), 0.0).sum(axis=0) / np.maximum(count, 1), count


def _power_law(size: np.ndarray, count: np.ndarray, paths: float) -> np.ndarray:
    """u(h) = a h^b from the mean absolute errors (H,); zeros if there are no errors."""
    log_h = np.log(np.arange(1.0, len(size) + 1.0))
    used = (count > 0) & (size > 0.0)
    if not used.any():
        return np.zeros(len(size))
    x, y, w = log_h[used], np.log(size[used]), count[used].astype(np.float64)
    centre, middle = np.average(x, weights=w), np.average(y, weights=w)
    variance = np.average((x - centre) ** 2, weights=w)
    seen = np.average((x - centre) * (y - middle), weights=w) / variance if variance > 0 else 0.0
    slope = (paths * seen + _PRIOR_PATHS * _PRIOR_SLOPE) / (paths + _PRIOR_PATHS)
    return np.asarray(np.exp(middle + min(max(slope, 0.0), _STEEPEST) * (log_h - centre)))
