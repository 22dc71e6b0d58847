"""Sentences on the data and on what was chosen, for the reader of a forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from throughtime.forecasting.anchor import FEWEST_TO_SMOOTH
from throughtime.forecasting.series import Observed

#: Sentences about single series, at most; a count stands for the others.
_MOST = 5

NETWORK_NOT_ASKED_FOR = (
    "The network is left out, as was asked: the forecast is exponential smoothing alone."
)
TOO_FEW_VALUES = "Too few values are left to learn from, so the forecast is exponential smoothing."
NOTHING_TO_LEARN = "No value leaves the line of smoothing, so there is nothing to learn."
INTERRUPTED = "Training was interrupted; the best weights until then are used."


def on_data(group: Sequence[Observed]) -> list[str]:
    """Sentences on gaps, on short series, and on series that do not vary."""
    notes = []
    for series in group:
        y = series.from_first_value().y
        gaps = int(np.isnan(y).sum())
        if gaps:
            values = "value" if gaps == 1 else "values"
            notes.append(
                f"{series.label} lacks {gaps} of {len(y)} {values}; a gap is marked in the"
                " input, and never learned from or scored."
            )
        if series.count < FEWEST_TO_SMOOTH and series.name is not None:
            held = "one number" if series.count == 1 else f"{series.count} numbers"
            notes.append(
                f"{series.label} holds only {held}, so the last one is repeated, with intervals"
                " like those of the other series."
            )
        elif np.nanmin(y) == np.nanmax(y):
            notes.append(f"{series.label} is constant, and so is its forecast.")
    if len(notes) <= _MOST:
        return notes
    return [*notes[:_MOST], f"... and {len(notes) - _MOST} notes more."]


def on_trust(weight: float) -> str:
    """How much of the network's correction is used, and why."""
    if weight == 0.0:
        return (
            "The network's correction is not used: on the validation data it was no better than"
            " exponential smoothing alone."
        )
    share = "is used whole" if weight == 1.0 else f"counts {100 * weight:.0f} %"
    return (
        f"The network's correction of exponential smoothing {share}, by how sure its gain on the"
        " validation data is."
    )
