"""The shape of the native sources: folders, one name for one thing, and the way around the GIL."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"
SOURCES = sorted(path for path in NATIVE.rglob("*") if path.suffix in (".cpp", ".hpp"))
TEXTS = {path.relative_to(NATIVE).as_posix(): path.read_text("utf-8") for path in SOURCES}

#: What each folder may include; level and bind do not know each other.
MAY_INCLUDE = {"level": {"level", "base"}, "base": {"base"}, "bind": {"bind", "base"}}

DEFINED = re.compile(
    r"^(?:template <[^;{]*> )?(?:struct|class|enum class|concept|using) (\w+)(?=[ :=]*[{=:])",
    re.MULTILINE,
)
PATH = re.compile(r"(?<![\w/.-])native/[\w./]*\w\.[ch]pp\b")


def wrong_includes(texts: dict[str, str]) -> list[str]:
    """Includes of a folder that must not be known, or not by the path from native/."""
    return [
        f"{name}: {target}"
        for name, text in texts.items()
        for target in re.findall(r'#include "([^"]+)"', text)
        if target.split("/")[0] not in MAY_INCLUDE[name.split("/")[0]] or target not in texts
    ]


def names_of_two(texts: dict[str, str]) -> dict[str, list[str]]:
    """Types that are defined in more than one file."""
    homes = defaultdict(list)
    for name, text in texts.items():
        for found in set(DEFINED.findall(text)):
            homes[found].append(name)
    return {found: files for found, files in homes.items() if len(files) > 1}


def test_level_and_bind_know_base_alone():
    assert {name.split("/")[0] for name in TEXTS} == set(MAY_INCLUDE)
    assert wrong_includes(TEXTS) == []


def test_a_wrong_include_is_found():
    texts = {"base/a.hpp": "", "level/b.hpp": '#include "base/a.hpp"\n#include "bind/c.hpp"',
             "bind/c.hpp": '#include "a.hpp"'}  # fmt: skip
    assert wrong_includes(texts) == ["level/b.hpp: bind/c.hpp", "bind/c.hpp: a.hpp"]


def test_one_name_stands_for_one_type():
    assert names_of_two(TEXTS) == {}
    found = {name for text in TEXTS.values() for name in DEFINED.findall(text)}
    assert found >= {"CellKernel", "CellKind", "TapeArrays", "ThreadPool", "Size", "Array", "Lstm"}


def test_a_name_for_two_types_is_found():
    a = "template <class S> struct Tape {\n};\nenum class Way : int { in };"
    b = "class Tape : Base {\n};\nusing Size = int;\nstruct Way;"
    homes = ["level/a.hpp", "bind/b.hpp"]
    assert names_of_two(dict(zip(homes, [a, b], strict=True))) == {"Tape": homes}


def test_the_gil_is_released_in_one_place():
    other = re.compile(r"gil_scoped|call_guard|PyEval_|PyGILState_")
    found = {name for name, text in TEXTS.items() if other.search(text)}
    assert found == {"bind/gil.hpp", "bind/gil.cpp"}


@pytest.mark.parametrize("ending", [".py", ".md", ".pyi", ".hpp", ".cpp"])
def test_native_files_that_are_named_exist(ending):
    folders = ["src", "native", "tests", "docs", "benchmarks"]
    files = [f for folder in folders for f in (ROOT / folder).rglob(f"*{ending}")]
    named = {
        path: file.relative_to(ROOT).as_posix()
        for file in [*files, *ROOT.glob(f"*{ending}")]
        if file != Path(__file__).resolve()
        for path in PATH.findall(file.read_text("utf-8"))
    }
    assert {path: file for path, file in named.items() if not (ROOT / path).exists()} == {}
