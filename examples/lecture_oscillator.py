"""Lecture note: fit a damped oscillator, then extrapolate it."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, RNN, Dense

SEEN, UNSEEN = 150, 150


def fit(layer, x, epochs):
    """Train on the first half; the target of each position is the next one."""
    net = tt.Network([layer, Dense(1)], n_features=1, seed=0)
    adam = tt.optimizers.Adam(tt.schedules.Cosine(0.01, length=epochs))
    history = tt.train(net, x[:, : SEEN - 1], x[:, 1:SEEN], optimizer=adam, epochs=epochs,
                       batch_size=None, clip_norm=1.0, keep_outputs=True, verbose=False)
    return net, [y[0, :, 0] for y in history.outputs]


def main(folder: Path) -> tt.report.Comparison:
    """Print the errors; draw the fit, its extrapolation, and the lecture's network."""
    task = tt.data.tasks.damped_oscillator(SEEN + UNSEEN)
    x = np.concatenate([task.x, task.y[:, -1:]], axis=1)  # (1, 300, 1)
    seconds, future = 0.1 * np.arange(SEEN + UNSEEN), x[0, SEEN:, 0]
    table = tt.report.Comparison("Damped oscillator, 150 steps extrapolated")
    # The oscillator is a linear recurrence, and so is the second layer.
    layers = {"GRU(32)": GRU(32, return_sequences=True),
              "linear RNN(16)": RNN(16, activation="identity", return_sequences=True)}
    persistence = np.linalg.norm(x[0, SEEN - 1, 0] - future) / np.linalg.norm(future)
    continued = {}
    for name, layer in layers.items():
        net, outputs = fit(layer, x, epochs=6000)
        more = net.extrapolate(x[:, :SEEN], UNSEEN)[0, :, 0]
        error = np.linalg.norm(more - future) / np.linalg.norm(future)
        table.add(f"{name}, relative error", ours=error, naive=persistence, baseline="persistence")
        continued[name] = (seconds[SEEN:], more)
    for file in ("fit.gif", "fit.html"):
        tt.plotting.animate_fit(seconds[1:SEEN], x[0, 1:SEEN, 0], outputs, folder / file, frames=30)
    tt.plotting.plot_fit(seconds, x[0, :, 0], continued, seen=seconds[SEEN], xlabel="seconds",
                         ylabel="position", path=folder / "extrapolation.png")
    options = {"return_sequences": True, "time_bias": True}
    stacked = tt.Network([RNN(5, **options), RNN(7, **options), Dense(1)], n_features=1)
    forward = tt.Network([Dense(5, activation="tanh"), Dense(1)], n_features=1)
    for name, net, how in (("feed-forward", forward, {"view": "folded"}),
                           ("folded", stacked, {"view": "folded"}), ("network", stacked, {}),
                           ("backward", stacked, {"gradients": True}),
                           ("node", stacked, {"node": (0, 2)}),
                           ("node-gradients", stacked, {"node": (0, 2), "gradients": True}),
                           ("output-gradients", stacked, {"node": (2, 2), "gradients": True})):
        tt.plotting.draw(net, steps=4, **how).save(folder / f"{name}.svg")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
