"""A test detects every wrong line of boundaries.py."""

import pytest
from boundaries import BOUNDARIES
from mutate import ROOT, run_script

PARTS = 2


def test_every_wrong_line_fits_the_source():
    for _, _, mutant in BOUNDARIES:
        text = (ROOT / "src" / "throughtime" / mutant.file).read_text("utf-8")
        compile(mutant.of(text), mutant.file, "exec")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_wrong_line_is_seen(part):
    done = run_script("boundaries.py", part, PARTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MISSED" not in done.stdout
