r"""How wide the intervals are: quantiles of the errors that :mod:`.widths` expects.

Where a network corrects the anchor, they are multiplied by the ratio of the errors with the
correction to those without, on the validation block, a stretch at the end of the history from which
the network learned nothing. A gain that may be chance is pooled with a prior of no gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import InvalidTypeError, check_float, describe, sentence
from throughtime.forecasting import widths

#: Quantiles are kept at these levels; an interval with coverage c reads (1 - c)/2 and (1 + c)/2.
LEVELS = np.linspace(0.0, 1.0, 401)
#: Weight of the prior of no gain, in paths.
_PRIOR_PATHS = 5.0
#: How much of a gain is trusted at once: 1 - 2 / (n gain^2), so half of it where the gain, in
#: logarithms, is twice its error of 1 / sqrt(n), and nothing where it is 1.4 times that.
_DOUBT = 2.0
#: Smallest factor for a gain: a validation block without any error says nothing about later ones.
_SMALLEST_FACTOR = 0.01


@dataclass(frozen=True)
class Calibration:
    """How errors turn into intervals, and how far the network is trusted.

    Attributes
    ----------
    weight : float
        Share of the correction that is used, 0 to 1.
    spread : ndarray of shape (H,)
        The unit of ``quantiles`` at every step, over the size of the errors of a series.
    quantiles : ndarray of shape (len(LEVELS),)
        Quantiles of the errors.
    gain : float
        Ratio of the errors of the forecast to those of its anchor, shrunk towards 1.
    expected : bool
        Whether the size of the errors is the one expected at every step, (S1) of
        :mod:`.widths`. In files of 0.1 and 0.2 it is the one-step error.
    """

    weight: float
    spread: np.ndarray
    quantiles: np.ndarray
    gain: float = 1.0
    expected: bool = False

    @classmethod
    def of(cls, horizon: int, weight: float = 0.0, gain: float = 1.0) -> Calibration:
        """That of forecasts whose errors are ``gain`` times those of their anchors."""
        return cls(weight, np.full(horizon, gain), widths.quantiles(LEVELS), gain, expected=True)

    def bounds(self, coverage: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances of both bounds from the point forecast, in units of the size of errors."""
        levels = [(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0]
        low, high = np.interp(levels, LEVELS, self.quantiles)
        width = self.spread[steps - 1]
        return min(low, 0.0) * width, max(high, 0.0) * width


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


def improvement(before: np.ndarray, after: np.ndarray, paths: float) -> float:
    """Ratio of the errors of the forecast to those of the anchor, shrunk towards 1.

    The logarithm of the ratio has an error of about 1 / sqrt(n). A gain that is much larger is not
    chance and is hardly shrunk (James and Stein 1961): there the network is the model.

    Parameters
    ----------
    before, after : ndarray of shape (N, H)
        Errors of the anchor and of the forecast on the validation block; NaN where not known.
    paths : float
        n, the independent stretches of H steps among them.
    """
    if np.isnan(before).all():
        return 1.0
    old, new = (float(np.nanmean(np.abs(errors))) for errors in (before, after))
    if not 0.0 < new < old:
        return 1.0 if new > 0.0 or old == 0.0 else _SMALLEST_FACTOR
    gain = max(np.log(new / old), np.log(_SMALLEST_FACTOR))
    usual = paths / (paths + _PRIOR_PATHS)
    return float(np.exp(gain * max(usual, 1.0 - _DOUBT / (paths * gain**2))))
