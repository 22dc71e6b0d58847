"""EpyNN: tell a noisy sine from noise."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, RNN, Dense
from throughtime.optimizers import Adam


def main(folder: Path) -> tt.report.Comparison:
    """Print the accuracy on unseen signals; draw the scores and the hidden states."""
    task = tt.data.tasks.sine_or_noise(1024, 64, seed=0)
    others = tt.data.tasks.sine_or_noise(1024, 64, seed=1)
    table = tt.report.Comparison("Sine or noise, accuracy on other signals")
    # A sine is smoother than noise: a threshold on one number separates them without a network.
    rough, rough_others = (np.square(np.diff(t.x[..., 0])).mean(axis=1) for t in (task, others))
    right = [np.mean((rough < limit) == task.y[:, 0]) for limit in rough]
    smooth = np.mean((rough_others < rough[np.argmax(right)]) == others.y[:, 0])
    for name, cell in (("RNN(10)", RNN(10)), ("GRU(10)", GRU(10))):
        net = tt.Network([cell, Dense(1, activation="sigmoid")], n_features=1, seed=0)
        history = tt.train(
            net, task.x, task.y, loss="binary_crossentropy", metrics=["accuracy", "f1"],
            optimizer=Adam(tt.schedules.Cosine(0.01, length=100)),
            epochs=100, batch_size=16, clip_norm=1.0,
            validation=(others.x, others.y), verbose=False,
        )
        for naive, baseline in ((others.baseline, "guess"), (smooth, "smoothness")):
            published = 0.991 if name == "RNN(10)" and baseline == "guess" else None
            table.add(f"{name}: {baseline}", published=published, ours=history["val_accuracy"][-1],
                      naive=naive, baseline=baseline, higher_is_better=True)
    history.plot(folder / "scores.png", columns=["loss", "accuracy", "f1"])
    sine, noise = (int(np.flatnonzero(others.y[:, 0] == kind)[0]) for kind in (1, 0))
    for title, row in (("a sine", sine), ("noise", noise)):
        states = tt.inspect.hidden_states(net, others.x[row : row + 1])[0]["h"][0]
        tt.plotting.plot_hidden_states(states, title=f"GRU(10) reads {title}",
                                       path=folder / f"{title.split()[-1]}.png")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
