"""Notebook: predict a sine from windows of four values, by truncated backpropagation."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import RNN, Dense
from throughtime.optimizers import Adam


def main(folder: Path) -> tt.report.Comparison:
    """Print the errors and draw losses and predictions."""
    known = tt.data.tasks.sine_windows("train")  # (246, 4, 1): the first quarter
    later = tt.data.tasks.sine_windows("validation")  # the third
    table = tt.report.Comparison("Next value of sin(x / 20), half the mean square")
    places = np.linspace(0, 10 * np.pi, 1000)
    gap = [[np.nan]]  # between the two parts there is nothing to predict
    target = np.concatenate([known.y, gap, later.y])[:, 0]
    points = np.concatenate([places[4:250], places[377:378], places[504:750]])
    # A sine is a linear recurrence, x_{t+1} = 2 cos(w) x_t - x_{t-1}. A linear layer can be exact,
    # and tanh, the notebook's choice, is nearly linear near zero.
    for name, activation in (("tanh", "tanh"), ("linear", "identity")):
        options = {"use_bias": False, "initializer": "glorot_uniform"}
        layer = RNN(50, activation=activation, recurrent_initializer="glorot_uniform", **options)
        net = tt.Network([layer, Dense(1, **options)], n_features=1, dtype="float64", seed=0)
        stop = tt.EarlyStopping(patience=1000, restore_best=False)
        history = tt.train(
            net, known.x, known.y, loss="half_mse",
            optimizer=Adam(tt.schedules.Cosine(0.003, length=3000)),
            epochs=3000, tbptt=(4, 4), clip_value=1.0, validation=(later.x, later.y),
            callbacks=[stop], verbose=False,
        )
        for part, task, published in (("train", known, 0.0052), ("validation", later, 0.0054)):
            error = tt.evaluate(net, task.x, task.y, loss="half_mse")["loss"]
            table.add(f"{name}, {part}", published=published, ours=error, naive=task.baseline,
                      baseline="the last value again")
        history.plot(folder / f"loss-{name}.png", scale="log")
        predicted = np.concatenate([net.predict(known.x), gap, net.predict(later.x)])[:, 0]
        tt.plotting.plot_fit(points, target, {name: predicted}, seen=places[250], xlabel="x",
                             path=folder / f"predictions-{name}.png")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
