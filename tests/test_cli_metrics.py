"""What a program reads of a forecast: metrics.json, --json, holdout.csv, exit code 3."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_cases import TINY, write_table

from throughtime.cli import main

ARGUMENTS = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", *TINY, "--out", "out"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("data.csv")
    return tmp_path


def test_the_metrics_are_those_of_the_report(folder, capsys):
    assert main([*ARGUMENTS, "--json"]) == 0
    out, err = capsys.readouterr()
    metrics = json.loads(out)
    assert err == ""
    assert metrics == json.loads(Path("out/metrics.json").read_text("utf-8"))
    assert metrics["data"]["target"] == ["sales"]
    assert metrics["data"]["read_as"]["time_form"] == "Ymd"
    assert metrics["data"]["frequency"] == "D"
    assert metrics["backtest"]["scores"][0]["method"] == "forecast"
    steps = metrics["backtest"]["by_step"]
    assert steps["step"] == [1, 2, 3, 4, 5, 6, 7]
    mae = metrics["backtest"]["scores"][0]["mae"]
    assert np.mean(steps["mae"]) == pytest.approx(mae)
    with Path("out/holdout.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    errors = [abs(float(row["mean"]) - float(row["actual"])) for row in rows]
    assert np.mean(errors) == pytest.approx(mae)
    assert rows[0]["day"] < rows[-1]["day"]
    assert {"persistence", "drift", "lower_80"} <= rows[0].keys()


def test_without_a_holdout_there_is_no_file_of_it(folder):
    assert main([*ARGUMENTS, "--holdout", "0", "--quiet"]) == 0
    assert not Path("out/holdout.csv").exists()
    assert json.loads(Path("out/metrics.json").read_text("utf-8"))["backtest"] is None


def test_a_forecast_that_is_no_better_has_an_exit_code_of_its_own(folder, capsys):
    noise = np.random.default_rng(0).normal(size=60).cumsum()
    days = np.datetime64("2024-01-01") + np.arange(60)
    rows = "".join(f"{day},{value}\n" for day, value in zip(days, noise, strict=True))
    Path("data.csv").write_text(f"day,sales\n{rows}")
    code = main([*ARGUMENTS, "--fail-if-worse", "--network", "never", "--quiet"])
    good = json.loads(Path("out/metrics.json").read_text("utf-8"))["backtest"]["good"]
    assert (code, good) == (3, False)
    assert capsys.readouterr().err == (
        "throughtime: The forecast is no better than a simpler one; every file was written.\n"
    )
    assert main([*ARGUMENTS, "--fail-if-worse", "--holdout", "0"]) == 2
    assert capsys.readouterr().err == (
        "throughtime: --fail-if-worse must be given with a hold-out; got --holdout 0.\n"
    )


@pytest.mark.parametrize("name", ["forecast.csv", "holdout.csv"])
def test_the_input_is_never_overwritten(folder, capsys, name):
    text = Path("data.csv").read_text()
    Path(name).write_text(text)
    assert main(["forecast", name, "--horizon", "7", *TINY, "--out", "."]) == 2
    assert capsys.readouterr().err == (
        f"throughtime: --out must be another folder; got '.', where {name} is the input.\n"
    )
    assert Path(name).read_text() == text
    assert main([*ARGUMENTS, "--quiet"]) == 0
    Path("out/forecast.csv").write_text(text)
    assert main(["predict", "out/model.safetensors", "out/forecast.csv", "--out", "out"]) == 2
    assert "where forecast.csv is the input" in capsys.readouterr().err
    assert Path("out/forecast.csv").read_text() == text


def backtest_of(*extra):
    assert main([*ARGUMENTS, "--network", "never", "--quiet", *extra]) == 0
    return json.loads(Path("out/metrics.json").read_text("utf-8"))["backtest"]


def test_several_origins_all_count(folder):
    found = backtest_of("--origins", "4")
    assert found["by_origin"]["steps_known"] == [0, 7, 14, 21]
    assert found["refitted"] is False
    mae = found["scores"][0]["mae"]
    assert np.mean(found["by_origin"]["mae"]) == pytest.approx(mae)
    assert np.mean(found["by_step"]["mae"]) == pytest.approx(mae)
    with Path("out/holdout.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["origin"] for row in rows] == [str(o) for o in (70, 77, 84, 91) for _ in range(7)]
    errors = [abs(float(row["mean"]) - float(row["actual"])) for row in rows]
    assert np.mean(errors) == pytest.approx(mae)


def test_origins_overlap_where_the_data_are_short(folder):
    # A third of 98 rows is 32.
    found = backtest_of("--origins", "20")
    assert found["by_origin"]["steps_known"][-1] == 32 - 7
    assert len(found["by_origin"]["steps_known"]) == 20


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (
            [],
            (
                "Forecast from 3 origins, 7 days ahead each; the model was fitted once, before the"
                " first, and not trained again."
            ),
        ),
        (
            ["--refit"],
            "Forecast from 3 origins, 7 days ahead each; the model was fitted anew at each.",
        ),
    ],
)
def test_the_screen_and_the_page_say_how_origins_were_forecast(extra, sentence, folder, capsys):
    assert main([*ARGUMENTS, "--network", "never", "--origins", "3", *extra]) == 0
    assert sentence in " ".join(capsys.readouterr().out.split())
    page = " ".join(Path("out/report.html").read_text("utf-8").split())
    assert sentence in page
    many = "Models that were fitted anew at every origin of the last 21 days forecast them with"
    assert (many in page) == bool(extra)


def test_a_model_can_be_fitted_anew_at_every_origin(folder):
    once = backtest_of("--origins", "3")
    rows = Path("out/holdout.csv").read_text("utf-8").splitlines()
    anew = backtest_of("--origins", "3", "--refit")
    again = Path("out/holdout.csv").read_text("utf-8").splitlines()
    assert (once["refitted"], anew["refitted"]) == (False, True)
    # The column names, and the rows of the first origin.
    assert again[:8] == rows[:8]
    assert again[8:] != rows[8:]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--origins", "0"], "--origins must be an integer >= 1; got 0."),
        (
            ["--origins", "5", "--holdout", "8"],
            (
                "--origins must be at most 2 for --holdout 8 and --horizon 7; got 5."
                " Write --holdout 11 or more."
            ),
        ),
        (
            ["--origins", "2", "--holdout", "0"],
            "--origins must be given with a hold-out; got --holdout 0.",
        ),
        (["--refit", "--holdout", "0"], "--refit must be given with a hold-out; got --holdout 0."),
    ],
)
def test_origins_without_room_are_refused(extra, message, folder, capsys):
    assert main([*ARGUMENTS, *extra]) == 2
    assert capsys.readouterr().err == f"throughtime: {message}\n"
    assert not Path("out").exists()


def test_quantiles_are_the_ends_of_intervals(folder):
    levels = "0.9,0.1,0.025,0.5,0.3"
    assert main([*ARGUMENTS, "--quiet", "--quantiles", levels]) == 0
    with Path("out/forecast.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-5:] == ["q0.025", "q0.1", "q0.3", "q0.5", "q0.9"]
    for row in rows:
        assert (row["q0.1"], row["q0.9"]) == (row["lower_80"], row["upper_80"])
        assert (row["q0.025"], row["q0.5"]) == (row["lower_95"], row["mean"])
        assert float(row["q0.1"]) <= float(row["q0.3"]) <= float(row["q0.5"])


def test_quantiles_of_several_series_stand_in_their_rows(folder):
    write_table("data.csv", rows=60, stores=("a", "b"))
    assert main([*ARGUMENTS, "--id", "store", "--quiet", "--quantiles", "0.9"]) == 0
    with Path("out/forecast.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["store"] for row in rows] == ["a"] * 7 + ["b"] * 7
    assert all(row["q0.9"] == row["upper_80"] for row in rows)


def test_quantiles_of_a_prediction(folder):
    assert main([*ARGUMENTS, "--quiet", "--quantiles", "0.1,0.5"]) == 0
    predict = ["predict", "out/model.safetensors", "data.csv", "--out", "next", "--quiet"]
    assert main([*predict, "--quantiles", "0.1,0.5,0.99"]) == 0
    known, found = (
        list(csv.DictReader(Path(name, "forecast.csv").read_text("utf-8").splitlines()))
        for name in ("out", "next")
    )
    assert list(found[0])[-3:] == ["q0.1", "q0.5", "q0.99"]
    for one, other in zip(known, found, strict=True):
        assert float(other["q0.1"]) == pytest.approx(float(one["q0.1"]))
        assert other["q0.5"] == other["mean"]
        assert float(other["q0.99"]) >= float(other["upper_95"])


def test_the_median_of_demand_that_is_mostly_zero_is_not_its_mean(folder):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(120) < 0.2, 3, 0)
    days = np.datetime64("2024-01-01") + np.arange(120)
    rows = "".join(f"{day},{value}\n" for day, value in zip(days, y, strict=True))
    Path("data.csv").write_text(f"day,sales\n{rows}")
    assert main([*ARGUMENTS, "--quiet", "--quantiles", "0.5,0.95"]) == 0
    with Path("out/forecast.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["q0.5"], row["q0.95"]) for row in rows} == {("croston", "0", "3")}
    assert all(0.3 < float(row["mean"]) < 0.9 for row in rows)


@pytest.mark.parametrize("text", ["1", "0.5,0.5", "half"])
def test_quantiles_that_are_none_are_refused(text, folder, capsys):
    assert main([*ARGUMENTS, "--quantiles", text]) == 2
    assert capsys.readouterr().err == (
        "throughtime: --quantiles must be numbers between 0 and 1 with commas between; got"
        f" {text!r}. Write for example 0.1,0.5,0.9.\n"
    )
