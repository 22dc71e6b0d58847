"""One row: agree first, find everyone's best form, then measure in turns."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.server import PEERS, Server
from benchmarks.tasks import LEARNING_RATE, Arrays, Task


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds : int
        In each of them every library has one turn.
    seconds : float
        That a turn lasts at least; a task that is shorter is repeated.
    trials : int
        Turns for each form of a library, of which the shortest counts, before the rounds.
    """

    rounds: int
    seconds: float
    trials: int


QUICK, FULL = Effort(5, 0.03, 2), Effort(11, 0.1, 3)


def check_agreement(task: Task, name: str, answers: Arrays, wanted: Arrays) -> None:
    """Refuse to time libraries that do not compute the same.

    The first step of Adam is the learning rate times the sign of the gradient, nearly; where the
    gradient is next to nothing, rounding chooses the sign. So of the parameters no more than one
    in a hundred may be off by more than a hundredth of that step, and none by more than two steps.

    Raises
    ------
    SystemExit
        If they do not agree.
    """
    for key, value in wanted.items():
        error = np.abs(answers[key].astype("float64") - value)
        if key in ("y", "loss"):
            good = error.max() <= 1e-5 + 1e-4 * np.abs(value).max()
        else:
            off = np.mean(error > LEARNING_RATE / 100)
            good = off <= 0.01 and error.max() <= 2.01 * LEARNING_RATE
        if answers[key].shape != value.shape or not good:
            raise SystemExit(
                f"{task}: {name} and throughtime disagree on {key}, by up to {error.max():.3g}."
            )


def _repeats(server: Server, effort: Effort) -> int:
    once = server.ask("measure", 1)
    return max(1, round(effort.seconds / once))


def _tune(
    server: Server, task: Task, effort: Effort, wanted: Arrays | None
) -> tuple[str, int, Arrays]:
    """Prepare the server's fastest form of the task; also return its repeats and answers."""
    found = []
    variants = server.variants[task.job]
    for variant in variants:
        answers = server.ask("prepare", task, variant)
        if wanted is not None:
            check_agreement(task, f"{PEERS[server.peer]} ({variant})", answers, wanted)
        repeats = _repeats(server, effort)
        if len(variants) == 1:
            return variant, repeats, answers
        best = min(server.ask("measure", repeats) for _ in range(effort.trials))
        found.append((best, variant, repeats))
    _, variant, repeats = min(found)
    answers = server.ask("prepare", task, variant)
    return variant, repeats, answers


def measure(task: Task, servers: list[Server], effort: Effort) -> dict[str, Any]:
    """Measure one task; ``servers`` starts with our own.

    Returns
    -------
    row : dict
        For each library that can do the task: the median of its seconds, the form it took, and the
        median over the rounds of its time through ours.
    """
    taking = [server for server in servers if task.job in server.variants]
    repeats, variants, wanted = {}, {}, None
    for server in taking:
        name = server.peer
        variants[name], repeats[name], answers = _tune(server, task, effort, wanted)
        wanted = answers if wanted is None else wanted
    times: dict[str, list[float]] = {server.peer: [] for server in taking}
    for k in range(effort.rounds):
        first = k % len(taking)
        for server in taking[first:] + taking[:first]:
            times[server.peer].append(server.ask("measure", repeats[server.peer]))
    ours = times["ours"]
    others = [name for name in times if name != "ours"]
    return {
        "job": task.job,
        "cell": task.cell,
        "shape": task.shape,
        "flops": task.flops,
        "repeats": repeats,
        "variants": variants,
        "seconds": {name: statistics.median(column) for name, column in times.items()},
        "ratios": {
            name: statistics.median(b / a for a, b in zip(ours, times[name], strict=True))
            for name in others
        },
    }
