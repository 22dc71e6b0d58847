"""The commands from beginning to end, on tiny series with few epochs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_cases import NAMES, TINY, names, read_csv, write_table

import throughtime
from throughtime.cli import main
from throughtime.forecasting import Forecaster


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with one finished forecast, for those who only read it."""
    place = tmp_path_factory.mktemp("finished")
    write_table(place / "data.csv")
    arguments = ["forecast", str(place / "data.csv"), "--target", "sales", "--horizon", "7"]
    assert main([*arguments, *TINY, "--out", str(place / "out"), "--quiet"]) == 0
    return place


def test_forecast_says_what_it_found_and_how_good_it_is(folder, capsys):
    write_table("data.csv")
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", *TINY]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for text in (
        "sales, from data.csv",
        "98 rows; columns 'day', 'store', 'price', 'sales'",
        "daily, without gaps",
        "Error on the last 7 days, held out",
        "this forecast",
        "persistence",
        "seasonal naive",
        "sales: the next 7 days",
        "2024-04-08",
        "data-forecast/report.html",
    ):
        assert text in out
    assert names("data-forecast") == NAMES


def test_forecast_writes_its_files(finished):
    assert names(finished) == ["data.csv", "out"]
    assert names(finished / "out") == NAMES
    header, rows = read_csv(finished / "out" / "forecast.csv")
    assert header == ["day", "mean", "lower_80", "upper_80", "lower_95", "upper_95", "method"]
    assert [row[0] for row in rows] == [f"2024-04-{day:02d}" for day in range(8, 15)]
    numbers = np.array([row[1:-1] for row in rows], dtype=float)
    mean, low80, high80, low95, high95 = numbers.T
    assert (low95 <= low80).all()
    assert (low80 <= mean).all()
    assert (mean <= high80).all()
    assert (high80 <= high95).all()
    page = (finished / "out" / "report.html").read_text(encoding="utf-8")
    assert "sales: the next 7 days" in page
    command = "throughtime forecast .*data.csv --target sales --horizon 7 --epochs 2"
    assert re.search(command, page)
    assert (finished / "out" / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_every_network_has_one_curve_for_training_and_one_for_validation(folder, monkeypatch):
    told = {}
    monkeypatch.setattr(
        "throughtime.cli.results.forecast_page", lambda story: told.update(story.curves) or ""
    )
    write_table("data.csv")
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", *TINY, "--quiet"]
    assert main(arguments) == 0
    assert list(told) == ["network 1", "network 2"]
    assert all(len(train) == len(validation) <= 2 for train, validation in told.values())


def test_the_model_holds_what_the_table_was(finished):
    model = Forecaster.load(finished / "out" / "model.safetensors")
    assert model.metadata == {
        "target": "sales",
        "time": "day",
        "id": None,
        "covariates": [],
        "frequency": {"unit": "microsecond", "count": 86_400_000_000, "day": 1},
        "last": {"sales": "2024-04-07T00:00:00.000000"},
        "dayfirst": None,
        "reading": {
            "targets": ["sales"],
            "times": ["day"],
            "id": None,
            "options": {"time_form": "Ymd", "duplicates": "error"},
        },
    }
    _, rows = read_csv(finished / "out" / "forecast.csv")
    np.testing.assert_allclose(model.predict().mean, [float(row[1]) for row in rows], rtol=1e-9)


def test_the_same_seed_gives_the_same_bytes(finished, folder):
    arguments = ["forecast", str(finished / "data.csv"), "--target", "sales", "--horizon", "7"]
    assert main([*arguments, *TINY, "--out", "again", "--quiet"]) == 0
    for name in ("forecast.csv", "forecast.png", "model.safetensors"):
        assert Path("again", name).read_bytes() == (finished / "out" / name).read_bytes()


def test_quiet_is_silent(folder, capsys):
    write_table("data.csv")
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", *TINY]
    assert main([*arguments, "--holdout", "0", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_without_a_holdout_there_is_no_table_of_errors(folder, capsys):
    write_table("data.csv")
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", *TINY]
    assert main([*arguments, "--holdout", "0"]) == 0
    out = capsys.readouterr().out
    assert "persistence" not in out
    assert "sales: the next 7 days" in out
    assert "nothing says how good this forecast is" in Path("data-forecast/report.html").read_text(
        encoding="utf-8"
    )


def test_smoothing_alone_is_a_choice(folder, capsys):
    write_table("data.csv")
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", "--network"]
    assert main([*arguments, "never"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "No network was asked for, so the forecast is exponential smoothing" in out
    forecast = Forecaster.load("data-forecast/model.safetensors").predict()
    np.testing.assert_array_equal(forecast.mean, forecast.anchor)
    assert forecast.times[0] == np.datetime64("2024-04-08")
    assert main([*arguments, "often"]) == 2
    assert capsys.readouterr().err == (
        "throughtime: --network must be one of 'auto', 'never'; got 'often'.\n"
    )


def test_what_is_delivered_is_said_everywhere(folder, capsys):
    """Every phase of the season goes its own way, so the last season is the best forecast."""
    y = 50.0 + np.random.default_rng(0).normal(size=(30, 7)).cumsum(axis=0).ravel()
    days = np.datetime64("2024-01-01") + np.arange(len(y))
    rows = [f"{day},{value}" for day, value in zip(days, y.tolist(), strict=True)]
    Path("data.csv").write_text("\n".join(["day,sales", *rows]))
    arguments = ["forecast", "data.csv", "--horizon", "7", "--season", "7", *TINY, "--out", "out"]
    assert main(arguments) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "This forecast is seasonal naive, with a mean absolute error of " in out
    assert "Delivered is seasonal naive: in " in out
    assert "delivered: seasonal naive" in out
    header, table = read_csv("out/forecast.csv")
    assert header[-1] == "method"
    assert {row[-1] for row in table} == {"seasonal naive"}
    np.testing.assert_array_equal([float(row[1]) for row in table], y[-7:])
    metrics = json.loads(Path("out/metrics.json").read_text("utf-8"))
    assert (metrics["model"]["use"], metrics["model"]["delivered"]) == ("best", "seasonal naive")
    assert metrics["backtest"]["made_by"] == {"seasonal naive": 1}
    page = Path("out/report.html").read_text("utf-8")
    assert "This forecast is seasonal naive, which did best before the hold-out." in page
    assert main([*arguments, "--use", "smoothing"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Delivered is exponential smoothing, by --use smoothing." in out
    assert {row[-1] for row in read_csv("out/forecast.csv")[1]} == {"smoothing"}
    assert main([*arguments, "--use", "naive", "--network", "never"]) == 2
    assert capsys.readouterr().err == (
        "throughtime: --use must be 'best' or 'smoothing' with --network never; got 'naive'. Leave"
        " --network never out.\n"
    )


def test_several_series_and_covariates_of_the_future(folder, capsys):
    write_table("data.csv", rows=70, ahead=7, stores=("north", "south"))
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", "--id", "store"]
    assert main([*arguments, "--covariates", "price", *TINY, "--intervals", "0.9"]) == 0
    out = capsys.readouterr().out
    assert "id 'store': 2 series of 77 steps" in out
    assert "Covariates of the steps ahead are in the table and are used." in out
    header, rows = read_csv("data-forecast/forecast.csv")
    assert header == ["store", "day", "mean", "lower_90", "upper_90", "method"]
    assert [row[0] for row in rows] == ["north"] * 7 + ["south"] * 7
    assert rows[0][1] == "2024-03-11"


def test_covariates_of_a_naive_forecast_are_said_to_be_unused(folder, capsys):
    write_table("data.csv", rows=70, ahead=7)
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7"]
    assert main([*arguments, "--covariates", "price", *TINY, "--use", "naive"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "The covariates are not used: a naive forecast reads none." in out
    assert "are used." not in out


def test_covariates_of_the_past_alone(folder, capsys):
    write_table("data.csv")
    arguments = ["forecast", "data.csv", "--target", "sales", "--horizon", "7", *TINY]
    assert main([*arguments, "--covariates", "price", "--holdout", "0"]) == 0
    assert "Only the past of the covariates is used." in " ".join(capsys.readouterr().out.split())


def test_predict_continues_from_the_whole_history(finished, folder, capsys):
    write_table("newer.csv", rows=105)
    model = str(finished / "out" / "model.safetensors")
    assert main(["predict", model, "newer.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "The table is taken as the whole history; nothing was trained." in out
    assert names("newer-prediction") == ["forecast.csv", "forecast.png"]
    _, rows = read_csv("newer-prediction/forecast.csv")
    assert [row[0] for row in rows] == [f"2024-04-{day}" for day in range(15, 22)]


def test_predict_continues_from_new_rows_alone(finished, folder, capsys):
    write_table("whole.csv", rows=105)
    header, *rows = Path("whole.csv").read_text().splitlines()
    Path("new.csv").write_text("\n".join([header, *rows[98:]]))
    model = str(finished / "out" / "model.safetensors")
    assert main(["predict", model, "new.csv", "--out", "new", "--horizon", "3"]) == 0
    assert "The new rows continue the history in the model" in capsys.readouterr().out
    assert main(["predict", model, "whole.csv", "--out", "whole", "--horizon", "3", "--quiet"]) == 0
    new, whole = (read_csv(f"{name}/forecast.csv")[1] for name in ("new", "whole"))
    assert [row[0] for row in new] == ["2024-04-15", "2024-04-16", "2024-04-17"]
    np.testing.assert_allclose(
        np.array([row[1:-1] for row in new], float), np.array([row[1:-1] for row in whole], float)
    )


def test_predict_continues_from_one_new_row(finished, folder, capsys):
    Path("new.csv").write_text("day,store,price,sales\n2024-04-08,,10,95\n")
    model = str(finished / "out" / "model.safetensors")
    assert main(["predict", model, "new.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "The new rows continue the history in the model" in out
    assert "warning" not in out
    _, rows = read_csv("new-prediction/forecast.csv")
    assert [row[0] for row in rows] == [f"2024-04-{day:02d}" for day in range(9, 16)]
    assert main(["predict", model, "new.csv"]) == 0
    out = capsys.readouterr().out
    assert "new-prediction/forecast.csv  1 kB, in place of an older one" in out


def test_predict_says_that_steps_are_missing(finished, folder, capsys):
    Path("new.csv").write_text("day,store,price,sales\n2024-04-10,,10,95\n")
    assert main(["predict", str(finished / "out" / "model.safetensors"), "new.csv"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "warning 2 steps are missing after 2024-04-07, the end of the history" in out


def test_predict_refuses_rows_of_another_step(finished, folder, capsys):
    rows = "".join(f"2024-{month:02d}-01,,10,{month}\n" for month in range(1, 13))
    Path("new.csv").write_text(f"day,store,price,sales\n{rows}")
    assert main(["predict", str(finished / "out" / "model.safetensors"), "new.csv"]) == 2
    assert capsys.readouterr().err == (
        "throughtime: new.csv must have the step of the data that the model was trained on, daily;"
        " got monthly. To forecast these data, train on them: throughtime forecast.\n"
    )
    assert names() == ["new.csv"]


def write_dates(path, day_and_month):
    """Three years of months, written in numbers."""
    months = [(year, month) for year in (2021, 2022, 2023) for month in range(1, 13)]
    rows = [f"{day_and_month.format(month)}/{year},{month}" for year, month in months]
    Path(path).write_text("\n".join(["month,sales", *rows]))


def test_the_order_of_day_and_month_is_said_and_kept(folder, capsys):
    write_dates("data.csv", "01/{:02d}")
    assert main(["forecast", "data.csv", "--horizon", "3", *TINY, "--out", "out"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "Dates like 01/01/2021 are read as day, month, year, which makes them monthly."
        " --no-dayfirst reads them the other way."
    ) in said
    Path("new.csv").write_text("month,sales\n01/02/2024,5\n")
    model = ["predict", "out/model.safetensors", "new.csv", "--quiet", "--out"]
    assert main([*model, "kept"]) == 0
    assert read_csv("kept/forecast.csv")[1][0][0] == "01/03/2024"
    # Read the other way it is the second of January.
    assert main([*model, "other", "--no-dayfirst"]) == 0
    assert read_csv("other/forecast.csv")[1][0][0] == "02/01/2024"


def test_predict_goes_no_further_than_the_model(finished, folder, capsys):
    model = str(finished / "out" / "model.safetensors")
    assert main(["predict", model, str(finished / "data.csv"), "--horizon", "8"]) == 2
    assert capsys.readouterr() == (
        "",
        "throughtime: --horizon must be an integer from 1 to 7; got 8.\n",
    )
    assert names() == []


def test_predict_with_columns_that_were_renamed(finished, folder):
    text = (finished / "data.csv").read_text().replace("day,", "when,").replace("sales", "sold")
    Path("renamed.csv").write_text(text)
    model = str(finished / "out" / "model.safetensors")
    assert (
        main(["predict", model, "renamed.csv", "--target", "sold", "--time", "when", "--quiet"])
        == 0
    )
    assert read_csv("renamed-prediction/forecast.csv")[0][:2] == ["when", "mean"]


def test_info_describes_the_installation(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"throughtime {throughtime.__version__}\n")
    for text in ("Python", np.__version__, "reference", "threads", "typer"):
        assert text in out
    # Extras that nothing uses yet are not spoken of.
    assert "onnx" not in out


def test_info_describes_a_forecaster(finished, capsys):
    assert main(["info", str(finished / "out" / "model.safetensors")]) == 0
    out = capsys.readouterr().out
    for text in ("forecaster", "sales", "GRU", "Dense", "parameters", "horizon", "2024-04-07"):
        assert text in out


def test_info_describes_a_network(tmp_path, capsys):
    net = throughtime.Network([throughtime.layers.LSTM(3), throughtime.layers.Dense(2)], 4)
    net.save(tmp_path / "net.safetensors")
    assert main(["info", str(tmp_path / "net.safetensors")]) == 0
    out = capsys.readouterr().out
    for text in ("network", "LSTM", "Dense", "104"):
        assert text in out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["forecast", "--help"]])
def test_help(arguments, capsys):
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "throughtime" in out


def test_help_says_what_a_flag_is_and_what_is_needed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    for command in (["--help"], ["forecast", "--help"], ["predict", "--help"]):
        assert main(command) == 0
        assert "<bool>" not in (out := capsys.readouterr().out)
        assert ("required with a data file" in out) == (command[0] == "forecast")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"throughtime {throughtime.__version__}\n", "")


def test_help_and_version_load_nothing_heavy():
    code = (
        "import json, sys; from throughtime.cli import main; main(['--help']); main(['--version']);"
        " print(json.dumps(sorted(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    heavy = {"matplotlib", "pandas", "pyarrow", "sklearn", "jax", "jinja2", "safetensors"}
    assert heavy & loaded == set()
    assert "throughtime.training" not in loaded


@pytest.mark.parametrize(
    ("given", "threads"),
    [({}, "1"), ({"OMP_NUM_THREADS": "2"}, None), ({"MKL_NUM_THREADS": "4"}, None)],
)
def test_numpy_multiplies_on_one_thread_unless_told_otherwise(given, threads):
    code = (
        "import os, sys; from throughtime.cli import main; main(['--version']);"
        " print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    )
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=clean | given, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == str(threads)
