"""Lecture note: fit a damped oscillator, then let the network go on by itself."""

import sys
from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, RNN, Dense
from throughtime.optimizers import Adam
from throughtime.schedules import Cosine

SEEN, UNSEEN = 150, 150


def fit(layer, x, epochs):
    """Train on the first half, each position being the target of the one before it."""
    net = tt.Network([layer, Dense(1)], n_features=1, seed=0)
    history = tt.train(
        net, x[:, : SEEN - 1], x[:, 1:SEEN], optimizer=Adam(Cosine(0.01, length=epochs)),
        epochs=epochs, batch_size=None, clip_norm=1.0, keep_outputs=True, verbose=False,
    )
    return net, history


def main(folder: Path) -> tt.report.Comparison:
    """Print the errors, and draw the fit, what follows it, and the network."""
    task = tt.data.tasks.damped_oscillator(SEEN + UNSEEN)
    x = np.concatenate([task.x, task.y[:, -1:]], axis=1)  # (1, 300, 1)
    seconds, future = 0.1 * np.arange(SEEN + UNSEEN), x[0, SEEN:, 0]
    table = tt.report.Comparison("Damped oscillator, 150 steps extrapolated")
    layers = {
        "GRU(32), relative error": GRU(32, return_sequences=True),
        # The oscillator is a linear recurrence, and so is this layer.
        "linear RNN(16), relative error": RNN(16, activation="identity", return_sequences=True),
    }
    persistence = np.linalg.norm(x[0, SEEN - 1, 0] - future) / np.linalg.norm(future)
    continued = {}
    for name, layer in layers.items():
        net, history = fit(layer, x, epochs=6000)
        more = net.extrapolate(x[:, :SEEN], UNSEEN)[0, :, 0]
        error = np.linalg.norm(more - future) / np.linalg.norm(future)
        table.add(name, ours=error, naive=persistence, baseline="persistence")
        continued[name.split(",")[0]] = (seconds[SEEN:], more)
    outputs = [y[0, :, 0] for y in history.outputs]
    place, target = seconds[1:SEEN], x[0, 1:SEEN, 0]
    for ending in ("gif", "html"):
        tt.plotting.animate_fit(place, target, outputs, folder / f"fit.{ending}", frames=30)
    tt.plotting.plot_fit(
        seconds, x[0, :, 0], continued, seen=seconds[SEEN], xlabel="seconds", ylabel="position",
        path=folder / "extrapolation.png",
    )
    tt.plotting.draw(net, steps=4).save(folder / "network.svg")
    print(table)
    return table


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
