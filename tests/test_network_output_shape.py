"""``net.output_shape``: the shape without a computation; it refuses what a run would refuse."""

import numpy as np
import pytest

from throughtime.errors import ShapeError
from throughtime.layers import GRU, Conv1D, Dense, Embedding, Flatten, MaxPool1D, RepeatVector
from throughtime.network import Network


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (1, 12, 3),
            (
                "layer 2 (Flatten) needs exactly 4 steps in every sequence; got 5, of the 12 of"
                " x[0]. Write Flatten(5), or a pooling layer, which takes sequences of any length."
            ),
        ),
        ((1, 12, 4), "input_shape must be (N, T, 3); got (1, 12, 4)."),
        ((12, 3), "input_shape must be (N, T, 3); got (12, 3)."),
        (("a", 2, 3), "input_shape must be (N, T, 3); got ('a', 2, 3)."),
        (7, "input_shape must be (N, T, 3); got 7."),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(shape, message):
    net = Network([Conv1D(4, 3), MaxPool1D(2), Flatten(4), Dense(1)], n_features=3)
    assert net.output_shape((5, 10, 3)) == net.predict(np.zeros((5, 10, 3))).shape == (5, 1)
    with pytest.raises(ShapeError) as caught:
        net.output_shape(shape)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("layers", "features", "shape", "output", "wrong", "wanted"),
    [
        ([Embedding(5, 3), GRU(4)], None, (2, 7), (2, 4), (2, 7, 1), "(N, T)"),
        ([RepeatVector(3), GRU(4)], 2, (5, 2), (5, 4), (5, 3, 2), "(N, 2)"),
        ([GRU(4, return_sequences=True)], 2, (5, 9, 2), (5, 9, 4), (5, -1, 2), "(N, T, 2)"),
    ],
)
def test_tokens_vectors_and_sequences(layers, features, shape, output, wrong, wanted):
    net = Network(layers, features)
    assert net.output_shape(shape) == output
    with pytest.raises(ShapeError) as caught:
        net.output_shape(wrong)
    assert str(caught.value) == f"input_shape must be {wanted}; got {wrong}."
