"""Bad input: one clear line, exit code 2, no traceback, nothing left behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from throughtime.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What is asked for must not depend on the width of somebody's terminal.
    monkeypatch.setenv("COLUMNS", "100")
    days = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(84)]
    rows = [f"{day},{i % 7},{i % 3},{'north' if i % 2 else 'south'}" for i, day in enumerate(days)]
    header = "day,sales,price,store"
    Path("good.csv").write_text("\n".join([header, *rows]))
    text = [*rows]
    text[40] = text[40].replace(",5,", ",many,", 1)
    Path("text.csv").write_text("\n".join([header, *text]))
    Path("empty_target.csv").write_text("\n".join([header, *(f"{day},,1,north" for day in days)]))
    Path("short.csv").write_text("\n".join([header, *rows[:2]]))
    Path("empty.csv").write_text("")
    Path("header.csv").write_text(header)
    Path("binary.csv").write_bytes(bytes(range(256)) * 20)
    Path("bad.safetensors").write_bytes(b"\x10" + b"\x00" * 7 + b"not what it claims to be at all")
    Path("short.safetensors").write_bytes(b"\xff" * 5)
    Path("empty.safetensors").write_bytes(b"")
    Path("pickle.safetensors").write_bytes(b"\x80\x04.")
    Path("a_folder").mkdir()
    Path("broken").symlink_to("nowhere")
    return tmp_path


GOOD = ["forecast", "good.csv", "--target", "sales", "--horizon", "7"]

BEFORE_READING = {
    "no horizon": (
        ["forecast", "good.csv", "--target", "sales"],
        "--horizon must say how many steps to forecast; got nothing. Add for example --horizon 12.",
    ),
    "horizon 0": (
        ["forecast", "good.csv", "--target", "sales", "--horizon", "0"],
        "--horizon must be an integer >= 1; got 0.",
    ),
    "horizon below 0": (
        ["forecast", "--horizon", "-3"],
        "--horizon must be an integer >= 1; got -3.",
    ),
    "columns without a file": (
        ["forecast", "--target", "sales"],
        (
            "a data file must be named together with --target, --time, --id or --covariates; got"
            " none. Write: throughtime forecast data.csv --target COLUMN --horizon STEPS"
        ),
    ),
    "no units": (
        [*GOOD, "--hidden-size", "0"],
        "--hidden-size must be an integer from 1 to 10000; got 0.",
    ),
    "no layers": ([*GOOD, "--layers", "0"], "--layers must be an integer from 1 to 100; got 0."),
    "more layers than memory": (
        [*GOOD, "--layers", "100000"],
        "--layers must be an integer from 1 to 100; got 100000.",
    ),
    "no window": ([*GOOD, "--window", "0"], "--window must be an integer >= 1; got 0."),
    "no epochs": ([*GOOD, "--epochs", "0"], "--epochs must be an integer >= 1; got 0."),
    "seed below 0": ([*GOOD, "--seed", "-1"], "--seed must be an integer >= 0; got -1."),
    "holdout below 0": ([*GOOD, "--holdout", "-1"], "--holdout must be an integer >= 0; got -1."),
    "unknown cell": (
        [*GOOD, "--cell", "gruu"],
        (
            "--cell must be one of 'gru', 'lstm', 'rnn', 'mingru', 'minlstm', 'indrnn', 'lru'; got"
            " 'gruu'. Did you mean 'gru'?"
        ),
    ),
    "intervals": (
        [*GOOD, "--intervals", "eighty"],
        (
            "--intervals must be numbers between 0 and 1 with commas between; got 'eighty'."
            " Write for example 0.8,0.95."
        ),
    ),
    "season": (
        [*GOOD, "--season", "weekly"],
        "--season must be auto, none, or a number of steps > 1; got 'weekly'.",
    ),
    "output below a file": (
        [*GOOD, "--out", "good.csv/out"],
        "--out must be a folder that can be written to; got 'good.csv/out' (Not a directory).",
    ),
    "output is a file": (
        [*GOOD, "--out", "good.csv"],
        "--out must be a folder; got 'good.csv', a file.",
    ),
    "output below a broken link": (
        [*GOOD, "--out", "broken/out"],
        (
            "--out must be a folder that can be written to; got 'broken/out' (No such file or"
            " directory)."
        ),
    ),
    "output of a name that is too long": (
        [*GOOD, "--out", f"new/{'x' * 256}"],
        (
            f"--out must be a folder that can be written to; got 'new/{'x' * 52}... (File name too"
            " long)."
        ),
    ),
    "data of a name that is too long": (
        ["forecast", "x" * 256, "--target", "sales", "--horizon", "7", "--out", "out"],
        f"{'x' * 256} must be readable; got: File name too long.",
    ),
    "output in a system folder": (
        [*GOOD, "--out", "/proc/out"],
        (
            "--out must be a folder that can be written to; got '/proc/out' (No such file or"
            " directory)."
        ),
    ),
    "missing file": (
        ["forecast", "none.csv", "--target", "sales", "--horizon", "7"],
        "none.csv must be a file; there is none of this name.",
    ),
    "folder": (
        ["forecast", "a_folder", "--target", "sales", "--horizon", "7"],
        "a_folder must be a file; got a folder.",
    ),
    "wrong column": (
        ["forecast", "good.csv", "--target", "sale", "--horizon", "7"],
        (
            "--target must be a column of good.csv; got 'sale'. Did you mean 'sales'? The columns"
            " are 'day', 'sales', 'price', 'store'."
        ),
    ),
    "wrong time": (
        [*GOOD, "--time", "date"],
        (
            "--time must be a column of good.csv; got 'date'. The columns are 'day', 'sales',"
            " 'price', 'store'."
        ),
    ),
    "wrong id": (
        [*GOOD, "--id", "shop"],
        (
            "--id must be a column of good.csv; got 'shop'. The columns are 'day', 'sales',"
            " 'price', 'store'."
        ),
    ),
    "wrong covariate": (
        [*GOOD, "--covariates", "prize"],
        (
            "--covariates must be a column of good.csv; got 'prize'. Did you mean 'price'? The"
            " columns are 'day', 'sales', 'price', 'store'."
        ),
    ),
    "covariate of text": (
        [*GOOD, "--covariates", "store"],
        "covariate column 'store' of good.csv must hold numbers; got 'south' in row 2.",
    ),
    "no target": (
        ["forecast", "good.csv", "--horizon", "7"],
        (
            "--target must be one of the columns of numbers of good.csv ('sales', 'price'); got"
            " nothing. --all takes every one of them as a series."
        ),
    ),
    "text in the target": (
        ["forecast", "text.csv", "--target", "sales", "--horizon", "7"],
        (
            "target column 'sales' of text.csv must hold numbers; got 'many' in row 42. Leave the"
            " cell empty if its value is missing."
        ),
    ),
    "nothing in the target": (
        ["forecast", "empty_target.csv", "--target", "sales", "--horizon", "7"],
        "target column 'sales' of empty_target.csv must hold numbers; got 84 empty cells.",
    ),
    "empty file": (
        ["forecast", "empty.csv", "--target", "sales", "--horizon", "7"],
        "empty.csv must hold a table; the file is empty.",
    ),
    "binary file": (
        ["forecast", "binary.csv", "--target", "sales", "--horizon", "7"],
        (
            "binary.csv must be a table (CSV, Parquet, Arrow, JSON lines, .xlsx or .ods);"
            " it is binary."
        ),
    ),
    "model that is none": (
        ["predict", "bad.safetensors", "good.csv"],
        (
            "bad.safetensors is not a usable forecaster file: its header is damaged or of another"
            " format."
        ),
    ),
    "model cut short": (
        ["predict", "short.safetensors", "good.csv"],
        "short.safetensors is not a usable forecaster file: it is cut short.",
    ),
    "empty model": (
        ["predict", "empty.safetensors", "good.csv"],
        "empty.safetensors is not a usable forecaster file: it is empty.",
    ),
    "pickle": (
        ["predict", "pickle.safetensors", "good.csv"],
        (
            "pickle.safetensors is not a usable forecaster file: it is a pickle, which could run"
            " code and is never opened."
        ),
    ),
    "data as model": (
        ["info", "good.csv"],
        "good.csv is not a usable model file: it is cut short or of another format.",
    ),
    "missing model": (
        ["predict", "none.safetensors", "good.csv"],
        "none.safetensors cannot be read: No such file or directory.",
    ),
    "missing model for info": (
        ["info", "none.safetensors"],
        "none.safetensors cannot be read: No such file or directory.",
    ),
    "unknown option": (
        ["forecast", "--horizn", "7"],
        "No such option: --horizn",
    ),
    "unknown command": (["forcast"], "No such command 'forcast'."),
    "number that is none": (
        ["forecast", "--horizon", "week"],
        "--horizon must be an integer >= 1; got 'week'.",
    ),
    "number that is none, behind an equals sign": (
        ["forecast", "--seed=1.5"],
        "--seed must be an integer >= 0; got '1.5'.",
    ),
    "season that is too long": (
        [*GOOD, "--season", "1000"],
        (
            "--season must be at most 44, because a season must be seen twice to be learned; got"
            " 1000. The series has 88 steps."
        ),
    ),
    "hold-out that leaves nothing": (
        [*GOOD, "--holdout", "88"],
        "--holdout must leave something to learn from; got 88 of the 88 values of column 'sales'.",
    ),
    "hold-out that leaves too little": (
        [*GOOD, "--holdout", "86"],
        (
            "--holdout 86 leaves too little to learn from: column 'sales' must hold at least 3"
            " numbers; got 2 before the hold-out. Hold fewer steps out."
        ),
    ),
    "nothing to predict": (["predict"], "Missing argument"),
}
#: Typer words these, and may word them anew.
BY_TYPER = {"unknown option", "unknown command", "nothing to predict"}
#: These are found once the table was read and described.
AFTER_READING = {
    "season that is too long",
    "hold-out that leaves nothing",
    "hold-out that leaves too little",
}


#: What a system folder says depends on the system.
LINUX = {"output in a system folder"}


def files(folder):
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@pytest.mark.parametrize("case", BEFORE_READING)
def test_bad_input_is_one_line(case, folder, capsys):
    if case in LINUX and sys.platform != "linux":
        pytest.skip("there is no /proc")
    arguments, message = BEFORE_READING[case]
    before = files(folder)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out == "") == (case not in AFTER_READING)
    if case in BY_TYPER:
        assert err.startswith(f"throughtime: {message}")
        assert err.endswith((".\n", "?\n"))
    else:
        assert err == f"throughtime: {message}\n"
    assert err.count("\n") == 1
    assert files(folder) == before


@pytest.mark.parametrize("extra", [[], ["--holdout", "2"], ["--holdout", "0"]])
def test_a_series_that_is_too_short(extra, folder, capsys):
    before = files(folder)
    arguments = ["forecast", "short.csv", "--target", "sales", "--horizon", "7", "--epochs", "1"]
    assert main([*arguments, *extra]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("throughtime: ")
    assert "sales, from short.csv" in out
    assert files(folder) == before


@pytest.mark.parametrize("module", ["typer", "rich", "matplotlib", "jinja2"])
def test_a_missing_extra_is_named_before_any_work(module, folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    before = files(folder)
    assert main(GOOD) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("throughtime: ")
    assert err.endswith(
        f" needs the package {module!r}, which is not installed."
        " Run: pip install 'throughtime[cli]' (in a clone: pip install '.[cli]')\n"
    )
    assert files(folder) == before


def test_bad_input_of_a_real_process():
    run = subprocess.run(
        [sys.executable, "-m", "throughtime", "forecast", "none.csv", "--horizon", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == ("throughtime: none.csv must be a file; there is none of this name.\n")
