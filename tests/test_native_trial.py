"""How calls learn from given times whether several threads are faster."""

import pytest
from loop_cases import needs_native

from throughtime.kernels import selection

pytestmark = needs_native

ALONE, TEAM = 100.0, 60.0


def follow(record, calls, alone, team, disturbed=()):
    """Do so many calls; return how many of them were a team's."""
    together = 0
    for k in range(calls):
        by_team = record.next()
        together += by_team
        record.took((team if by_team else alone) * (50 if k in disturbed else 1))
    return together


def new():
    return selection.extension().Record()


@pytest.mark.parametrize(("alone", "team"), [(100.0, 60.0), (60.0, 100.0)])
def test_most_calls_go_the_way_that_is_faster(alone, team):
    together = follow(new(), 2000, alone, team)
    assert (together if team < alone else 2000 - together) >= 0.9 * 2000


def test_both_ways_are_tried_again_and_again():
    record = new()
    follow(record, 2000, ALONE, TEAM)
    for _ in range(5):
        assert 0 < follow(record, 1100, ALONE, TEAM) < 1100


def test_when_the_other_core_is_taken_calls_go_on_alone_after_a_few():
    record = new()
    follow(record, 2000, ALONE, TEAM)
    assert follow(record, 50, ALONE, 4 * TEAM) <= 20
    assert follow(record, 1000, ALONE, 4 * TEAM) <= 100


def test_when_it_is_free_again_the_team_comes_back():
    record = new()
    follow(record, 2000, ALONE, 4 * TEAM)
    follow(record, 1500, ALONE, TEAM)
    assert follow(record, 500, ALONE, TEAM) >= 400


def test_a_call_that_was_disturbed_does_not_decide():
    record = new()
    follow(record, 500, ALONE, TEAM)
    assert follow(record, 500, ALONE, TEAM, disturbed=range(7, 500, 50)) >= 400


def test_the_first_calls_of_a_team_do_not_count_because_its_threads_must_wake():
    record, together, before = new(), 0, False
    for _ in range(3000):
        by_team = record.next()
        wakes = by_team and not before
        record.took(5 * ALONE if wakes else TEAM if by_team else ALONE)
        together, before = together + by_team, by_team
    assert together >= 0.9 * 3000
