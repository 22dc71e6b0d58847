"""The suite sees every wrong gradient; see mutate.py."""

import subprocess
import sys
from pathlib import Path

import pytest
from mutate import MUTANTS, ROOT

PARTS = 4


def test_every_mutant_fits_the_source():
    for mutant in MUTANTS:
        text = (ROOT / "src" / "throughtime" / mutant.file).read_text("utf-8")
        compile(mutant.of(text), mutant.file, "exec")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_is_killed(part):
    script = Path(__file__).with_name("mutate.py")
    done = subprocess.run(
        [sys.executable, str(script), str(part), str(PARTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SURVIVED" not in done.stdout
