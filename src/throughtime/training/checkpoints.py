"""Checkpoints: a run that was killed continues from its last one, and ends with the same bits.

A checkpoint is written at the end of an epoch. It holds the weights, the optimiser's moments and
counters, the memory of the schedule, the history, the best weights so far and the memory of the
callbacks; of batches from sources, their hashes. It holds no state of a random generator, because
none outlives an epoch: the order of batches is drawn from ``(seed, epoch)`` and dropout from
``(seed, epoch, batch)``. It also holds a fingerprint of the network, the data and the options; a
run with another fingerprint is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    ModelFileError,
    check_int,
    describe,
    sentence,
)
from throughtime.registry import translate
from throughtime.serialization.container import read_container, write_container
from throughtime.serialization.files import check_path
from throughtime.training.averaging import WeightAverage
from throughtime.training.callbacks import Callback, Run
from throughtime.training.fingerprint import compare
from throughtime.training.history import TRAILING, History
from throughtime.training.monitor import BestWeights
from throughtime.training.replay import Trace

VERSION = 1


@translate(
    {
        "path": ("dirpath", "file", "filename", "filepath"),
        "every": ("every_n_epochs", "period", "save_freq", "save_every"),
        "callbacks=[tt.EarlyStopping(monitor='val_loss')] of tt.train, which gives the best weights"
        " back": ("mode", "monitor", "restore_best_weights", "save_best_only", "save_top_k"),
        "net.save(path) after training, for the weights alone": ("save_weights_only",),
    }
)
@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is saved.

    Parameters
    ----------
    path : str or path-like
        The file. It is replaced in one step, so it is complete at any time.
    every : int
        Number of epochs from one save to the next; the last epoch is always saved. Every save
        writes everything: with ``keep_outputs`` it grows by one set of outputs an epoch.
    """

    path: str | os.PathLike[str]
    every: int = 1

    def __post_init__(self) -> None:
        check_path(self.path)
        check_int("every", self.every, 1)

    def check(self) -> None:
        """Refuse a path that cannot be written to, before any work."""
        path = Path(self.path)
        folder = Path(os.path.realpath(path)).parent
        expected, got, hint = "", f"{str(path)!r}", ""
        if "{epoch" in path.name:
            expected = "the name of one file, which each save replaces"
            hint = (
                "Files of all epochs come from a callback:"
                " lambda run: run.net.save(f'net-{run.epoch}.safetensors')."
            )
        elif (problem := _unreachable(path)) is not None:
            expected, got = "a path that this system can open", f"{got}: {problem}"
        elif path.is_dir():
            expected, got = "a file", f"the folder {str(path)!r}"
        elif not folder.is_dir():
            expected = "in a folder that exists"
        elif not os.access(folder, os.W_OK):
            expected = "in a folder that can be written to"
        if expected:
            raise InvalidArgumentError(sentence("checkpoint", expected, got, hint, value=path))


def _unreachable(path: Path) -> str | None:
    """Why the system cannot look for a file at ``path``, such as a name that is too long."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror
    return None


def check_checkpoint(checkpoint: Any, resume: bool) -> Checkpoint | None:
    """Return ``checkpoint`` as a :class:`Checkpoint`, from a path too, or None."""
    if checkpoint is None:
        if resume:
            expected = "the file to continue from when resume=True"
            raise InvalidArgumentError(sentence("checkpoint", expected, "None", must="name"))
        return None
    found = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)
    found.check()
    return found


def save_checkpoint(
    checkpoint: Checkpoint,
    run: Run,
    best: BestWeights,
    callbacks: list[Callback],
    fingerprint: Mapping[str, Any],
    traces: Iterable[Trace] = (),
) -> None:
    """Write everything that the rest of the run depends on."""
    outputs, history = run.history.to_state()
    arrays = {f"history.{name}": array for name, array in outputs.items()}
    arrays["params"] = run.net.params.flat
    if best.weights is not None:
        arrays["best"] = best.weights
    for trace in traces:
        arrays |= trace.to_arrays()
    vectors, optimizer = _split(run.optimizer.state_dict())
    arrays |= {f"optimizer.{name}": array for name, array in vectors.items()}
    memories: list[dict[str, Any]] = []
    for i, callback in enumerate(callbacks):
        vectors, memory = _split(callback.state_dict())
        arrays |= {f"callback.{i}.{name}": array for name, array in vectors.items()}
        memories.append(memory)
    meta = {
        "epoch": run.epoch,
        "optimizer": optimizer,
        "history": history,
        "best": best.rule.state_dict(),
        "callbacks": memories,
        "fingerprint": fingerprint,
    }
    write_container(checkpoint.path, arrays, meta, "checkpoint", VERSION)


def load_checkpoint(
    checkpoint: Checkpoint,
    run: Run,
    best: BestWeights,
    callbacks: list[Callback],
    fingerprint: Mapping[str, Any],
    traces: Iterable[Trace] = (),
) -> bool:
    """Restore ``run``, ``best``, ``callbacks`` and ``traces`` from a checkpoint.

    Returns
    -------
    bool
        Whether there was a file; without one nothing is changed.

    Raises
    ------
    ModelFileError
        If the file is damaged, or belongs to a run on other data or with other options.
    InvalidArgumentError
        If its run has finished more epochs than ``run.epochs``.
    """
    if not Path(checkpoint.path).exists():
        return False
    arrays, meta = read_container(checkpoint.path, "checkpoint", VERSION)
    where = os.fspath(checkpoint.path)
    with _refused_if_damaged(where):
        compare(where, meta["fingerprint"], fingerprint)
        epoch = check_int("epoch", meta["epoch"], 1)
        history = History.from_state(_part(arrays, "history."), meta["history"])
        _check_history(history, epoch, best)
        _check_vectors(arrays, run.net.params.flat)
    if epoch > run.epochs:
        expected = f"at least {epoch}, which the run in {where} has finished already"
        hint = "Leave out resume=True to start anew."
        raise InvalidArgumentError(sentence("epochs", expected, run.epochs, hint))
    with _refused_if_damaged(where):
        if len(meta["callbacks"]) != len(callbacks):
            raise ModelFileError(
                f"{where} belongs to a run with {len(meta['callbacks'])} callbacks, not"
                f" {len(callbacks)}. Give the same callbacks to continue."
            )
        run.optimizer.load_state_dict(meta["optimizer"] | _part(arrays, "optimizer."))
        for trace in traces:
            trace.from_arrays(arrays, epoch)
        for i, (callback, state) in enumerate(zip(callbacks, meta["callbacks"], strict=True)):
            own = _part(arrays, f"callback.{i}.")
            callback.load_state_dict(state | own if own else state)
            average = callback.weights if isinstance(callback, WeightAverage) else None
            if average is not None and average.shape != run.net.params.flat.shape:
                raise ValueError(f"the average of weights is {describe(average)}")
        best.rule.load_state_dict(meta["best"])  # last, since it may be one of the callbacks
        if (best.rule.best_epoch is None) is ("best" in arrays):
            raise ValueError("the best weights are not those of the best epoch")
        if (best.rule.best_epoch or 0) + best.rule.waited != epoch:
            raise ValueError("the best epoch is not of this run")
    run.net.params.flat[...] = arrays["params"]
    best.weights = arrays.get("best")
    run.history, run.epoch = history, epoch
    history.best_epoch = best.rule.best_epoch
    return True


@contextmanager
def _refused_if_damaged(where: str) -> Iterator[None]:
    """Turn whatever goes wrong with the parts of a checkpoint into a ModelFileError.

    Only a file made by hand gets here: what ``train`` writes is covered by its checksum. A
    user-defined callback may fail in any way.
    """
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{where} is not a usable checkpoint file: its parts do not fit ({error!r})."
        ) from error


def _check_history(history: History, epoch: int, best: BestWeights) -> None:
    """Raise ValueError where the history of a checkpoint is not that of ``epoch`` epochs."""
    wanted = {*best.columns, *TRAILING}
    if set(history) not in (wanted, wanted - {"penalty"}):
        raise ValueError(f"the history has the columns {', '.join(history)}")
    if any(len(values) != epoch for values in history.values()):
        raise ValueError("the history is not of this epoch")
    if len(history.outputs) not in (0, epoch):
        raise ValueError(f"the history has {len(history.outputs)} outputs")


def _check_vectors(arrays: Mapping[str, np.ndarray], weights: np.ndarray) -> None:
    """Raise ValueError where a vector of a checkpoint is no vector of ``weights``."""
    for name in ("params", *(n for n in arrays if n == "best" or n.startswith("optimizer."))):
        vector = arrays[name]
        if vector.shape != weights.shape or vector.dtype != weights.dtype:
            raise ValueError(f"{name} is {describe(vector)}")
        if not np.isfinite(vector).all():
            raise ValueError(f"{name} is not finite")


def _split(state: Any) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays of a state, and the rest, which is ready for JSON."""
    if not isinstance(state, Mapping):
        return {}, state
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    return arrays, {name: value for name, value in state.items() if name not in arrays}


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
