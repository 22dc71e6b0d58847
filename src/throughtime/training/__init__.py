"""Training: the loop and what surrounds it."""

from throughtime.training.averaging import EMA, SWA
from throughtime.training.callbacks import Callback, EarlyStopping, Run
from throughtime.training.checkpoints import Checkpoint
from throughtime.training.evaluation import evaluate
from throughtime.training.history import History
from throughtime.training.step import StepResult, TrainStep
from throughtime.training.train import train

__all__ = [
    "EMA",
    "SWA",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "Run",
    "StepResult",
    "TrainStep",
    "evaluate",
    "train",
]
