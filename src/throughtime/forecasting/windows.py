"""The windows that the networks are trained and judged on, and past errors to compare with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from throughtime.forecasting.anchor import (
    error_unit,
    first_origin,
    fit_average,
    prepare,
    spaced,
)
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.inputs import PreparedSeries, WindowBatch, cut
from throughtime.forecasting.sampling import Sampler
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.sharing import for_each
from throughtime.forecasting.trust import FEWEST_PATHS, Blocks

#: Share of each series, at its end, that validates; at least the horizon, if a third holds it.
_VALIDATION = 0.2
#: The largest share that validates so that it holds the fewest paths that trust needs. What is held
#: back is missed by the first networks only; the second ones learn from all of it.
_MOST_VALIDATION = 0.4
#: Steps that the windows of the validation blocks hold, at most, unless each block holds few.
_VALIDATION_STEPS = 60_000


@dataclass(frozen=True)
class TrainingWindows:
    """What networks are trained and judged on; M windows to validate on.

    Attributes
    ----------
    train, everything : Sampler
        Windows to learn from, before the validation blocks and in the whole history.
    validation : WindowBatch
    earlier : list of PreparedSeries
        The S series, with anchors that were found before the validation blocks. The first networks
        learn to correct these and are judged on them, because an anchor forecasts the history that
        it was found on better than what follows.
    later : ndarray of bool of shape (M,)
        Which windows of ``validation`` belong to its second half: the later ones of each block.
    units : ndarray of shape (S,)
        The one-step error of the anchor of each of ``earlier``; 1 where there is none.
    blocks : Blocks
        Where the windows of ``validation`` lie.
    """

    train: Sampler
    everything: Sampler
    validation: WindowBatch
    earlier: list[PreparedSeries]
    later: np.ndarray
    units: np.ndarray
    blocks: Blocks


def validation_start(horizon: int, total: int) -> int:
    """Where the validation block of a series of ``total`` steps begins."""
    least = min(horizon, total // 3)
    paths = min(int(_MOST_VALIDATION * total) // horizon, FEWEST_PATHS)
    return total - max(1, int(_VALIDATION * total), least, paths * horizon)


def cut_training_windows(
    settings: Settings,
    series: Sequence[Observed],
    anchors: Mapping[Any, Average],
    candidates: Sequence[float],
    window: int,
    centre: np.ndarray,
    width: np.ndarray,
) -> TrainingWindows:
    """Cut the windows of all ``series``, each long enough for at least one.

    Parameters
    ----------
    anchors : mapping
        The anchor of each series, by name.
    candidates : sequence of float
        Periods that smoothing may use, 1 standing for none.
    window : int
        Past steps of a window.
    centre, width : ndarray of shape (F,)
        Mean and standard deviation of the covariates.
    """
    horizon, ahead = settings.horizon, settings.future_covariates
    most = _VALIDATION_STEPS // ((window + horizon) * len(series))
    observed = [one.from_first_value() for one in series]
    shared = settings, candidates, window, centre, width, most
    both = [(one, anchors[one.name]) for one in observed]
    held_out = for_each(_hold_out, shared, both, settings.executor, doing="preparing windows")
    histories = [prepare(*pair, centre, width) for pair in both]
    earlier = [held.earlier for held in held_out]
    firsts = [held.first for held in held_out]
    starts = [held.start for held in held_out]
    lengths = [len(one) for one in observed]
    validation = [held.windows for held in held_out]
    count = [len(block.origin) for block in validation]
    owner = np.repeat(np.arange(len(histories)), count)
    # Of blocks that hold one window, those of every other series are the second half.
    later = [2 * np.arange(n) + (n == 1) * (i % 2) >= n for i, n in enumerate(count)]
    left = [total - block.origin for total, block in zip(lengths, validation, strict=True)]
    return TrainingWindows(
        Sampler(earlier, firsts, starts, window, horizon, ahead),
        Sampler(histories, firsts, lengths, window, horizon, ahead),
        WindowBatch.join(validation),
        earlier,
        np.concatenate(later),
        np.array([held.unit for held in held_out]),
        Blocks(owner, np.concatenate(left), np.array(lengths) - np.array(starts)),
    )


class _HeldOut(NamedTuple):
    """The validation block of one series.

    Attributes
    ----------
    start : int
        Where it begins.
    first : int
        The first origin that anything is learned from.
    earlier : PreparedSeries
        The series with the anchor that was found before the block.
    windows : WindowBatch
    unit : float
        The one-step error of that anchor; 1 where there is none.
    """

    start: int
    first: int
    earlier: PreparedSeries
    windows: WindowBatch
    unit: float


def _hold_out(
    settings: Settings,
    candidates: Sequence[float],
    window: int,
    centre: np.ndarray,
    width: np.ndarray,
    most: int,
    known: tuple[Observed, Average],
) -> _HeldOut:
    """The validation block of one series.

    Parameters
    ----------
    most : int
        Windows, at most, unless that is less than it has paths.
    known : tuple of Observed and Average
        The series from its first known value on, and its anchor.
    """
    one, anchor = known
    horizon, total = settings.horizon, len(one)
    start = validation_start(horizon, total)
    before = fit_average(one.until(start), settings, candidates)
    if before.logs and (one.y <= 0.0).any():
        # Values that came later have no logarithm.
        plain = dataclasses.replace(settings, transform="none")
        before = fit_average(one.until(start), plain, candidates)
    earlier = prepare(one, before, centre, width)
    # After two long cycles there may be nothing left before the validation block.
    first = max(first_origin(found.principal, start) for found in (anchor, before))
    begin = max(first, start)
    paths = (total - start) // horizon
    # Whole paths, where the block holds one: late origins would see the first steps alone.
    origins = spaced(begin, max(begin, total - horizon), max(most, paths, 2))
    windows = cut(earlier, origins, window, horizon, settings.future_covariates)
    return _HeldOut(start, first, earlier, windows, error_unit(earlier, horizon) or 1.0)
