"""Optimisers and learning-rate schedules.

========== ==========================================================================
rules      SGD, Adagrad, RMSProp, Adam, AdamW: the equations
base       the base of all rules: checks, counters, buffers, state
schedules  the learning rate during a run
========== ==========================================================================
"""

from throughtime.optimizers.base import Optimizer
from throughtime.optimizers.rules import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, RMSProp

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
]
