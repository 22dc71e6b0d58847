"""PyTorch: its own layers and its own Adam, in eager mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.peers import scan_pytorch
from benchmarks.tasks import LEARNING_RATE, Arrays, Task

LAYERS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
CELLS = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}
#: Ways to do a job, of which the fastest counts; batch_first is the layout of the data.
VARIANTS = {
    "train": ["foreach", "fused", "time_first-fused"],
    "predict": ["batch_first", "time_first"],
    "stream": ["cell"],
    "scan": scan_pytorch.VARIANTS,
    "loss": ["ctc_loss"],
}


def start(threads: int) -> None:
    """Use ``threads`` threads."""
    torch.set_num_threads(threads)


def versions() -> dict[str, str]:
    """Releases in use."""
    return {"torch": torch.__version__}


def _load(module: torch.nn.Module, weights: Arrays, suffix: str = "") -> None:
    """PyTorch has two biases; the second is zero but for a GRU's b_hn."""
    second = np.zeros_like(weights["b"])
    if "b_hn" in weights:
        second[-len(weights["b_hn"]) :] = weights["b_hn"]
    values = {
        "weight_ih": weights["W_x"].T,
        "weight_hh": weights["W_h"].T,
        "bias_ih": weights["b"],
        "bias_hh": second,
    }
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name + suffix).copy_(torch.from_numpy(np.ascontiguousarray(value)))


class Train:
    """A training step."""

    def __init__(self, task: Task, variant: str) -> None:
        self.task, self.batch_first = task, not variant.startswith("time_first")
        self.module = LAYERS[task.cell](task.F, task.H, batch_first=self.batch_first)
        _load(self.module, task.weights, "_l0")
        self.x, self.target = (self._form(a) for a in (task.x, task.target))
        options = {variant.rpartition("-")[2]: True}
        self.adam = torch.optim.Adam(self.module.parameters(), LEARNING_RATE, **options)

    def _form(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor if self.batch_first else tensor.transpose(0, 1).contiguous()

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps."""
        for _ in range(repeats):
            self._step()

    def _step(self) -> float:
        self.adam.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(self.module(self.x)[0], self.target)
        loss.backward()
        self.adam.step()
        return loss.item()

    def answers(self) -> Arrays:
        """Loss of one step and the parameters after it."""
        loss = np.array(self._step())
        get = {n: p.detach().numpy().copy() for n, p in self.module.named_parameters()}
        result = {"loss": loss, "W_x": get["weight_ih_l0"].T, "W_h": get["weight_hh_l0"].T}
        result["b"] = get["bias_ih_l0"]
        if self.task.cell == "gru":
            result["b_hn"] = get["bias_hh_l0"][-self.task.H :]
        return result


class Predict:
    """The forward pass."""

    def __init__(self, task: Task, variant: str) -> None:
        self.batch_first = variant == "batch_first"
        self.module = LAYERS[task.cell](task.F, task.H, batch_first=self.batch_first).eval()
        _load(self.module, task.weights, "_l0")
        self.x = torch.from_numpy(task.x)
        if not self.batch_first:
            self.x = self.x.transpose(0, 1).contiguous()

    def run(self, repeats: int) -> None:
        """Compute ``repeats`` forward passes."""
        with torch.inference_mode():
            for _ in range(repeats):
                self.module(self.x)

    def answers(self) -> Arrays:
        """The output (N, T, H)."""
        with torch.inference_mode():
            y = self.module(self.x)[0]
        return {"y": (y if self.batch_first else y.transpose(0, 1)).numpy()}


class Stream:
    """A step of one sequence."""

    def __init__(self, task: Task, variant: str) -> None:
        self.task, self.cell = task, CELLS[task.cell](task.F, task.H).eval()
        _load(self.cell, task.weights)
        self.x = torch.from_numpy(task.x[:, 0])
        self.reset()

    def reset(self) -> None:
        """Set the state to zero."""
        zero = torch.zeros(1, self.task.H)
        self.state = (zero, zero) if self.task.cell == "lstm" else zero

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps."""
        cell, x, state = self.cell, self.x, self.state
        with torch.inference_mode():
            for _ in range(repeats):
                state = cell(x, state)
        self.state = state

    def answers(self) -> Arrays:
        """The output (H,) of the third step."""
        self.reset()
        self.run(3)
        h = self.state[0] if self.task.cell == "lstm" else self.state
        return {"y": h[0].numpy()}


class Loss:
    """The value and the gradient of CTC from logits."""

    def __init__(self, task: Task, variant: str) -> None:
        self.z = torch.tensor(task.x, requires_grad=True)
        self.labels = torch.from_numpy(task.labels)
        self.lengths = (task.T,) * task.N, (task.H,) * task.N

    def run(self, repeats: int) -> None:
        """Compute it ``repeats`` times."""
        for _ in range(repeats):
            self._value()

    def _value(self) -> float:
        self.z.grad = None
        log_p = torch.log_softmax(self.z, -1).transpose(0, 1)
        # The mean over sequences: its own mean divides by the number of labels, too.
        loss = torch.nn.functional.ctc_loss(log_p, self.labels, *self.lengths, reduction="sum")
        loss = loss / len(self.labels)
        loss.backward()
        return loss.item()

    def answers(self) -> Arrays:
        """The value, and the gradient as ``y``."""
        value = np.array(self._value())
        assert self.z.grad is not None
        return {"loss": value, "y": self.z.grad.numpy()}


JOBS: dict[str, Callable[[Task, str], object]] = {
    "train": Train,
    "predict": Predict,
    "stream": Stream,
    "scan": scan_pytorch.Scan,
    "loss": Loss,
}
