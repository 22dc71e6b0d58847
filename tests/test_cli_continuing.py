"""New data after the data that a model was fitted to."""

from types import SimpleNamespace

import numpy as np
import pytest

from throughtime.cli.continuing import CONTINUED, WHOLE, check_step, join, notes_of, warnings_of
from throughtime.cli.series import CutSeries
from throughtime.data.series import Series
from throughtime.data.tables.files import read_table
from throughtime.data.tables.frequency import Frequency
from throughtime.errors import DataError
from throughtime.forecasting.series import Observed

WEEK = np.timedelta64(7, "D")
WEEKS = np.datetime64("2024-01-06", "us") + WEEK * np.arange(60)
STEP = {"unit": "microsecond", "count": 7 * 86_400_000_000, "day": 1}
WEEKLY = Frequency(**STEP)
SEEN = np.arange(5.0)


def cut(values, times=WEEKS, covariates=None, name="sales"):
    values = np.asarray(values, dtype=float)
    series = Series.from_arrays(
        values, times[: len(values)], covariates, name=name, frequency=WEEKLY
    )
    return CutSeries.of(series)


def model(horizon=3, names=(None,), covariates=0):
    """A stand-in for a forecaster that has seen the first five weeks."""
    series = [Observed(name, SEEN, np.zeros((5, covariates))) for name in names]
    return SimpleNamespace(
        fitted=SimpleNamespace(group=SimpleNamespace(series=series)), horizon=horizon
    )


def known(last=str(WEEKS[4]), frequency=STEP, time="week", names=("sales",)):
    return {"last": dict.fromkeys(names, last), "frequency": frequency, "time": time}


def joined(part, description=None, **arguments):
    (one,) = join(model(**arguments), description or known(), [part], many=False)
    return one


def test_one_new_row_continues_the_history():
    one = joined(cut([5], WEEKS[5:]))
    assert one.part.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert (one.part.times == WEEKS[:6]).all()
    assert (one.part.future(2) == WEEKS[6:8]).all()
    assert one.covariates.shape == (6, 0)
    assert (one.note, one.gap) == (CONTINUED, 0)
    assert warnings_of([one]) == []
    assert notes_of([one], 24) == [CONTINUED]


def test_a_column_that_was_renamed_continues_too():
    assert joined(cut([5], WEEKS[5:], name="sold")).note == CONTINUED


def test_steps_between_are_missing_and_said_aloud():
    one = joined(cut([7, 8], WEEKS[7:]))
    np.testing.assert_array_equal(one.part.values, [0, 1, 2, 3, 4, np.nan, np.nan, 7, 8])
    (warning,) = warnings_of([one])
    assert warning == (
        "2 steps are missing after 2024-02-03, the end of the history in the model. The gap is"
        " ignored, and the intervals are not wider for it."
    )
    single = joined(cut([6], WEEKS[6:]))
    assert warnings_of([single])[0].startswith("1 step is missing after 2024-02-03, ")


def test_covariates_between_are_missing_too():
    one = joined(cut([6, 7], WEEKS[6:], np.ones((2, 1))), covariates=1)
    np.testing.assert_array_equal(one.covariates[:, 0], [0, 0, 0, 0, 0, np.nan, 1, 1])


def test_data_from_far_away_are_refused():
    with pytest.raises(DataError) as caught:
        joined(cut([9, 10], WEEKS[9:]))
    assert str(caught.value) == (
        "series 'sales' must continue the history in the model, which ends at 2024-02-03;"
        " got rows from 2024-03-09 on, with 4 steps missing between. Add the rows between, or train"
        " again with throughtime forecast."
    )
    # As many rows as are missing outweigh the gap.
    assert joined(cut([9, 10, 11, 12], WEEKS[9:])).gap == 4


def test_a_table_that_begins_inside_the_history_replaces_its_end():
    one = joined(cut([30, 40, 50], WEEKS[3:]))
    assert one.part.values.tolist() == [0, 1, 2, 30, 40, 50]
    assert one.note == (
        "The table begins inside the history in the model and replaces it from 2024-01-27 on;"
        " nothing was trained."
    )


@pytest.mark.parametrize(
    ("first", "description"),
    [
        (0, known()),
        (5, known(frequency=None)),
        (5, known(time=None)),
        (5, {}),
    ],
)
def test_other_data_are_the_whole_history(first, description):
    (one,) = join(model(), description, [cut([8, 9], WEEKS[first:])], many=False)
    assert one.part.values.tolist() == [8, 9]
    assert notes_of([one], 24) == [
        WHOLE,
        "That is 2 steps, fewer than the 24 that the model reads.",
    ]


def test_numbers_as_times_continue_too():
    series = Series.from_arrays([5.0, 6.0], np.array([11, 12]), name="sales")
    part = CutSeries.of(series)
    one = joined(part, known(10, {"unit": "number", "count": 1, "day": 1}, "year"))
    assert one.part.values.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert one.part.future(1).tolist() == [13]


def test_several_series_are_put_together_one_by_one():
    parts = [cut([6], WEEKS[6:], name="a"), cut([7], WEEKS[7:], name="b")]
    parts.append(cut([1, 2], name="new"))
    both = join(model(names=("a", "b")), known(names=("a", "b")), parts, many=True)
    assert [one.gap for one in both] == [1, 2, 0]
    assert notes_of(both, 2) == [f"2 of 3 series: {CONTINUED}", f"1 of 3 series: {WHOLE}"]
    (warning,) = warnings_of(both)
    assert warning == (
        "In 2 of 3 series up to 2 steps are missing after the end of the history in the model. The"
        " gap is ignored, and the intervals are not wider for it."
    )


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (range(1, 20), "daily"),
        ((1, 2, 7, 19, 20), "irregular rows"),
    ],
)
def test_another_step_than_that_of_the_model_is_refused(days, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "".join(f"2024-01-{day:02d},{day}\n" for day in days)
    (tmp_path / "new.csv").write_text(f"day,y\n{text}")
    monthly = Frequency("month")
    table = read_table("new.csv", "y", "day", frequency=monthly)
    with pytest.raises(DataError) as caught:
        check_step(table, monthly)
    assert str(caught.value) == (
        "new.csv must have the step of the data that the model was trained on, monthly; got"
        f" {found}. To forecast these data, train on them: throughtime forecast."
    )
    check_step(table, None)
