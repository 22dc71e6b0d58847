"""The table of features names things that exist, and pages show pictures that are there."""

import re
from pathlib import Path

import pytest
from published import ERRORS

import throughtime as tt

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ROOT / "docs" / "systems"
TABLE = (SYSTEMS / "README.md").read_text("utf-8")
ROWS = [line.split(" | ") for line in TABLE.splitlines() if line.startswith("| ")]
PAGES = sorted(SYSTEMS.glob("*.md"))


def named_tests(text):
    return re.findall(r"`([\w/]+\.py)::(\w+)`", text)


def public_names(text):
    return sorted(set(re.findall(r"\btt((?:\.[A-Za-z_]\w*)+)", text)))


def resolve(path):
    value = tt
    for part in path.strip(".").split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(("file", "name"), sorted(set(named_tests(TABLE))))
def test_a_test_that_is_named_exists(file, name):
    text = (ROOT / "tests" / file).read_text("utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_public_names_on_a_page_exist(page):
    for path in public_names(page.read_text("utf-8")):
        assert resolve(path) is not None


def test_every_feature_has_a_test():
    features = [row for row in ROWS if len(row) == 4 and not row[0].startswith(("| ---", "| feat"))]
    assert len(features) > 60
    for row in features:
        assert re.fullmatch(r"S\d(, S\d)*", row[1])
        assert row[2].count("`") >= 2 or "Keras" in row[2]
        assert len(named_tests(row[3])) == 1


def test_every_published_error_is_listed_with_its_test():
    listed = {name for file, name in named_tests(TABLE) if file.startswith("test_published")}
    assert {error.test for error in ERRORS} <= listed
    for error in ERRORS:
        assert f"{error.error} | `{error.file}::{error.test}`" in TABLE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pictures_of_a_page_are_there_and_described(page):
    text = page.read_text("utf-8")
    shown = re.findall(r"!\[(.*?)\]\((.*?)\)", text)
    assert shown or page.stem == "README"
    for description, target in shown:
        assert len(description) > 15
        assert (SYSTEMS / target).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"(?<!!)\[[^]]*\]\(([^)#]+)", page.read_text("utf-8")):
        assert target.startswith("https://") or (SYSTEMS / target).is_file()


def test_every_page_says_how_to_run_it():
    for page in PAGES:
        text = page.read_text("utf-8")
        assert page.stem == "README" or f"`throughtime demo {page.stem}`" in text
