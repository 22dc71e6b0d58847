"""How much each step ahead counts."""

from __future__ import annotations

import numpy as np


def step_weights(horizon: int) -> np.ndarray:
    """Weights (H,) of the steps ahead, h^(-1/2), used wherever forecasts are judged or learned.

    Errors grow with the step, those of a random walk with h^(1/2). With equal weights the far end
    of the horizon would decide alone.
    """
    return np.asarray(np.arange(1.0, horizon + 1.0) ** -0.5)
