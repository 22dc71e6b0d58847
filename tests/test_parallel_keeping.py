"""One executor for several teams."""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from throughtime.errors import InvalidTypeError, WorkersWarning
from throughtime.parallel import Workers, keeping, kept
from throughtime.parallel.executors import end


class Counted:
    """A function that makes executors, and says what has become of them."""

    def __init__(self, *, broken=0):
        self.broken = broken
        self.made = []

    def __call__(self):
        pool = (Broken if len(self.made) < self.broken else ThreadPoolExecutor)(max_workers=1)
        self.made.append(pool)
        return pool

    @property
    def open(self):
        return [not pool._shutdown for pool in self.made]


class Broken(ThreadPoolExecutor):
    """A pool whose worker has died."""

    def submit(self, *_args):
        answer = Future()
        answer.set_exception(BrokenProcessPool("killed"))
        return answer


def run(executor):
    with Workers(executor, 2) as workers:
        assert workers.count == 1
        return workers.run(pow, range(4))


def run_and_raise(executor, error):
    run(executor)
    raise error


def test_what_a_function_makes_is_made_once_and_ended_after_all_teams():
    make = Counted()
    with kept(make) as executor:
        assert make.made == []  # not before it is needed
        for _ in range(3):
            assert run(executor) == [1, 2, 4, 8]
            assert make.open == [True]
    assert make.open == [False]


def test_a_broken_one_is_replaced_and_the_new_one_is_kept():
    make = Counted(broken=1)
    with kept(make) as executor:
        with pytest.warns(WorkersWarning) as said:
            assert run(executor) == [1, 2, 4, 8]
        assert run(executor) == [1, 2, 4, 8]
        assert make.open == [False, True]
    assert make.open == [False, False]
    (warning,) = said
    assert str(warning.message) == (
        "The executor broke: BrokenProcessPool: killed. A new one computes what was lost, with the"
        " same results."
    )


def test_where_none_works_it_is_not_tried_for_each_team():
    make = Counted(broken=9)
    with kept(make) as executor:
        with pytest.warns(WorkersWarning, match="This process computes the rest itself"):
            assert run(executor) == [1, 2, 4, 8]
        assert run(executor) == [1, 2, 4, 8]
    assert len(make.made) == 2


@pytest.mark.parametrize(("error", "by_force"), [(ValueError, False), (KeyboardInterrupt, True)])
def test_it_is_ended_after_an_error(error, by_force, monkeypatch):
    make, forced = Counted(), []

    def note(executor, *, kill):
        forced.append(kill)
        end(executor, kill=kill)

    monkeypatch.setattr(keeping, "end", note)
    with pytest.raises(error), kept(make) as executor:
        run_and_raise(executor, error)
    assert make.open == [False]
    assert forced == [by_force]


def test_kept_twice_it_belongs_to_the_outer_one():
    make = Counted()
    with kept(make) as outer:
        for _ in range(2):
            with kept(outer) as inner:
                run(inner)
        assert make.open == [True]
    assert make.open == [False]


def test_executors_of_the_user_stay_open():
    with ThreadPoolExecutor(1) as pool, kept(pool) as executor:
        assert executor is pool
    with kept(None) as executor:
        assert executor is None
    with ThreadPoolExecutor(1) as pool:
        with kept(pool) as executor:
            run(executor)
        assert pool.submit(pow, 2, 3).result() == 8


def test_anything_else_is_refused():
    with (
        pytest.raises(
            InvalidTypeError,
            match=r"^executor must be None, an executor with submit\(\), or a function without"
            r" arguments that makes one; got 3\. Write",
        ),
        kept(3),
    ):
        pass
