"""The bars: what the numbers must reach."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.memory import SHAPES as LARGE

#: Least ratios of times: the fastest other library's to ours in every row; ONNX Runtime's for a
#: stream.
TRAIN, PREDICT, STREAM = 1.3, 1.0, 3.0
#: Least ratio of our GRU's time in training to that of a cell without a product in its time loop.
BEFORE_GRU = 3.0
#: Least geometric means of the ratios over all rows of training.
MEANS = {"pytorch": 10.0, "jax_jit": 3.0}
#: Least part of the machine's peak, and the cells that must reach it.
PEAK, PEAK_CELLS = 0.7, ("rnn", "lstm")
IMPORT_OF_NUMPY, WHEEL_BYTES = 1.3, 5_000_000
#: Training from files: the most bytes of growth, and the least part of the speed from memory.
DISK_GROWTH, DISK_SPEED = 300_000_000, 0.9
#: Two processes beside one thread; seconds that a step with one worker takes on top.
SHARDS_SPEED, SHARDS_OVERHEAD = 1.7, 1e-3

Results = dict[str, Any]
Bar = dict[str, Any]


def _bar(name: str, wanted: str, got: str, passed: bool) -> Bar:
    return {"name": name, "wanted": wanted, "got": got, "passed": bool(passed)}


def worst(row: dict[str, Any]) -> float:
    """Time of the fastest other library through ours; for a stream's step, of ONNX Runtime."""
    ratios = row["ratios"]
    return ratios["onnx_runtime"] if row["job"] == "stream" else min(ratios.values())


def wanted(row: dict[str, Any]) -> float:
    """The bar of a row."""
    bars = {"train": TRAIN, "predict": PREDICT, "stream": STREAM, "scan": PREDICT, "loss": PREDICT}
    return bars[row["job"]]


def passes(row: dict[str, Any]) -> bool:
    """Whether a row reaches its bar; but for training and streams, ours must be faster."""
    strict = row["job"] in ("predict", "scan", "loss")
    return worst(row) > PREDICT if strict else worst(row) >= wanted(row)


def mean_ratio(rows: list[dict[str, Any]], job: str, peer: str) -> float | None:
    """Geometric mean, over the rows of a job, of a peer's time through ours; None without rows."""
    found = [row["ratios"][peer] for row in rows if row["job"] == job and peer in row["ratios"]]
    return statistics.geometric_mean(found) if found else None


def fraction(row: dict[str, Any], results: Results) -> float | None:
    """The part of the peak that the matrix products of a row reach."""
    peak = (results.get("peak") or {}).get(str(results["machine"]["threads"]))
    return row["flops"] / row["seconds"]["ours"] / peak if peak else None


def judge(results: Results) -> list[Bar]:
    """Compare the results with every bar that they have numbers for."""
    rows, found = results.get("rows", []), []
    for job, text in (
        ("train", f"training, fastest other: {TRAIN:g} times slower or more"),
        ("predict", "prediction, fastest other: slower"),
        ("stream", f"stream.step, ONNX Runtime: {STREAM:g} times slower or more"),
        ("scan", "training of minGRU and LRU, fastest other: slower"),
        ("loss", "CTC, fastest other: slower"),
    ):
        own = [row for row in rows if row["job"] == job]
        if own:
            good = sum(map(passes, own))
            least = f"{good} rows; least {min(map(worst, own)):.2f}"
            found.append(_bar(text, f"{len(own)} rows", least, good == len(own)))
    for peer, least_mean in MEANS.items():
        mean = mean_ratio(rows, "train", peer)
        if mean is not None:
            name = f"training, geometric mean over the rows: {peer}"
            found.append(_bar(name, f"{least_mean:g} times", f"{mean:.2f}", mean >= least_mean))
    grus = {
        tuple(row["shape"]): row["seconds"]["ours"]
        for row in rows
        if row["job"] == "train" and row["cell"] == "gru"
    }
    for row in rows:
        gru = grus.get(tuple(row["shape"]))
        if row["job"] == "scan" and gru is not None:
            ratio = gru / row["seconds"]["ours"]
            name = f"our GRU's time / that of {row['cell']} {tuple(row['shape'])}"
            limit = f"{BEFORE_GRU:g} times"
            found.append(_bar(name, limit, f"{ratio:.2f}", ratio >= BEFORE_GRU))
    for row in rows:
        part = fraction(row, results)
        counts = row["job"] == "train" and row["cell"] in PEAK_CELLS
        if part is not None and counts and tuple(row["shape"]) in LARGE:
            name = f"part of the peak, {row['cell']} {tuple(row['shape'])}"
            found.append(_bar(name, f"{PEAK:.0%}", f"{part:.0%}", part >= PEAK))
    for row in results.get("memory") or []:
        ours, theirs = row["bytes"]["ours"], row["bytes"]["pytorch"]
        name = f"peak memory of training, {row['cell']} {tuple(row['shape'])}"
        limit, got = f"PyTorch's {theirs / 1e6:.1f} MB", f"{ours / 1e6:.1f} MB"
        found.append(_bar(name, limit, got, ours <= theirs))
    for row in results.get("disk") or []:
        name, limit = f"growth, training from {row['kind']}", f"under {DISK_GROWTH / 1e6:g} MB"
        got, reached = f"{row['grown'] / 1e6:.0f} MB", row["grown"] < DISK_GROWTH
        found.append(_bar(name, limit, got, reached))
        name, limit = f"speed from {row['kind']} / from memory", f"{DISK_SPEED:g}"
        found.append(_bar(name, limit, f"{row['ratio']:.2f}", row["ratio"] >= DISK_SPEED))
    if results.get("shards"):
        for row in results["shards"]["speed"]:
            name = f"{row['cell']} in {row['shards']} shards, two processes / one thread"
            reached = row["ratio"] >= SHARDS_SPEED
            found.append(_bar(name, f"{SHARDS_SPEED:g} times", f"{row['ratio']:.2f}", reached))
        cost = results["shards"]["overhead"]["overhead"]
        limit, got = f"under {SHARDS_OVERHEAD * 1e3:g} ms", f"{cost * 1e3:.2f} ms"
        found.append(_bar("a step with one worker, overhead", limit, got, cost < SHARDS_OVERHEAD))
    if "import_seconds" in results:
        seconds = results["import_seconds"]
        limit = f"{IMPORT_OF_NUMPY:g} times numpy's"
        ratio = seconds["throughtime"] / seconds["numpy"]
        found.append(_bar("import", limit, f"{ratio:.2f}", ratio <= IMPORT_OF_NUMPY))
    if results.get("wheel_bytes"):
        size = results["wheel_bytes"]
        limit, got = f"under {WHEEL_BYTES / 1e6:g} MB", f"{size / 1e6:.2f} MB"
        found.append(_bar("wheel", limit, got, size < WHEEL_BYTES))
    return found
