"""Whatever words a command is given, it answers in one line: never with a traceback."""

import random
from pathlib import Path

import numpy as np
import pytest
from cli_cases import names, write_table

from throughtime.cli import main
from throughtime.forecasting import Forecaster

#: What people and programs put where a value belongs.
VALUES = [
    "", " ", "0", "-1", "1e9", "nan", "inf", "9" * 30, "9" * 5000, "1.5", "a", "ü", "\udcff",
    "a\0b", "auto", "none", "1,2", "0.5,0.5", ",", "'", "--", "-", "[bold]x", "{y}",
    "{0.__class__}", "%s", "sales", "day", "1_0", "0x10", "x" * 300,
]  # fmt: skip
PATHS = [
    "none.csv", "", ".", "/", "a\0b", "x" * 300, "\udcff.csv", "loop", "broken", "/dev/null",
    "model.safetensors", "empty.csv", "binary.csv", "folder", "data.csv/x", "new/" + "y" * 256,
]  # fmt: skip
NAMES = [
    "--target", "--horizon", "--time", "--id", "--covariates", "--season", "--holdout", "--cell",
    "--hidden-size", "--layers", "--network", "--window", "--epochs", "--seed", "--intervals",
    "--dayfirst", "--no-dayfirst", "--quiet", "--nope", "-x", "--horizon=x", "--out",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    # Two rows are too few to forecast, so what has no mistake ends before training.
    write_table(folder / "data.csv", rows=2)
    Forecaster(3, network="never").fit(np.arange(40.0)).save(folder / "model.safetensors")
    (folder / "empty.csv").write_text("")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "broken").symlink_to("nowhere")
    return folder


def odd_words(seed):
    """A command line with a mistake in it, most often of a single word."""
    rng = random.Random(seed)
    command = rng.choice(["forecast", "forecast", "predict", "info", "demo", "", "forcast"])
    words = [command]
    if command == "predict":
        words.append(rng.choice(["model.safetensors", rng.choice(PATHS)]))
    words.append(rng.choice(["data.csv", rng.choice(PATHS)]))
    words += ["--target", "sales", "--horizon", "3"] if command == "forecast" else []
    for name in rng.sample(NAMES, rng.choice([0, 1, 1, 2])):
        words.append(name)
        if name not in ("--dayfirst", "--no-dayfirst", "--quiet", "--horizon=x"):
            words.append(rng.choice(PATHS if name == "--out" else VALUES))
    return words


@pytest.mark.parametrize("block", range(10))
def test_odd_words_get_one_line(block, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = names()
    for seed in range(40 * block, 40 * block + 40):
        words = odd_words(seed)
        code = main(words)
        out, err = capsys.readouterr()
        assert code in (0, 2), words
        assert err.count("\n") == (code != 0), words
        assert err.startswith("throughtime: ") == (code != 0), words
        assert "Traceback" not in out + err, words
    assert [name for name in names() if name not in before] == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"note": "mine"},
        {"target": 3, "covariates": 5},
        {"target": "y", "covariates": [], "time": None, "id": None, "dayfirst": None,
         "frequency": None, "last": {}},
        {"target": "y", "covariates": [], "time": "t", "id": None, "dayfirst": None,
         "frequency": {"unit": "year", "count": 1, "day": 1}, "last": {"y": "2024-01-01"}},
        {"target": "y", "covariates": [], "time": "t", "id": None, "dayfirst": None,
         "frequency": {"unit": "month", "count": 10**40, "day": 1}, "last": {"y": "2024-01-01"}},
        {"target": "y", "covariates": [], "time": "t", "id": None, "dayfirst": None,
         "frequency": {"unit": "month", "count": 1, "day": 1}, "last": {"y": 7}},
        {"target": "y", "covariates": [], "time": "t", "id": None, "dayfirst": None,
         "frequency": None, "last": {"y": "2024-01-01"},
         "reading": {"targets": [], "times": [], "id": None, "options": {"nope": 1}}},
    ],
)  # fmt: skip
def test_metadata_of_another_program_are_left_alone(metadata, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = Forecaster(3, network="never").fit(np.arange(40.0))
    model.metadata = metadata
    model.save("model.safetensors")
    write_table("data.csv", rows=30)
    assert main(["info", "model.safetensors"]) == 0
    assert "not described" in capsys.readouterr().out
    assert main(["predict", "model.safetensors", "data.csv", "--target", "sales"]) == 0
    assert Path("data-prediction/forecast.csv").exists()
