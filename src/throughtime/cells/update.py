r"""What becomes of the states that a cell proposes: clipping of h, and zoneout.

    h'_t = min(max(h_t, -kappa), kappa),  and every other state as it is     (L15)
    s_t  = z_t * s_{t-1} + (1 - z_t) * s'_t                                  (L16)

z_t is drawn for every step and unit in training: 1 with the probability of zoneout, else 0. In
prediction it is that probability, the expectation. Krueger et al. (2016), arXiv:1606.01305. The
derivative, from ds_t = dL/ds_t:

    ds'_t = (1 - z_t) * ds_t,  ds_{t-1} += z_t * ds_t                        (L16')
    dh_t  = dh'_t where |h_t| < kappa, else 0                                (L15')

It is the same for all cells, so the time loops apply it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.cells.base import State

#: z of one state: what was drawn, bool (T, N, H) in the order of the loop; a probability; or None.
Hold = np.ndarray | float | None


class Update(NamedTuple):
    """How proposed states become the states after a step.

    Attributes
    ----------
    clip : float or None
        kappa of (L15).
    hold : tuple
        z of (L16) for each state.
    """

    clip: float | None
    hold: tuple[Hold, ...]

    def at(self, t: int) -> Update:
        """The update of step ``t`` alone, with z of shape (N, H)."""
        return Update(self.clip, tuple(z[t] if isinstance(z, np.ndarray) else z for z in self.hold))

    def apply(self, proposed: State, previous: State) -> State:
        """Return s_t; ``self`` is that of one step, as :meth:`at` returns it."""
        h, *others = proposed
        if self.clip is not None:
            h = np.clip(h, -self.clip, self.clip)  # (L15)
        new = zip(self.hold, (h, *others), previous, strict=True)
        return tuple(_held(z, s, before) for z, s, before in new)

    def backward(self, dstate: State, proposed: State) -> tuple[State, State]:
        """Return dL/d(proposed states) and what (L16') adds to dL/ds_{t-1}."""
        passed = tuple(_passed(z, d) for z, d in zip(self.hold, dstate, strict=True))
        dh, *others = (d - kept for d, kept in zip(dstate, passed, strict=True))
        if self.clip is not None:
            dh = np.where(abs(proposed[0]) < self.clip, dh, 0)  # (L15')
        return (dh, *others), passed


def _held(z: Hold, s: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(L16) for one state."""
    if isinstance(z, np.ndarray):
        return np.where(z, before, s)
    return s if z is None else z * before + (1 - z) * s


def _passed(z: Hold, d: np.ndarray) -> np.ndarray:
    """The part of dL/ds_t that goes to s_{t-1}."""
    if isinstance(z, np.ndarray):
        return np.where(z, d, 0)
    return np.zeros_like(d) if z is None else z * d
