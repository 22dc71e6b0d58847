r"""Layers that make one signal of several: side by side, or their sum, product or mean.

With x_1 ... x_k the inputs at a step,

    Concatenate    y = [x_1, ..., x_k]
    Add            y = x_1 + ... + x_k                                          (ME1)
    Multiply       y = x_1 ... x_k
    Average        y = (x_1 + ... + x_k) / k

A vector beside sequences is the same at every step. Backwards,

    Concatenate    dL/dx_i = the part of dL/dy that x_i is
    Add            dL/dx_i = dL/dy                                              (ME1')
    Multiply       dL/dx_i = dL/dy times the product of all x_j with j != i
    Average        dL/dx_i = dL/dy / k

and the gradient of a vector beside sequences is the sum over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from throughtime.layers.base import LAYERS, Call, Layer, Result
from throughtime.layers.forms import Form
from throughtime.layers.several import common_mask


@dataclass(frozen=True)
class Merging(Layer):
    """Base of the layers that make one signal of several."""

    several: ClassVar[bool] = True
    sources: ClassVar[tuple[int, int | None]] = (2, None)

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        widths = sorted({form.features for form in forms})
        if len(widths) == 1:
            return None
        got = " and ".join(map(str, widths))
        return f"its inputs must have equally many features, and have {got}."

    def output_form(self, form: Any) -> Form:
        first: Form = next((one for one in form if one.kind == "sequence"), form[0])
        return replace(first, features=self.width([one.features for one in form]))

    def width(self, features: list[int]) -> int:
        """Features of the output."""
        return features[0]

    def pass_size(self, form: Any, after: Form) -> int:
        return 3 * after.size

    def forward(self, p: Any, x: Any, mask: Any, state: Any, call: Call) -> Result:
        real = common_mask(f"the inputs of {self.kind}", x, mask)
        steps = next((one.shape[1] for one in x if one.ndim == 3), None)
        parts = x if steps is None else [_in_time(one, steps) for one in x]
        y = self.merge(parts)
        if real is not None:
            y = np.where(real[..., None], y, 0)
        return Result(y, real, (parts, [one.ndim for one in x], real))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[Any, Any]:
        parts, axes, real = cache
        assert dy is not None
        if real is not None:
            dy = np.where(real[..., None], dy, 0)
        found = self.unmerge(dy, parts)
        pairs = zip(found, axes, strict=True)
        return tuple(_over_time(d) if d.ndim > axis else d for d, axis in pairs), None

    def merge(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Compute (ME1)."""
        raise NotImplementedError

    def unmerge(self, dy: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute (ME1')."""
        raise NotImplementedError


def _in_time(x: np.ndarray, steps: int) -> np.ndarray:
    """``x``, where it is a vector repeated over time."""
    if x.ndim == 3:
        return x
    return np.broadcast_to(x[:, None], (len(x), steps, x.shape[1]))


def _over_time(d: np.ndarray) -> np.ndarray:
    """The sum of ``d (N, T, F)`` over the steps, one after the other.

    The order of ``d.sum(axis=1)`` depends on T, and with it the bits on the padding.
    """
    return np.add.accumulate(d, axis=1)[:, -1] if d.shape[1] else d.sum(axis=1)


def _total(parts: Sequence[np.ndarray]) -> np.ndarray:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total


@LAYERS.register("Concatenate")
@dataclass(frozen=True)
class Concatenate(Merging):
    """The features of all inputs side by side, in the order of the inputs.

    A vector (N, F) beside sequences is repeated at every step. Sequences must have the same steps
    and the same mask.
    """

    def refusal(self, forms: tuple[Form, ...]) -> str | None:
        return None

    def width(self, features: list[int]) -> int:
        return sum(features)

    def merge(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts, axis=-1)

    def unmerge(self, dy: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        ends = np.cumsum([part.shape[-1] for part in parts])[:-1]
        return np.split(dy, ends, axis=-1)


@LAYERS.register("Add")
@dataclass(frozen=True)
class Add(Merging):
    """The sum of all inputs, as in a residual: ``Add()([x, GRU(8, return_sequences=True)(x)])``.

    A vector (N, F) beside sequences is added at every step. Sequences must have the same steps and
    the same mask; all inputs have equally many features.
    """

    def merge(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        return _total(parts)

    def unmerge(self, dy: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [dy] * len(parts)


@LAYERS.register("Multiply")
@dataclass(frozen=True)
class Multiply(Merging):
    """The product of all inputs, feature by feature, as in a gate.

    A vector (N, F) beside sequences is a factor at every step. Sequences must have the same steps
    and the same mask; all inputs have equally many features.
    """

    def merge(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        product = parts[0] * parts[1]
        for part in parts[2:]:
            product *= part
        return product

    def unmerge(self, dy: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        # From the left dL/dy times the factors before x_i, from the right those behind it; no
        # division, so a factor may be 0.
        left = [dy]
        for part in parts[:-1]:
            left.append(left[-1] * part)
        right = parts[-1]
        for i in reversed(range(len(parts) - 1)):
            left[i] = left[i] * right
            right = right * parts[i]
        return left


@LAYERS.register("Average")
@dataclass(frozen=True)
class Average(Merging):
    """The mean of all inputs.

    A vector (N, F) beside sequences counts at every step. Sequences must have the same steps and
    the same mask; all inputs have equally many features.
    """

    def merge(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        total = _total(parts)
        return total / total.dtype.type(len(parts))

    def unmerge(self, dy: np.ndarray, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [dy / dy.dtype.type(len(parts))] * len(parts)
