"""Forecast with throughtime and with other libraries, score, and print the tables.

    make bench-forecast                                      # everything
    make bench-forecast FORECAST="--quick --collections m3"  # a tenth of the series of M3
    python -m benchmarks.forecasting --methods ours smoothing snaive

benchmarks/README.md says what is measured, and how.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.forecasting import demand, panels, report, running, showcases
from benchmarks.forecasting.collections import COLLECTIONS, HALVES, Series, load
from benchmarks.forecasting.methods import METHODS
from benchmarks.forecasting.scores import DRAWS, Board, scale, score

#: Methods that run unless others are named. AutoARIMA takes minutes for a long series.
USUAL = ("ours", "smoothing", "release", "ets", "theta", "ets+theta", "snaive")
#: Methods that are the mean of two others.
MEANS = {"ets+theta": ("ets", "theta")}
#: With --quick: one series in so many, and draws of the bootstrap.
_SPARSE, _FEW_DRAWS = 10, 200


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.forecasting", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--half",
        choices=HALVES,
        default="odd",
        help="the half of the competitions, by the MD5 digest of the id; the even half judges only"
        " (default: odd)",
    )
    parser.add_argument("--collections", nargs="+", choices=COLLECTIONS, default=COLLECTIONS)
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *MEANS], default=USUAL)
    parser.add_argument(
        "--base", default="ets", help="the method that ratios are to (default: ets)"
    )
    parser.add_argument("--quick", action="store_true", help="one series in ten")
    parser.add_argument(
        "--cached",
        action="store_true",
        help="use stored results of throughtime too; without it, ours is always run",
    )
    parser.add_argument(
        "--panels",
        nargs="*",
        choices=[panel.name for panel in panels.PANELS],
        metavar="NAME",
        help="global networks on panels instead, on all or on these: "
        + " ".join(panel.name for panel in panels.PANELS),
    )
    parser.add_argument(
        "--showcases", action="store_true", help="the series of the documentation instead"
    )
    parser.add_argument("--demand", action="store_true", help="series that are mostly zero instead")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="each has one thread"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/benchmarks/forecasting"),
        help="the folder of stored results and results.md (default: build/benchmarks/forecasting)",
    )
    arguments = parser.parse_args()
    if arguments.panels is None and arguments.base not in arguments.methods:
        parser.error(f"--base must be one of --methods; got {arguments.base}")
    return arguments


def _series(arguments: argparse.Namespace) -> tuple[list[Series], list[str]]:
    """The series that can be scored, and sentences on them."""
    every = load(arguments.half, arguments.collections)
    if arguments.quick:
        every = [one for one in every if int(running.digest(one), 16) % _SPARSE == 0]
    found = [one for one in every if scale(one) > 0.0]
    notes = [f"Half of the competitions: {arguments.half}."]
    if len(found) < len(every):
        notes.append(f"{len(every) - len(found)} constant histories are not scored.")
    return found, notes


def _results(arguments: argparse.Namespace, series: list[Series]) -> dict[str, running.Results]:
    found: dict[str, running.Results] = {}
    for name in arguments.methods:
        for part in MEANS.get(name, (name,)):
            if part not in found:
                anew = part in ("ours", "smoothing") and not arguments.cached
                found[part] = running.run(
                    part, series, arguments.out, anew=anew, processes=arguments.processes
                )
        if name in MEANS:
            first, second = (found[part] for part in MEANS[name])
            found[name] = {key: running.mean(first[key], second[key]) for key in first}
    return {name: found[name] for name in arguments.methods}


def main() -> None:
    """Run, print and store."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.panels is not None:
        measured = panels.measure(arguments.panels, quick=arguments.quick)
        _finish(arguments.out / "panels.md", panels.markdown(measured))
    elif arguments.showcases:
        cases = showcases.measure(quick=arguments.quick)
        _finish(arguments.out / "showcases.md", showcases.markdown(cases))
    elif arguments.demand:
        measured = demand.measure(quick=arguments.quick)
        _finish(arguments.out / "demand.md", demand.markdown(measured))
    else:
        _finish(arguments.out / "results.md", _single(arguments))


def _single(arguments: argparse.Namespace) -> str:
    """The report on single series."""
    series, notes = _series(arguments)
    board = Board(series)
    for name, results in _results(arguments, series).items():
        rows = [results[one.id] for one in series]
        board.scores[name] = [
            score(one, running.arrays(row), row["seconds"])
            for one, row in zip(series, rows, strict=True)
        ]
        failed = sum("error" in row for row in rows)
        if name in METHODS:
            note = f"{report.title(name)}, version {METHODS[name].version()}"
            missing = f": {failed} series have the seasonal naive forecast, because it failed"
            notes.append(f"{note}{missing if failed else ''}.")
    draws = _FEW_DRAWS if arguments.quick else DRAWS
    return report.markdown(board, arguments.base, notes, draws)


def _finish(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
