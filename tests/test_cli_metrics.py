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
