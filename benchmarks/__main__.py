"""Measure throughtime beside PyTorch, JAX and ONNX Runtime.

    make bench                                    # everything
    make bench BENCH="--quick --rows train-lstm"  # some rows, with fewer rounds
    python -m benchmarks --only calls --against ../older/src

benchmarks/README.md says what is measured, and how.
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

from benchmarks import calls, disk, footprint, growth, memory, shards
from benchmarks.bars import judge
from benchmarks.paired import FULL, QUICK, Effort, measure
from benchmarks.peak import peaks
from benchmarks.server import PEERS, check_installed, fleet
from benchmarks.tables import markdown
from benchmarks.tasks import Task, all_tasks

SECTIONS = ["rows", "memory", "footprint", "growth", "calls", "disk", "shards"]
#: Parts that time the other libraries, and which of them.
BESIDE = {"rows": list(PEERS), "memory": memory.PEERS, "growth": growth.PEERS}


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """Its name, with the numbers of family and model: some names say little."""
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
    parser.add_argument("--quick", action="store_true", help="take fewer and shorter rounds")
    parser.add_argument(
        "--rows",
        nargs="+",
        metavar="TEXT",
        help="measure only rows whose name contains one of these: lstm, train-gru, 64,100,32,128",
    )
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="measure only these parts"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="the folder that holds another version of the package, for the part 'calls'",
    )
    parser.add_argument(
        "--threads",
        type=int,
        help="the most threads for each library (default: OMP_NUM_THREADS, or the number of cores)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/benchmarks"),
        help="the folder for results.json and results.md (default: build/benchmarks)",
    )
    arguments = parser.parse_args()
    if arguments.against is not None and not (arguments.against / "throughtime").is_dir():
        parser.error(f"--against must be a folder that holds throughtime; got {arguments.against}")
    for part in arguments.only:
        check_installed(BESIDE.get(part, []), part)
    return arguments


def _measure(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    """Measure the chosen parts; write what comes out into ``results``."""
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
    if "calls" in arguments.only:
        results["calls"] = calls.measure(4 * effort.rounds, arguments.against)
    if "disk" in arguments.only:
        results["disk"] = disk.measure(threads, effort.rounds, arguments.quick)
    if "shards" in arguments.only:
        results["shards"] = shards.measure(effort.rounds)
    # A busy machine can only lower the peak, so measure it again and keep the larger one.
    for n, value in (peaks(sorted({1, threads})) or {}).items():
        results["peak"][str(n)] = max(results["peak"][str(n)], value)


def main() -> None:
    """Measure, print and store; after a failure, print and store what was measured before it."""
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
