"""Measure this library beside PyTorch, JAX and ONNX Runtime.

    make bench                                    # everything
    make bench BENCH="--quick --rows train-lstm"  # some rows, roughly

What is measured, and how, stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import footprint, growth, memory
from benchmarks.bars import judge
from benchmarks.paired import FULL, QUICK, Effort, measure
from benchmarks.peak import peaks
from benchmarks.server import fleet
from benchmarks.tables import markdown
from benchmarks.tasks import Task, all_tasks

SECTIONS = ["rows", "memory", "footprint", "growth"]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """Its name and number of model: some names say little."""
    path, found = Path("/proc/cpuinfo"), {}
    if path.exists():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    if "model name" not in found:
        return platform.processor() or platform.machine()
    numbers = (f"{k} {found[k]}" for k in ("cpu family", "model") if k in found)
    return f"{found['model name']} ({', '.join(numbers)})"


def _machine(threads: int) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    return {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": _cores(),
        "threads": threads,
        "system": f"{platform.system()}, Python {platform.python_version()}",
    }


def _measure_rows(tasks: list[Task], threads: int, effort: Effort, results: dict[str, Any]) -> None:
    results["rows"] = []
    with fleet(threads) as servers:
        for own in servers.values():
            results["versions"] |= own[0].versions
        for task in tasks:
            row = measure(task, servers, effort)
            results["rows"].append(row)
            times = ", ".join(f"{peer} {s * 1e3:.4g} ms" for peer, s in row["seconds"].items())
            print(f"{task.name}: {times}; {min(row['ratios'].values()):.2f}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--rows",
        nargs="+",
        metavar="TEXT",
        help="only rows whose name holds one of these: lstm, train-gru, 64,100,32,128, ...",
    )
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="parts of the suite"
    )
    parser.add_argument("--threads", type=int, help="OMP_NUM_THREADS, or the number of cores")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/benchmarks"),
        help="folder for results.json and results.md (build/benchmarks)",
    )
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    """All parts that are asked for, into ``results``."""
    threads, effort = results["machine"]["threads"], Effort(**results["effort"])
    wanted = arguments.rows or [""]
    tasks = [task for task in all_tasks() if any(text in task.name for text in wanted)]
    limits = peaks(sorted({1, threads}))
    if limits is not None:
        results["peak"] = {str(n): value for n, value in limits.items()}
    if "rows" in arguments.only:
        _measure_rows(tasks, threads, effort, results)
    if "memory" in arguments.only:
        results["memory"] = memory.measure(threads, rounds=1 if arguments.quick else 3)
    if "footprint" in arguments.only:
        results["import_seconds"] = footprint.import_seconds(effort.rounds)
        results["installed_bytes"] = footprint.sizes()
        results["wheel_bytes"] = None if arguments.quick else footprint.wheel_bytes()
    if "growth" in arguments.only:
        results["growth"] = growth.sweep(threads)
    # Again, because a busy machine can only lower it.
    for n, value in (peaks(sorted({1, threads})) or {}).items():
        results["peak"][str(n)] = max(results["peak"][str(n)], value)


def main() -> None:
    """Measure what is asked for, print it and store it, what there is of it after a failure."""
    arguments = _arguments()
    threads = arguments.threads or int(os.environ.get("OMP_NUM_THREADS", _cores()))
    effort = QUICK if arguments.quick else FULL
    results: dict[str, Any] = {
        "machine": _machine(threads),
        "effort": asdict(effort),
        "versions": {},
    }
    try:
        _measure(arguments, results)
    finally:
        results["bars"] = judge(results)
        text = markdown(results)
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        (arguments.out / "results.md").write_text(text, "utf-8")
        print(text)


if __name__ == "__main__":
    main()
