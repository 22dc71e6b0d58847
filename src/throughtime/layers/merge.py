r"""The two directions of a bidirectional layer as one output, and the way back.

With f_t the output of the direction that runs forward in time, b_t that of the other one,

    "concat"    y_t = [f_t, b_t]
    "sum"       y_t = f_t + b_t                                                 (BM1)
    "mul"       y_t = f_t b_t
    "ave"       y_t = (f_t + b_t) / 2

unit by unit. Backwards,

    "concat"    dL/df_t, dL/db_t = the halves of dL/dy_t
    "sum"       dL/df_t = dL/db_t = dL/dy_t                                     (BM1')
    "mul"       dL/df_t = b_t dL/dy_t,   dL/db_t = f_t dL/dy_t
    "ave"       dL/df_t = dL/db_t = dL/dy_t / 2
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: The ways to merge, by the names of Keras.
WAYS = ("concat", "sum", "mul", "ave")


def merge(way: str, outputs: list[np.ndarray]) -> np.ndarray:
    """Compute (BM1) from the outputs ``(..., H)`` of both directions; a single one is y itself."""
    if len(outputs) == 1:
        return outputs[0]
    forward, backward = outputs
    if way == "concat":
        return np.concatenate(outputs, axis=-1)
    if way == "mul":
        return forward * backward
    y = forward + backward
    return y if way == "sum" else y * y.dtype.type(0.5)


def slopes(way: str, outputs: list[np.ndarray]) -> list[Any]:
    """For each direction, what (BM1') needs from the forward pass beside dL/dy."""
    return outputs[::-1] if way == "mul" and len(outputs) == 2 else [None] * len(outputs)


def unmerge(way: str, dy: np.ndarray, slope: Any, half: slice) -> np.ndarray:
    """Compute (BM1'): dL/d(output) of one direction, whose features in "concat" are ``half``."""
    if way == "concat":
        return dy[..., half]
    if way == "mul":
        return dy * slope
    return dy if way == "sum" else dy * dy.dtype.type(0.5)
