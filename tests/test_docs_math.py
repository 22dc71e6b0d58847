"""The mathematics in docs/math and the sources that cite it: one number, one equation."""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MATH = sorted((ROOT / "docs" / "math").glob("*.md"))
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SOURCES = sorted(
    path
    for folder, endings in (("src/throughtime", {".py"}), ("native", {".hpp", ".cpp"}))
    for path in (ROOT / folder).rglob("*")
    if path.suffix in endings
)

#: A series has a letter, or two of these.
NUMBER = r"(?:(?:[A-Z]|CT|CF|GN|GR|IR|LR|MG|ML|ME|BM|LN|AT|SH)\d+b?'*|P)"
DEFINED = re.compile(rf"\\tag\{{({NUMBER})\}}")
CITED = re.compile(rf"\(({NUMBER}(?:(?:, | to |-){NUMBER})*)\)")
DISPLAYED = re.compile(r"^\$\$\n(.*?)^\$\$$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\][]*\]\(([^()\s]+)\)")
#: Letters in parentheses that are not equations: the two numbers of the adding problem.
NO_EQUATIONS = {"data/tasks.py": {"X1", "X2"}}


def definitions() -> Counter[str]:
    return Counter(number for page in MATH for number in DEFINED.findall(page.read_text("utf-8")))


def citations(text: str) -> set[str]:
    return {number for found in CITED.findall(text) for number in re.findall(NUMBER, found)}


def undefined(path: Path) -> set[str]:
    name = path.relative_to(ROOT).as_posix()
    other = next((names for end, names in NO_EQUATIONS.items() if name.endswith(end)), set())
    return citations(path.read_text("utf-8")) - other - set(definitions())


def test_every_number_is_defined_once() -> None:
    assert {number: n for number, n in definitions().items() if n > 1} == {}
    assert len(definitions()) > 100


def test_every_displayed_equation_has_one_number() -> None:
    for page in MATH:
        for equation in DISPLAYED.findall(page.read_text("utf-8")):
            assert len(DEFINED.findall(equation)) == 1, f"{page.name}: {equation}"


def test_every_number_that_a_source_cites_is_defined() -> None:
    found = {path.relative_to(ROOT).as_posix(): undefined(path) for path in SOURCES}
    assert {name: numbers for name, numbers in found.items() if numbers} == {}


def test_every_number_that_a_page_cites_is_defined() -> None:
    rooms = ("math", "explanation", "tutorials", "how-to", "gallery.md")
    pages = [page for page in PAGES if page.relative_to(ROOT / "docs").parts[0] in rooms]
    found = {path.name: undefined(path) for path in pages}
    assert len(pages) > len(MATH)
    assert {name: numbers for name, numbers in found.items() if numbers} == {}


def test_the_cells_cite_what_their_docstrings_define() -> None:
    """Citations are found at all: an empty set would be a subset of anything."""
    cited = set().union(*(citations(path.read_text("utf-8")) for path in SOURCES))
    wanted = """P B1 B2 B3 B1' B2' B3' B1'' E1 E2 E1' E2' E1'' G1 G2 G3 G3b G4 G1' G2' G3' G4' G5'
        G5b' L1 L2 L3 L4 L1' L2' L3' L4' A1 A2 C1 C2 D1 D1' J1 J4 K1 K2 O1 O6 R1 R7 M1 H1 H5"""
    assert cited >= set(wanted.split())


def test_no_source_cites_a_bare_number() -> None:
    """``# (2)`` could be equation 2 of any module."""
    bare = re.compile(r"(?:#|//|equations?) \(\d+'*\)|\s{4,}\(\d+'*\)$", re.MULTILINE)
    found = [p.name for p in SOURCES if bare.search(p.read_text("utf-8"))]
    assert found == []


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST write them."""
    headings = re.findall(r"^#{1,6} (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+://", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in slugs(file), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", MATH, ids=lambda page: page.stem)
def test_every_formula_can_be_read(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docutils", reason="the extra that builds the docs")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    from mathml import convert

    monkeypatch.delitem(sys.modules, "mathml")
    text = page.read_text("utf-8")
    for tex in DISPLAYED.findall(text):
        convert(re.sub(r"\\tag\{[^}]*\}", "", tex), block=True)
    for tex in re.findall(r"(?<![$\\`])\$([^$]+)\$(?!\$)", DISPLAYED.sub("", text)):
        convert(tex, block=False)
