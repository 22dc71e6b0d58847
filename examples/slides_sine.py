"""Slides: fit a noisy sine with an Elman network, then apply it to other points."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import RNN, Dense
from throughtime.optimizers import SGD, Adam


def network(units, **options):
    """An Elman network without an output bias, as in the slides."""
    out = Dense(1, initializer=tt.initializers.Normal(0.1), use_bias=False)
    return tt.Network([RNN(units, return_sequences=True, **options), out], n_features=1)


def main(folder: Path) -> tt.report.Comparison:
    """Print losses and times; draw fits, losses, hidden states and the output at other points."""
    task = tt.data.tasks.noisy_sine(200)  # sin(x) + 0.1 N(0, 1) at x = -10, -9.9 ...
    table, options = tt.report.Comparison("Noisy sine"), {"loss": "half_mse", "verbose": False}
    # The slides divide the loss by T but not the gradient: their rate of 1e-5 is 1e-5 T here.
    momentum = SGD(tt.schedules.InverseTime(1e-5 * 200, decay=0.0), momentum=0.95)
    large = dict.fromkeys(("initializer", "recurrent_initializer"), tt.initializers.Normal(0.1))
    for name, net, optimizer, limit, epochs, known in (
        ("momentum", network(800, **large), momentum, None, 400, None),
        ("clipped", network(500, **large), momentum, 10.0, 1000, 40.0),  # smaller, clipped
        ("Adam", network(100), Adam(tt.schedules.Cosine(0.003, length=1000)), 1.0, 1000, None),
    ):
        history, *figures = tt.plotting.train_and_plot(
            net, task.x, task.y, optimizer=optimizer, clip_norm=limit, epochs=epochs, **options)
        table.add(f"{name}: half mean square", published=0.040, ours=history["loss"][-1],
                  naive=task.baseline, baseline="the mean; the noise itself is 0.005")
        table.add(f"{name}: seconds", published=known, ours=sum(history["seconds"]))
        print(f"{name}: the first gradient has the norm {history['grad_norm'][0]:.1e}")
        for what, figure in zip(("fit", "loss"), figures, strict=True):
            tt.plotting.save_png(figure, folder / f"{what}-{name}.png")
        states = tt.inspect.hidden_states(net, task.x)[0]["h"][0]
        tt.plotting.plot_hidden_states(states, task.x[0, :, 0], path=folder / f"states-{name}.png")
    # Those were trained on steps of 0.1; this one on any start and on steps up to 0.5.
    cuts = [slice(k, None, step) for step in range(1, 6) for k in range(0, 151, 10)]
    xs, ys = ([a[0, cut] for cut in cuts] for a in (task.x / 10, task.y))
    many, adam = network(32), Adam(tt.schedules.Cosine(0.005, length=600))
    tt.train(many, xs, ys, epochs=600, batch_size=16, clip_norm=1.0, optimizer=adam, **options)
    x = np.arange(0, 20.01, 0.3).reshape(1, -1, 1)
    for name, one, z in (("Adam", net, x), ("any-step", many, x / 10)):
        path = folder / f"applied-{name}.png"
        y = tt.plotting.apply_and_plot(one, z, np.sin(x), position=x[0], seen=10, path=path).y
        for part, chosen in (("0 .. 10", x <= 10), ("10 .. 20, unseen", x > 10)):
            error, naive = (np.mean((a - np.sin(x))[chosen] ** 2) / 2 for a in (y, 0 * y))
            table.add(f"{name}: applied to {part}", ours=error, naive=naive, baseline="zero")
    tt.plotting.draw_modes().save(folder / "modes.svg")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
