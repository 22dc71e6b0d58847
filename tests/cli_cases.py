"""Helpers for the tests of the command line: a small table, quick options, written files."""

import csv
from pathlib import Path

import numpy as np

TINY = ["--epochs", "2", "--hidden-size", "4", "--window", "14"]
NAMES = [
    "forecast.csv", "forecast.png", "holdout.csv", "metrics.json", "model.safetensors",
    "report.html",
]  # fmt: skip


def write_table(path, rows=98, ahead=0, stores=("",)):
    """Write daily sales with a weekly pattern, and a price; the last ``ahead`` rows lack sales."""
    start = np.datetime64("2024-01-01")
    rng = np.random.default_rng(0)
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["day", "store", "price", "sales"])
        for store in stores:
            for i in range(rows + ahead):
                price = 10 + i % 5
                sales = 100 + 9 * (i % 7) - price + rng.normal()
                day = start + np.timedelta64(i, "D")
                writer.writerow([day, store, price, f"{sales:.3f}" if i < rows else ""])


def read_csv(path):
    with Path(path).open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def names(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())
