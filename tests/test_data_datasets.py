"""The data sets inside the package."""

import subprocess
import sys

import numpy as np
import pytest

from throughtime.data.datasets import ALICE_FILE, CO2_FILE, alice, co2


def test_co2_is_the_published_series():
    series = co2()
    assert len(series) == 2284
    assert series.missing == 59
    assert series.gaps == 0
    assert series.frequency.alias == "W"
    assert series.time_labels()[0] == "1958-03-29"
    assert series.time_labels()[-1] == "2001-12-29"
    assert series.values[0] == 316.1
    assert series.values[-1] == 371.5
    assert np.nanmean(series.values) == pytest.approx(340.142247, abs=1e-6)
    assert CO2_FILE.with_suffix(".txt").read_text().startswith("co2.csv: weekly atmospheric CO2")


def test_alice_is_the_whole_book():
    text = alice()
    chapters = [line for line in text.splitlines() if line.startswith("CHAPTER ")]
    assert len(chapters) == 12
    assert text.startswith("CHAPTER I\n\nDown the Rabbit-Hole\n\nAlice was beginning to get very")
    assert text.endswith("remembering her own child-life, and the happy summer days.\n\nTHE END\n")
    assert text.count("Cheshire") == 7
    assert not any(line != line.strip() for line in text.splitlines())
    assert ALICE_FILE.with_suffix(".txt").read_text().startswith("alice.gz: the text of")


def test_co2_needs_no_pandas():
    code = (
        "import sys; from throughtime.data import co2; co2();"
        "assert not {'pandas', 'matplotlib', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_package_loads_its_modules_when_they_are_used():
    code = (
        "import sys, throughtime.data as data;"
        "assert not [m for m in sys.modules if m.startswith('throughtime.data.')];"
        "data.pad; data.tasks;"
        "assert 'throughtime.data.tables.files' not in sys.modules;"
        "assert all(getattr(data, name) is not None for name in dir(data))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
