r"""How far to trust the network, and how wide the intervals must be.

Both are found on the validation block, a stretch at the end of the training data from which
nothing was learned, in units of each series' own one-step error.

*Weight.* With g_i the mean gain in absolute error of window i from the correction, and n the number
of windows that do not overlap, t = mean(g) / (std(g) / sqrt(n)); the weight is t / 2 between 0
and 1: a gain of two standard errors is believed whole, none at all is not believed.

*Intervals.* Errors of the anchor from all origins in the history give the growth of the error with
the step h, u(h) = a h^b, and the distribution of the errors divided by u(h), pooled over h because
those of one path hang together. The empirical quantiles of these are taken: an idea of conformal
prediction (Vovk et al. 2005) without its guarantee, for errors of one series are not exchangeable,
and smoothing was chosen on the same history. They are multiplied by how much smaller the errors of
the corrected forecast are on the validation block. With n independent paths b counts n and the
guess 0.6 counts 5, and so does the gain beside none if it is no larger than chance may make it; the
intervals are wider by 1 + 2 / n for the n paths of one series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import InvalidTypeError, check_float, describe, sentence
from throughtime.forecasting.horizon import step_weights

#: Quantiles are kept at these levels; an interval with coverage c reads (1 - c)/2 and (1 + c)/2.
LEVELS = np.linspace(0.0, 1.0, 401)
#: t that makes the weight 1.
_FULL_TRUST = 2.0
#: Student's 97.5 % quantile exceeds the normal one by 1.4 / n; the setting of smoothing, chosen on
#: the same history, asks for somewhat more.
_SMALL_SAMPLE = 2.0
#: What is believed of b before an error was seen, and how many paths that belief counts; errors
#: of a random walk grow with b = 0.5.
_GROWTH, _BELIEF = 0.6, 5.0
_STEEPEST = 1.5
#: How many times its error, squared, a gain must be to be believed by half; the smallest factor.
_DOUBT, _SMALLEST = 2.0, 0.01


@dataclass(frozen=True)
class Calibration:
    """What the validation block says.

    Attributes
    ----------
    weight : float
        How much of the correction to use, 0 to 1.
    spread : ndarray of shape (H,)
        u(h), times all factors, in units of a series' one-step error.
    quantiles : ndarray of shape (len(LEVELS),)
        Of the errors divided by u(h).
    """

    weight: float
    spread: np.ndarray
    quantiles: np.ndarray

    def bounds(self, coverage: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What to add to the point forecast at ``steps``, in units of the one-step error."""
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
        How many of the N stretches of H steps do not overlap.
    series : int
        How many series they are from.
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


def weigh(anchor: Errors, corrected: Errors) -> float:
    """The weight of the correction; see the module."""
    real = ~np.isnan(anchor.values)
    count = (real * step_weights(real.shape[1])).sum(axis=1)
    if not count.any():
        return 0.0
    gain = np.where(real, np.abs(anchor.values) - np.abs(corrected.values), 0.0)
    gain, used = gain @ step_weights(real.shape[1]), count > 0
    gain, count = gain[used] / count[used], count[used]
    mean = np.average(gain, weights=count)
    if mean <= 0.0:
        return 0.0
    error = np.sqrt(np.average((gain - mean) ** 2, weights=count) / max(anchor.paths, 1.0))
    return float(min(mean / (_FULL_TRUST * error + 1e-300), 1.0))


def spread(history: Errors, anchor: Errors, final: Errors, weight: float) -> Calibration:
    """The calibration of intervals.

    Parameters
    ----------
    history : Errors
        Of the anchor, from all origins.
    anchor, final : Errors
        Of the anchor and of the forecast, on the validation block.
    weight : float
        From :func:`weigh`.
    """
    size, count = _mean_abs(history.values)
    growth = _power_law(size, count, history.paths)
    if not growth.any():
        return Calibration(weight, growth, np.zeros(len(LEVELS)))
    scaled = (history.values / growth)[~np.isnan(history.values)]
    wider = 1.0 + _SMALL_SAMPLE * history.series / max(history.paths, 1.0)
    better = _improvement(anchor, final) if weight > 0.0 else 1.0
    return Calibration(weight, growth * better * wider, np.quantile(scaled, LEVELS))


def _improvement(anchor: Errors, final: Errors) -> float:
    """Factor from the errors of the anchor to those of the forecast, drawn towards 1.

    A gain that is large beside its own error, 1 / sqrt(n) or so in logarithms, is no matter of luck
    and hardly drawn at all (James and Stein 1961); it is where the network is the model.
    """
    before, after = (float(np.nanmean(np.abs(e.values))) for e in (anchor, final))
    if not 0.0 < after < before:
        return 1.0 if after > 0.0 or before == 0.0 else _SMALLEST
    gain = max(np.log(after / before), np.log(_SMALLEST))
    usual = anchor.paths / (anchor.paths + _BELIEF)
    return float(np.exp(gain * max(usual, 1.0 - _DOUBT / (anchor.paths * gain**2))))


def _mean_abs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute error of each step, and how many errors it is the mean of."""
    real = ~np.isnan(values)
    count = real.sum(axis=0)
    return np.where(real, np.abs(values), 0.0).sum(axis=0) / np.maximum(count, 1), count


def _power_law(size: np.ndarray, count: np.ndarray, paths: float) -> np.ndarray:
    """u(h) = a h^b from the mean absolute errors (H,); zeros where there is no error."""
    log_h = np.log(np.arange(1.0, len(size) + 1.0))
    used = (count > 0) & (size > 0.0)
    if not used.any():
        return np.zeros(len(size))
    x, y, w = log_h[used], np.log(size[used]), count[used].astype(np.float64)
    centre, middle = np.average(x, weights=w), np.average(y, weights=w)
    variance = np.average((x - centre) ** 2, weights=w)
    seen = np.average((x - centre) * (y - middle), weights=w) / variance if variance > 0 else 0.0
    slope = (paths * seen + _BELIEF * _GROWTH) / (paths + _BELIEF)
    return np.asarray(np.exp(middle + min(max(slope, 0.0), _STEEPEST) * (log_h - centre)))
