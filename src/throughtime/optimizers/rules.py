r"""Optimisers: one step against the gradient, in place on the flat parameter vector.

With the gradient g, the learning rate eta and all operations elementwise, step t = 1, 2, ... is

    theta <- theta - eta c d                                                    (O1)

where c is the optional ``multiplier`` of each number and the direction d is

    sgd       u = momentum u + (1 - dampening) g     (u = g at t = 1)           (O2)
              d = u, or g + momentum u with Nesterov; d = g without momentum
    adagrad   s = s + g^2;  d = g / (sqrt(s) + epsilon)                         (O3)
    rmsprop   s = rho s + (1 - rho) g^2;  m = rho m + (1 - rho) g
              d = g / (sqrt(s) + epsilon), with s - m^2 for s if centered       (O4)
    adam      m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g^2
              d = m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon)       (O5)
    adamw     theta <- theta - eta c weight_decay theta, then as adam           (O6)

With momentum, Adagrad and RMSProp step along u = momentum u + d. Epsilon is always added to the
square root: inside the root it would make the steps of small gradients smaller.

Polyak (1964); Nesterov (1983); Duchi, Hazan and Singer (2011), JMLR 12; Tieleman and Hinton (2012),
lecture 6.5; Kingma and Ba (2015); Reddi, Kale and Kumar (2018); Loshchilov and Hutter (2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import InvalidArgumentError, check_bool, check_float
from throughtime.kernels.extension import Kernels
from throughtime.optimizers.base import Last, Optimizer
from throughtime.optimizers.schedules import SCHEDULES, Schedule
from throughtime.registry import Registry, Words

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
]

#: What other libraries call the options, and where options are that belong elsewhere here.
OTHER_NAMES: Words = {
    "rho": ("alpha", "beta", "decay", "decay_rate", "gamma"),
    "lr": ("alpha", "eta", "learn_rate", "learning_rate", "schedule", "step_size"),
    "beta1": ("b1", "beta_1"),
    "beta2": ("b2", "beta_2"),
    "beta1=0.9, beta2=0.999": ("betas",),
    "epsilon": ("eps",),
    "weight_decay": ("decay", "wd"),
    "l2= of tt.train, or tt.optimizers.AdamW": ("decay", "l2", "wd", "weight_decay"),
    "clip_norm= of tt.train": (
        "clip_norm", "clipnorm", "global_clipnorm", "gradient_clip", "max_grad_norm",
    ),
    "clip_value= of tt.train": ("clip_value", "clipvalue"),
    "no parameters: tt.train passes those of the network": ("params", "parameters"),
}  # fmt: skip

OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", Optimizer, OTHER_NAMES)


def _check_momentum(value: Any) -> float:
    return check_float("momentum", value, 0.0, 1.0, inclusive="low")


def _check_epsilon(value: Any) -> float:
    return check_float("epsilon", value, 0.0, inclusive="neither")


@OPTIMIZERS.register("sgd")
@dataclass
class SGD(Optimizer):
    """Gradient descent with momentum, equation (O2).

    Parameters
    ----------
    lr : float or Schedule
        The learning rate.
    momentum : float
        Part of the last step that is added to the next, in [0, 1).
    nesterov : bool
        Whether to use Nesterov's momentum, which looks one step ahead.
    dampening : float
        Part of the gradient that does not enter the momentum, in [0, 1].

    Examples
    --------
    >>> params, grads = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    >>> SGD(0.1).step(params, grads)
    True
    >>> params
    array([0.9, 2.1])
    """

    lr: float | Schedule = field(default=0.01, metadata={"registry": SCHEDULES})
    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.momentum = _check_momentum(self.momentum)
        self.nesterov = check_bool("nesterov", self.nesterov)
        self.dampening = check_float("dampening", self.dampening, 0.0, 1.0)
        if self.nesterov and (self.momentum == 0.0 or self.dampening > 0.0):
            raise InvalidArgumentError(
                "nesterov needs a momentum > 0 and a dampening of 0;"
                f" got momentum {self.momentum:g} and dampening {self.dampening:g}."
            )

    def _slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def _direction(self, grads: np.ndarray) -> np.ndarray:
        if not self.momentum:
            return grads
        velocity = self._moments["velocity"]
        if self.steps == 0:
            velocity[...] = grads
        else:
            velocity *= self.momentum
            velocity += np.multiply(grads, 1.0 - self.dampening, out=self._scratch)
        if not self.nesterov:
            return velocity
        ahead = np.multiply(velocity, self.momentum, out=self._scratch)
        ahead += grads
        return ahead

    def _kernel(
        self, kernels: Kernels, params: np.ndarray, grads: np.ndarray, last: Last, lr: float
    ) -> bool | None:
        vectors = (params, grads, self._moments.get("velocity"), None, None, *last)
        rest, begins = 1.0 - self.dampening, self.steps == 0
        return kernels.sgd(vectors, lr, self.momentum, rest, self.nesterov, begins)


@OPTIMIZERS.register("adagrad")
@dataclass
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients, equation (O3).

    Parameters
    ----------
    lr : float or Schedule
        The learning rate.
    momentum : float
        Part of the last step that is added to the next, in [0, 1).
    epsilon : float
        Number added to the root; > 0.
    """

    lr: float | Schedule = field(default=0.01, metadata={"registry": SCHEDULES})
    momentum: float = 0.0
    epsilon: float = 1e-10

    _squares: ClassVar[frozenset[str]] = frozenset({"square_sum"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.momentum = _check_momentum(self.momentum)
        self.epsilon = _check_epsilon(self.epsilon)

    def _slots(self) -> tuple[str, ...]:
        return ("square_sum", "velocity") if self.momentum else ("square_sum",)

    def _direction(self, grads: np.ndarray) -> np.ndarray:
        total = self._moments["square_sum"]
        total += self._squared(grads)
        root = np.sqrt(total, out=self._scratch)
        root += self.epsilon
        return self._accelerate(np.divide(grads, root, out=root), self.momentum)

    def _kernel(
        self, kernels: Kernels, params: np.ndarray, grads: np.ndarray, last: Last, lr: float
    ) -> bool | None:
        get = self._moments.get
        vectors = (params, grads, get("square_sum"), None, get("velocity"), *last)
        return kernels.adagrad(vectors, lr, self.momentum, self.epsilon)


@OPTIMIZERS.register("rmsprop")
@dataclass
class RMSProp(Optimizer):
    """Steps divided by the root of a running mean of squared gradients, equation (O4).

    Parameters
    ----------
    lr : float or Schedule
        The learning rate.
    rho : float
        Part of the running mean that is kept at each step, in [0, 1).
    momentum : float
        Part of the last step that is added to the next, in [0, 1).
    centered : bool
        Whether to divide by the running standard deviation instead.
    epsilon : float
        Number added to the root; > 0.
    """

    lr: float | Schedule = field(default=0.001, metadata={"registry": SCHEDULES})
    rho: float = 0.9
    momentum: float = 0.0
    centered: bool = False
    epsilon: float = 1e-8

    _squares: ClassVar[frozenset[str]] = frozenset({"square_mean"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rho = check_float("rho", self.rho, 0.0, 1.0, inclusive="low")
        self.momentum = _check_momentum(self.momentum)
        self.centered = check_bool("centered", self.centered)
        self.epsilon = _check_epsilon(self.epsilon)

    def _slots(self) -> tuple[str, ...]:
        mean = ("mean",) if self.centered else ()
        return ("square_mean", *mean, *(("velocity",) if self.momentum else ()))

    def _direction(self, grads: np.ndarray) -> np.ndarray:
        root, scale = self._scratch, self._follow("square_mean", self.rho, self._squared(grads))
        if self.centered:
            self._squared(self._follow("mean", self.rho, grads))
            scale = np.subtract(scale, root, out=root)
            # By rounding a variance can be just below zero, and its root would be NaN.
            np.maximum(scale, 0.0, out=scale)
        np.sqrt(scale, out=root)
        root += self.epsilon
        return self._accelerate(np.divide(grads, root, out=root), self.momentum)

    def _kernel(
        self, kernels: Kernels, params: np.ndarray, grads: np.ndarray, last: Last, lr: float
    ) -> bool | None:
        get = self._moments.get
        vectors = (params, grads, get("square_mean"), get("mean"), get("velocity"), *last)
        return kernels.rmsprop(vectors, lr, self.rho, self.momentum, self.epsilon)


@OPTIMIZERS.register("adam")
@dataclass
class Adam(Optimizer):
    """Running means of the gradient and of its square, corrected for their bias, equation (O5).

    Parameters
    ----------
    lr : float or Schedule
        The learning rate.
    beta1, beta2 : float
        Parts of the mean and of the mean square that are kept at each step, in [0, 1).
    epsilon : float
        Number added to the root; > 0.
    amsgrad : bool
        Whether to divide by the largest mean square so far, so that a step size never grows.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False

    _squares: ClassVar[frozenset[str]] = frozenset({"square_mean", "square_max"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.beta1 = check_float("beta1", self.beta1, 0.0, 1.0, inclusive="low")
        self.beta2 = check_float("beta2", self.beta2, 0.0, 1.0, inclusive="low")
        self.epsilon = _check_epsilon(self.epsilon)
        self.amsgrad = check_bool("amsgrad", self.amsgrad)

    def _slots(self) -> tuple[str, ...]:
        return ("mean", "square_mean", *(("square_max",) if self.amsgrad else ()))

    def _direction(self, grads: np.ndarray) -> np.ndarray:
        mean = self._follow("mean", self.beta1, grads)
        square = self._follow("square_mean", self.beta2, self._squared(grads))
        if self.amsgrad:
            largest = self._moments["square_max"]
            square = np.maximum(largest, square, out=largest)
        factor, epsilon = self._divisor()
        root = np.sqrt(square, out=self._scratch)
        root *= factor
        root += epsilon
        return np.divide(mean, root, out=root)

    def _divisor(self) -> tuple[float, float]:
        """The factor on the root of the mean square, and the number added to it.

        Both bias corrections of (O5) are in the divisor, which saves a pass over the vector.
        """
        free1 = 1.0 - self.beta1 ** (self.steps + 1)
        free2 = 1.0 - self.beta2 ** (self.steps + 1)
        return free1 / math.sqrt(free2), free1 * self.epsilon

    def _kernel(
        self, kernels: Kernels, params: np.ndarray, grads: np.ndarray, last: Last, lr: float
    ) -> bool | None:
        get = self._moments.get
        vectors = (params, grads, get("mean"), get("square_mean"), get("square_max"), *last)
        return kernels.adam(vectors, lr, self.beta1, self.beta2, *self._divisor(), None)


@OPTIMIZERS.register("adamw")
@dataclass
class AdamW(Adam):
    """Adam with weight decay that does not enter the moments, equation (O6).

    Parameters
    ----------
    lr, beta1, beta2, epsilon, amsgrad
        As in :class:`Adam`.
    weight_decay : float
        Part of a weight that is subtracted at each step, times the learning rate. The
        ``decay_mask`` of :meth:`step` says which numbers are weights.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight_decay = check_float("weight_decay", self.weight_decay, 0.0)

    def _decay(
        self,
        params: np.ndarray,
        lr: float,
        multiplier: np.ndarray | None,
        decay_mask: np.ndarray | None,
    ) -> None:
        loss = np.multiply(params, lr * self.weight_decay, out=self._scratch)
        for factor in (multiplier, decay_mask):
            if factor is not None:
                loss *= factor
        params -= loss

    def _kernel(
        self, kernels: Kernels, params: np.ndarray, grads: np.ndarray, last: Last, lr: float
    ) -> bool | None:
        get, decay = self._moments.get, lr * self.weight_decay
        vectors = (params, grads, get("mean"), get("square_mean"), get("square_max"), *last)
        return kernels.adam(vectors, lr, self.beta1, self.beta2, *self._divisor(), decay)
