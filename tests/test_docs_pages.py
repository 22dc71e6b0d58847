"""Pages of the documentation name files, rooms and pictures that are there.

The site's own build runs every example, and checks that every public name, option and picture has
its place and its words; see ``docs/_ext``.
"""

import json
import re
from pathlib import Path

import pytest
from test_architecture import ORDER

from throughtime import cli
from throughtime.cli import failures, forecast, predict

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "throughtime"
ARCHITECTURE = (DOCS / "explanation" / "architecture.md").read_text("utf-8")
PAGES = sorted(page for page in DOCS.rglob("*.md") if not page.name.startswith("_"))
INDEXES = [DOCS / room / "index.md" for room in ("tutorials", "how-to", "reference", "explanation")]


def test_the_rooms_stand_in_the_order_of_their_imports():
    found = re.search(r'ORDER = """(.*?)"""', ARCHITECTURE, re.DOTALL)
    assert found is not None
    assert found[1].split() == [room for room in ORDER if not room.startswith("_")]


def test_files_that_the_architecture_names_are_there():
    table = ARCHITECTURE.split("## Where is ...?")[1].split("## ")[0]
    named = re.findall(r"`([\w/]+(?:\.py|\.cpp|/))`", table)
    assert len(named) > 12
    for name in named:
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_pictures_have_words(page):
    text = page.read_text("utf-8")
    for words in re.findall(r"!\[(.*?)\]\(", text):
        assert len(words) > 15
    for words in re.findall(r"^ +alt: (.*)$", text, re.MULTILINE):
        assert len(words) > 40


def test_figures_of_the_first_page_are_those_of_the_benchmarks():
    text = (DOCS / "index.md").read_text("utf-8")
    results = (ROOT / "benchmarks" / "results.md").read_text("utf-8")
    means = re.search(
        r"^\| geometric mean \|[ |]*\| ([\d.]+) \| ([\d.]+) \|", results, re.MULTILINE
    )
    wheel = re.search(r"^Our wheel: ([\d.]+ MB)", results, re.MULTILINE)
    rows = len(
        re.findall(
            r"^\| (?:rnn|gru|lstm) \| .* \|",
            results.split("## A training step")[1].split("## ")[0],
            re.MULTILINE,
        )
    )
    assert means is not None
    assert wheel is not None
    assert f"PyTorch {means[1]} times" in text
    assert f"JAX {means[2]} times, in the mean of {rows} tasks" in text
    assert wheel[1] in text


def test_the_command_line_page_names_every_file_column_and_exit_code(tmp_path):
    """Its commands and options are written from the program, so they cannot be missing."""
    page = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    table = tmp_path / "sales.csv"
    rows = "".join(f"2020-{month:02d}-01,{month % 5}\n" for month in range(1, 13))
    table.write_text("month,units\n" + rows)
    folder = tmp_path / "result"
    options = ["--horizon", "2", "--season", "4", "--network", "never", "--out", str(folder)]
    assert cli.main(["forecast", str(table), "--quiet", *options]) == 0
    files = sorted(file.name for file in folder.iterdir())
    assert files == sorted({*forecast.FILES, *predict.FILES})
    named = set(files) | json.loads((folder / "metrics.json").read_text()).keys()
    for file in ("forecast.csv", "holdout.csv"):
        named |= set((folder / file).read_text().splitlines()[0].split(",")) - {"month"}
    named -= {"lower_95", "upper_95"}  # those of 80 % stand for all
    assert named >= {"mean", "lower_80", "actual", "seasonal naive", "backtest"}
    for name in sorted(named):
        assert f"`{name}`" in page, name
    codes = {value for value in vars(failures).values() if type(value) is int}
    assert codes >= {1, 2, 3, 130}
    for code in codes:
        assert f"\n| {code} | " in page, code


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.parent.name)
def test_an_index_links_to_every_page_of_its_room(index):
    text = index.read_text("utf-8")
    for page in index.parent.glob("*.md"):
        if page != index:
            assert f"]({page.name})" in text, page.name
            assert re.search(rf"^{page.stem}$", text, re.MULTILINE), page.name
