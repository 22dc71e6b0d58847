"""Some tables of ``fuzz_tables.py``, in every run of the suite."""

from fuzz_tables import faults


def test_tables_written_in_many_ways_are_read_as_what_they_are():
    assert list(faults(0, 300)) == []
