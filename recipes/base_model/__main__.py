"""Make the base networks: ``make base-model``, or ``python -m recipes.base_model --help``."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np

from recipes.base_model.examples import make
from throughtime.forecasting import base_network
from throughtime.forecasting.base_training import FIRST_LR, gain, learn
from throughtime.training.callbacks import Run

_UNITS = 64


def main() -> None:
    """Read the options, make the examples, train, write the file."""
    parser = argparse.ArgumentParser(prog="python -m recipes.base_model", description=__doc__)
    parser.add_argument("--out", type=Path, default=base_network.PATH)
    parser.add_argument("--networks", type=int, default=3, help="networks, of as many seeds")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--share", type=float, default=1.0, help="share of the series")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {text}", flush=True)

    named = make(options.share, options.processes)
    held, real = named.validating(), named.kind == "real"
    say(f"{len(held)} examples, {real.sum()} of observed series as they are, {held.sum()} validate")
    learned = named.examples.take(np.flatnonzero(~held))
    others = named.examples.take(np.flatnonzero(held & real))

    def report(run: Run, seed: int) -> None:
        ratio = f", unseen series {gain([run.net], others):.4f}" if len(others) else ""
        say(f"seed {seed}, epoch {run.epoch}: loss {run.history.last()['loss']:.4f}{ratio}")

    networks = [base_network.build(_UNITS, seed) for seed in range(options.networks)]
    for seed, network in enumerate(networks):
        learn(network, learned, options.epochs, FIRST_LR, seed, partial(report, seed=seed))
    base_network.save(networks, options.out)
    say(f"wrote {options.out.name}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
