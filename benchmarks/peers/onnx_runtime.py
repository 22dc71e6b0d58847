"""ONNX Runtime: one node RNN, GRU or LSTM, time first as the operator wants it.

Input and output are bound to the session's memory (``"bound"``), or go through ``session.run``
(``"run"``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.tasks import GATES, Arrays, Task, time_first

#: Index of our gate at each position of ONNX.
ORDER = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}
VARIANTS = {"predict": ["run", "bound"], "stream": ["run", "bound"]}
OPSET, IR = 22, 10
_threads = 1


def start(threads: int) -> None:
    """Use ``threads`` threads in later sessions."""
    global _threads
    _threads = threads


def versions() -> dict[str, str]:
    """Releases in use."""
    return {"onnxruntime": onnxruntime.__version__}


def _reorder(array: np.ndarray, cell: str) -> np.ndarray:
    blocks = np.split(array, GATES[cell], axis=-1)
    return np.concatenate([blocks[k] for k in ORDER[cell]], axis=-1)


def _session(task: Task, states: bool) -> onnxruntime.InferenceSession:
    """A session of one node; with ``states``, they are inputs and outputs, else they are zero."""
    weights, floats = task.weights, TensorProto.FLOAT
    second = np.zeros_like(weights["b"])
    if "b_hn" in weights:
        second[-task.H :] = weights["b_hn"]
    bias = np.concatenate([_reorder(weights["b"], task.cell), _reorder(second, task.cell)])
    constants = {
        "W": _reorder(weights["W_x"], task.cell).T[None],
        "R": _reorder(weights["W_h"], task.cell).T[None],
        "B": bias[None],
    }
    names = ["h", "c"] if task.cell == "lstm" else ["h"]
    inputs = ["x", "W", "R", "B", "", *(f"{n}0" for n in names)] if states else ["x", "W", "R", "B"]
    outputs = ["", *names] if states else ["y"]
    options: dict[str, Any] = {"linear_before_reset": 1} if task.cell == "gru" else {}
    node = helper.make_node(task.cell.upper(), inputs, outputs, hidden_size=task.H, **options)

    def form(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, floats, shape)

    T = 1 if states else task.T
    one = (1, task.N, task.H)
    given = [form("x", T, task.N, task.F)]
    found = [form(n, *one) for n in names] if states else [form("y", T, *one)]
    if states:
        given += [form(f"{n}0", *one) for n in names]
    arrays = [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph([node], "recurrent", given, found, initializer=arrays)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR)
    onnx.checker.check_model(model)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = _threads, 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


class Predict:
    """The forward pass."""

    def __init__(self, task: Task, variant: str) -> None:
        self.session, self.x = _session(task, states=False), time_first(task.x)
        self.bound = variant == "bound"
        self.y = np.empty((task.T, 1, task.N, task.H), "float32")
        make = onnxruntime.OrtValue.ortvalue_from_numpy
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("x", make(self.x))
        self.binding.bind_ortvalue_output("y", make(self.y))

    def run(self, repeats: int) -> None:
        """Compute ``repeats`` forward passes."""
        if self.bound:
            for _ in range(repeats):
                self.session.run_with_iobinding(self.binding)
        else:
            for _ in range(repeats):
                self.session.run(None, {"x": self.x})

    def answers(self) -> Arrays:
        """The output (N, T, H)."""
        if self.bound:
            self.run(1)
            y = self.y
        else:
            y = self.session.run(None, {"x": self.x})[0]
        return {"y": np.swapaxes(y[:, 0], 0, 1)}


class Stream:
    """A step of one sequence; the state leaves the session and enters it again."""

    def __init__(self, task: Task, variant: str) -> None:
        self.task, self.bound = task, variant == "bound"
        self.session, self.x = _session(task, states=True), time_first(task.x[:, :1])
        self.names = ["h", "c"] if task.cell == "lstm" else ["h"]
        self.reset()

    def reset(self) -> None:
        """Set the state to zero. Bound, two sets of memory change roles at every step."""
        make, one = onnxruntime.OrtValue.ortvalue_from_numpy, (1, 1, self.task.H)
        self.state = {f"{name}0": np.zeros(one, "float32") for name in self.names}
        self.memory = np.empty_like(self.x)  # an OrtValue on the CPU is the array it is made from
        sets = [{name: np.zeros(one, "float32") for name in self.names} for _ in range(2)]
        self.bindings = []
        for before, after in (sets, sets[::-1]):
            binding = self.session.io_binding()
            binding.bind_ortvalue_input("x", make(self.memory))
            for name in self.names:
                binding.bind_ortvalue_input(f"{name}0", make(before[name]))
                binding.bind_ortvalue_output(name, make(after[name]))
            self.bindings.append((binding, after["h"]))

    def run(self, repeats: int) -> None:
        """Take ``repeats`` steps; bound, each writes its input into the session's memory."""
        if self.bound:
            for _ in range(repeats):
                binding, self.y = self.bindings[0]
                self.memory[...] = self.x
                self.session.run_with_iobinding(binding)
                self.bindings.reverse()
            return
        keys = list(self.state)
        for _ in range(repeats):
            out = self.session.run(None, {"x": self.x, **self.state})
            self.state = dict(zip(keys, out, strict=True))

    def answers(self) -> Arrays:
        """The output (H,) of the third step."""
        self.reset()
        self.run(3)
        return {"y": (self.y if self.bound else self.state["h0"])[0, 0].copy()}


JOBS: dict[str, Callable[[Task, str], object]] = {"predict": Predict, "stream": Stream}
