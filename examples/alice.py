"""A language model: read a book letter by letter, then write."""

from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, Dense, Embedding
from throughtime.optimizers import Adam


def markov(seen: np.ndarray, unseen: np.ndarray, order: int, size: int) -> float:
    """Return the perplexity of a table of what followed the last ``order`` letters."""
    table: dict[tuple[int, ...], np.ndarray] = {}
    for length in range(order + 1):
        for t in range(length, len(seen)):
            counts = table.setdefault(tuple(seen[t - length : t]), np.zeros(size))
            counts[seen[t]] += 1
    surprise = 0.0
    for t in range(order, len(unseen)):
        p = np.full(size, 1 / size)
        for length in range(order + 1):  # a longer context counts more the more often it was seen
            counts = table.get(tuple(unseen[t - length : t]))
            if counts is not None:
                p = (counts + 5 * p) / (counts.sum() + 5)
        surprise -= np.log(p[unseen[t]])
    return float(np.exp(surprise / (len(unseen) - order)))


def main(folder: Path) -> tt.report.Comparison:
    """Print the perplexity on unread pages and a written one; draw the scores."""
    text = tt.data.alice()
    letters = tt.data.Vocabulary.from_texts([text])
    tokens = letters.encode(text)
    x, y = tt.data.next_tokens(tokens, window=len(tokens) // 36 - 1)
    table = tt.report.Comparison("Alice in Wonderland, perplexity on unread pages")
    net = tt.Network(
        [Embedding(len(letters), 32, initializer=tt.initializers.Normal(1.0)),
         GRU(192, return_sequences=True, dropout=0.1),
         Dense(len(letters), activation="softmax")], seed=0,
    )  # fmt: skip
    history = tt.train(
        net, x[:32], y[:32], loss="crossentropy", metrics=["perplexity"], tbptt=(64, 64),
        optimizer=Adam(tt.schedules.Cosine(0.008, length=10)), epochs=10, clip_norm=1.0,
        validation=(x[32:], y[32:]), verbose=False,
    )  # fmt: skip
    seen, unseen = x[:32].ravel(), x[32:].ravel()
    for name, order in (("the last letter", 1), ("the last four", 4)):
        table.add(f"GRU(192): {name}", ours=history["val_perplexity"][-1],
                  naive=markov(seen, unseen, order, len(letters)), baseline="table")  # fmt: skip
    history.plot(folder / "scores.png", columns=["loss", "perplexity"])
    print(table)
    written = tt.generate(net, letters.encode("Alice "), 400, temperature=0.5)
    print(f"\nAlice {letters.decode(written)}")
    return table


if __name__ == "__main__":
    main(Path())
