"""What says the version, and what is promised about other packages, in one place and again."""

import re
import tomllib
from pathlib import Path

import throughtime as tt
from throughtime._moved import MOVED

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_changelog_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert versions[0][0] == tt.__version__
    assert [day for _, day in versions] == sorted((day for _, day in versions), reverse=True)


def test_the_citation_is_of_the_last_release_in_the_changelog():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    version = re.search(r"^version: ([\d.]+)$", text, re.MULTILINE)
    day = re.search(r'^date-released: "([\d-]+)"$', text, re.MULTILINE)
    assert version is not None
    assert day is not None
    heading = f"## [{version[1]}] - {day[1]}"
    assert version[1] == tt.__version__
    assert heading in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()


def test_every_module_that_has_moved_is_told():
    text = (ROOT / "docs" / "breaking-changes.md").read_text("utf-8")
    for old, homes in MOVED.items():
        assert f"| `{old}` | {', '.join(f'`{home}`' for home in homes)} |" in text.splitlines()


def test_the_oldest_releases_are_those_that_are_tested():
    """``package>=1.2`` in pyproject.toml stands as ``package==1.2...`` in .ci/oldest.txt."""
    extras = PROJECT["optional-dependencies"]
    promised = PROJECT["dependencies"] + extras["cli"] + extras["tables"]
    tested = dict(
        line.split("==")
        for line in (ROOT / ".ci" / "oldest.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    )
    for requirement in promised:
        name, _, floor = requirement.partition(">=")
        assert name in tested, requirement
        assert tested[name].removesuffix(".0").removesuffix(".*") == floor, requirement
