"""The windows that the networks are trained and judged on, and past errors to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.forecasting.anchor import anchor_errors, first_origin, one_step, prepare, spaced
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.inputs import WindowBatch, cut
from throughtime.forecasting.series import Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.sharing import for_each
from throughtime.forecasting.trust import FEWEST_PATHS, Blocks

#: Share of each series, at its end, that validates; at least the horizon, if a third holds it.
_VALIDATION = 0.2
#: The largest share that validates so that it holds the fewest paths that trust needs. What is held
#: back is missed by the first networks only; the second ones learn from all of it.
_MOST_VALIDATION = 0.4
#: Steps that one epoch runs over, at most. With 32 hidden units an epoch then takes 0.2 s on the
#: native engine and 5 s on the reference engine, on one core.
STEP_BUDGET = 60_000
#: Windows allowed whatever their length: four updates of 64 windows in each epoch.
_ALWAYS_ALLOWED = 256
_NO_ORIGINS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class TrainingWindows:
    """What a network is trained and judged on; N windows to train on, M to validate on.

    Attributes
    ----------
    train, validation : WindowBatch
    allowed : ndarray of bool of shape (N, H)
        Which targets of ``train`` may be learned from: those before the validation block.
    later : ndarray of bool of shape (M,)
        Which windows of ``validation`` belong to its later half.
    blocks : Blocks
        Where the windows of ``validation`` lie.
    """

    train: WindowBatch
    allowed: np.ndarray
    validation: WindowBatch
    later: np.ndarray
    blocks: Blocks


@dataclass(frozen=True)
class PastErrors:
    """The anchor's errors in the history of all series, in units of each one's one-step error.

    Attributes
    ----------
    errors : ndarray of shape (O, H)
    unit : ndarray of shape (M,)
        The one-step error of the series that each validation window is from.
    lengths : list of int
        Steps of every series.
    first : list of int
        The first origin of every series.
    """

    errors: np.ndarray
    unit: np.ndarray
    lengths: list[int]
    first: list[int]


def validation_start(horizon: int, total: int) -> int:
    """Where the validation block of a series of ``total`` steps begins."""
    least = min(horizon, total // 3)
    paths = min(int(_MOST_VALIDATION * total) // horizon, FEWEST_PATHS)
    return total - max(1, int(_VALIDATION * total), least, paths * horizon)


def cut_training_windows(
    settings: Settings,
    series: Sequence[Observed],
    anchors: Mapping[Any, Average],
    window: int,
    centre: np.ndarray,
    width: np.ndarray,
) -> tuple[TrainingWindows, PastErrors]:
    """Cut the windows of all ``series``, each long enough for at least one.

    Parameters
    ----------
    anchors : mapping
        The anchor of each series, by name.
    window : int
        Past steps of a window.
    centre, width : ndarray of shape (F,)
        Mean and standard deviation of the covariates.
    """
    horizon = settings.horizon
    share = max(_ALWAYS_ALLOWED, STEP_BUDGET // (window + horizon)) // len(series)
    train, allowed, validation, later = [], [], [], []
    owner: list[np.ndarray] = []
    left: list[np.ndarray] = []
    steps: list[int] = []
    errors, units, lengths, firsts = [], [], [], []
    histories = [prepare(s.from_first_value(), anchors[s.name], centre, width) for s in series]
    pasts = for_each(lambda history: anchor_errors(history, horizon), histories)
    for history, past in zip(histories, pasts, strict=True):
        total, cutoff = len(history.z), validation_start(horizon, len(history.z))
        first = first_origin(history.smoothing, cutoff)
        # After two long cycles there may be nothing left before the validation block.
        early = spaced(first, cutoff - 1, max(share, 4)) if first < cutoff else _NO_ORIGINS
        late = spaced(max(first, cutoff), total - 1, max(share // 4, 2))
        origins = np.concatenate([early, late])
        windows = cut(history, origins, window, horizon, settings.future_covariates)
        own = windows.take(slice(0, len(early)))
        train.append(own)
        allowed.append(own.known & (own.origin[:, None] + np.arange(horizon) < cutoff))
        validation.append(windows.take(slice(len(early), None)))
        later.append(2 * np.arange(len(late)) >= len(late))
        owner.append(np.full(len(late), len(steps)))
        left.append(total - late)
        steps.append(total - cutoff)
        unit = one_step(past) or 1.0
        errors.append(past / unit)
        units.append(np.full(len(late), unit))
        lengths.append(total)
        firsts.append(first)
    return (
        TrainingWindows(
            WindowBatch.join(train),
            np.concatenate(allowed),
            WindowBatch.join(validation),
            np.concatenate(later),
            Blocks(np.concatenate(owner), np.concatenate(left), np.array(steps)),
        ),
        PastErrors(np.concatenate(errors), np.concatenate(units), lengths, firsts),
    )
