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
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from throughtime import activations as activations
    from throughtime import data as data
    from throughtime import drawing as drawing
    from throughtime import errors as errors
    from throughtime import forecasting as forecasting
    from throughtime import initializers as initializers
    from throughtime import inspect as inspect
    from throughtime import layers as layers
    from throughtime import losses as losses
    from throughtime import optimizers as optimizers
    from throughtime import plotting as plotting
    from throughtime import report as report
    from throughtime import training as training
    from throughtime.engines import engine as engine
    from throughtime.gradcheck import check_gradients as check_gradients
    from throughtime.kernels.selection import get_num_threads as get_num_threads
    from throughtime.kernels.selection import set_num_threads as set_num_threads
    from throughtime.layers import Input as Input
    from throughtime.network import Network as Network
    from throughtime.network.generation import generate as generate
    from throughtime.network.storage import load as load
    from throughtime.optimizers import schedules as schedules
    from throughtime.training import EMA as EMA
    from throughtime.training import SWA as SWA
    from throughtime.training import Callback as Callback
    from throughtime.training import Checkpoint as Checkpoint
    from throughtime.training import EarlyStopping as EarlyStopping
    from throughtime.training import History as History
    from throughtime.training import TrainStep as TrainStep
    from throughtime.training import evaluate as evaluate
    from throughtime.training import metrics as metrics
    from throughtime.training.find_lr import find_lr as find_lr
    from throughtime.training.many import fit_many as fit_many
    from throughtime.training.train import train as train

#: Public modules, and where they are below this package.
_MODULES = {
    "activations": "activations",
    "data": "data",
    "drawing": "drawing",
    "errors": "errors",
    "forecasting": "forecasting",
    "initializers": "initializers",
    "inspect": "inspect",
    "layers": "layers",
    "losses": "losses",
    "metrics": "training.metrics",
    "optimizers": "optimizers",
    "plotting": "plotting",
    "report": "report",
    "schedules": "optimizers.schedules",
    "training": "training",
}
#: Public classes and functions, and the modules that define them.
_HOME = {
    "Callback": "training",
    "Checkpoint": "training",
    "EMA": "training",
    "EarlyStopping": "training",
    "History": "training",
    "Input": "layers",
    "Network": "network",
    "SWA": "training",
    "TrainStep": "training",
    "check_gradients": "gradcheck",
    "engine": "engines",
    "evaluate": "training",
    "fit_many": "training.many",
    "find_lr": "training.find_lr",
    "generate": "network.generation",
    "get_num_threads": "kernels.selection",
    "load": "network.storage",
    "set_num_threads": "kernels.selection",
    "train": "training.train",
}

__all__ = sorted([*_HOME, *_MODULES, "__version__"])


class _OldPaths:
    """Finds modules at the paths of earlier releases; asked last, when nothing else finds them."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if not name.startswith(f"{__name__}."):
            return None
        from throughtime import _moved

        return _moved.find_spec(name)


sys.meta_path.append(_OldPaths())


def __getattr__(name: str) -> Any:
    home = _MODULES.get(name) or _HOME.get(name)
    if home is None:
        from throughtime._elsewhere import OTHER_NAMES

        way = f"; write {OTHER_NAMES[name]}." if name in OTHER_NAMES else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{way}")
    module = importlib.import_module(f"{__name__}.{home}")
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
