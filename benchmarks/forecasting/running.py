"""Run methods on series, in processes; results that are still valid are read from files.

A method and version have one file of JSON lines, a line a series. A line holds a digest of the
history: it does not count for other data.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecasting.collections import Series
from benchmarks.forecasting.methods import LEVELS, METHODS, Forecasts, seasonal_naive

FIELDS = ("mean", *(f"{side}{level}" for level in LEVELS for side in ("lo", "hi")))
#: Result of a method on a series: the forecasts, the seconds, and the error if it failed.
Result = dict[str, Any]
#: Results of a method by the id of the series.
Results = dict[str, Result]
#: A series to load libraries and compile with, before anything is timed.
_WARM = Series("warm", "", "quarterly", "QS", 4, 50.0 + np.arange(24.0) % 4, np.zeros(2))


def digest(series: Series) -> str:
    """Names history, horizon and frequency."""
    content = (
        series.train.tobytes() + repr((len(series.test), series.alias, series.period)).encode()
    )
    return hashlib.sha256(content).hexdigest()[:16]


def file_of(folder: Path, name: str) -> Path:
    """Where results of a method are stored."""
    return folder / f"{name}-{METHODS[name].version()}.jsonl"


def stored(path: Path) -> dict[tuple[str, str], Result]:
    """Results in a file, by id and digest; a line that is empty or cut off is ignored."""
    found: dict[tuple[str, str], Result] = {}
    if not path.exists():
        return found
    for line in path.read_text("utf-8").splitlines():
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[one["id"], one["digest"]] = one
    return found


def _start(name: str) -> None:
    """Prepare a process for one method."""
    path = METHODS[name].path
    if path is not None:
        sys.path.insert(0, str(path.resolve()))
    METHODS[name].forecast(_WARM)


def one(task: tuple[str, Series]) -> Result:
    """Forecast one series; a method that fails gives the seasonal naive forecast."""
    name, series = task
    begin, error = time.perf_counter(), None
    try:
        found = METHODS[name].forecast(series)
        if not all(np.isfinite(found[field]).all() for field in FIELDS):
            raise ValueError("a forecast is not finite")
    except Exception as failure:
        found, error = seasonal_naive(series), f"{type(failure).__name__}: {failure}"[:200]
    taken = time.perf_counter() - begin
    result: Result = {"id": series.id, "digest": digest(series), "seconds": round(taken, 4)}
    if error is not None:
        result["error"] = error
    return result | {field: [float(f"{v:.8g}") for v in found[field]] for field in FIELDS}


def run(name: str, every: Iterable[Series], folder: Path, *, anew: bool, processes: int) -> Results:
    """Results of a method by the id of the series.

    Parameters
    ----------
    name : str
        One of METHODS.
    every : iterable of Series
    folder : Path
        Folder of the stored results.
    anew : bool
        Whether stored results are computed again.
    processes : int
        Number of processes, each of one thread.
    """
    path, every = file_of(folder, name), list(every)
    known = {} if anew else stored(path)
    results = {s.id: known[s.id, digest(s)] for s in every if (s.id, digest(s)) in known}
    tasks = [(name, s) for s in every if s.id not in results]
    if not tasks:
        return results
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w" if anew else "a", encoding="utf-8") as file:
        file.write("\n")  # the line before may have been cut off
        for done, result in enumerate(_computed(name, tasks, processes), 1):
            file.write(json.dumps(result) + "\n")
            file.flush()
            results[result["id"]] = result
            if done % 100 == 0 or done == len(tasks):
                print(f"{name}: {done} of {len(tasks)}", file=sys.stderr, flush=True)
    return results


def _computed(name: str, tasks: list[tuple[str, Series]], processes: int) -> Iterator[Result]:
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_start, initargs=(name,)) as pool:
        yield from pool.imap_unordered(one, tasks)


def arrays(result: Result) -> Forecasts:
    """The forecasts of a result."""
    return {field: np.asarray(result[field]) for field in FIELDS}


def mean(first: Result, second: Result) -> Result:
    """The mean of two methods' forecasts and bounds; it takes the time of both."""
    errors = {key: value for one in (first, second) for key, value in one.items() if key == "error"}
    middle = {field: (np.add(first[field], second[field]) / 2.0).tolist() for field in FIELDS}
    seconds = first["seconds"] + second["seconds"]
    return {"id": first["id"], "seconds": seconds} | errors | middle
