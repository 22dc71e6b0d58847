"""Losses: one number from the outputs of a network and their targets, and its gradient.

Every loss takes a mask of the steps and a weight for each sequence or step; see :class:`Loss`. All
are in the registry :data:`LOSSES`; :func:`get` returns the loss of a name.
"""

from __future__ import annotations

from typing import Any

from throughtime.losses.base import LOSSES, Loss
from throughtime.losses.classification import BinaryCrossentropy, CategoricalCrossentropy
from throughtime.losses.crf import CRF
from throughtime.losses.ctc import CTC
from throughtime.losses.custom import Custom
from throughtime.losses.custom_sequence import CustomSequence
from throughtime.losses.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from throughtime.losses.probabilistic import GaussianNLL, Quantile
from throughtime.losses.regression import MAE, MSE, MSLE, Contrastive, HalfMSE, Huber, Poisson
from throughtime.losses.sequence import SequenceLoss

__all__ = [
    "CRF",
    "CTC",
    "LOSSES",
    "MAE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Contrastive",
    "Custom",
    "CustomSequence",
    "GaussianNLL",
    "HalfMSE",
    "Huber",
    "Loss",
    "Poisson",
    "Quantile",
    "SequenceLoss",
    "get",
]


def get(spec: Any) -> Loss:
    """Return the loss that ``spec`` means.

    Parameters
    ----------
    spec : str, Loss or callable
        A name in the registry, an object, or a function for :class:`Custom`, which is
        differentiated automatically.

    Raises
    ------
    InvalidArgumentError
        If the name is unknown.
    InvalidTypeError
        If ``spec`` is none of these.

    Examples
    --------
    >>> get("huber")
    Huber(reduction='mean', delta=1.0)
    >>> get(MSE(reduction="sum"))
    MSE(reduction='sum')
    """
    if callable(spec) and not isinstance(spec, (Loss, type)) and not LOSSES.hint(spec):
        return Custom(spec)
    return LOSSES.get(spec)
