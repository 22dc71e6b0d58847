"""Batches, loaders and packed sequences where the input of a network belongs."""

import array

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidTypeError

X = np.zeros((4, 3, 2))
Y = np.zeros((4, 1))


def net():
    return tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=2)


def sentence(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    return str(caught.value)


def test_what_gives_its_items_by_number_is_never_asked_without_end():
    class Numbered:
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return X[0]

        def __repr__(self):
            return "Numbered"

    assert sentence(InvalidTypeError, tt.train, net(), Numbered(), Y) == (
        "x must be an array or a list; got Numbered. Collect its items first:"
        " [x[i] for i in range(len(x))]."
    )
    assert sentence(InvalidTypeError, tt.train, net(), batches=Numbered()) == (
        "batches must be a list of batches, a class with __iter__, a loader or a function that"
        " makes one; got Numbered. It gives its items by number:"
        " batches=lambda: (it[i] for i in range(len(it)))."
    )
    tt.train(net(), X, array.array("d", [0.0] * 4), epochs=1)


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({"verbose": 0}, "use no verbose: predict prints nothing."),
        (
            {"carry_state": True},
            "use net.stream(), whose state goes on, or initial_state.",
        ),
        (
            {"batches": [X]},
            'use [net.predict(batch["x"], batch.get("lengths")) for batch in loader].',
        ),
        ({"attention_mask": X}, "it is called mask here."),
    ],
)
def test_predict_says_what_a_keyword_is_called_here(options, way):
    message = sentence(InvalidTypeError, net().predict, X, **options)
    assert message == f"predict has no argument {next(iter(options))!r}; {way}"


def test_a_batch_is_no_input():
    batch = {"x": X, "y": Y}
    assert sentence(InvalidTypeError, net().predict, batch) == (
        "x must be the input alone; got a dict with 'x', 'y'. Write net.predict(batch[\"x\"],"
        ' batch.get("lengths")).'
    )
    message = sentence(InvalidTypeError, tt.train, net(), batch)
    assert message.endswith(" and no y. A batch in a dict: tt.train(net, **batch).")
    graph = tt.Input(2, name="x")
    named = tt.Network(inputs=graph, outputs=tt.layers.GRU(2)(graph))
    assert named.predict({"x": X}).shape == (4, 2)


def test_sequences_that_come_with_their_lengths():
    way = "Give lengths by name: lengths=lengths; in a batch, a dict with 'lengths'."
    message = f"x must hold the sequences alone; got their lengths too. {way}"
    pair = (X, np.array([3, 2, 1, 3]))
    assert sentence(InvalidTypeError, net().predict, pair) == message
    assert sentence(InvalidTypeError, tt.train, net(), batches=[(pair, Y)]) == (
        f"batch 1 of epoch 1: {message}"
    )

    class PackedSequence(tuple):
        __slots__ = ()
        __module__ = "torch.nn.utils.rnn"

    assert sentence(InvalidTypeError, net().predict, PackedSequence((X, None))) == (
        "x must hold the sequences alone; got their lengths too. Unpack it: padded, lengths ="
        " pad_packed_sequence(x, batch_first=True). Give lengths by name: lengths=lengths."
    )
    assert net().predict((X[0], X[1, :2])).shape == (2, 1)
