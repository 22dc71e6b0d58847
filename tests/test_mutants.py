"""The suite detects every wrong gradient of mutate.py."""

import pytest
from mutate import FIRST, MUTANTS, ROOT, run_script

PARTS = 4


def test_every_mutant_fits_the_source():
    for mutant in MUTANTS:
        text = (ROOT / "src" / "throughtime" / mutant.file).read_text("utf-8")
        compile(mutant.of(text), mutant.file, "exec")


def test_what_runs_first_is_for_files_of_mutants():
    assert FIRST.keys() <= {mutant.file for mutant in MUTANTS}


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_is_killed(part):
    done = run_script("mutate.py", part, PARTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SURVIVED" not in done.stdout
