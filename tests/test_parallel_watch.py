"""Executors that will never answer are seen at the second look."""

from types import SimpleNamespace

import pytest

from throughtime.parallel.sentences import Broken
from throughtime.parallel.watch import Watch


def executor_of_dask(*status):
    """An executor whose client has one status after the other."""
    found = iter(status)

    class Client:
        @property
        def status(self):
            return next(found)

    kind = type("ClientExecutor", (SimpleNamespace,), {"__module__": "distributed.cfexecutor"})
    return kind(_client=Client())


@pytest.mark.parametrize(
    ("status", "looks"),
    [
        (["running"] * 3, [False, False, False]),
        (["connecting", "connecting"], [False, True]),
        (["connecting", "running", "closed", "closed"], [False, False, False, True]),
    ],
)
def test_a_lost_scheduler_is_seen_at_the_second_look(status, looks):
    watch, executor = Watch(), executor_of_dask(*status)
    found = [watch.look(executor) for _ in status]
    assert [one is not None for one in found] == looks
    if looks[-1]:
        assert found[-1] == Broken("the connection to the scheduler is lost")
