"""New data for a model: how they continue the history that it holds, and what is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.cli.series import CutSeries
from throughtime.data.series import format_times
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import DataError, sentence
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import Forecaster
    from throughtime.forecasting.series import Observed

WHOLE = "The table is taken as the whole history; nothing was trained."
CONTINUED = "The new rows continue the history in the model; nothing was trained."


@dataclasses.dataclass(frozen=True)
class Joined:
    """One series: the history in the model, continued by new data.

    Attributes
    ----------
    part : CutSeries
        The times and values of both together.
    covariates : ndarray of shape (T, C)
        The covariates of the same steps.
    note : str
        How the two were put together.
    gap : int
        Steps that are missing between the two.
    after : str
        The last time of the history in the model, where there is a gap.
    """

    part: CutSeries
    covariates: np.ndarray
    note: str
    gap: int = 0
    after: str = ""


def step_of(known: dict[str, Any]) -> Frequency | None:
    """The step of the data that a model was trained on, if they had one."""
    step = known.get("frequency")
    return None if step is None or known.get("time") is None else Frequency(**step)


def check_step(table: Table, step: Frequency | None) -> None:
    """Refuse a table with another step than the data that the model was trained on.

    Raises
    ------
    DataError
        If the steps differ; the message names both.
    """
    if step is None or table.time is None:
        return
    for series in table.series:
        found = series.frequency
        if found is None or (found.unit, found.count) != (step.unit, step.count):
            raise DataError(
                sentence(
                    table.path.name,
                    f"the step of the data that the model was trained on, {step.name}",
                    "irregular rows" if found is None else found.name,
                    "To forecast these data, train on them: throughtime forecast.",
                    must="have",
                )
            )


def join(
    model: Forecaster, known: dict[str, Any], parts: Sequence[CutSeries], many: bool
) -> list[Joined]:
    """Continue the history in the model with the new data, series by series.

    A table that begins no later than the history in the model, or has no times to compare, is taken
    as the whole history.
    """
    seen = {one.name: one for one in model.fitted.group.series}
    step, last = step_of(known), known.get("last", {})
    joined = []
    for part in parts:
        # A single series has no name in the model, and its column may have been renamed.
        old = seen.get(part.name if many else None)
        end = last.get(part.name) if many else next(iter(last.values()), None)
        if old is None or step is None or end is None:
            joined.append(Joined(part, part.covariates[: part.until_now], WHOLE))
        else:
            joined.append(_continue(part, old, end, step, model.horizon))
    return joined


def _continue(part: CutSeries, old: Observed, end: Any, step: Frequency, horizon: int) -> Joined:
    """The series ``old`` of a model, which ends at the time ``end``, continued by ``part``."""
    last = np.datetime64(end, "us") if isinstance(end, str) else end
    start, own = part.times[0], part.covariates[: part.until_now]
    kept = len(old)
    gap = 0
    if start > last:
        gap = int(step.positions(np.array([last, start]))[1]) - 1
    else:
        kept -= 1 + int(step.positions(np.array([start, last]))[1])
    if kept <= 0:
        return Joined(part, own, WHOLE)
    begins, ends = (format_times(np.array([time]))[0] for time in (start, last))
    if gap > max(horizon, len(part.values)):
        raise DataError(
            sentence(
                f"series {part.name!r}",
                f"the history in the model, which ends at {ends}",
                f"rows from {begins} on, with {words.plural(gap, 'step')} missing between",
                "Add the rows between, or train again with throughtime forecast.",
                must="continue",
            )
        )
    between = np.full((gap, 1 + own.shape[1]), np.nan)
    values = np.concatenate([old.y[:kept], between[:, 0], part.values])
    covariates = np.concatenate([old.covariates[:kept], between[:, 1:], own])
    note = CONTINUED
    if kept < len(old):
        note = (
            f"The table begins inside the history in the model and replaces it from {begins} on;"
            " nothing was trained."
        )
    return Joined(part.with_history(values, step), covariates, note, gap, ends if gap else "")


def notes_of(joined: Sequence[Joined], window: int) -> list[str]:
    """How the series were put together: one sentence for each way."""
    notes = []
    for note in dict.fromkeys(one.note for one in joined):
        count = sum(one.note == note for one in joined)
        notes.append(note if count == len(joined) else f"{count} of {len(joined)} series: {note}")
    if any(one.note == WHOLE for one in joined):
        shortest = min(len(one.part.values) for one in joined if one.note == WHOLE)
        if shortest < window:
            notes.append(
                f"That is {words.plural(shortest, 'step')}, fewer than the {window} that the model"
                " reads."
            )
    return notes


def warnings_of(joined: Sequence[Joined]) -> list[str]:
    """What is missing between the history in the model and the new rows."""
    broken = [one for one in joined if one.gap]
    if not broken:
        return []
    worst = max(broken, key=lambda one: one.gap)
    count = words.plural(worst.gap, "step")
    if len(joined) == 1:
        verb = "is" if worst.gap == 1 else "are"
        said = f"{count} {verb} missing after {worst.after}, the end of the history in the model"
    else:
        some = f"{len(broken)} of {len(joined)} series"
        said = f"In {some} up to {count} are missing after the end of the history in the model"
    return [f"{said}. The gap is ignored, and the intervals are not wider for it."]
