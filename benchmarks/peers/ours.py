"""Throughtime itself: what a batch of ``tt.train`` does, ``net.predict`` and ``stream.step``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import throughtime as tt
from benchmarks.tasks import LEARNING_RATE, Arrays, Task
from throughtime.kernels import selection
from throughtime.training import objective

VARIANTS = {job: ["default"] for job in ("train", "predict", "stream", "scan", "loss")}


def start(threads: int) -> None:
    """Do nothing: the server sets OMP_NUM_THREADS, which we obey."""


def versions() -> dict[str, str]:
    """Releases in use."""
    return {
        "throughtime": tt.__version__,
        "engine": selection.current(),
        "numpy": np.__version__,
    }


def _network(task: Task) -> tt.Network:
    layer = tt.layers.RECURRENT[task.cell](task.H, return_sequences=True)
    net = tt.Network([layer], n_features=task.F)
    for name, value in task.weights.items():
        net.params[f"0.{name}"][...] = value
    return net


class Train:
    """A training step."""

    def __init__(self, task: Task, variant: str) -> None:
        self.net, self.loss = _network(task), tt.losses.get("mse")
        self.adam = tt.optimizers.Adam(LEARNING_RATE)
        self.x, self.target = task.x, task.target

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps."""
        for _ in range(repeats):
            self._step()

    def _step(self) -> float:
        net = self.net
        net.grads.flat[...] = 0
        result = objective.evaluate_and_backward(
            net, self.x, self.target, self.loss, training=True, input_gradient=False
        )
        self.adam.step(net.params.flat, net.grads.flat)
        return result.value

    def answers(self) -> Arrays:
        """Loss of one step and the parameters after it."""
        loss = np.array(self._step())
        return {"loss": loss} | {n[2:]: a.copy() for n, a in self.net.params.items()}


class Predict:
    """The forward pass."""

    def __init__(self, task: Task, variant: str) -> None:
        self.net, self.x = _network(task), task.x

    def run(self, repeats: int) -> None:
        """Compute ``repeats`` forward passes."""
        for _ in range(repeats):
            self.net.predict(self.x)

    def answers(self) -> Arrays:
        """The output (N, T, H)."""
        return {"y": self.net.predict(self.x)}


class Stream:
    """A step of one sequence."""

    def __init__(self, task: Task, variant: str) -> None:
        self.net, self.x = _network(task), task.x[0, 0]
        self.stream = self.net.stream()

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps."""
        step, x = self.stream.step, self.x
        for _ in range(repeats):
            step(x)

    def answers(self) -> Arrays:
        """The output (H,) of the third step."""
        self.stream = self.net.stream()
        self.run(2)
        return {"y": self.stream.step(self.x)}


class Loss:
    """The value and the gradient of a loss from logits."""

    def __init__(self, task: Task, variant: str) -> None:
        self.loss, self.z = tt.losses.get(task.cell), task.x
        self.target = self.loss.check_target(task.labels, task.x.shape)

    def run(self, repeats: int) -> None:
        """Compute it ``repeats`` times."""
        for _ in range(repeats):
            self.loss.evaluate(self.z, self.target, logits=True)

    def answers(self) -> Arrays:
        """The value, and the gradient as ``y``."""
        value, dz = self.loss.evaluate(self.z, self.target, logits=True)
        return {"loss": np.array(value), "y": dz}


JOBS: dict[str, Callable[[Task, str], object]] = {
    "train": Train,
    "predict": Predict,
    "stream": Stream,
    "scan": Train,
    "loss": Loss,
}
