"""How long a training step and a prediction take, side by side with PyTorch.

    make bench                          # or: python benchmarks/steps.py --rounds 9 --out results

Every row is one recurrent layer, float32: forward, mean squared loss on every step, backward, Adam;
and the forward pass alone. Both sides start from the same weights and must agree on the loss before
they are timed. They take turns, round by round, so that a noisy machine disturbs both; the table
gives medians and the median of the ratios of each round. It is printed as Markdown and stored with
the machine's description as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import throughtime as tt
from throughtime.engines import current_engine

#: (N, T, F, H)
SHAPES = [(1, 200, 1, 500), (10, 10, 3, 100), (64, 4, 1, 50), (32, 50, 8, 64), (64, 100, 32, 128)]
TORCH = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
Pair = tuple[Callable[[], float], Callable[[], float]]


def ours(cell: str, shape: tuple[int, int, int, int]) -> tuple[tt.Network, Pair]:
    """The network, and its training step and prediction."""
    n, t, f, h = shape
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, t, f)).astype("float32")
    target = rng.normal(size=(n, t, h)).astype("float32")
    layer = tt.layers.RECURRENT[cell](h, return_sequences=True)
    net = tt.Network([layer], n_features=f)
    loss, adam = tt.losses.get("mse"), tt.optimizers.Adam(1e-3)

    def step() -> float:
        net.grads.flat[...] = 0
        y, tape = net.forward(x)
        value, dy = loss(y, target)
        net.backward(tape, dy)
        adam.step(net.params.flat, net.grads.flat)
        return value

    return net, (step, lambda: float(net.predict(x)[0, -1, 0]))


def theirs(cell: str, shape: tuple[int, int, int, int], net: tt.Network) -> Pair:
    """The same in PyTorch, with the same data and weights."""
    n, t, f, h = shape
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(n, t, f)).astype("float32"))
    target = torch.from_numpy(rng.normal(size=(n, t, h)).astype("float32"))
    module = TORCH[cell](f, h, batch_first=True)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(net.params["0.W_x"].T))
        module.weight_hh_l0.copy_(torch.from_numpy(net.params["0.W_h"].T))
        module.bias_ih_l0.copy_(torch.from_numpy(net.params["0.b"]))
        module.bias_hh_l0.zero_()
    adam = torch.optim.Adam(module.parameters(), 1e-3)

    def step() -> float:
        adam.zero_grad()
        value = torch.nn.functional.mse_loss(module(x)[0], target)
        value.backward()
        adam.step()
        return float(value.detach())

    def predict() -> float:
        with torch.inference_mode():
            return float(module(x)[0][0, -1, 0])

    return step, predict


def measure(mine: Callable[[], float], other: Callable[[], float], rounds: int) -> list[float]:
    """Medians of both in seconds, and the median ratio other / mine, taken in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for function, taken in zip((mine, other), times, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    ratios = [b / a for a, b in zip(*times, strict=True)]
    return [statistics.median(column) for column in (*times, ratios)]


def main() -> None:
    """Measure every row, print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="paired runs a row")
    parser.add_argument("--out", type=Path, help="folder for steps.json and steps.md")
    arguments = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    header = (
        f"throughtime {tt.__version__} ({current_engine()} engine, NumPy {np.__version__}) and"
        f" PyTorch {torch.__version__}, {threads} thread(s) each, {platform.machine()},"
        f" {arguments.rounds} paired rounds"
    )
    lines = [
        header,
        "",
        "| cell | N, T, F, H | train ms | PyTorch | ratio | predict ms | PyTorch | ratio |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    print("\n".join(lines))
    rows = []
    for cell in tt.layers.RECURRENT:
        for shape in SHAPES:
            net, (step, predict) = ours(cell, shape)
            their_step, their_predict = theirs(cell, shape, net)
            if not np.isclose(predict(), their_predict(), rtol=1e-4, atol=1e-5):
                raise SystemExit(f"{cell} {shape}: the two disagree on the output")
            if not np.isclose(step(), their_step(), rtol=1e-4):
                raise SystemExit(f"{cell} {shape}: the two disagree on the loss")
            train = measure(step, their_step, arguments.rounds)
            use = measure(predict, their_predict, arguments.rounds)
            rows.append({"cell": cell, "shape": shape, "train": train, "predict": use})
            cells = [f"{a * 1e3:.2f} | {b * 1e3:.2f} | {r:.2f}" for a, b, r in (train, use)]
            lines.append(f"| {cell} | {', '.join(map(str, shape))} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        machine = {"header": header, "processor": platform.processor(), "cores": os.cpu_count()}
        text = json.dumps({"machine": machine, "rows": rows}, indent=1)
        (arguments.out / "steps.json").write_text(text + "\n", "utf-8")
        (arguments.out / "steps.md").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
