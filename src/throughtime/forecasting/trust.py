r"""How far the network is trusted: Student's t over paths that do not overlap.

The validation blocks of all series are cut, from their ends, into paths of H steps. An error of the
step h from the origin o belongs to the path that holds the target o + h, so no value is in two
paths. Let d_i be the mean gain in absolute error on path i, over all origins and weighted by
:func:`step_weights`, c_i the sum of those weights, and n the effective number of paths. Then

    d = sum_i c_i d_i / sum_i c_i                                       (X1)
    s^2 = sum_i c_i (d_i - d)^2 / sum_i c_i * n / (n - 1)               (X2)
    t = d / (s / sqrt(n))                                               (X3)
    c = t / q, cut to -1 ... 1                                          (X4)

with q the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom. The weight is c,
or 0 below it: a gain that is certain by this measure is trusted whole, one of half that size to one
half, and no gain not at all. Below three paths c is 0, for s says nothing then.

Series of a panel move together. Let k be the number of paths and m the mean number of series at a
time step, counted from the ends. With r the correlation of the gains of two series at the same
step, an intraclass correlation from one analysis of variance, and never below 0,

    n = k / (1 + (m - 1) r)                                             (X5)

which is the variance of a mean over clusters (Kish 1965, Survey Sampling, section 5.4).

Where base networks correct the anchor, too, the network takes their place with this weight. Let c'
be (X4) of the gain over their forecast. Then

    weight = max(c, 0) (1 + c') / 2                                     (X6)

so of two corrections of which neither is surely the better one half of each is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from throughtime.forecasting.horizon import step_weights

#: Paths below which no correction is trusted.
FEWEST_PATHS = 3
#: The quantile at which a gain is trusted whole: the usual bound of significance.
_LEVEL = 0.975
#: Points of the integral under Student's density; the quantile then has six digits.
_POINTS = 4001
#: Degrees of freedom from which on Student's distribution is the normal one to four digits.
_MOST_DEGREES = 10_000.0


@dataclass(frozen=True)
class Blocks:
    """Where the windows of the validation blocks lie; M windows of S series.

    Attributes
    ----------
    series : ndarray of int of shape (M,)
        The series of each window, from 0 to S - 1.
    left : ndarray of int of shape (M,)
        Steps of its series from the origin of each window on.
    steps : ndarray of int of shape (S,)
        Steps of the validation block of each series.
    """

    series: np.ndarray
    left: np.ndarray
    steps: np.ndarray

    def paths(self, horizon: int) -> np.ndarray:
        """Stretches of ``horizon`` steps that each block holds, (S,); at least one."""
        return np.maximum(self.steps // horizon, 1)


def weigh(
    gain: np.ndarray, blocks: Blocks, over_base: np.ndarray | None = None
) -> tuple[float, float]:
    """The weight of the correction (X6), and the effective number of paths (X5).

    Parameters
    ----------
    gain : ndarray of shape (M, H)
        Absolute error of the anchor less that of the corrected forecast, in units of the one-step
        error of the series; NaN where the target is unknown.
    over_base : ndarray of shape (M, H), optional
        The same with the forecast of the base networks in place of the anchor, if they correct it.
    """
    certain, paths = certainty(gain, blocks)
    other = 1.0 if over_base is None else certainty(over_base, blocks)[0]
    return max(certain, 0.0) * (1.0 + other) / 2.0, paths


def certainty(gain: np.ndarray, blocks: Blocks) -> tuple[float, float]:
    """How certain a gain is (X4), from -1 to 1, and the effective number of paths (X5)."""
    horizon = gain.shape[1]
    known = ~np.isnan(gain)
    weight = known * step_weights(horizon)
    # Steps from each target to the end of its series; 0 is the last one.
    back = blocks.left[:, None] - 1 - np.arange(horizon)
    most = blocks.paths(horizon)[blocks.series][:, None]
    path = np.minimum(np.maximum(back, 0) // horizon, most - 1)
    worth = weight * np.where(known, gain, 0.0)
    _, total, size = _means(blocks.series, path, worth, weight)
    if not len(size):
        return 0.0, 0.0
    step, each, _ = _means(blocks.series, np.maximum(back, 0), worth, weight)
    paths = len(size) / _design(step, each)
    mean = float(np.average(total, weights=size))
    if paths < FEWEST_PATHS or mean == 0.0:
        return 0.0, paths
    variance = float(np.average((total - mean) ** 2, weights=size)) * paths / (paths - 1.0)
    error = np.sqrt(variance / paths)
    ratio = mean / (student_quantile(paths - 1.0) * error + 1e-300)
    return float(np.clip(ratio, -1.0, 1.0)), paths


def student_quantile(degrees: float, level: float = _LEVEL) -> float:
    """The quantile of Student's distribution with ``degrees`` > 0 of freedom.

    With x = sqrt(v) tan(a) its density (1 + x^2 / v)^(-(v + 1) / 2) dx is cos(a)^(v - 1) da, which
    is integrated by trapezoids.
    """
    v = min(degrees, _MOST_DEGREES)
    # Beyond 40 standard deviations of cos^v, or at a right angle, nothing is left.
    edge = min(np.pi / 2, 40.0 / np.sqrt(v))
    angle = np.linspace(0.0, edge, _POINTS)
    density = np.cos(angle) ** (v - 1.0)
    area = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return float(np.sqrt(v) * np.tan(np.interp(2.0 * level - 1.0, area / area[-1], angle)))


def _means(
    series: np.ndarray, place: np.ndarray, worth: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over the pairs of series and place that have a weight: the places, means, weights."""
    places = int(place.max(initial=0)) + 1
    group = (series[:, None] * places + place).ravel()
    size = np.bincount(group, weights=weight.ravel())
    total = np.bincount(group, weights=worth.ravel())
    used = np.flatnonzero(size > 0.0)
    return used % places, total[used] / size[used], size[used]


def _design(step: np.ndarray, gain: np.ndarray) -> float:
    """The factor 1 + (m - 1) r of (X5), from the gains (K,) at the steps (K,) of all series."""
    members = np.bincount(step)
    members = members[members > 0].astype(np.float64)
    count, groups = members.sum(), len(members)
    if groups < 2 or count <= groups:
        return 1.0
    place = np.unique(step, return_inverse=True)[1]
    means = np.bincount(place, weights=gain) / members
    between = float((members * (means - gain.mean()) ** 2).sum()) / (groups - 1)
    within = float(((gain - means[place]) ** 2).sum()) / (count - groups)
    usual = (count - (members**2).sum() / count) / (groups - 1)
    scale = between + (usual - 1.0) * within
    r = max((between - within) / scale, 0.0) if scale > 0.0 else 0.0
    return float(1.0 + ((members**2).sum() / count - 1.0) * r)
