r"""How large the errors of a forecast will be, from those inside the history.

Inside the history the forecast was h steps off by m_h, in the mean, over n_h errors. That is a good
guess where there were many, and a bad one where there were few, so it is weighed with what other
series say. With P the steps of a season (1 without one), all on the scale of the forecasts,

    q       mean of |z_t - z_{t-P}|
    a       (sum of the n_1 errors of one step + q) / (n_1 + 1)
    w_h     n_h / (n_h + k h): n_h / h paths do not overlap
    r_h     m_h with weights that halve every max(P, 1.5 sqrt T) steps
    s       the mean of the last max(3, P / 2) errors of one step
    d_h     |z_{T+h} - z_{T+h-P}|: how far the forecast goes from the season before (from the last
            value without a season; in later seasons from the last one known)

the expected error is sigma_h,

    log(sigma_h / a) = (1 - w_h) (b_0 + (b_1 + b_2 [P > 1]) log h + (b_3 + b_4 log h) log(q / a))
                       + w_h (log(m_h / a) + c_0 log(r_h / m_h)) + c_1 log(r_1 / a)
                       + c_2 log(1 + d_h / (a sqrt(h))) + c_3 log(s / r_1)             (S1)

The numbers k, b, c maximise the likelihood of the errors in the hold-outs of some 3,000 series of
M1, M3, Tourism and R, as Student's t with 5 degrees of freedom; every series counts the same.

*Intervals* are the quantiles Q of (z - forecast) / sigma_h in these hold-outs, times sigma_h. This
is split conformal prediction (Vovk et al. 2005; Papadopoulos et al. 2002) whose calibration set are
series: if a new series is exchangeable with the N of them, then at every step its value lies in the
interval of coverage c with a probability from c - 1 / (N + 1) on, over series and whatever their
errors are. It is no promise for one series, nor for one that is unlike all of them. The numbers of
(S1) were found on the same hold-outs; in a cross-validation over five parts the coverage was the
same to 0.2 points. ``python -m recipes.widths`` finds all numbers again.

*Base networks* answer with quantiles of their own, which see more of a series but were learned on
many of the same. Where a forecast has the share s of their correction, a bound that is B from it,
and by their quantile G, is

    B (1 + s / 2 (1.1 G / B - 1))                                                       (S2)

from it: at most half of it is theirs, made wider by a tenth. On the odd halves of M1, M3 and
Tourism the coverage stays and the interval score falls by 5 to 7 % (geometric mean).
"""

from __future__ import annotations

import numpy as np

#: k, b_0 ... b_4, c_0 ... c_3 of (S1).
_K = 3.459
_B = (0.619, 0.479, -0.508, 0.554, 0.069)
_C = (0.365, 0.694, 0.179, 0.168)
#: Q at some levels; between them it is a straight line.
_LEVELS = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7,
           0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 1.0)  # fmt: skip
_QUANTILES = (-15.264, -5.169, -4.248, -3.739, -3.126, -2.366, -1.855, -1.358, -1.045, -0.832,
              -0.477, -0.194, 0.057, 0.324, 0.61, 0.986, 1.239, 1.58, 2.158, 2.771, 3.677, 4.771,
              6.05, 8.37, 15.099)  # fmt: skip
#: The largest part of a bound that base networks say, and what theirs are multiplied by. Alone they
#: hold 72 and 91 % of the values on the odd half, where many of the series taught them.
_SHARE, _WIDER = 0.5, 1.1
#: How many times as wide as (S1), or as narrow, they are read.
_FARTHEST = 5.0
#: Ratios of errors are not read below this: a mean of a few errors may be 0 by chance.
_SMALLEST_RATIO = 0.05


def quantiles(levels: np.ndarray) -> np.ndarray:
    """Q of (S1) at some levels, errors in units of sigma."""
    return np.interp(levels, _LEVELS, _QUANTILES)


def expected_errors(
    errors: np.ndarray,
    origins: np.ndarray,
    z: np.ndarray,
    period: int,
    forecast: np.ndarray,
) -> np.ndarray:
    """Sigma of (S1) for every step ahead: (H,), on the scale of the errors; 0 if nothing moves.

    Parameters
    ----------
    errors : ndarray of shape (O, H)
        Errors from origins inside the history; NaN where one is not known.
    origins : ndarray of int of shape (O,)
        The values known at each.
    z : ndarray of shape (T,)
        The history; NaN where a value is missing.
    period : int
        Steps of a season; 1 is none.
    forecast : ndarray of shape (H,)
        From the end of the history.
    """
    found = facts(errors, origins, z, period, forecast)
    return np.zeros(len(forecast)) if found is None else sigma(*found, np.array([_K, *_B, *_C]))


def expected_of_few(unit: float, horizon: int) -> np.ndarray:
    """Sigma of a series of so few values that its one-step error is a guess from others, (H,)."""
    return np.asarray(unit * np.exp(_B[0]) * np.arange(1.0, horizon + 1.0) ** _B[1])


def facts(
    errors: np.ndarray, origins: np.ndarray, z: np.ndarray, period: int, forecast: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray] | None:
    """What (S1) reads of one series; None if no error is known or nothing moves.

    Returns
    -------
    a : float
    paths : ndarray of shape (H,)
        n_h / h.
    few, many : ndarray of shape (5, H), (5, H)
        The factors of b; log(m_h / a), and the factors of c.
    """
    total, steps = len(z), np.arange(1, errors.shape[1] + 1)
    period = period if period < total else 1
    moves = np.abs(z[period:] - z[:-period])
    moves = moves[~np.isnan(moves)]
    q = float(moves.mean()) if len(moves) else 0.0
    known = ~np.isnan(errors)
    count, size = known.sum(axis=0), np.where(known, np.abs(errors), 0.0)
    a = (float(size[:, 0].sum()) + q) / (count[0] + 1.0)
    if not a > 0.0:
        return None
    mean = _ratio(size.sum(axis=0), count, a)
    weight = 0.5 ** ((total - origins) / max(period, 1.5 * np.sqrt(total)))
    recent = _ratio(weight @ size, weight @ known, mean)
    last = size[known[:, 0], 0][-max(3, period // 2) :]
    now = max(float(last.mean()), _SMALLEST_RATIO * recent[0]) if len(last) else recent[0]
    filled = z[np.maximum.accumulate(np.where(np.isnan(z), 0, np.arange(total)))]
    before = filled[total - period :][(steps - 1) % period]
    log_h, ones = np.log(steps), np.ones(len(steps))
    moved = np.log(max(q / a, _SMALLEST_RATIO))
    return (
        a,
        count / steps,
        np.stack([ones, log_h, log_h * (period > 1), moved * ones, moved * log_h]),
        np.stack(
            [
                np.log(mean / a),
                np.log(recent / mean),
                np.log(recent[0] / a) * ones,
                np.log1p(np.abs(forecast - before) / (a * np.sqrt(steps))),
                np.log(now / recent[0]) * ones,
            ]
        ),
    )


def _ratio(total: np.ndarray, count: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    """The total over the count, at least a share of what is used where there is no count."""
    found = np.where(count > 0.0, total / np.where(count > 0.0, count, 1.0), otherwise)
    return np.maximum(found, _SMALLEST_RATIO * np.asarray(otherwise))


def sigma(
    a: float | np.ndarray, paths: np.ndarray, few: np.ndarray, many: np.ndarray, p: np.ndarray
) -> np.ndarray:
    """(S1) from what :func:`facts` found, with the numbers p = k, b, c."""
    w = paths / (paths + p[0])
    few_say = np.tensordot(p[1:6], few, 1)
    own = many[0] + p[6] * many[1]
    return np.asarray(a * np.exp((1.0 - w) * few_say + w * own + np.tensordot(p[7:], many[2:], 1)))


def blend(quantile: np.ndarray, bound: np.ndarray, share: float) -> np.ndarray:
    """The factor of (S2), (H,), from distances of the bounds; a ratio beyond all is bounded."""
    ratio = np.where(bound != 0.0, quantile / np.where(bound != 0.0, bound, 1.0), 1.0)
    return 1.0 + share * _SHARE * (_WIDER * np.clip(ratio, 1.0 / _FARTHEST, _FARTHEST) - 1.0)
