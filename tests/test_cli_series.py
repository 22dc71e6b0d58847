"""Many series: one that is too short does not stop the others."""

import json
from pathlib import Path

import pytest
from cli_cases import read_csv

from throughtime.cli import main

ARGUMENTS = ["forecast", "data.csv", "--horizon", "3", "--network", "never", "--out", "out"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_series(**sizes):
    """Write daily values of several series, so many of each."""
    rows = [
        f"{name},2024-01-{day:02d},{10 + day % 3}"
        for name, size in sizes.items()
        for day in range(1, size + 1)
    ]
    Path("data.csv").write_text("\n".join(["shop,day,units", *rows, ""]))


def findings_and_left_out():
    data = json.loads(Path("out/metrics.json").read_text("utf-8"))["data"]
    return data["findings"], data["left_out"]


def test_a_series_of_one_row_is_left_out_and_named(folder):
    write_series(north=30, new=1, south=30)
    assert main([*ARGUMENTS, "--target", "units", "--id", "shop", "--quiet"]) == 0
    findings, left_out = findings_and_left_out()
    assert findings[-1] == ("Series 'new' is left out: with one row there is no step to forecast.")
    assert left_out == {"new": "it has one row"}
    assert {row[0] for row in read_csv("out/forecast.csv")[1]} == {"north", "south"}


def test_several_of_one_row_are_left_out_beside_an_empty_one(folder):
    write_series(north=30, new=1, newer=1)
    with Path("data.csv").open("a") as file:
        file.write("closed,2024-01-01,\nclosed,2024-01-02,\n")
    assert main([*ARGUMENTS, "--target", "units", "--id", "shop", "--quiet"]) == 0
    findings, left_out = findings_and_left_out()
    assert findings[-1] == (
        "Series 'new', 'newer' are left out: with one row there is no step to forecast."
    )
    assert left_out == {
        "closed": "all its values are missing",
        "new": "it has one row",
        "newer": "it has one row",
    }


def test_series_that_are_all_too_short_are_refused(folder, capsys):
    write_series(new=1, newer=1)
    assert main([*ARGUMENTS, "--target", "units", "--id", "shop", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "throughtime: the longest series must hold at least 3 numbers; got 1.\n"
    )
    assert not Path("out").exists()


def test_counts_without_the_hold_out_say_so(folder):
    write_series(only=5)
    assert main([*ARGUMENTS, "--target", "units", "--quiet"]) == 0
    notes = json.loads(Path("out/metrics.json").read_text("utf-8"))["model"]["notes"]
    assert notes[0] == (
        "No part could be held out, so the error of the forecast is not known: column 'units' must"
        " hold at least 3 numbers; got 2 before the hold-out."
    )


def test_years_that_are_numbers_are_called_years(folder, capsys):
    rows = [f"{1980 + i},{10 + i % 3}" for i in range(40)]
    Path("data.csv").write_text("\n".join(["year,units", *rows, ""]))
    assert main([*ARGUMENTS, "--target", "units"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "units: the next 3 years" in out
    assert "Error on the last 3 years, held out" in out
    assert "units was 10.00 in 2019; the forecast for 2022 is" in out
