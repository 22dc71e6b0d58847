"""What the compiled extension offers, as a type: mypy checks each call of a kernel against it.

``_native.pyi`` describes the module itself, with what each function does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from throughtime import _native


class LossKernel(Protocol):
    """The value and the gradient of a loss; None if it does not work on an array."""

    def __call__(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
        /,
    ) -> tuple[float, np.ndarray] | None: ...


class Kernels(Protocol):
    """The extension module."""

    def level(self) -> str: ...
    def levels(self) -> tuple[str, ...]: ...
    def use_level(self, name: str) -> None: ...
    def openmp(self) -> bool: ...
    def get_num_threads(self) -> int: ...
    def set_num_threads(self, n: int) -> None: ...
    def trim_memory(self) -> int: ...
    def Form(  # noqa: N802  # a class
        self,
        cell: int,
        activation: int,
        activation_parameter: float,
        gate_activation: int,
        gate_parameter: float,
        reset_after: bool,
    ) -> _native.Form: ...
    def unroll(
        self,
        form: _native.Form,
        *,
        reverse: bool,
        keep: bool,
        x: np.ndarray,
        W_x: np.ndarray,
        W_h: np.ndarray,
        b: np.ndarray | None,
        b_time: np.ndarray | None,
        b_hn: np.ndarray | None,
        h_0: np.ndarray,
        c_0: np.ndarray | None,
        mask: np.ndarray | None,
        started: np.ndarray | None,
        drop: np.ndarray | None,
        y: np.ndarray,
        h_T: np.ndarray,
        c_T: np.ndarray | None,
    ) -> _native.Tape | None: ...
    def bptt(
        self,
        tape: _native.Tape,
        *,
        dy: np.ndarray | None,
        dh_T: np.ndarray | None,
        dc_T: np.ndarray | None,
        dW_x: np.ndarray,
        dW_h: np.ndarray,
        db: np.ndarray | None,
        db_time: np.ndarray | None,
        db_hn: np.ndarray | None,
        dx: np.ndarray | None,
        dh_0: np.ndarray,
        dc_0: np.ndarray | None,
    ) -> None: ...
    def ScanForm(  # noqa: N802  # a class
        self, kind: int, activation: int, parameter: float
    ) -> _native.ScanForm: ...
    def scan(
        self,
        form: _native.ScanForm,
        *,
        reverse: bool,
        keep: bool,
        x: np.ndarray,
        W: np.ndarray,
        b: np.ndarray | None,
        c: np.ndarray | None,
        first: np.ndarray,
        first_2: np.ndarray | None,
        mask: np.ndarray | None,
        y: np.ndarray,
        last: np.ndarray,
        last_2: np.ndarray | None,
    ) -> _native.ScanTape | None: ...
    def scan_back(
        self,
        tape: _native.ScanTape,
        *,
        dy: np.ndarray | None,
        d_last: np.ndarray | None,
        d_last_2: np.ndarray | None,
        dW: np.ndarray,
        db: np.ndarray | None,
        dc: np.ndarray | None,
        dx: np.ndarray | None,
        d_first: np.ndarray,
        d_first_2: np.ndarray | None,
    ) -> None: ...
    def option_forward(
        self,
        form: _native.Form,
        arrays: dict[str, np.ndarray],
        cell_clip: float,
        hidden_clip: float,
        zoneout: float,
        cell_zoneout: float,
        keep: bool,
    ) -> None: ...
    def option_backward(
        self,
        form: _native.Form,
        arrays: dict[str, np.ndarray],
        cell_clip: float,
        hidden_clip: float,
        zoneout: float,
        cell_zoneout: float,
    ) -> None: ...
    def normalise(self, arrays: dict[str, np.ndarray], cut: int) -> None: ...
    def normalise_back(self, arrays: dict[str, np.ndarray], cut: int) -> None: ...
    def column_sums(self, a: np.ndarray, b: np.ndarray | None, out: np.ndarray) -> None: ...
    def affine(
        self,
        x: np.ndarray,
        W: np.ndarray,
        b: np.ndarray | None,
        y: np.ndarray,
        add: bool = False,
    ) -> None: ...
    def affine_back(
        self,
        x: np.ndarray,
        W: np.ndarray,
        dz: np.ndarray,
        dW: np.ndarray,
        db: np.ndarray | None,
        dx: np.ndarray | None,
    ) -> None: ...
    def products(self, x: np.ndarray, W: np.ndarray, y: np.ndarray, transposed: bool) -> None: ...
    def Stepper(self, rows: int, is_double: bool) -> _native.Stepper: ...  # noqa: N802  # a class
    def activate(
        self,
        kind: int,
        parameter: float,
        z: np.ndarray,
        y: np.ndarray,
        mask: np.ndarray | None = None,
    ) -> bool: ...
    def activate_backward(
        self,
        kind: int,
        parameter: float,
        dy: np.ndarray,
        y: np.ndarray,
        dz: np.ndarray,
        mask: np.ndarray | None = None,
    ) -> bool: ...
    def math(self, name: str, x: np.ndarray, y: np.ndarray) -> bool: ...
    def norm(self, x: np.ndarray) -> float | None: ...
    def finite(self, x: np.ndarray) -> bool | None: ...
    def clip_norm(self, grads: np.ndarray, limit: float) -> float | None: ...
    def clip_value(self, grads: np.ndarray, limit: float) -> float | None: ...
    def penalise(
        self, weights: np.ndarray, grads: np.ndarray | None, l1: float, l2: float
    ) -> tuple[float, float] | None: ...
    def rolling_states(
        self,
        z: np.ndarray,
        place: np.ndarray,
        origins: np.ndarray,
        pattern: np.ndarray,
        columns: np.ndarray,
        begin: int,
        start: float,
        level: np.ndarray,
        slope: np.ndarray,
        season: np.ndarray,
    ) -> None: ...
    def rolling_errors(
        self,
        z: np.ndarray,
        y: np.ndarray,
        place: np.ndarray,
        origins: np.ndarray,
        pattern: np.ndarray,
        columns: np.ndarray,
        begin: int,
        start: float,
        log: bool,
        ceiling: float,
        weight: np.ndarray,
        errors: np.ndarray,
    ) -> None: ...
    def rolling_means(
        self,
        z: np.ndarray,
        y: np.ndarray,
        place: np.ndarray,
        origins: np.ndarray,
        pattern: np.ndarray,
        columns: np.ndarray,
        begin: int,
        start: float,
        log: bool,
        ceiling: float,
        weights: np.ndarray,
        groups: np.ndarray,
        means: np.ndarray,
    ) -> None: ...
    def sgd(
        self,
        vectors: tuple[np.ndarray | None, ...],
        lr: float,
        momentum: float,
        rest: float,
        nesterov: bool,
        begins: bool,
    ) -> bool | None: ...
    def adagrad(
        self, vectors: tuple[np.ndarray | None, ...], lr: float, momentum: float, epsilon: float
    ) -> bool | None: ...
    def rmsprop(
        self,
        vectors: tuple[np.ndarray | None, ...],
        lr: float,
        rho: float,
        momentum: float,
        epsilon: float,
    ) -> bool | None: ...
    def adam(
        self,
        vectors: tuple[np.ndarray | None, ...],
        lr: float,
        beta1: float,
        beta2: float,
        root: float,
        epsilon: float,
        decay: float | None,
    ) -> bool | None: ...
    def squared_error(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
    ) -> tuple[float, np.ndarray] | None: ...
    def half_squared_error(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
    ) -> tuple[float, np.ndarray] | None: ...
    def absolute_error(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
    ) -> tuple[float, np.ndarray] | None: ...
    def huber_error(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
    ) -> tuple[float, np.ndarray] | None: ...
    def sigmoid_crossentropy(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
    ) -> tuple[float, np.ndarray] | None: ...
    def softmax_crossentropy(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        weight: np.ndarray | None,
        mean: bool,
        parameter: float,
    ) -> tuple[float, np.ndarray] | None: ...
    def ctc(
        self,
        y: np.ndarray,
        labels: np.ndarray,
        mask: np.ndarray | None,
        scale: np.ndarray,
        blank: int,
        terms: np.ndarray,
        dz: np.ndarray,
    ) -> bool: ...
    def crf(
        self,
        y: np.ndarray,
        tags: np.ndarray,
        mask: np.ndarray | None,
        scale: np.ndarray,
        terms: np.ndarray,
        dy: np.ndarray,
    ) -> bool: ...


if TYPE_CHECKING:
    _checked: Kernels = _native
