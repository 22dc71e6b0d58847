r"""The distance between two signals, as the end of a siamese network.

With a and b the two inputs at a step,

    "euclidean"    y = sqrt(sum_i (a_i - b_i)^2),       dy/da = (a - b) / y
    "manhattan"    y = sum_i |a_i - b_i|,               dy/da = sign(a - b)
    "cosine"       y = 1 - c, c = a . b / (|a| |b|),    dy/da = (c a / |a| - b / |b|) / |a|

and dy/db is dy/da with a and b exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from throughtime.errors import check_choice
from throughtime.layers.base import LAYERS
from throughtime.layers.forms import Form
from throughtime.layers.merging import Merging

MEASURES = ("euclidean", "manhattan", "cosine")


@LAYERS.register("Distance")
@dataclass(frozen=True)
class Distance(Merging):
    """The distance between two inputs, one number: the end of a siamese network.

    Train it with ``loss="contrastive"``. Both inputs have equally many features. At equal inputs,
    where a distance has no slope, the gradient is zero; the cosine distance of a zero vector is 1.

    Parameters
    ----------
    measure : {"euclidean", "manhattan", "cosine"}
        The distance; see :mod:`throughtime.layers.distance`.

    Examples
    --------
    >>> import throughtime as tt
    >>> encode = tt.layers.GRU(8)
    >>> a, b = tt.Input(3, name="a"), tt.Input(3, name="b")
    >>> net = tt.Network(inputs=[a, b], outputs=Distance()([encode(a), encode(b)]))
    >>> x = np.ones((4, 6, 3))
    >>> net.predict({"a": x, "b": x}).tolist()
    [[0.0], [0.0], [0.0], [0.0]]
    """

    measure: str = "euclidean"

    sources: ClassVar[tuple[int, int | None]] = (2, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("measure", self.measure, MEASURES)

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        if len(forms) != 2:  # in a stack, where a layer has one
            return f"it is the distance of two inputs, and has {len(forms)}."
        return super().refusal(forms)

    def width(self, features: list[int]) -> int:
        return 1

    def merge(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        a, b = parts
        if self.measure == "euclidean":
            return _length(a - b)
        if self.measure == "manhattan":
            total: np.ndarray = np.abs(a - b).sum(axis=-1, keepdims=True)
            return total
        _, _, cosine = _directions(a, b)
        return 1 - cosine

    def unmerge(self, dy: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        a, b = parts
        if self.measure == "cosine":
            along_a, along_b, cosine = _directions(a, b)
            return [
                dy * _divided(cosine * along_a - along_b, _length(a)),
                dy * _divided(cosine * along_b - along_a, _length(b)),
            ]
        d = a - b
        slope = np.sign(d) if self.measure == "manhattan" else _divided(d, _length(d))
        return [dy * slope, -dy * slope]


def _length(x: np.ndarray) -> np.ndarray:
    """The length of each vector (..., F), as (..., 1)."""
    found: np.ndarray = np.sqrt(np.square(x).sum(axis=-1, keepdims=True))
    return found


def _divided(x: np.ndarray, length: np.ndarray) -> np.ndarray:
    """``x / length``, and 0 where the length is 0."""
    return np.divide(x, length, out=np.zeros_like(x), where=length != 0.0)


def _directions(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both directions, of length 1 or 0, and their product."""
    along_a, along_b = _divided(a, _length(a)), _divided(b, _length(b))
    return along_a, along_b, (along_a * along_b).sum(axis=-1, keepdims=True)
