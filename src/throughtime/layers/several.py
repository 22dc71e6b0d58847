"""What the steps and the masks of several inputs must have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from throughtime.errors import ShapeError, sentence


def common_mask(
    whose: str, inputs: Sequence[np.ndarray], masks: Sequence[np.ndarray | None]
) -> np.ndarray | None:
    """The mask that all sequences among ``inputs`` have; None if no step is masked.

    Raises
    ------
    ShapeError
        If the sequences differ in their steps or in their masks.
    """
    pairs = [(x.shape[1], mask) for x, mask in zip(inputs, masks, strict=True) if x.ndim == 3]
    steps = sorted({count for count, _ in pairs})
    if len(steps) > 1:
        got = " and ".join(map(str, steps))
        raise ShapeError(sentence(whose, "equally many steps", got, must="have"))
    first = next((mask for _, mask in pairs if mask is not None), None)
    if first is None:
        return None
    for _, mask in pairs:
        if mask is first:
            continue
        other = np.ones_like(first) if mask is None else mask
        if not np.array_equal(other, first):
            row = int(np.argmax((other != first).any(axis=1)))
            hint = "Give all of them the same lengths or the same mask."
            got = f"others in row {row}"
            raise ShapeError(sentence(whose, "the same unmasked steps", got, hint, must="have"))
    return first
