"""Recurrent networks trained by explicit backpropagation through time.

>>> import numpy as np
>>> import throughtime as tt
>>> net = tt.Network([tt.layers.GRU(8), tt.layers.Dense(1)], n_features=3, seed=0)
>>> net.predict(np.zeros((5, 20, 3), "float32")).shape
(5, 1)

Public names load when they are first used, so ``import throughtime`` itself takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from throughtime import activations as activations
    from throughtime import data as data
    from throughtime import errors as errors
    from throughtime import forecasting as forecasting
    from throughtime import initializers as initializers
    from throughtime import inspect as inspect
    from throughtime import layers as layers
    from throughtime import losses as losses
    from throughtime import optimizers as optimizers
    from throughtime import plotting as plotting
    from throughtime import report as report
    from throughtime import schedules as schedules
    from throughtime import training as training
    from throughtime.engines import engine as engine
    from throughtime.gradcheck import check_gradients as check_gradients
    from throughtime.network import Network as Network
    from throughtime.runtime import get_num_threads as get_num_threads
    from throughtime.runtime import set_num_threads as set_num_threads
    from throughtime.serialization import load as load
    from throughtime.training import Callback as Callback
    from throughtime.training import Checkpoint as Checkpoint
    from throughtime.training import EarlyStopping as EarlyStopping
    from throughtime.training import History as History
    from throughtime.training import evaluate as evaluate
    from throughtime.training import metrics as metrics
    from throughtime.training import train as train

#: Public name -> the module that defines it; a public module defines itself.
_HOME = {
    "Callback": "training",
    "Checkpoint": "training",
    "EarlyStopping": "training",
    "History": "training",
    "Network": "network",
    "activations": "activations",
    "check_gradients": "gradcheck",
    "data": "data",
    "engine": "engines",
    "errors": "errors",
    "evaluate": "training",
    "forecasting": "forecasting",
    "get_num_threads": "runtime",
    "initializers": "initializers",
    "inspect": "inspect",
    "layers": "layers",
    "load": "serialization",
    "losses": "losses",
    "metrics": "training.metrics",
    "optimizers": "optimizers",
    "plotting": "plotting",
    "report": "report",
    "schedules": "schedules",
    "set_num_threads": "runtime",
    "train": "training",
    "training": "training",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    module = importlib.import_module(f"{__name__}.{home}")
    value = module if home.rpartition(".")[2] == name else getattr(module, name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
