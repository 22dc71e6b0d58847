"""Notebook: predict the next digit, modulo 3."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import RNN, Dense
from throughtime.optimizers import Adam


def main(folder: Path) -> tt.report.Comparison:
    """Print losses, strings side by side and the accuracy; draw the loss and a node."""
    task = tt.data.tasks.next_digit(10, 10, seed=0)  # one-hot digits (10, 10, 3)
    others = tt.data.tasks.next_digit(10, 10, seed=1)
    # The notebook wanted 100 nodes, and used 10 by mistake.
    layers = [RNN(100, return_sequences=True), Dense(3, activation="softmax")]
    net = tt.Network(layers, n_features=3, seed=0)
    print(net)
    print("An input (10, 10, 3) gives an output", net.output_shape((10, 10, 3)))

    def report(run):
        if run.epoch % 100 == 0:
            print(f"epoch {run.epoch}: loss {run.history['loss'][-1]:.5f}")

    history = tt.train(
        net, task.x, task.y, loss="categorical_crossentropy", metrics=["accuracy"],
        optimizer=Adam(tt.schedules.Cosine(0.003, length=400)),
        epochs=400, batch_size=1, callbacks=[report],
        validation=(others.x, others.y), l2=1e-4, verbose=False,
    )
    scores = net.predict(others.x)
    print("scores of the first digit", np.round(scores[0, 0], 3))
    print(tt.report.side_by_side(others.y, scores.argmax(axis=2)))
    table = tt.report.Comparison("Next digit modulo 3")
    # Published: on the training sequences. Ours: on other sequences.
    table.add("digits right of 100", published=98.0, ours=100 * history["val_accuracy"][-1],
              naive=100 / 3, baseline="always one digit", higher_is_better=True)
    table.add("cross-entropy, sum of 100", published=8.7, ours=100 * history["val_loss"][-1],
              naive=100 * np.log(3), baseline="a guess")
    table.add("seconds of training", published=12.5, ours=sum(history["seconds"]))
    history.plot(folder / "loss.png", columns=["loss", "accuracy"])
    for name, gradients in (("node", False), ("node-gradients", True)):
        picture = tt.plotting.draw(net, steps=4, node=(0, 2), gradients=gradients)
        picture.save(folder / f"{name}.svg")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
