"""New data beside the history in a model: which steps they are, and what is missing between."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.cli.source import History
from throughtime.data.series import format_times
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import DataError
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import Forecaster
    from throughtime.forecasting.series import Observed

WHOLE = "The table is taken as the whole history; nothing was trained."
CONTINUED = "The new rows continue the history that is in the model; nothing was trained."


@dataclasses.dataclass(frozen=True)
class Joined:
    """One series of new data, put behind what the model has seen of it.

    Attributes
    ----------
    part : History
        With the times and values of the whole.
    covariates : ndarray of shape (T, C)
        Of the steps of the whole.
    note : str
        How they were put together.
    gap : int
        Steps that are missing between the two.
    after : str
        The end of the model's history, where there is a gap.
    """

    part: History
    covariates: np.ndarray
    note: str
    gap: int = 0
    after: str = ""


def step_of(known: dict[str, Any]) -> Frequency | None:
    """The step of the data that a model was trained on, if there was one."""
    step = known.get("frequency")
    return None if step is None or known.get("time") is None else Frequency(**step)


def check_step(table: Table, step: Frequency | None) -> None:
    """Refuse a table whose rows are farther apart, or nearer, than those the model knows.

    Raises
    ------
    DataError
        It names both steps.
    """
    if step is None or table.time is None:
        return
    for series in table.series:
        found = series.frequency
        if found is None or (found.unit, found.count) != (step.unit, step.count):
            raise DataError(
                f"{table.path.name} must have the step of the data that the model was trained on,"
                f" {step.name}; got {'irregular rows' if found is None else found.name}."
                " To forecast these data, train on them: throughtime forecast."
            )


def join(
    model: Forecaster, known: dict[str, Any], parts: Sequence[History], many: bool
) -> list[Joined]:
    """Put every series behind what the model has seen of it.

    A table that begins no later than the history in the model, or whose times say nothing, is
    the whole history.
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
            joined.append(_behind(part, old, end, step, model.horizon))
    return joined


def _behind(part: History, old: Observed, end: Any, step: Frequency, horizon: int) -> Joined:
    """``part`` behind the series ``old`` of a model, whose last value is of the time ``end``."""
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
            f"series {part.name!r} must continue the history that is in the model, which ends at"
            f" {ends}; got rows from {begins} on, with {words.plural(gap, 'step')} missing between."
            " Add the rows between, or train again with throughtime forecast."
        )
    between = np.full((gap, 1 + own.shape[1]), np.nan)
    values = np.concatenate([old.y[:kept], between[:, 0], part.values])
    covariates = np.concatenate([old.covariates[:kept], between[:, 1:], own])
    note = CONTINUED
    if kept < len(old):
        note = (
            f"The table begins inside the history that is in the model: from {begins} on, its"
            " values count; nothing was trained."
        )
    return Joined(part.after(values, step), covariates, note, gap, ends if gap else "")


def notes_of(joined: Sequence[Joined], window: int) -> list[str]:
    """How the series were put together, each way once."""
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
    return [f"{said}. The gap is passed over, and the intervals do not allow for it."]
