"""A test detects every published error of published.py."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from mutate import ROOT, run_script
from published import ERRORS, HELPERS

PARTS = 2
TESTS = Path(__file__).parent


def test_no_error_is_left_out():
    """As many as the five systems are known to have."""
    found = Counter(entry.test.split("_")[1] for entry in ERRORS)
    assert found == {"s1": 15, "s2": 6, "s3": 6, "s4": 5, "s5": 8}


def test_every_error_has_its_test_and_every_test_its_error():
    written = [
        (path.name, node.name)
        for path in sorted(TESTS.glob("test_published_s[0-9]*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert sorted(written) == sorted((entry.file, entry.test) for entry in ERRORS)
    assert len({entry.error for entry in ERRORS}) == len(ERRORS)
    assert all(entry.changes for entry in ERRORS)
    assert all((TESTS / name).is_file() for name in HELPERS)


def test_every_mutant_fits_the_source():
    for entry in ERRORS:
        for mutant in entry.mutants:
            text = (ROOT / "src" / "throughtime" / mutant.file).read_text("utf-8")
            compile(mutant.of(text), mutant.file, "exec")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_test_sees_the_error_that_it_is_named_for(part):
    done = run_script("published.py", part, PARTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSED" not in done.stdout
    assert done.stdout.count("refuted") == sum(len(e.mutants) for e in ERRORS[part::PARTS])
