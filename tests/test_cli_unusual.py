"""The forecast command points out values that look wrong, and uses them as they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_cases import TINY

from throughtime.cli import main

ARGUMENTS = ["forecast", "data.csv", "--target", "sales", "--horizon", "3", *TINY]
DAYS = np.datetime64("2024-01-01") + np.arange(120)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def smooth():
    return 50.0 + np.sin(np.arange(120.0) ** 2).round(3)


def found(y, *extra):
    """What is found in one series, beside rows, span and step."""
    rows = [f"{day},{value}" for day, value in zip(DAYS, y, strict=True)]
    Path("data.csv").write_text("\n".join(["day,sales", *rows, ""]))
    arguments = [*ARGUMENTS, "--network", "never", "--holdout", "0", "--out", "out", "--quiet"]
    assert main([*arguments, *extra]) == 0
    return json.loads(Path("out/metrics.json").read_text("utf-8"))["data"]["findings"][3:]


def test_nothing_is_said_of_ordinary_values(folder):
    assert found(smooth()) == []


def test_one_outlier(folder):
    y = smooth()
    y[40] = 5000.0
    assert found(y) == [
        (
            "Column 'sales' holds 1 value far from all others, 5000 at 2024-02-10. It is used as it"
            " is; correct it, or empty its cell, if it is wrong."
        )
    ]


def test_several_outliers(folder):
    # Of 120 values one may be far from all others; of ten times as many, ten.
    y = np.tile(smooth(), 10)
    y[40], y[77] = 5000.0, 9000.0
    rows = "".join(f"{value}\n" for value in y)
    Path("data.csv").write_text(f"sales\n{rows}")
    arguments = [*ARGUMENTS, "--network", "never", "--holdout", "0", "--out", "out", "--quiet"]
    assert main(arguments) == 0
    findings = json.loads(Path("out/metrics.json").read_text("utf-8"))["data"]["findings"]
    assert findings[-1] == (
        "Column 'sales' holds 2 values far from all others, the farthest 9000 at step 78. They are"
        " used as they are; correct them, or empty their cells, if they are wrong."
    )


def test_a_marker_of_missing_values(folder):
    y = smooth()
    y[[40, 41, 77]] = -999.0
    assert found(y) == [
        (
            "Column 'sales' holds -999 in 3 rows, far from all other values. It counts as a value;"
            " empty these cells if it stands for a missing one."
        )
    ]


def test_a_shift_of_the_level(folder):
    y = smooth()
    y[70:] += 40.0
    assert found(y) == [
        (
            "Column 'sales' moves from a level of about 50.2 to about 90.2 at 2024-03-11 and stays"
            " there. The values before it are used as they are; leave them out if they no longer"
            " tell how it goes on."
        )
    ]


def test_many_series_are_named_and_counted(folder):
    y = smooth()
    y[40] = 5000.0
    rows = [f"s{i},{day},{v}" for i in range(8) for day, v in zip(DAYS, y, strict=True)]
    Path("data.csv").write_text("\n".join(["shop,day,sales", *rows, ""]))
    arguments = [*ARGUMENTS, "--network", "never", "--holdout", "0", "--out", "out", "--quiet"]
    assert main([*arguments, "--id", "shop"]) == 0
    findings = json.loads(Path("out/metrics.json").read_text("utf-8"))["data"]["findings"]
    assert findings[-6] == (
        "Series 's0' holds 1 value far from all others, 5000 at 2024-02-10. It is used as it is;"
        " correct it, or empty its cell, if it is wrong."
    )
    assert findings[-1] == "... and 3 more of this kind."
