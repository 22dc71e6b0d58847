"""One row: check that all libraries agree, find the best form of each, then measure in turns."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.server import PEERS, Fleet, Server
from benchmarks.tasks import LEARNING_RATE, Arrays, Task


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds : int
        Number of rounds; in each one every library has one turn.
    seconds : float
        Least length of a turn; a shorter task is repeated.
    trials : int
        Turns for each form of a library before the rounds; the shortest one counts.
    """

    rounds: int
    seconds: float
    trials: int


QUICK, FULL = Effort(5, 0.03, 2), Effort(11, 0.1, 3)
#: For curves, which have many points.
SHORT = Effort(3, 0.03, 1)


def check_agreement(task: Task, name: str, answers: Arrays, wanted: Arrays) -> None:
    """Refuse to time libraries that do not compute the same.

    The first step of Adam is nearly the learning rate times the sign of the gradient. Where the
    gradient is almost zero, rounding decides the sign. So at most one parameter in a hundred may
    differ by more than a hundredth of that step, and none by more than two steps.

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


@dataclass(frozen=True)
class Form:
    """The form in which a library does a task fastest.

    Attributes
    ----------
    server : Server
        The server, which has prepared the task; it may have fewer threads than are allowed.
    variant : str
        One of the variants of the server's library.
    repeats : int
        Repeats of the task in one turn.
    """

    server: Server
    variant: str
    repeats: int


def _once(server: Server, enough: float) -> float:
    """About the seconds of one repeat, once threads are awake and caches are warm."""
    repeats = 1
    once: float = server.ask("measure", repeats)
    while once * repeats < enough / 4:
        repeats *= 4
        once = server.ask("measure", repeats)
    return once


def find_form(task: Task, servers: list[Server], effort: Effort, wanted: Arrays | None) -> Form:
    """Try every form in which one library can do the task, and return the fastest."""
    forms = [(server, variant) for server in servers for variant in server.variants[task.job]]
    best, found, prepared = math.inf, None, None
    for server, variant in forms:
        answers = server.ask("prepare", task, variant)
        if wanted is not None:
            check_agreement(task, f"{PEERS[server.peer]} ({variant})", answers, wanted)
        once = _once(server, effort.seconds)
        prepared = Form(server, variant, max(1, round(effort.seconds / once)))
        if once > 3 * best:  # trials would take long and could not change the choice
            continue
        trials = effort.trials if len(forms) > 1 else 0
        times = [server.ask("measure", prepared.repeats) for _ in range(trials)]
        if found is None or min(times) < best:
            best, found = min(times, default=once), prepared
    assert found is not None
    if found is not prepared:
        found.server.ask("prepare", task, found.variant)
    return found


def measure(task: Task, fleet: Fleet, effort: Effort) -> dict[str, Any]:
    """Measure one task.

    Returns
    -------
    row : dict
        For each library that can do the task: the median of its seconds, its form, and the median
        over the rounds of its time through ours.
    """
    (own,) = fleet["ours"]
    wanted = own.ask("prepare", task, "default")
    forms = {
        peer: find_form(task, servers, effort, wanted if peer != "ours" else None)
        for peer, servers in fleet.items()
        if task.job in servers[0].variants
    }
    # Measure again, now that all are warm: a library may still be busy after it made a network.
    for peer, form in forms.items():
        repeats = round(effort.seconds / _once(form.server, effort.seconds))
        forms[peer] = replace(form, repeats=max(1, repeats))
    times: dict[str, list[float]] = {peer: [] for peer in forms}
    order = list(forms)
    for k in range(effort.rounds):
        first = k % len(order)
        for peer in order[first:] + order[:first]:
            form = forms[peer]
            times[peer].append(form.server.ask("measure", form.repeats))
    for servers in fleet.values():
        for server in servers:
            server.ask("release")
    return {
        "job": task.job,
        "cell": task.cell,
        "shape": task.shape,
        "flops": task.flops,
        "seconds": {peer: statistics.median(column) for peer, column in times.items()},
        "ratios": {
            peer: statistics.median(b / a for a, b in zip(times["ours"], column, strict=True))
            for peer, column in times.items()
            if peer != "ours"
        },
        "forms": {
            peer: {
                "variant": form.variant,
                "threads": form.server.threads,
                "repeats": form.repeats,
            }
            for peer, form in forms.items()
        },
    }
