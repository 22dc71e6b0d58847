"""The parts of the command line that need no training."""

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import rich.console

from throughtime.cli import failures, main, options, series
from throughtime.cli.console import ProgressBar, Screen
from throughtime.cli.output import check_folder, staged
from throughtime.cli.predict_request import PredictRequest
from throughtime.cli.requests import ForecastRequest
from throughtime.cli.results import write_csv
from throughtime.cli.training import Training
from throughtime.cli.wording import Wording
from throughtime.data.series import Series
from throughtime.data.tables.files import read_table
from throughtime.errors import (
    Argument,
    DataError,
    DivergedError,
    InvalidArgumentError,
    Message,
    Setting,
    sentence,
)
from throughtime.forecasting import Forecast, Progress, Stage

# -- files that appear all at once ------------------------------------------------------------


def test_a_new_folder_appears_with_everything_in_it(tmp_path):
    target = tmp_path / "a" / "b"
    with staged(target) as folder:
        (folder / "one").write_text("1")
        assert not target.exists()
    assert [p.name for p in target.iterdir()] == ["one"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_new_folder_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with staged(tmp_path / "out") as folder:
            (folder / "one").write_text("1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750


def test_files_of_an_existing_folder_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "one").write_text("old")
    (tmp_path / "mine").write_text("mine")
    with staged(tmp_path) as folder:
        (folder / "one").write_text("new")
        assert (tmp_path / "one").read_text() == "old"
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"one": "new", "mine": "mine"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("exists", [True, False])
def test_after_an_error_everything_is_as_it_was(tmp_path, error, exists):
    target = tmp_path / "deep" / "out"
    if exists:
        target.mkdir(parents=True)
        (target / "one").write_text("old")

    def fail():
        with staged(target) as folder:
            (folder / "one").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    left = {p.name: p.read_text() for p in target.iterdir()} if exists else {}
    assert left == ({"one": "old"} if exists else {})
    assert [p.name for p in tmp_path.iterdir()] == (["deep"] if exists else [])


def test_checking_a_folder_leaves_nothing_behind(tmp_path):
    check_folder(tmp_path / "a" / "b", ["one"])
    check_folder(tmp_path, ["one"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("out/report.html").mkdir(parents=True)
    cases = {
        "file": "--out must be a folder; got 'file', a file.",
        "file/out": "--out must be a folder that can be written to; got 'file/out'"
        " (Not a directory).",
        "a\0b": "--out must be a folder that can be written to; got 'a\\x00b'"
        " (embedded null byte).",
        "out": "--out must have room for report.html; got 'out', where that is a folder.",
    }
    for folder, message in cases.items():
        with pytest.raises(InvalidArgumentError) as caught:
            check_folder(Path(folder), ["report.html"])
        assert str(caught.value) == message


# -- from a table to a forecaster, and back ---------------------------------------------------

WEEK = np.timedelta64(7, "D")
WEEKS = np.datetime64("2024-01-06", "us") + WEEK * np.arange(20)


def cut(values, times=WEEKS, covariates=None, name="sales"):
    values = np.asarray(values, dtype=float)
    whole = Series.from_arrays(values, times[: len(values)], covariates, name=name)
    return series.CutSeries.of(whole)


def test_a_series_is_cut_after_its_last_value():
    part = cut([1, np.nan, 3, np.nan, np.nan], covariates=np.arange(5.0)[:, None])
    assert part.values.tolist()[0::2] == [1, 3]
    assert len(part.times) == 3
    assert part.rows_ahead == 2
    # Times that the table has come first, then those that continue them.
    assert (part.future(4) == WEEKS[3:7]).all()
    assert (part.future(1) == WEEKS[3:4]).all()


def test_covariates_are_cut_into_past_and_future():
    part = cut([1, 2, np.nan, np.nan], covariates=np.arange(4.0)[:, None])
    assert series.covariates_until_now([part], many=False).tolist() == [[0], [1]]
    assert series.covariates_ahead([part], many=True, steps=2)["sales"].tolist() == [[2], [3]]
    assert series.covariates_until_now([cut([1, 2])], many=False) is None
    with pytest.raises(DataError) as caught:
        series.covariates_ahead([part], many=False, steps=3)
    assert str(caught.value) == (
        "the data must hold the covariates of all 3 steps ahead, in rows with an empty target;"
        " got 2 such rows."
    )


@pytest.mark.parametrize(
    ("text", "shares"), [("0.8", (0.8,)), ("0.95,0.5", (0.5, 0.95)), (" .9 ", (0.9,))]
)
def test_intervals_are_read(text, shares):
    assert options.coverages("--intervals", text) == shares


@pytest.mark.parametrize("text", ["", "80", "0.8;0.9", "0.8,", "0", "1", "nan", "0.8,0.8", "x"])
def test_intervals_that_make_no_sense(text):
    with pytest.raises(InvalidArgumentError) as caught:
        options.coverages("--intervals", text)
    assert str(caught.value) == (
        f"--intervals must be numbers between 0 and 1 with commas between; got {text!r}."
        " Write for example 0.8,0.95."
    )


@pytest.mark.parametrize(
    ("text", "season"),
    [("auto", "auto"), ("none", None), ("12", 12), ("52.18", 52.18), ("24,168", [24, 168])],
)
def test_seasons_are_read(text, season):
    assert options.season("--season", text) == season


@pytest.mark.parametrize("text", ["", "week", "1", "-7", "inf", "nan", "7,"])
def test_seasons_that_make_no_sense(text):
    with pytest.raises(InvalidArgumentError) as caught:
        options.season("--season", text)
    assert str(caught.value) == (
        f"--season must be auto, none, or a number of steps > 1; got {text!r}."
    )


def test_names_of_columns_are_read():
    assert options.names("--covariates", "a, b,,c ") == ("a", "b", "c")
    assert options.names("--covariates", "") == ()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (sentence("y", "3 rows", "2", must="have"), "column 'sales' must have 3 rows; got 2."),
        (Message("{n} of {y}", n=3), "3 of column 'sales'"),
        (Message("{y} lacks 5.", y=Argument("y", "no 1")), "series 'no 1' lacks 5."),
        (Message("{y} lacks 5.", y=Argument("y", 3)), "series 3 lacks 5."),
        (sentence("X", "short", "long"), "the covariates must be short; got long."),
        (
            sentence(Argument("X_future", "no 1"), "short", "long"),
            "the covariates of the steps ahead of series 'no 1' must be short; got long.",
        ),
        ("only y, as it stands.", "only y, as it stands."),
    ],
)
def test_the_arguments_of_the_forecaster_are_columns_and_series(said, meant):
    assert Wording(PredictRequest, "sales").say(said) == meant


def test_a_target_that_is_not_known_has_no_name():
    assert Wording(PredictRequest).say(Message("{y} is short.")) == "y is short."


def test_csv_of_a_forecast(tmp_path):
    mean = np.array([1.5, 1e-12, 123456.789012345])
    forecast = Forecast(np.arange(1, 4), mean, {0.8: (mean - 1, mean + 1)}, mean, 5)
    path = tmp_path / "f.csv"
    (tmp_path / "t.csv").write_text(
        'week,store,y\n6.1.2024,"n, s",1\n13.1.2024,"n, s",2\n6.1.2024,=1+1,3\n13.1.2024,=1+1,4\n'
    )
    table = read_table(tmp_path / "t.csv", "y", id="store")
    columns = forecast.to_columns()
    rows = [("n, s", WEEKS[:3], columns), ("=1+1", WEEKS[1:4], columns)]
    assert write_csv(path, table, rows) == 6
    assert path.read_text().splitlines()[:5] == [
        "store,week,mean,lower_80,upper_80",
        '"n, s",6.1.2024,1.5,0.5,2.5',
        '"n, s",13.1.2024,0.000000000001,-0.999999999999,1.000000000001',
        '"n, s",20.1.2024,123456.789012345,123455.789012345,123457.789012345',
        "'=1+1,13.1.2024,1.5,0.5,2.5",
    ]
    (tmp_path / "t.csv").write_text("y\n1\n2\n")
    table = read_table(tmp_path / "t.csv")
    assert write_csv(path, table, [("x", np.arange(7, 10), columns)]) == 3
    assert path.read_text().splitlines()[:2] == ["step,mean,lower_80,upper_80", "7,1.5,0.5,2.5"]


# -- what is printed --------------------------------------------------------------------------


def test_a_quiet_screen_prints_nothing(capsys):
    screen = Screen(quiet=True)
    screen.headline("a")
    screen.line("b")
    screen.facts("c", ["d"])
    screen.table(["e"], [["f"]])
    assert capsys.readouterr() == ("", "")


def test_what_stands_in_the_data_is_no_markup(capsys):
    screen = Screen()
    screen.headline("[bold]a[/bold]")
    screen.line("[red]b")
    screen.facts("label", ["[/nonsense] c"])
    screen.table(["[x]"], [["[y]", "1"], ["[/z]", "2"]])
    out = capsys.readouterr().out
    for text in ("[bold]a[/bold]", "[red]b", "[/nonsense] c", "[x]", "[y]", "[/z]"):
        assert text in out


def test_a_narrow_terminal_gets_fewer_columns_and_whole_numbers(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    header = ["time", "mean", "80 % interval", "95 % interval"]
    Screen().table(header, [["2024-01-01", "1,234.5", "1,200.0 to 1,300.0", "1,100.0 to 1,400.0"]])
    out = capsys.readouterr().out
    assert "1,200.0 to 1,300.0" not in out
    assert "The terminal is too narrow for: 80 %" in out
    assert max(map(len, out.splitlines())) <= 40
    monkeypatch.setenv("COLUMNS", "60")
    Screen().table(header, [["2024-01-01", "1,234.5", "1,200.0 to 1,300.0", "1,100.0 to 1,400.0"]])
    out = capsys.readouterr().out
    assert "1,200.0 to 1,300.0" in out
    assert "too narrow for: 95 % interval." in out


SHORTER = Message("Use a shorter {horizon} or {window}, or not.")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (sentence("holdout", "3", "2"), "--holdout must be 3; got 2."),
        (
            Message("{a} and {b}", a=Setting("horizon", 12), b=Setting("window", 8)),
            "--horizon 12 and --window 8",
        ),
        (SHORTER, "Use a shorter --horizon or --window, or not."),
        (Message("Name their column ({id})."), "Name their column (--id)."),
        (sentence("num_layers", "1", "0"), "--layers must be 1; got 0."),
        (sentence("coverages", "1", "0"), "--intervals must be 1; got 0."),
        (Message("{a} wins", a=Setting("dayfirst", True)), "--dayfirst wins"),
        (Message("{a} wins", a=Setting("dayfirst", False)), "--no-dayfirst wins"),
        (Message("{a} wins", a=Setting("lr", 1)), "lr=1 wins"),
        ("target column 'y' of a.csv, horizon=3", "target column 'y' of a.csv, horizon=3"),
        (DataError("plain, horizon=3.").message, "plain, horizon=3."),
    ],
)
def test_arguments_are_called_by_their_options(said, meant):
    assert Wording(ForecastRequest).say(said) == meant


def test_a_way_out_that_a_command_does_not_have_is_omitted():
    error = DataError(sentence("y", "longer", "3", SHORTER))
    with pytest.raises(DataError) as caught, Wording(PredictRequest, "sales").errors():
        raise error
    assert str(caught.value) == "column 'sales' must be longer; got 3."


def test_empty_covariates_ahead_are_counted():
    part = cut([1, 2, np.nan, np.nan], covariates=np.array([[1.0], [2.0], [np.nan], [4.0]]))
    (sentence,) = series.note_on_empty_cells_ahead([part], 2)
    assert sentence == (
        "1 of 2 covariate values of the steps ahead are empty; each counts as the mean of its"
        " column."
    )
    assert series.note_on_empty_cells_ahead([cut([1, 2])], 2) == []


def test_no_bar_where_nobody_looks(capsys):
    with Screen().progress() as bar:
        bar.show(Progress(Stage.TRAINING, 1, 10, 0.5, 0.6))
        bar.count("smoothing", 1, 3)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal():
    stream = io.StringIO()
    bar = ProgressBar(rich.console.Console(file=stream, force_terminal=True, width=100))
    bar.show(Progress(Stage.TRAINING, 1, 10, 0.5, None, member=1, members=2))
    bar.count("smoothing", 812, 3000)
    bar.close()
    bar.close()
    assert "smoothing 812 of 3,000" in stream.getvalue()
    assert "loss" not in stream.getvalue().rpartition("smoothing")[2]


def test_lines_do_not_end_with_blanks(capsys):
    screen = Screen()
    screen.facts("label", ["one", "a longer sentence " * 9])
    screen.sentence("another sentence " * 9)
    screen.table(["name", "value"], [["a", "1"], ["longer", ""]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 8
    assert [line for line in lines if line != line.rstrip()] == []
    assert all(len(line) <= screen.out.width for line in lines)


# -- what goes wrong --------------------------------------------------------------------------


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InvalidArgumentError("a\nb  c."), 2, "a b c."),
        (DivergedError("it diverged."), 1, "it diverged."),
        (KeyboardInterrupt(), 130, "Stopped by Ctrl-C; nothing was written."),
        (failures.StoppedEarly("early."), 130, "early."),
        (OSError(28, "No space left on device", "x.csv"), 1,
         "x.csv cannot be used: No space left on device."),
        (MemoryError(), 1,
         "There is not enough memory: choose a smaller --hidden-size, --window or --layers."),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_a_code(error, code, line, capsys):
    assert failures.exit_code_of(raising(error)) == code
    assert capsys.readouterr() == ("", f"throughtime: {line}\n")


def test_an_error_that_nobody_foresaw_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        failures.exit_code_of(raising(ZeroDivisionError()))


def test_a_model_that_chose_again_is_said_to(monkeypatch):
    """The errors are those of the model that was scored, which may have chosen differently."""
    chosen = {
        "season": "10 steps", "transform": "none", "weight of the network": "0 %",
        "delivered": "network",
    }  # fmt: skip
    again = chosen | {"season": "38 steps", "weight of the network": "77 %"}
    monkeypatch.setattr("throughtime.cli.training.settings_of", lambda model: model)
    work = Training.__new__(Training)
    work.notes = []
    work._note_differences(chosen, chosen)
    assert work.notes == []
    work._note_differences(chosen, again)
    (note,) = work.notes
    assert note == (
        "The model that was scored has not seen the hold-out, the one that forecasts has, and they"
        " chose differently: season 10 steps, then 38 steps; weight of the network 0 %, then 77 %."
        " The errors are those of the first."
    )


@pytest.mark.parametrize("command", ["forecast", "predict", "info", "demo"])
def test_every_help_names_files_and_exit_codes(command, capsys):
    assert main([command, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    codes = "0 done; 1 the work failed; 2 the input cannot be used; "
    codes += "3 no better than a simpler forecast, with --fail-if-worse; " * (command == "forecast")
    assert f"Exit codes: {codes}130 stopped by Ctrl-C; 143 stopped by SIGTERM." in said
    files = {
        "forecast": "metrics.json",
        "predict": "forecast.csv",
        "info": "no file",
        "demo": ".svg",
    }
    assert files.get(command, ".svg") in said
