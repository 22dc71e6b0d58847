"""EpyNN: decide whether a string of letters ends with its first letter."""

from pathlib import Path

import throughtime as tt
from throughtime.layers import GRU, LSTM, RNN, Dense
from throughtime.optimizers import Adam


def main(folder: Path) -> tt.report.Comparison:
    """Print the accuracy on unseen strings; draw the scores and the hidden states."""
    task = tt.data.tasks.first_equals_last(480, 12, seed=0)  # one-hot letters (480, 12, 4)
    others = tt.data.tasks.first_equals_last(2000, 12, seed=1)
    table = tt.report.Comparison("First letter == last letter, accuracy on other strings")
    # Without dropout a network of this size memorises the 480 strings.
    for name, cell in (("RNN(1)", RNN(1)), ("LSTM(1)", LSTM(1)), ("GRU(1)", GRU(1)),
                       ("GRU(16)", GRU(16, dropout=0.2, recurrent_dropout=0.2))):
        net = tt.Network([cell, Dense(1, activation="sigmoid")], n_features=4, seed=0)
        history = tt.train(
            net, task.x, task.y, loss="binary_crossentropy", metrics=["accuracy", "recall"],
            optimizer=Adam(tt.schedules.Cosine(0.02, length=150)), epochs=150, clip_norm=1.0,
            validation=(others.x, others.y), verbose=False,
        )
        table.add(name, published=0.762 if name.endswith("(1)") else None,
                  ours=history["val_accuracy"][-1], naive=others.baseline,
                  baseline="always no", higher_is_better=True)
    history.plot(folder / "scores.png", columns=["loss", "accuracy", "recall"])
    ids = others.x[:8].argmax(axis=2)
    words, predicted = ["".join("ACGT"[i] for i in row) for row in ids], net.predict(others.x[:8])
    for word, p in zip(words, predicted[:, 0], strict=True):
        print(f"{word}  {p:.3f}  {'equal' if p > 0.5 else 'different'}")
    states = tt.inspect.hidden_states(net, others.x[:1])[0]["h"][0]
    tt.plotting.plot_hidden_states(states, xlabel="letter", title=words[0],
                                   path=folder / "hidden-states.png")
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
