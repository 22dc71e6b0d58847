"""What a worker sets while it computes, and what it answers."""

import os
import signal
import threading
from concurrent.futures import Future

import parallel_cases as cases
import pytest

from throughtime import __version__, engine
from throughtime.errors import WorkersWarning
from throughtime.kernels import selection
from throughtime.parallel import Workers, packing, remote
from throughtime.training.progress import Silent, start_progress


def as_another(**changes):
    """An executor in this process that is taken for another one."""
    return cases.Here(lambda ticket: ticket._replace(home="elsewhere", **changes))


@pytest.fixture
def threads():
    selection.set_num_threads(4)
    yield 4
    selection.set_num_threads(None)


def native():
    if selection.problem():
        pytest.skip(f"there is no native engine: {selection.problem()}")


def test_threads_are_the_cores_through_the_workers(threads, monkeypatch):
    native()
    monkeypatch.setattr(remote, "cores", lambda: 6)
    for together, expected in ((1, 4), (2, 3), (4, 1), (40, 1), (None, 4)):
        with Workers(as_another(together=together), None) as workers:
            assert workers.run(cases.settings, [0])[0][0] == expected
        assert selection.get_num_threads() == 4  # restored: the executor is another's


def test_ctrl_c_is_ignored_until_the_team_ends():
    before = signal.getsignal(signal.SIGINT)
    with Workers(as_another(together=2), None) as workers:
        assert workers.run(cases.settings, [0])[0][2]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before
    # Nobody can tell all workers of an executor of unknown size that the team has ended.
    with Workers(as_another(together=None), None) as workers:
        assert workers.run(cases.settings, [0])[0][2]
        assert signal.getsignal(signal.SIGINT) is before


def test_workers_that_we_start_keep_what_is_set(threads, monkeypatch):
    native()
    monkeypatch.setattr(remote, "cores", lambda: 6)
    monkeypatch.setattr(remote.blas, "limit_threads", lambda n: lambda: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        with Workers(as_another(together=2, ours=True), None) as workers:
            workers.run(cases.settings, [0])
        assert selection.get_num_threads() == 3
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_all_workers_learn_that_the_team_has_ended():
    with cases.processes(3)() as pool:
        with Workers(pool, None) as workers:
            workers.run(cases.nap, [0.3] * 3)
        found = pool.map(cases.settings_after, [0.3] * 3)
        assert [ignored for _, _, ignored in found] == [False] * 3


def test_a_worker_that_ctrl_c_met_before_it_ignored_that():
    class Interrupted(cases.Here):
        def submit(self, function, *arguments):
            if len(self.sent) == 1:
                self.sent.append(arguments)
                future = Future()
                future.set_exception(KeyboardInterrupt())
                return future
            return super().submit(function, *arguments)

    with Workers(Interrupted(), set()) as workers:
        assert workers.run(cases.fail_at, range(4)) == [0, 1, 2, 3]


def test_workers_of_ours_ignore_ctrl_c_for_good():
    with cases.processes(1)() as pool:
        with Workers(pool, None) as workers:
            assert workers.run(cases.settings, [0])[0][2]
        assert not pool.submit(cases.settings, None, None).result()[2]
        with Workers(lambda: pool, None) as workers:
            workers.run(cases.settings, [0])
            assert pool.submit(cases.settings, None, None).result()[2]


def test_the_engine_is_that_of_the_caller():
    for name in selection.available():
        with engine(name), Workers(cases.processes(1), None) as workers:
            assert workers.run(cases.settings, [0])[0][1] == name
    before = selection.current()
    with Workers(as_another(engine="reference", level=""), None) as workers:
        assert workers.run(cases.settings, [0])[0][1] == "reference"
    assert selection.current() == before


def test_nothing_is_set_in_the_process_of_the_caller(threads):
    before = signal.getsignal(signal.SIGINT), selection.get_num_threads()
    executor = cases.Here()
    executor._max_workers = 1000
    with Workers(executor, None) as workers:
        n, _, ignored = workers.run(cases.settings, [0])[0]
    assert (signal.getsignal(signal.SIGINT), n) == before
    assert not ignored


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "0.0.1"}, f"it has throughtime {__version__}, the caller 0.0.1"),
        ({"engine": "native", "level": "v9"}, "its processor has "),
    ],
)
def test_a_worker_that_would_give_other_bits_takes_no_part(changes, why):
    if "level" in changes:
        native()
    with (
        pytest.warns(WorkersWarning) as caught,
        Workers(as_another(**changes), set()) as workers,
    ):
        assert workers.run(cases.fail_at, range(3)) == [0, 1, 2]
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith(f"The executor is broken: a worker cannot take part: {why}")
    if "level" in changes:
        assert " and not v9; THROUGHTIME_LEVEL in the caller chooses another. " in text
    assert text.endswith(". This process computes the rest itself, with the same results.")


def test_a_worker_without_the_native_engine_takes_no_part(monkeypatch):
    native()
    monkeypatch.setattr(selection, "_current", "reference")
    monkeypatch.setattr(selection, "available", lambda: ("reference",))
    ticket = remote.Ticket("", None, "", False, None, "native", "v3", __version__)
    kind, why = remote.perform(ticket, b"", None)
    assert kind == "unusable"
    assert why.startswith("it has no native engine: ")


def test_two_callers_with_other_engines_at_once():
    place = remote._Place()
    ticket = remote.Ticket("", None, "", False, None, selection.current(), "", __version__)
    module = selection.kernels()
    ticket = ticket._replace(level="" if module is None else module.level())
    place.enter(ticket)
    place.enter(ticket)
    with pytest.raises(remote.Unusable, match="computing for a program with another engine"):
        place.enter(ticket._replace(engine="another"))
    place.leave()
    assert place.restore
    place.leave()
    assert not place.restore


def test_what_a_worker_cannot_load_is_answered():
    ticket = remote.Ticket("", None, remote.process, False, None, "", "", __version__)
    data = packing.Parcel(None).data(maps=True)
    assert remote.perform(ticket, b"no pickle", data)[0] == "unusable"
    assert remote.perform(ticket, b"cparallel_cases\nnowhere\n.", data)[0] == "unknown"
    assert remote.perform(ticket, b"cno_such_module\nname\n.", data)[0] == "unknown"
    remote.forget("")


def test_contexts_that_ended_are_dropped():
    name = threading.get_ident()

    def mine():
        return [key for key, thread in remote._contexts if thread == name]

    with Workers(cases.Here(), 1) as first:
        first.run(cases.identity_of, [1])
        assert mine() == [first._parcel.key]
    assert mine() == []
    teams = [Workers(cases.Here(), i) for i in range(remote.KEPT + 2)]
    for team in teams:
        team.run(cases.identity_of, [1])
    assert mine() == [team._parcel.key for team in teams[2:]]
    teams[3]._parcel.close()  # as in another process, which this one is not told
    teams[0].run(cases.identity_of, [1])
    assert mine() == [team._parcel.key for team in (*teams[4:], teams[0])]
    for team in teams:
        team.close()
    assert mine() == []


def test_a_fork_starts_without_contexts():
    with Workers(cases.Here(), 1) as workers:
        workers.run(cases.identity_of, [1])
        before = remote.process
        with cases.processes(1)() as pool:
            assert pool.submit(os.getpid).result() != os.getpid()
        remote._after_fork()
        assert remote.process != before
        assert not remote._contexts


def test_a_task_shows_no_progress_of_its_own():
    token = remote.IN_WORKER.set(True)
    try:
        assert isinstance(start_progress(None, 3), Silent)
    finally:
        remote.IN_WORKER.reset(token)
