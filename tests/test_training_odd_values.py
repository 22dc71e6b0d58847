"""Odd values at the doors of training, losses and optimisers: refused in one line, or used."""

import inspect

import numpy as np
import pytest
from odd_values import ODD

import throughtime as tt
from throughtime.errors import ThroughtimeError
from throughtime.losses import LOSSES, Custom
from throughtime.optimizers import OPTIMIZERS
from throughtime.optimizers.schedules import SCHEDULES, Constant
from throughtime.training import Checkpoint, EarlyStopping
from throughtime.training.clipping import clip_norm, clip_value
from throughtime.training.metrics import METRICS, FunctionMetric

X = np.random.default_rng(0).normal(size=(6, 4, 2))
Y = X[:, 0, :1]

#: Functions, and what they need beside a network and data.
FUNCTIONS = {
    tt.train: {"epochs": 1, "verbose": False},
    tt.evaluate: {},
    tt.check_gradients: {"max_numbers": 3, "directions": 1},
    tt.inspect.trace: {},
    tt.inspect.hidden_states: {},
    tt.inspect.saturation: {"h": X},
    clip_norm: {"grads": np.ones(3), "limit": 1.0},
    clip_value: {"grads": np.ones(3), "limit": 1.0},
}
DOORS = [(f, name) for f in FUNCTIONS for name in inspect.signature(f).parameters]
CLASSES = [
    *(registry[name] for registry in (LOSSES, OPTIMIZERS, SCHEDULES, METRICS) for name in registry),
    Custom,
    FunctionMetric,
    EarlyStopping,
    Checkpoint,
]
#: What the constructors need beside the odd value.
NEEDED = {
    "lr": 0.1, "gamma": 0.5, "decay": 0.1, "length": 3, "schedule": Constant(0.1), "path": "run",
    "function": lambda y, target: y, "scale": 1.0,
}  # fmt: skip


def use_or_refuse(function, /, *args, **options):
    """Call it; an error must be one of ours, in one line."""
    try:
        function(*args, **options)
    except ThroughtimeError as error:
        return "\n" not in str(error)
    return True


def network():
    return tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=2)


@pytest.mark.parametrize(("function", "name"), DOORS, ids=[f"{f.__name__}-{n}" for f, n in DOORS])
def test_functions(function, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = inspect.signature(function).parameters
    for make in ODD.values():
        given = {"net": network(), "x": X, "y": Y}
        arguments = {key: given[key] for key in given if key in known} | FUNCTIONS[function]
        assert use_or_refuse(function, **arguments | {name: make()})


@pytest.mark.parametrize("kind", CLASSES)
def test_constructors(kind):
    known = inspect.signature(kind).parameters
    for name in known:
        others = {key: NEEDED[key] for key in NEEDED if key in known and key != name}
        if name == "training":
            del others["scale"]
        for make in ODD.values():
            assert use_or_refuse(kind, **others, **{name: make()})


@pytest.mark.parametrize("name", ["y", "target", "mask", "weights"])
@pytest.mark.parametrize(
    "called",
    [*map(tt.losses.get, ("mse", "bce", "poisson")), *map(METRICS.get, ("mae", "acc", "r2"))],
    ids=repr,
)
def test_calls_of_losses_and_metrics(called, name):
    for make in ODD.values():
        given = {"y": np.full((6, 1), 0.5), "target": np.ones((6, 1)), name: make()}
        assert use_or_refuse(called, given.pop("y"), **given)


@pytest.mark.parametrize("name", ["params", "grads", "multiplier", "decay_mask", "previous"])
def test_steps_of_optimisers(name):
    for make in ODD.values():
        given = {"params": np.ones(3), "grads": np.ones(3), name: make()}
        assert use_or_refuse(tt.optimizers.AdamW().step, **given)


def test_memories_and_observed_values():
    for make in ODD.values():
        optimizer = tt.optimizers.AdamW(tt.schedules.Plateau(0.1))
        for take in (optimizer.load_state_dict, optimizer.observe, optimizer.begin_epoch):
            assert use_or_refuse(take, make())
        assert use_or_refuse(EarlyStopping().load_state_dict, make())
