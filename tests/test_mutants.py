"""The suite detects every wrong gradient of mutate.py."""

import pytest
from mutate import MUTANTS, ROOT, run_script

PARTS = 12


def test_every_mutant_fits_the_source():
    for mutant in MUTANTS:
        text = (ROOT / "src" / "throughtime" / mutant.file).read_text("utf-8")
        compile(mutant.of(text), mutant.file, "exec")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_is_killed(part):
    done = run_script("mutate.py", part, PARTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SURVIVED" not in done.stdout
