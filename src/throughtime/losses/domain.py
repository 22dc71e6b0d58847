"""The outputs for which a loss is defined."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """The outputs for which a loss is defined.

    Attributes
    ----------
    low, high : float
        The limits, both included.
    words : str
        The limits in words, for a message: ``"from 0 to 1"``.
    activation : str
        An activation that gives such outputs.
    """

    low: float
    high: float
    words: str
    activation: str
