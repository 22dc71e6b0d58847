"""``throughtime.fit_many``: many independent fits, computed by whoever is there."""

from __future__ import annotations

import inspect
import os
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from throughtime.errors import (
    Argument,
    FitsWarning,
    InvalidArgumentError,
    InvalidTypeError,
    ThroughtimeError,
    describe,
    sentence,
)
from throughtime.messages.streams import standard_output
from throughtime.network import Network
from throughtime.parallel import IN_WORKER, Failure, Workers, restore, share, text_of
from throughtime.registry import Words, translate
from throughtime.training.checkpoints import Checkpoint
from throughtime.training.history import History
from throughtime.training.interrupt import CLEAN_END
from throughtime.training.options import check_network
from throughtime.training.progress import InterruptNotice, check_verbose, start_progress
from throughtime.training.train import train

#: Arguments of ``train`` whose objects, whatever they are, can serve several fits.
_SOURCES = ("batches", "validation")

_OTHER_NAMES: Words = {
    "tasks": ("fits", "jobs"),
    "executor": ("client", "pool"),
    "executor=functools.partial(concurrent.futures.ProcessPoolExecutor, 2)": (
        "max_workers", "n_jobs", "n_workers", "num_workers", "processes", "workers",
    ),
    "verbose": ("progress", "progress_bar"),
}  # fmt: skip


@dataclass(eq=False)
class Fit:
    """What became of one task.

    Attributes
    ----------
    number : int
        Its place in the list of tasks.
    value : object
        What the function returned; None for a dict.
    net : Network or None
        The trained network of a dict: a copy of that which was given.
    history : History or None
        The history of a dict.
    error : Exception or None
        Why the task failed. If that was in a worker, ``error.__notes__`` has the traceback.
    seconds : float or None
        The time that it took; None if it failed.
    """

    number: int
    value: Any = None
    net: Network | None = None
    history: History | None = None
    error: BaseException | None = None
    seconds: float | None = None

    def __repr__(self) -> str:
        if self.error is not None:
            what = f"failed: {type(self.error).__name__}: {text_of(self.error)}"
        elif self.history is not None:
            scores = ", ".join(f"{k} {v:.4g}" for k, v in self.scores().items())
            what = f"{len(self.history['loss'])} epochs, {scores}, {self.seconds:.2g} s"
        else:
            what = f"{describe(self.value)}, {self.seconds:.2g} s"
        return f"<Fit {self.number}: {what}>"

    def scores(self) -> dict[str, float]:
        """The losses of the last epoch; empty for a function."""
        row = {} if self.history is None else self.history.last()
        return {name: row[name] for name in ("loss", "val_loss") if name in row}


@translate(_OTHER_NAMES)
def fit_many(
    tasks: Iterable[Callable[[], Any] | dict[str, Any]],
    executor: Any = None,
    *,
    verbose: bool | None = None,
) -> list[Fit]:
    """Make many independent fits: of seeds, folds, hyper-parameters or series.

    The results have the same bits whoever computes them, if each task depends on its arguments
    alone. One that fails does not end the others; a :class:`~throughtime.errors.FitsWarning` says
    how many failed. The first Ctrl-C ends all and returns what is finished.

    Parameters
    ----------
    tasks : iterable of callables or dicts
        A function without arguments, for example a :func:`functools.partial`; or a dict with the
        arguments of :func:`throughtime.train`, of whose network a copy is trained. Arrays, and
        lists of arrays, that are the same object in several tasks are sent once, and the tasks find
        them read-only. A source of batches that several tasks share must give each of them
        the same batches: a list, a function or a loader with ``set_epoch`` does; what draws from a
        generator of its own does not, so give each task one.
    executor : executor, callable or None
        Who computes. None: this process, one task after the other. Anything with the ``submit`` of
        :class:`concurrent.futures.Executor`: processes, threads, loky, Dask
        (``client.get_executor()``), MPI (``mpi4py.futures.MPIPoolExecutor``). Or a function without
        arguments that makes one, which is then shut down at the end, and made again if a worker
        dies. With an executor, each task works on copies, and must be one that can be pickled.
    verbose : bool, optional
        True prints a line for every fit; False prints nothing. By default a progress bar is drawn
        on a terminal or in a notebook. Training runs inside show nothing by default.

    Returns
    -------
    list of Fit
        In the order of the tasks.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If there are no tasks, or one is something else or cannot be pickled; before any work.

    Examples
    --------
    >>> import numpy as np
    >>> import throughtime as tt
    >>> x = np.random.default_rng(0).normal(size=(64, 10, 1))
    >>> layers = [tt.layers.GRU(4), tt.layers.Dense(1)]
    >>> nets = [tt.Network(layers, n_features=1, seed=seed) for seed in range(3)]
    >>> tasks = [{"net": net, "x": x, "y": x.sum(axis=1), "epochs": 2} for net in nets]
    >>> fits = tt.fit_many(tasks)
    >>> best = min(fits, key=lambda fit: fit.history["loss"][-1])
    >>> best.net.predict(x).shape
    (64, 1)
    """
    verbose = check_verbose(verbose)
    given = _check_tasks(tasks)
    shared, short = share(given, whole=_sources(given))
    fits = [Fit(number, error=_unfinished()) for number in range(len(given))]
    failed: dict[int, BaseException] = {}
    done = 0

    def finish(number: int, result: Any) -> None:
        nonlocal done
        fit = _as_fit(number, result)
        fits[number], done = fit, done + 1
        if fit.error is not None:
            failed[number] = fit.error
        progress.epoch(done, {"failed": len(failed)} if failed else {})
        if verbose:
            lines.write(f"{fit}\n")
            lines.flush()

    interrupted = False
    lines = standard_output()
    with Workers(executor, shared) as workers:
        workers.check(_fit, short)
        progress = InterruptNotice() if verbose else start_progress(verbose, len(given), unit="fit")
        note = "failed"
        try:
            workers.run(_fit, short, finish, keep_failures=True)
            note = "finished"
        except KeyboardInterrupt:
            if not CLEAN_END.get():
                raise
            note, interrupted = "interrupted", True
            workers.close(kill=True)
        finally:
            progress.close(note)
    if interrupted:
        failures = f", {len(failed)} failed" if failed else ""
        progress.interrupted(f"{done - len(failed)} of {len(given)} fits are finished{failures}")
    if failed:
        first = min(failed)
        error = failed[first]
        warnings.warn(
            f"{len(failed)} of {len(given)} fits failed; the first is tasks[{first}]:"
            f" {type(error).__name__}: {text_of(error)}",
            FitsWarning,
            stacklevel=3,
        )
    return fits


class _Done(NamedTuple):
    """What a worker answers."""

    value: Any
    net: Network | None
    history: History | None
    seconds: float


def _fit(shared: list[Any], task: Any) -> _Done:
    """Make one fit, without a progress bar; Ctrl-C ends it at once."""
    began = time.perf_counter()
    tokens = IN_WORKER.set(True), CLEAN_END.set(False)
    try:
        work = restore(shared, task)
        if not isinstance(work, dict):
            return _Done(work(), None, None, time.perf_counter() - began)
        net = work["net"].copy()
        history = train(**work | {"net": net})
        return _Done(None, net, history, time.perf_counter() - began)
    finally:
        IN_WORKER.reset(tokens[0])
        CLEAN_END.reset(tokens[1])


def _as_fit(number: int, result: _Done | Failure) -> Fit:
    if isinstance(result, Failure):
        return Fit(number, error=result.error)
    return Fit(number, **result._asdict())


def _unfinished() -> ThroughtimeError:
    return ThroughtimeError("Ctrl-C ended all fits before this one was finished.")


def _sources(tasks: list[Any]) -> set[int]:
    """The ids of objects that give batches."""
    plain = (type(None), int, float, str, dict, list, tuple, np.ndarray)
    dicts = [task for task in tasks if isinstance(task, dict)]
    found = [task[name] for task in dicts for name in _SOURCES if name in task]
    return {id(source) for source in found if not isinstance(source, plain)}


def _check_tasks(tasks: Any) -> list[Any]:
    """The tasks as a list, if each one can be called."""
    expected = "a list of functions without arguments, or of dicts with the arguments of train"
    if isinstance(tasks, dict | str) or callable(tasks) or not isinstance(tasks, Iterable):
        hint = "Write [task] for a single one."
        raise InvalidTypeError(sentence("tasks", expected, describe(tasks), hint))
    given = list(tasks)
    if not given:
        raise InvalidArgumentError(sentence("tasks", expected, "no task"))
    files: dict[str, int] = {}
    for number, task in enumerate(given):
        _check_task(number, task)
        file = _file_of(task)
        if file is not None and files.setdefault(file, number) != number:
            raise InvalidArgumentError(
                f"tasks[{files[file]}] and tasks[{number}] have the same checkpoint, {file!r}."
                " Give each task a file of its own."
            )
    return given


def _check_task(number: int, task: Any) -> None:
    name = Argument("tasks", number)
    if isinstance(task, dict):
        try:
            train.check(**task)  # type: ignore[attr-defined]  # of translate
            check_network(task["net"])
        except ThroughtimeError as error:
            raise error.within(str(name), "tasks") from None
        return
    expected = "a function without arguments, or a dict with the arguments of train"
    hint = "functools.partial(function, argument) gives a function its arguments."
    try:
        inspect.signature(task).bind()
    except TypeError:  # no function, or one that needs arguments
        raise InvalidTypeError(sentence(name, expected, describe(task), hint)) from None
    except ValueError:  # some functions of compiled modules do not tell
        pass


def _file_of(task: Any) -> str | None:
    """The file into which a dict writes its checkpoints."""
    checkpoint = task.get("checkpoint") if isinstance(task, dict) else None
    path = checkpoint.path if isinstance(checkpoint, Checkpoint) else checkpoint
    return os.path.realpath(path) if isinstance(path, str | os.PathLike) else None
