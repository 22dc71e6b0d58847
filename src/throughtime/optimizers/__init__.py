"""Optimisers and learning-rate schedules.

========== ==========================================================================
rules      SGD, Adagrad, RMSProp, Adam, AdamW: the equations
base       what all rules share: checks, counters, buffers, state
schedules  how the learning rate changes during a run
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
