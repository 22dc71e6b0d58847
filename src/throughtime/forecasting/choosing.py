r"""Which forecast of a series is delivered: the usual one, or a naive one that is better.

Both forecast the history from many origins, each with nothing but the values until there. Origins
fewer than H steps apart share values, so their mean absolute errors e (weighted by
:func:`~throughtime.forecasting.horizon.step_weights`) are averaged over stretches of H steps, and

    g_k = (e_k(usual) - e_k(naive)) / (e_k(usual) + e_k(naive))         (F1)

is the gain in stretch k of K, from -1 to 1. It has no unit, so stretches of a growing series, and
the series of a panel, count alike. The gains of a series lie around its own m, and those of all
series around a common one:

    g_k ~ N(m, s^2),    m ~ N(mu, tau^2)                                (F2)

mu, tau and s are estimated together with a prior, by which a single series is judged. The naive
forecast is delivered if there are at least 3 stretches, and

    E(m | g) > sd(m | g) / 2                                            (F3)

With few stretches the left side stays near mu. A panel on which the usual forecast wins has a
negative mu, and a naive one must win more often there. Efron and Morris (1975) for (F2).

Demand that is mostly zero is compared by squared errors, because zero has the smallest absolute
error, and the divisor of (F1) is then the mean of all stretches, because zero has no error at all
in a stretch without demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from throughtime.forecasting.anchor import origins_in
from throughtime.forecasting.base_network import Past
from throughtime.forecasting.baselines import DRIFT, ahead, naive_methods, naive_paths
from throughtime.forecasting.horizon import step_weights
from throughtime.forecasting.inputs import PreparedSeries
from throughtime.forecasting.intermittent import mean_demand
from throughtime.forecasting.sharing import for_each

#: What forecasts a series that no naive method forecasts: smoothing with what corrects it, or,
#: where it is mostly zero, the mean demand.
USUAL, CROSTON = "usual", "croston"

#: Stretches below which nothing is chosen: two do not tell how much they vary.
FEWEST_STRETCHES = 3
#: mu, tau and s of (F2) before any data are seen, and the number of series that they count as.
#: On 450 yearly, quarterly and monthly series of M1, M3 and Tourism s is 0.14 to 0.25.
_MEAN, _WIDTH, _NOISE, _COUNT = 0.0, 0.1, 0.18, 4.0
#: Factor of sd(m | g) in (F3). On the same series choosing changes the mean absolute error of the
#: hold-out by 0.999 (yearly), 0.980 (quarterly) and 0.997 (monthly), by 1.01 on 420 random walks,
#: where the two forecasts differ by chance, and not at all on 100 noises. Without caution noises
#: lose 3 %, with twice as much nothing is gained. Drift is not chosen: where it was better inside
#: the history it is no better later (correlation 0.05 on yearly series), and smoothing has a
#: setting for it.
_CAUTION = 0.5
#: Smallest tau^2.
_NARROWEST = 1e-6
#: Turns in which mu and tau are estimated; they hardly move after four.
_TURNS = 20


@dataclass(frozen=True)
class Choice:
    """What is delivered for one series, and why.

    Attributes
    ----------
    method : str
        A naive method; "usual": smoothing with what corrects it; or "croston": the mean of demand
        that is mostly zero, by the average of :mod:`throughtime.forecasting.intermittent`.
    gains : dict of str to float
        The mean of (F1) for each naive method; positive where its errors were the smaller ones.
    stretches : int
        Stretches of H steps that the gains are from.
    """

    method: str = USUAL
    gains: dict[str, float] = field(default_factory=dict)
    stretches: int = 0

    @property
    def rival(self) -> str:
        """The naive method with the largest gain; "" where none was compared."""
        return max(self.gains, key=self.gains.__getitem__, default="")

    def ratio(self, method: str) -> float:
        """The error of a naive method over that of the usual forecast, in a typical stretch."""
        gain = self.gains[method]
        return (1.0 - gain) / (1.0 + gain) if gain > -1.0 else np.inf


@dataclass(frozen=True)
class Contest:
    """One series to choose a forecast for.

    Attributes
    ----------
    y : ndarray of shape (T,)
        The series from its first known value on, which the naive methods forecast.
    history : PreparedSeries
        The same without the effects of columns, which smoothing forecasts.
    factor : ndarray of shape (T,)
        The units of ``y`` in one of ``history``.
    mostly_zero : bool
        Whether the usual forecast is the mean demand.
    past : Past or None
        The usual forecasts from earlier origins, in the units of ``history``. Without them those of
        smoothing are taken, whose weights come from the whole history.
    gain : float
        Ratio of the errors of the usual forecast to those forecasts' errors.
    """

    y: np.ndarray
    history: PreparedSeries
    factor: np.ndarray
    mostly_zero: bool
    past: Past | None = None
    gain: float = 1.0


def choose(
    contests: Sequence[Contest], horizon: int, season: int, use: str, executor: Any = None
) -> list[Choice]:
    """What is delivered for each series.

    Parameters
    ----------
    contests : sequence of Contest
    horizon : int
        Steps ahead, H.
    season : int
        The season of seasonal naive; 1 is none.
    use : str
        "best": by (F3); "naive": the naive method with the largest E(m | g); anything else: the
        usual forecast.
    executor : executor or callable, optional
        Who compares the forecasts, as :func:`~throughtime.forecasting.sharing.for_each` takes it.
    """
    methods = naive_methods(season)
    found = for_each(_gains, (horizon, season), contests, executor, doing="comparing forecasts")
    centre = np.empty((len(methods), len(found)))
    doubt = np.empty_like(centre)
    for i, method in enumerate(methods):
        centre[i], doubt[i] = posterior([gains[method] for gains in found])
    chosen = np.array([method != DRIFT for method in methods])
    choices = []
    for j, gains in enumerate(found):
        count = min(map(len, gains.values()))
        typical = {method: float(g.mean()) for method, g in gains.items() if len(g)}
        if contests[j].mostly_zero:
            typical = {method: _of_roots(gain) for method, gain in typical.items()}
        clear = np.where(chosen, centre[:, j] - _CAUTION * doubt[:, j], -np.inf)
        method = CROSTON if contests[j].mostly_zero else USUAL
        if use == "naive":
            method = methods[int(np.argmax(centre[:, j]))]
        elif use == "best" and count >= FEWEST_STRETCHES and clear.max() > 0.0:
            method = methods[int(np.argmax(clear))]
        choices.append(Choice(method, typical, count))
    return choices


def _gains(horizon: int, season: int, contest: Contest) -> dict[str, np.ndarray]:
    """The gains (F1) of every naive method over the usual forecast."""
    methods, y, history = naive_methods(season), contest.y, contest.history
    if len(y) < 2:
        return {method: np.zeros(0) for method in methods}
    past = contest.past
    origins = origins_in(history) if past is None or contest.mostly_zero else past.origins

    def stretches(errors: np.ndarray) -> np.ndarray:
        return in_stretches(mean_errors(errors, contest.mostly_zero), origins, horizon)

    actual = ahead(y, origins, horizon)
    if contest.mostly_zero:
        usual = stretches(actual - mean_demand(y, origins, horizon)[:, None])
    else:
        paths = past.paths if past else history.anchor.paths(history.y, origins, horizon)
        errors = ahead(history.y, origins, horizon) - paths
        usual = contest.gain * stretches(errors * ahead(contest.factor, origins, horizon))
    return {
        method: gains(
            usual,
            stretches(actual - naive_paths(method, y, origins, horizon, season)),
            contest.mostly_zero,
        )
        for method in methods
    }


def mean_errors(errors: np.ndarray, squared: bool = False) -> np.ndarray:
    """The weighted mean absolute (or squared) error (O,) of errors (O, H); NaN if none is known."""
    known = ~np.isnan(errors)
    weight = known * step_weights(errors.shape[1])
    total = weight.sum(axis=1)
    size = np.where(known, np.abs(errors), 0.0) ** (2 if squared else 1)
    return np.where(
        total > 0.0, (size * weight).sum(axis=1) / np.where(total > 0.0, total, 1.0), np.nan
    )


def _of_roots(gain: float) -> float:
    """The gain in root mean squared errors for one in mean squared errors."""
    usual, naive = np.sqrt(1.0 + gain), np.sqrt(max(1.0 - gain, 0.0))
    return float((usual - naive) / (usual + naive))


def in_stretches(errors: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
    """Means of errors (O,) over stretches of H origins; NaN where a stretch has none."""
    stretch = (origins - origins[0]) // horizon
    known = ~np.isnan(errors)
    count = np.bincount(stretch[known], minlength=int(stretch[-1]) + 1)
    total = np.bincount(stretch[known], weights=errors[known], minlength=len(count))
    found = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found[~np.isnan(found)]


def gains(usual: np.ndarray, naive: np.ndarray, mostly_zero: bool = False) -> np.ndarray:
    """(F1) for every stretch; 0 where neither has an error.

    If demand is ``mostly_zero``, the errors are squared ones, and the divisor is the mean over all
    stretches: in a stretch without demand any forecast of zero has no error at all.
    """
    total = usual + naive
    if mostly_zero and len(total):
        total = np.full(len(total), total.mean())
    return np.where(total > 0.0, (usual - naive) / np.where(total > 0.0, total, 1.0), 0.0)


def posterior(series: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """E(m | g) and sd(m | g) of (F2) for every series, from its gains (K,)."""
    count = np.array([len(g) for g in series], dtype=np.float64)
    mean = np.array([g.mean() if len(g) else 0.0 for g in series])
    spread = np.array([((g - m) ** 2).sum() for g, m in zip(series, mean, strict=True)])
    freedom = np.maximum(count - 1.0, 0.0)
    noise = (_COUNT * _NOISE**2 + spread.sum()) / (_COUNT + freedom.sum())
    own = (_COUNT * noise + spread) / (_COUNT + freedom)
    seen = count > 0
    error = own / np.maximum(count, 1.0)
    mu, between = _MEAN, _WIDTH**2
    for _ in range(_TURNS):
        weight = np.where(seen, 1.0 / (between + error), 0.0)
        before = _COUNT / _WIDTH**2
        mu = float((before * _MEAN + weight @ mean) / (before + weight.sum()))
        share = np.where(seen, (between / (between + error)) ** 2, 0.0)
        excess = float(_COUNT * _WIDTH**2 + share @ ((mean - mu) ** 2 - error))
        between = max(excess / (_COUNT + float(share.sum())), _NARROWEST)
    keep = np.where(seen, between / (between + error), 0.0)
    return mu + keep * (mean - mu), np.sqrt(np.where(seen, keep * error, between))
