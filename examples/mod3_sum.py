"""A variant of the notebook's task that needs memory: the running sum, modulo 3."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, Dense
from throughtime.optimizers import Adam


def main(folder: Path) -> tt.report.Comparison:
    """Print the accuracy on longer sequences; draw the hidden states and the network."""
    task = tt.data.tasks.running_sum(2048, 20, seed=0)
    layers = [GRU(16, return_sequences=True), Dense(3, activation="softmax")]
    net = tt.Network(layers, n_features=3, seed=0)
    history = tt.train(
        net, task.x, task.y, loss="categorical_crossentropy", metrics=["accuracy"],
        optimizer=Adam(tt.schedules.Cosine(0.02, length=40)),
        epochs=40, clip_norm=1.0, validation=0.1,
        verbose=False,
    )
    history.plot(folder / "scores.png", columns=["loss", "accuracy"])
    table = tt.report.Comparison("Running sum modulo 3, trained at 20 steps")
    for steps in (20, 50, 200):
        others = tt.data.tasks.running_sum(256, steps, seed=1)
        predicted = net.predict(others.x).argmax(axis=2)
        if steps == 50:
            print(tt.report.side_by_side(others.y, predicted, most=4))
        table.add(f"accuracy over {steps} steps", ours=np.mean(predicted == others.y),
                  naive=others.baseline, baseline="no memory", higher_is_better=True)
    states = tt.inspect.hidden_states(net, others.x[:1, :50])[0]["h"][0]
    tt.plotting.plot_hidden_states(states, path=folder / "hidden-states.png")
    tt.plotting.draw(net, steps=3).save(folder / "network.svg")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
