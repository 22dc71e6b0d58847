"""Slides: fit a noisy sine with an Elman network, then apply it to other points."""

import sys
from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.initializers import Normal
from throughtime.layers import RNN, Dense
from throughtime.optimizers import SGD, Adam
from throughtime.schedules import Cosine, InverseTime


def network(units, **options):
    """Elman's network, without an output bias as in the slides."""
    layers = [RNN(units, return_sequences=True, **options),
              Dense(1, initializer=Normal(0.1), use_bias=False)]
    return tt.Network(layers, n_features=1, seed=0)


def main(folder: Path) -> tt.report.Comparison:
    """Print the losses and times, and draw fits, loss, hidden states and the application."""
    task = tt.data.tasks.noisy_sine(200)  # sin(x) + 0.1 N(0, 1) at x = -10, -9.9 ...
    options, table = {"loss": "half_mse", "verbose": False}, tt.report.Comparison("Noisy sine")
    # The slides divide the loss by T and not the gradient: their rate of 1e-5 is 1e-5 T here.
    momentum = SGD(InverseTime(1e-5 * 200, decay=0.0), momentum=0.95)
    published = network(500, initializer=Normal(0.1), recurrent_initializer=Normal(0.1))
    history = tt.plotting.train_and_plot(
        published, task.x, task.y, folder=folder, optimizer=momentum, epochs=1000, **options)[0]
    table.add("500 units, momentum: half mean square", published=0.040, ours=history["loss"][-1],
              naive=task.baseline, baseline="the mean")
    table.add("500 units: seconds for 1000 epochs", published=40.0, ours=sum(history["seconds"]))
    states = tt.inspect.hidden_states(published, task.x)[0]["h"][0]
    tt.plotting.plot_hidden_states(states, task.x[0, :, 0], path=folder / "hidden-states.png")
    history = tt.train(network(100), task.x, task.y, epochs=1000, clip_norm=1.0,
                       optimizer=Adam(Cosine(0.003, length=1000)), **options)
    table.add("100 units, Adam: half mean square", published=0.040, ours=history["loss"][-1], naive=0.005,
              baseline="the noise: below, it is learned by heart")
    table.add("100 units: seconds for 1000 epochs", published=40.0, ours=sum(history["seconds"]))
    # That network has only ever taken steps of 0.1; this one begins anywhere, with 0.1 to 0.5.
    xs, ys = ([a[0, k::step] for step in range(1, 6) for k in range(0, 151, 10)]
              for a in (task.x / 10, task.y))
    many = network(32)
    tt.train(many, xs, ys, epochs=600, batch_size=16, clip_norm=1.0,
             optimizer=Adam(Cosine(0.005, length=600)), **options)
    x = np.arange(0, 20.01, 0.3).reshape(1, -1, 1)
    for name, net, scale in (("500 units", published, 1), ("many steps", many, 10)):
        path = folder / f"applied-{name.replace(' ', '-')}.png"
        options = {"position": x[0], "seen": 10, "path": path}
        y = tt.plotting.apply_and_plot(net, x / scale, np.sin(x), **options).y
        for part, where in (("0 .. 10", x <= 10), ("10 .. 20, unseen", x > 10)):
            table.add(f"{name}, applied to {part}", ours=np.mean((y - np.sin(x))[where] ** 2) / 2,
                      naive=np.mean(np.sin(x)[where] ** 2) / 2, baseline="zero")
    print(table)
    return table


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
