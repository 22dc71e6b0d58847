"""Random layers that use windows of steps, for the tests of the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import throughtime as tt
from throughtime.errors import ShapeError
from throughtime.layers import Conv1D, MaxPool1D, MeanPool1D

WIDTHS = (1, 2, 7, 8, 15, 16, 17, 33, 48)


@st.composite
def windows_of(draw: Any, both_ways: bool) -> list[Any]:
    """Up to two layers that use windows of steps; if not ``both_ways``, only of past steps."""
    found: list[Any] = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        size = draw(st.integers(1, 4))
        if both_ways and draw(st.integers(0, 3)) == 0:
            pool = draw(st.sampled_from([MaxPool1D, MeanPool1D]))
            found.append(pool(size, draw(st.sampled_from([None, 1, 2]))))
            continue
        found.append(
            Conv1D(
                draw(st.sampled_from(WIDTHS)),
                size,
                stride=draw(st.integers(1, 3)) if both_ways else 1,
                dilation=draw(st.integers(1, 3)),
                padding=draw(st.sampled_from(["valid", "same"])) if both_ways else "causal",
                activation=draw(st.sampled_from(["identity", "tanh", "relu", "softmax"])),
                use_bias=draw(st.booleans()),
            )
        )
    return found


def least(net: tt.Network) -> int:
    """The least number of steps that a sequence may have."""
    for steps in range(1, 200):
        try:
            net.topology.output_lengths(np.array([steps]))
        except ShapeError:
            continue
        return steps
    raise AssertionError("no sequence fits")


def wide(y: np.ndarray, steps: int) -> np.ndarray:
    """The outputs, padded with zeros to ``steps`` steps."""
    found = np.zeros((len(y), steps, y.shape[2]), y.dtype)
    found[:, : y.shape[1]] = y
    return found
