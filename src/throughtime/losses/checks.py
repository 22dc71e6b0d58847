"""Checks of the arguments of losses and metrics: outputs, targets, masks and weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.errors import (
    DataError,
    InvalidTypeError,
    ShapeError,
    as_array,
    check_array,
    describe,
    sentence,
)


def check_mask(mask: Any, steps: tuple[int, ...]) -> np.ndarray | None:
    """Return ``mask`` if it is None or a boolean array of shape ``steps``."""
    if mask is None:
        return None
    array = as_array("mask", mask)
    if array.dtype != np.bool_:
        raise InvalidTypeError(
            sentence("mask", "a boolean array", f"dtype {array.dtype}", "Write mask != 0.")
        )
    if array.shape != steps:
        raise ShapeError(sentence("mask", f"of shape {steps}", f"shape {array.shape}"))
    return array


def step_weights(
    steps: tuple[int, ...], mask: np.ndarray | None, weights: np.ndarray | None
) -> np.ndarray:
    """Return the weight of every step, float64 of shape ``steps``: 0 where the mask is False.

    Parameters
    ----------
    steps : tuple of int
        (N,) or (N, T).
    mask : ndarray of bool, of shape ``steps``, or None
    weights : ndarray of shape (N,) or ``steps``, or None
    """
    weight = np.ones(steps)
    if weights is not None:
        given = check_array("weights", weights, dtype=np.float64, finite=False)
        if given.shape not in (steps, steps[:1]):
            shapes = " or ".join(str(s) for s in dict.fromkeys((steps[:1], steps)))
            raise ShapeError(sentence("weights", f"of shape {shapes}", f"shape {given.shape}"))
        weight *= given.reshape(given.shape + (1,) * (len(steps) - given.ndim))
    real = check_mask(mask, steps)
    if real is not None:
        weight[~real] = 0.0
    if not (np.isfinite(weight) & (weight >= 0)).all():
        bad = weight[~(np.isfinite(weight) & (weight >= 0))][0]
        raise DataError(sentence("weights", "finite numbers >= 0", f"{bad:g}"))
    return weight


def coefficients(weight: np.ndarray, reduction: str, n_terms: int) -> np.ndarray:
    """Return c_s, (J2) and (J3) of ``losses/base.py``, for weights (M,) above zero."""
    if reduction == "sum":
        return weight
    scaled = weight / weight.max()  # the sum of weights may overflow, this one cannot
    return scaled / (scaled.sum() * n_terms)


def check_outputs(y: Any) -> np.ndarray:
    """Return the outputs of a network as a float array (N, K) or (N, T, K)."""
    y = as_array("the network's output", y)
    if y.dtype.kind not in "biuf":
        raise InvalidTypeError(sentence("the network's output", "an array of numbers", describe(y)))
    if y.ndim not in (2, 3):
        raise ShapeError(
            sentence("the network's output", "of shape (N, K) or (N, T, K)", f"shape {y.shape}")
        )
    return y if y.dtype.kind == "f" else y.astype(np.float64)


def shaped_target(target: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``target`` as a float array of ``shape``; a last axis of size 1 may be absent."""
    array = check_array("y", target, finite=False)
    if shape[-1] == 1 and array.shape == shape[:-1]:
        array = array[..., None]
    if array.shape != shape:
        hint = shape_hint(array, shape)
        if array.dtype.kind in "iu" and array.shape in (shape[:-1], (*shape[:-1], 1)):
            hint = "Class numbers need loss='categorical_crossentropy', and metrics of classes."
        raise ShapeError(sentence("y", f"of shape {shape}", f"shape {array.shape}", hint))
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def shape_hint(array: np.ndarray, shape: tuple[int, ...]) -> str:
    """Say what to do about a target that does not have the ``shape`` of the outputs."""
    if len(shape) == 3 and array.ndim == 2 and array.shape[0] == shape[0]:
        return (
            "The network gives an output at every step; for one a sequence, let its last"
            " recurrent layer have return_sequences=False."
        )
    if len(shape) == 2 and array.ndim == 3 and array.shape[0] == shape[0]:
        return (
            "The network gives one output a sequence; for one at every step, let its last"
            " recurrent layer have return_sequences=True."
        )
    return ""


def label_hint(labels: np.ndarray, n_classes: int) -> str:
    """Say how to number classes that are not numbered from 0 to ``n_classes - 1``."""
    if not labels.size:
        return ""
    if ((labels == -1) | (labels == 1)).all() and n_classes == 2:
        return "For labels -1 and 1 write (y + 1) / 2."
    if labels.min() == 1 and labels.max() == n_classes:
        return "The classes seem to be numbered from 1: write y - 1."
    return ""


def refuse(
    bad: np.ndarray, mask: np.ndarray | None, target: np.ndarray, expected: str, hint: str = ""
) -> None:
    """Refuse ``target`` if an element is ``bad`` at a step that counts, and name the first."""
    if mask is not None:
        bad = bad & mask.reshape(mask.shape + (1,) * (bad.ndim - mask.ndim))
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(sentence("y", expected, f"{target[index]:g} at index {index}", hint))
