"""The report: the results as Markdown."""

from __future__ import annotations

from benchmarks.bars import Results, fraction, judge, mean_ratio, passes, worst
from benchmarks.server import PEERS

TITLES = {
    "train": "A training step",
    "predict": "Prediction",
    "stream": "One step of a stream",
    "scan": "A training step without a product in the time loop",
    "loss": "Value and gradient of a loss (N, T, classes, labels)",
}
UNITS = dict.fromkeys(TITLES, ("ms", 1e3)) | {"stream": ("µs", 1e6)}


def table(header: list[str], rows: list[list[str]], text_columns: int = 1) -> list[str]:
    """Lines of a table: ``text_columns`` columns of text, then columns of numbers."""
    marks = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    lines = [header, marks, *rows]
    return ["", *(f"| {' | '.join(line)} |" for line in lines), ""]


def number(value: float) -> str:
    """Three digits, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3f}" if value < 1 else f"{value:.3g}"


def _rows(results: Results, job: str) -> list[str]:
    rows = [row for row in results.get("rows", []) if row["job"] == job]
    if not rows:
        return []
    unit, factor = UNITS[job]
    peers = [peer for peer in PEERS if peer in rows[0]["seconds"]]
    others = peers[1:]
    header = ["cell", "N, T, F, H", *(f"{PEERS[peer]}, {unit}" for peer in peers)]
    header += [f"{PEERS[peer]} / ours" for peer in others]
    header += ["fastest / ours", "bar"]
    if job == "train":
        header.append("of peak")
    lines = []
    for row in rows:
        line = [row["cell"], ", ".join(map(str, row["shape"]))]
        line += [number(row["seconds"][peer] * factor) for peer in peers]
        line += [f"{row['ratios'][peer]:.2f}" for peer in others]
        line += [f"{min(row['ratios'].values()):.2f}", "yes" if passes(row) else "**no**"]
        if job == "train":
            part = fraction(row, results)
            line.append("" if part is None else f"{part:.0%}")
        lines.append(line)
    means = [mean_ratio(rows, job, peer) or 0.0 for peer in others]
    least = min(map(worst, rows))
    lines.append(
        ["geometric mean", "", *[""] * len(peers), *(f"{mean:.2f}" for mean in means)]
        + [f"least {least:.2f}", ""]
        + ([""] if job == "train" else [])
    )
    return [f"## {TITLES[job]}", *table(header, lines, 2)]


def _bars(results: Results) -> list[str]:
    lines = [
        [bar["name"], bar["wanted"], bar["got"], "yes" if bar["passed"] else "**no**"]
        for bar in judge(results)
    ]
    return ["## Bars", *table(["bar", "wanted", "got", "reached"], lines, 4)] if lines else []


def _memory(results: Results) -> list[str]:
    rows = results.get("memory")
    if not rows:
        return []
    peers = list(rows[0]["bytes"])
    lines = [
        [row["cell"], ", ".join(map(str, row["shape"]))]
        + [f"{row['bytes'][peer] / 1e6:.1f}" for peer in peers]
        for row in rows
    ]
    header = ["cell", "N, T, F, H", *(f"{PEERS[peer]}, MB" for peer in peers)]
    return ["## Peak memory of a training step", *table(header, lines, 2)]


def _footprint(results: Results) -> list[str]:
    if "import_seconds" not in results:
        return []
    sizes = results["installed_bytes"]
    lines = []
    for name, seconds in results["import_seconds"].items():
        line = [name, f"{seconds * 1e3:.0f}"]
        size = sizes.get(name)
        keys = ("own", "with_requirements")
        line += [f"{size[key] / 1e6:.1f}" if size else "" for key in keys]
        lines.append(line)
    header = ["package", "import, ms", "installed, MB", "with what it needs, MB"]
    wheel = results.get("wheel_bytes")
    text = [f"Our wheel: {wheel / 1e6:.2f} MB."] if wheel else []
    return ["## Import time and installed size", *table(header, lines), *text, ""]


def _calls(results: Results) -> list[str]:
    rows = results.get("calls")
    if not rows:
        return []
    beside = rows[0]["ratio"] is not None
    header = ["call", "µs", *(["other version, µs", "ours / other"] if beside else [])]
    lines = [
        [row["name"], *(number(seconds * 1e6) for seconds in row["seconds"])]
        + ([f"{row['ratio']:.3f}"] if beside else [])
        for row in rows
    ]
    text = "Processor time on one thread; networks of eight units, four sequences of ten steps."
    return ["## Calls on tiny networks", "", text, *table(header, lines), ""]


def _growth(results: Results) -> list[str]:
    lines = []
    for key, points in (results.get("growth") or {}).items():
        peers = list(points[0]["seconds"])
        header = [key, *(f"{PEERS[peer]}, ms" for peer in peers), "ours, GFLOP/s"]
        rows = [
            [
                str(point[key]),
                *(number(point["seconds"][peer] * 1e3) for peer in peers),
                f"{point['flops'] / point['seconds']['ours'] / 1e9:.0f}",
            ]
            for point in points
        ]
        lines += [f"### {key}", *table(header, rows)]
    if not lines:
        return []
    base = "An LSTM's training step; (N, T, F, H) = (32, 100, 16, 128) where a size is not given."
    base += " Threads at (64, 100, 32, 128)."
    return ["## How cost grows", "", base, "", *lines]


def _disk(results: Results) -> list[str]:
    rows = results.get("disk")
    if not rows:
        return []
    header = ["files", "GB", "growth, MB", "one pass, s", "from files, s", "from memory, s"]
    header.append("memory / files")
    lines = [
        [row["kind"], f"{row['bytes'] / 1e9:.2g}", f"{row['grown'] / 1e6:.0f}"]
        + [number(row[key]) for key in ("seconds", "disk", "memory")]
        + [f"{row['ratio']:.2f}"]
        for row in rows
    ]
    text = (
        "A GRU of 64 units, float32, batches of 32 sequences of 200 steps and 32 features. One pass"
        " over all files, and turns on a part of them."
    )
    return ["## Training from disk", "", text, *table(header, lines), ""]


def _shards(results: Results) -> list[str]:
    found = results.get("shards")
    if not found:
        return []
    header = ["cell", "shards", "one thread, ms", "shards here, ms", "two processes, ms"]
    header += ["one thread / two processes", "by processor time"]
    lines = [
        [row["cell"], str(row["shards"])]
        + [number(row[key] * 1e3) for key in ("one", "here", "pool")]
        + [f"{row['ratio']:.2f}", f"{row['processor']:.2f}"]
        for row in found["speed"]
    ]
    cost = found["overhead"]
    text = "An update of a layer and a Dense layer; (N, T, F, H) = (256, 200, 32, 128), float32."
    tiny = (
        f"An update of a tiny network takes {number(cost['here'] * 1e6)} µs here and"
        f" {number(cost['worker'] * 1e6)} µs with one worker:"
        f" {number(cost['overhead'] * 1e6)} µs more, of which the processors work for"
        f" {number(cost['processor'] * 1e6)} µs."
    )
    return ["## Shards", "", text, *table(header, lines), tiny]


def _machine(results: Results) -> list[str]:
    machine = results["machine"]
    versions = [f"{name} {value}" for name, value in results["versions"].items()]
    peak = results.get("peak") or {}
    limits = "; ".join(f"{gflops / 1e9:.0f} GFLOP/s on {n}" for n, gflops in peak.items())
    effort = results["effort"]
    return [
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores,",
        f"{machine['system']}.",
        f"At most {machine['threads']} threads for each library.",
        *([f"{', '.join(versions)}."] if versions else []),
        f"Medians of {effort['rounds']} rounds, of turns of {effort['seconds']:g} s.",
        f"Measured peak of multiply-adds in float32: {limits or 'none'}.",
        "",
    ]


def markdown(results: Results) -> str:
    """The whole report."""
    lines = ["# Benchmark results", "", *_machine(results), *_bars(results)]
    for job in TITLES:
        lines += _rows(results, job)
    lines += [*_memory(results), *_footprint(results), *_growth(results), *_calls(results)]
    lines += [*_disk(results), *_shards(results)]
    return "\n".join(lines).rstrip() + "\n"
