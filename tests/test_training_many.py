"""fit_many: the bits of a loop, failures, Ctrl-C, what is refused and what is shown."""

import io
import os
import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import fit_cases as fits
import numpy as np
import parallel_cases as cases
import pytest

import throughtime as tt
from throughtime.errors import (
    FitsWarning,
    InvalidArgumentError,
    InvalidTypeError,
    ThroughtimeError,
    WorkersWarning,
)
from throughtime.parallel import packing
from throughtime.training import progress
from throughtime.training.many import Fit

EXPECTED = "a list of functions without arguments, or of dicts with the arguments of train"


def loky_pool():
    loky = pytest.importorskip("loky")
    return partial(loky.ProcessPoolExecutor, 2)


EXECUTORS = {
    "caller": lambda: None,
    "threads": lambda: partial(ThreadPoolExecutor, 2),
    "processes": lambda: cases.processes(2),
    "loky": loky_pool,
}
every_executor = pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)


@every_executor
def test_the_bits_of_a_loop(executor):
    x, y = fits.data()
    optimizer = tt.optimizers.Adam(0.01)
    options = {"x": x, "y": y, "epochs": 2, "optimizer": optimizer, "validation": 0.25}
    given = [fits.network(seed) for seed in range(4)]
    before = [net.params.flat.copy() for net in given]
    found = tt.fit_many(
        [{"net": net, "seed": seed, **options} for seed, net in enumerate(given)], executor()
    )
    for seed, fit in enumerate(found):
        net = fits.network(seed)
        history = tt.train(net, seed=seed, **options)
        assert fit.net.params.flat.tobytes() == net.params.flat.tobytes()
        assert (fit.history["loss"], fit.history["val_loss"]) == (
            history["loss"],
            history["val_loss"],
        )
        assert (fit.number, fit.value, fit.error) == (seed, None, None)
        assert fit.seconds > 0
        assert fit.net.trained_with == net.trained_with
        assert given[seed].params.flat.tobytes() == before[seed].tobytes()  # a copy was trained


@every_executor
def test_functions_give_what_they_return(executor):
    x, y = fits.data()
    found = tt.fit_many([partial(fits.fit, x, y, seed=s) for s in range(3)], executor())
    for seed, fit in enumerate(found):
        params, losses = fits.fit(x, y, seed)
        assert fit.value[0].tobytes() == params.tobytes()
        assert fit.value[1] == losses
        assert (fit.net, fit.history, fit.error) == (None, None, None)


@every_executor
def test_a_failure_does_not_end_the_others(executor):
    tasks = [partial(abs, -1), partial(fits.fail, 1), partial(abs, -3), partial(fits.fail, 3)]
    sentence = "2 of 4 fits failed; the first is tasks[1]: ValueError: no 1"
    with pytest.warns(FitsWarning, match=f"^{re.escape(sentence)}$") as caught:
        found = tt.fit_many(tasks, executor())
    assert caught[0].filename == __file__
    assert [fit.value for fit in found] == [1, None, 3, None]
    assert [fit.number for fit in found] == [0, 1, 2, 3]
    assert [str(fit.error or "") for fit in found] == ["", "no 1", "", "no 3"]
    assert found[1].seconds is None


@every_executor
def test_an_exception_of_any_kind_is_a_failure(executor):
    sentence = "1 of 3 fits failed; the first is tasks[1]: OddEnd: (without a text)"
    with pytest.warns(FitsWarning, match=f"^{re.escape(sentence)}$"):
        found = tt.fit_many([partial(abs, -1), fits.end_oddly, partial(abs, -3)], executor())
    assert [fit.value for fit in found] == [1, None, 3]
    assert repr(found[1]) == "<Fit 1: failed: OddEnd: (without a text)>"


def test_a_run_that_diverges_is_a_failure_with_its_history():
    x, y = fits.data()
    task = {"net": fits.network(0), "x": x, "y": y * 1e30, "optimizer": tt.optimizers.SGD(1e30)}
    for executor in (None, cases.processes(1)):
        with pytest.warns(FitsWarning, match=r"^1 of 1 fits failed; the first is tasks\[0\]: Div"):
            (fit,) = tt.fit_many([task], executor)
        assert fit.error.history.stopped == "diverged"


def test_what_tasks_share_travels_once_and_is_read_only():
    x, y = fits.data(n=200)
    executor = cases.Here()
    lists = [list(x), list(y)]
    nets = [fits.network(seed) for seed in range(3)]
    tasks = [{"net": net, "x": x, "y": y, "validation": (x, y), "epochs": 1} for net in nets]
    tasks += [partial(fits.fit, *lists, seed=seed) for seed in range(2)]
    tasks += [partial(fits.is_writeable, x), partial(fits.is_writeable, x + 1)]
    found = tt.fit_many(tasks, executor)
    assert all(fit.error is None for fit in found)
    sizes = [len(payload) for _, payload, _ in executor.sent]
    assert max(sizes[:-1]) < 20_000 < x.nbytes < sizes[-1]
    assert [fit.value for fit in found[-2:]] == [False, True]
    alone = tt.fit_many(tasks)
    assert [fit.value for fit in alone[-2:]] == [False, True]
    for one, other in zip(found[:3], alone[:3], strict=True):
        assert one.net.params.flat.tobytes() == other.net.params.flat.tobytes()


def test_a_source_of_batches_serves_many_fits():
    x, y = fits.data(n=200)
    source = fits.Source(x, y)
    executor = cases.Here()
    tasks = [{"net": fits.network(s), "batches": source, "epochs": 1} for s in range(3)]
    tasks[2] |= {"validation": source}
    found = tt.fit_many(tasks, executor)
    assert all(len(payload) < 20_000 for _, payload, _ in executor.sent)
    for fit, alone in zip(found, tt.fit_many(tasks), strict=True):
        assert fit.net.params.flat.tobytes() == alone.net.params.flat.tobytes()
        assert dict(fit.history).keys() == dict(alone.history).keys()


def test_fits_in_shards():
    x, y = fits.data()
    task = {"net": fits.network(0), "x": x, "y": y, "epochs": 1, "shards": 4}
    inside = task | {"executor": ThreadPoolExecutor}
    one, other = tt.fit_many([task, inside], cases.processes(1))
    assert one.net.params.flat.tobytes() == other.net.params.flat.tobytes()


def test_memory_maps_of_tasks_are_not_read(tmp_path):
    x, y = fits.data(n=200)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    executor = cases.Here()
    tasks = [{"net": fits.network(0), "x": mapped, "y": y, "epochs": 1}]
    (fit,) = tt.fit_many(tasks, executor)
    assert len(executor.sent[0][1]) < y.nbytes + 20_000 < mapped.nbytes + y.nbytes
    (other,) = tt.fit_many([tasks[0] | {"x": x}])
    assert fit.net.params.flat.tobytes() == other.net.params.flat.tobytes()


def test_a_worker_that_dies(tmp_path):
    tasks = [partial(fits.die_once, str(tmp_path / "flag"), os.getpid(), n) for n in range(6)]
    with pytest.warns(WorkersWarning, match="^The executor broke: BrokenProcessPool: A ") as caught:
        found = tt.fit_many(tasks, cases.processes(2))
    assert caught[0].filename == __file__
    assert [fit.value for fit in found] == list(range(6))


@pytest.mark.parametrize(
    # 255 where the server of forkserver missed how its child ended.
    ("task", "code"),
    [(partial(os._exit, 3), "3"), (fits.crash, "(-11|255)")],
    ids=["exit", "crash"],
)
def test_a_task_that_kills_every_worker_is_a_failure(task, code):
    tasks = [partial(abs, -n) for n in range(6)]
    tasks[3] = task
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = tt.fit_many(tasks, cases.processes(2))
    assert [fit.value for fit in found] == [0, 1, 2, None, 4, 5]
    assert re.fullmatch(
        rf"its worker died (twice|3 times) \(process \d+ ended with exit code {code}\), and this"
        r" process, which could die as well, does not compute it\.",
        str(found[3].error),
    )
    failures = [str(w.message) for w in caught if w.category is FitsWarning]
    text = "1 of 6 fits failed; the first is tasks[3]: WorkerError: its worker died "
    assert [message[: len(text)] for message in failures] == [text]


def test_ctrl_c_returns_what_is_finished(capsys):
    found = tt.fit_many([partial(fits.ctrl_c, n, at=2) for n in range(5)])
    assert [fit.value for fit in found] == [0, 1, None, None, None]
    assert {str(fit.error) for fit in found[2:]} == {
        "Ctrl-C ended all fits before this one was finished."
    }
    assert capsys.readouterr().err == (
        "throughtime: Ctrl-C ended training; 2 of 5 fits are finished.\n"
    )
    with pytest.warns(FitsWarning):
        tt.fit_many([partial(fits.fail, 1), *[partial(fits.ctrl_c, n, at=1) for n in range(3)]])
    assert capsys.readouterr().err == (
        "throughtime: Ctrl-C ended training; 1 of 4 fits are finished, 1 failed.\n"
    )
    tt.fit_many([partial(fits.ctrl_c, 0, at=0)], verbose=False)
    assert capsys.readouterr().err == ""


def test_ctrl_c_with_processes(monkeypatch):
    done = []

    class Display(progress.Silent):
        def epoch(self, epoch, values):
            done.append(epoch)
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "Silent", Display)
    found = tt.fit_many([partial(abs, -n) for n in range(50)], cases.processes(2), verbose=False)
    assert done == [1]
    assert sum(fit.error is None for fit in found) == 1


@pytest.mark.parametrize("executor", [None, partial(ThreadPoolExecutor, 1)], ids=["here", "thread"])
def test_ctrl_c_is_not_for_the_run_inside_a_fit(executor):
    assert [fit.value for fit in tt.fit_many([fits.ends_cleanly], executor)] == [False]
    assert fits.ends_cleanly()


def test_ctrl_c_where_the_program_keeps_nothing():
    token = tt.training.interrupt.CLEAN_END.set(False)
    try:
        with pytest.raises(KeyboardInterrupt):
            tt.fit_many([partial(fits.ctrl_c, 0, at=0)])
    finally:
        tt.training.interrupt.CLEAN_END.reset(token)


TASK = "a function without arguments, or a dict with the arguments of train"
SINGLE = "Write [task] for a single one."
WAY = "functools.partial(function, argument) gives a function its arguments."


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], f"tasks must be {EXPECTED}; got no task."),
        ({"net": 1}, f"tasks must be {EXPECTED}; got {{'net': 1}}. {SINGLE}"),
        (abs, f"tasks must be {EXPECTED}; got {abs!r}. {SINGLE}"),
        (3, f"tasks must be {EXPECTED}; got 3. {SINGLE}"),
        (
            [partial(abs, 1), 7],
            f"tasks[1] must be {TASK}; got 7. {WAY}",
        ),
        (
            [abs],
            f"tasks[0] must be {TASK}; got {abs!r}. {WAY}",
        ),
    ],
)
def test_tasks_that_are_none(tasks, message):
    with pytest.raises(ThroughtimeError, match=f"^{re.escape(message)}$") as error:
        tt.fit_many(tasks)
    assert error.value.parameter == "tasks"


def test_dicts_that_train_does_not_take():
    x, y = fits.data()
    good = {"net": fits.network(0), "x": x, "y": y}
    with pytest.raises(InvalidTypeError) as error:
        tt.fit_many([good, good | {"n_epochs": 3}])
    text = "tasks[1]: train has no argument 'n_epochs'; it is called epochs here."
    assert str(error.value) == text
    with pytest.raises(InvalidTypeError) as error:
        tt.fit_many([{"x": x, "y": y}])
    assert str(error.value).startswith("tasks[0]: train needs net")
    with pytest.raises(InvalidTypeError) as error:
        tt.fit_many([good | {"net": "net"}])
    assert str(error.value) == "tasks[0]: net must be a Network; got 'net'."


@pytest.mark.parametrize("name", ["n_jobs", "workers", "max_workers"])
def test_other_names_of_workers(name):
    with pytest.raises(InvalidTypeError) as error:
        tt.fit_many([partial(abs, -1)], **{name: 2})
    pool = "functools.partial(concurrent.futures.ProcessPoolExecutor, 2)"
    assert str(error.value) == f"fit_many has no argument {name!r}; use executor={pool}."


@every_executor
def test_a_bad_task_has_one_message(executor):
    x, y = fits.data(n=200)
    good = {"net": fits.network(0), "x": x, "y": y, "epochs": 1}
    with pytest.warns(FitsWarning):
        found = tt.fit_many([good, good | {"y": y[:5]}], executor())
    text = "y must hold one target for each of the 200 sequences; got 5 of them."
    assert str(found[1].error) == text


def test_one_checkpoint_for_two_tasks(tmp_path):
    x, y = fits.data()
    path = tmp_path / "run.ckpt"
    good = {"net": fits.network(0), "x": x, "y": y, "checkpoint": path}
    with pytest.raises(InvalidArgumentError) as error:
        tt.fit_many([good, good | {"checkpoint": tt.Checkpoint(str(path))}])
    assert str(error.value) == (
        f"tasks[0] and tasks[1] have the same checkpoint, {os.path.realpath(path)!r}."
        " Give each task a file of its own."
    )


def test_tasks_that_cannot_be_pickled_are_refused_before_any_work():
    called = []
    tasks = [partial(abs, 1), lambda: called.append(1)]
    assert tt.fit_many(tasks)[0].value == 1
    executor = cases.Here()
    with pytest.raises(InvalidArgumentError) as error:
        tt.fit_many(tasks, executor)
    assert str(error.value).startswith("task 1 cannot be pickled, and so not be sent to a worker: ")
    assert str(error.value).endswith("functools.partial gives it arguments.")
    assert (executor.sent, called) == ([], [1])


def test_fits_describe_themselves():
    x, y = fits.data()
    (fit,) = tt.fit_many([{"net": fits.network(0), "x": x, "y": y, "epochs": 3}])
    loss = fit.history["loss"][-1]
    assert re.fullmatch(rf"<Fit 0: 3 epochs, loss {loss:.4g}, \S+ s>", repr(fit))
    assert repr(Fit(2, value=[1], seconds=0.25)) == "<Fit 2: [1], 0.25 s>"
    assert repr(Fit(3, error=ValueError("no"))) == "<Fit 3: failed: ValueError: no>"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_line_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x, y = fits.data()
        task = {"net": fits.network(0), "x": x, "y": y, "epochs": 1}
        tt.fit_many([task, partial(fits.fail, 1)])
    drawn = [line.rstrip() for line in terminal.getvalue().split("\r")]
    assert drawn[1:] == ["fit 1/2    0 s left", "fit 2/2  failed 1  0 s left", "finished  failed 1"]


def test_a_line_for_each_fit(capsys):
    tt.fit_many([partial(abs, -1), partial(abs, -2)], verbose=True)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"<Fit 0: 1, \S+ s>", first)
    assert second.startswith("<Fit 1: 2, ")


def test_nothing_is_shown_where_that_is_asked(capsys):
    x, y = fits.data()
    tt.fit_many([partial(fits.fit, x, y, 0)], cases.processes(1), verbose=False)
    assert capsys.readouterr() == ("", "")


def test_memory_maps_are_shared_by_name(tmp_path):
    x, _ = fits.data(n=200)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    shared, _ = tt.training.many.share([[mapped], [mapped]])
    assert len(packing.dumps(shared, maps=True)) < 1000
