"""Dense, Dropout and Embedding: layers that treat each step separately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS, Identity, native_kind
from throughtime.cells.base import State
from throughtime.errors import check_bool, check_float, check_int
from throughtime.initializers import INITIALIZERS
from throughtime.kernels.affine import affine, affine_backward
from throughtime.kernels.extension import Kernels
from throughtime.layers.base import LAYERS, Call, Layer, Result, chosen, keep_mask
from throughtime.layers.forms import Form


@LAYERS.register("Dense")
@dataclass(frozen=True)
class Dense(Layer):
    """y = f(x W + b), at every step of a sequence or on a vector.

    Parameters
    ----------
    units : int
        Number of outputs K.
    activation : str, Activation or callable
        Activation f.
    use_bias : bool
        Whether to add a bias b.
    initializer : str, Initializer or callable
        Initializer of W.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on W, added to those of the training call.
    """

    units: int
    _: KW_ONLY
    activation: Any = chosen("identity", ACTIVATIONS)
    use_bias: bool = True
    initializer: Any = chosen("glorot_uniform", INITIALIZERS)
    lr_multiplier: float = 1.0
    l1: float | None = None
    l2: float | None = None

    def __post_init__(self) -> None:
        if self.activation is None:
            object.__setattr__(self, "activation", Identity())
        super().__post_init__()
        check_int("units", self.units, 1)
        check_bool("use_bias", self.use_bias)

    def output_form(self, form: Form) -> Form:
        return replace(form, features=self.units)

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"W": (form.features, self.units)}
        return shapes | {"b": (self.units,)} if self.use_bias else shapes

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        params["W"][...] = self.initializer(params["W"].shape, rng, params["W"].dtype)

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        z = affine(x, p.W, p.b if self.use_bias else None)
        f = Identity() if call.logits else self.activation
        y = f(z)
        if mask is not None:
            y = np.where(mask[..., None], y, 0)
        return Result(y, mask, (p, f, x, y, z if f.needs_input else None, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        p, f, x, y, z, mask = cache
        assert dy is not None
        if mask is not None:
            dy = np.where(mask[..., None], dy, 0)
        dz = f.backward(dy, y, z)
        db = grad.b if self.use_bias else None
        return affine_backward(x, p.W, dz, grad.W, db, inputs), None

    native_stream: ClassVar[bool] = True

    def stream_native(self, kernels: Kernels, stepper: Any, p: Any, state: State) -> bool:
        kind = native_kind(self.activation)
        if kind is None:
            return False
        form = kernels.Form(0, *kind, *kind, True)
        stepper.add(form, dense=True, W_x=p.W, b=p.b if self.use_bias else None)
        return True


@LAYERS.register("Dropout")
@dataclass(frozen=True)
class Dropout(Layer):
    """Drop features at random in training; do nothing in prediction (Srivastava et al., 2014).

    Parameters
    ----------
    rate : float
        Probability that a feature is dropped, in [0, 1).
    variational : bool
        Whether to use one mask for all steps of a sequence.
    """

    rate: float
    _: KW_ONLY
    variational: bool = False

    @property
    def draws(self) -> bool:
        return self.rate > 0

    def __post_init__(self) -> None:
        check_float("rate", self.rate, 0.0, 1.0, inclusive="low")
        check_bool("variational", self.variational)

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        if x.ndim == 2:
            drop = keep_mask(self.rate, x.shape, x.dtype, call)
        elif self.variational:
            drop = keep_mask(self.rate, (x.shape[0], 1, x.shape[2]), x.dtype, call)
        else:
            # Drawn step by step, so that a chunk of a sequence finds the numbers of its steps.
            drop = keep_mask(self.rate, x.swapaxes(0, 1).shape, x.dtype, call, by_step=True)
            drop = None if drop is None else drop.swapaxes(0, 1)
        return Result(x if drop is None else x * drop, mask, drop)

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        return (dy if cache is None or dy is None else dy * cache), None


@LAYERS.register("Embedding")
@dataclass(frozen=True)
class Embedding(Layer):
    """A learned vector for each token: integers (N, T) in, (N, T, units) out.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary; tokens are the integers 0 ... n_tokens - 1.
    units : int
        Length of the vectors.
    initializer : str, Initializer or callable
        The table W (n_tokens, units) at the start. The default is uniform in [-0.05, 0.05); a
        network that reads nothing else learns faster from ``tt.initializers.Normal(1.0)``.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.
    l1, l2 : float, optional
        Penalties on the table, added to those of the training call.
    """

    n_tokens: int
    units: int
    _: KW_ONLY
    initializer: Any = chosen("uniform", INITIALIZERS)
    lr_multiplier: float = 1.0
    l1: float | None = None
    l2: float | None = None

    takes: ClassVar[tuple[str, ...]] = ("tokens",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("n_tokens", self.n_tokens, 1)
        check_int("units", self.units, 1)

    def output_form(self, form: Form) -> Form:
        return Form("sequence", self.units, form.steps)

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        return {"W": (self.n_tokens, self.units)}

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        params["W"][...] = self.initializer(params["W"].shape, rng, params["W"].dtype)

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        y = p.W[x]
        if mask is not None:
            y = np.where(mask[..., None], y, 0)
        return Result(y, mask, (x, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        tokens, mask = cache
        assert dy is not None
        if mask is not None:
            dy = np.where(mask[..., None], dy, 0)
        np.add.at(grad.W, tokens, dy)
        return None, None
