"""The static form of a signal between layers: its kind, its features, its time steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """How many time steps a signal has.

    Attributes
    ----------
    count : int or None
        The number; None where it depends on the data.
    changed : bool
        Whether a number that depends on the data differs from that of the network's input.

    Examples
    --------
    >>> print(Steps(), Steps(changed=True), Steps(12))
    T T' 12
    """

    count: int | None = None
    changed: bool = False

    def after(self, rule: Callable[[int], int]) -> Steps:
        """The steps of a layer that makes ``rule(n)`` steps of n.

        Examples
        --------
        >>> print(Steps(12).after(lambda n: n // 2), Steps().after(lambda n: n // 2))
        6 T'
        """
        return Steps(changed=True) if self.count is None else Steps(int(rule(self.count)))

    def __str__(self) -> str:
        if self.count is None:
            return "T'" if self.changed else "T"
        return str(self.count)


@dataclass(frozen=True)
class Form:
    """The static form of a signal between layers.

    Attributes
    ----------
    kind : str
        ``"sequence"`` (N, T, features), ``"vector"`` (N, features) or ``"tokens"``
        (N, T), integers.
    features : int
        Size of the last axis; 1 for tokens.
    steps : Steps or None
        Size of the time axis; None for a vector, which has none.
    """

    kind: str
    features: int
    steps: Steps | None = None

    @property
    def size(self) -> int:
        """How many numbers one sample has; of steps whose number is not known, one step."""
        steps = 1 if self.steps is None or self.steps.count is None else self.steps.count
        return steps * self.features
