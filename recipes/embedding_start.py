"""The table in docs/how-to/initialisation-and-learning-rate.md: ``recipes.embedding_start``.

A character model learns the book that ships from several starts of its Embedding. What is printed
are validation losses, means over three seeds. It takes some five minutes on two cores.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import throughtime as tt

SEEDS = (0, 1, 2)
EPOCHS = (2, 4, 12)
STARTS: dict[str, Any] = {
    "uniform": "uniform",
    "glorot_uniform": "glorot_uniform",
    "Normal(0.3)": tt.initializers.Normal(0.3),
    "Normal(1.0)": tt.initializers.Normal(1.0),
}


def losses(start: Any, x: np.ndarray, y: np.ndarray, size: int) -> list[float]:
    """The validation loss after each of :data:`EPOCHS`, the mean over the seeds."""
    cut, found = len(x) * 9 // 10, []
    for seed in SEEDS:
        layers = [
            tt.layers.Embedding(size, 32, initializer=start),
            tt.layers.GRU(128, return_sequences=True),
            tt.layers.Dense(size, activation="softmax"),
        ]
        history = tt.train(
            tt.Network(layers, seed=seed),
            x[:cut],
            y[:cut],
            loss="crossentropy",
            optimizer=tt.optimizers.Adam(3e-3),
            epochs=max(EPOCHS),
            clip_norm=1.0,
            validation=(x[cut:], y[cut:]),
            seed=seed,
            verbose=False,
        )
        found.append([history["val_loss"][epoch - 1] for epoch in EPOCHS])
    return np.mean(found, axis=0).tolist()


def main() -> None:
    """Print a row for each start."""
    text = tt.data.alice()
    letters = tt.data.Vocabulary.from_texts([text])
    x, y = tt.data.next_tokens(letters.encode(text), window=64)
    print("initializer     " + "".join(f"{epoch:>7}" for epoch in EPOCHS))
    for name, start in STARTS.items():
        row = "".join(f"{loss:7.2f}" for loss in losses(start, x, y, len(letters)))
        print(f"{name:<16}{row}", flush=True)


if __name__ == "__main__":
    main()
