"""Sequential digits: an image arrives as 64 steps of one pixel."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import LRU, Dense
from throughtime.optimizers import Adam


def main(folder: Path) -> tt.report.Comparison:
    """Print the accuracy on digits not trained on; draw the curves of training."""
    x, y = tt.data.digits()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].reshape(-1, 64, 1), y[order]
    net = tt.Network(
        [LRU(64, return_sequences=True), Dense(64, activation="relu"), LRU(64),
         Dense(10, activation="softmax")], n_features=1, seed=0,
    )  # fmt: skip
    epochs = 40
    history = tt.train(
        net, x[:1400], y[:1400], loss="crossentropy", metrics=["accuracy"], epochs=epochs,
        optimizer=Adam(tt.schedules.Cosine(0.004, length=epochs)), clip_norm=1.0,
        validation=(x[1400:], y[1400:]), verbose=False,
    )
    table = tt.report.Comparison("Digits read pixel by pixel, accuracy on the others")
    table.add("1400 digits, 2 LRU(64)", ours=history["val_accuracy"][-1],
              naive=np.bincount(y).max() / len(y), baseline="the most common digit",
              higher_is_better=True)  # fmt: skip
    history.plot(folder / "scores.png", columns=["loss", "accuracy"])
    print(net)
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
