"""Make the base networks: ``make base-model``, or ``python -m recipes.base_model --help``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from recipes.base_model.examples import make
from recipes.base_model.training import fit
from throughtime.forecasting import base_network


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

    examples = make(options.share, options.processes)
    held = examples.validating()
    real = int((examples.kind == "real").sum())
    say(f"{len(held)} examples, {real} of observed series as they are, {held.sum()} validate")
    networks = [fit(examples, ~held, options.epochs, seed, say) for seed in range(options.networks)]
    base_network.save(networks, options.out)
    say(f"wrote {options.out.name}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
