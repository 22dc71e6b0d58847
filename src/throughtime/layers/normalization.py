r"""Normalisation of the features of each step, or of each vector, and its derivative.

LayerNorm, with the means over the F features of one step x,

    m = mean(x),   v = mean((x - m)^2)                                          (LN1)
    n = (x - m) / sqrt(v + epsilon)                                             (LN2)
    y = g n + b                                                                 (LN3)

and RMSNorm, without the mean,

    n = x / sqrt(mean(x^2) + epsilon),   y = g n                                (LN4)

with g and b (F,) learned. Backwards, with r = 1 / sqrt(...) of (LN2) or (LN4),

    dL/dg += sum over steps of n dL/dy,   dL/db += sum over steps of dL/dy      (LN3')
    dL/dn = g dL/dy
    dL/dx = r (dL/dn - mean(dL/dn) - n mean(n dL/dn))                           (LN2')
    dL/dx = r (dL/dn - n mean(n dL/dn))                                         (LN4')

Ba, Kiros and Hinton (2016), arXiv:1607.06450; Zhang and Sennrich (2019), arXiv:1910.07467.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import check_bool, check_float
from throughtime.kernels.arrays import packed
from throughtime.layers.base import LAYERS, Call, Layer, Result
from throughtime.layers.forms import Form


@dataclass(frozen=True)
class Normalization(Layer):
    """Options that both share; see :class:`LayerNorm`."""

    _: KW_ONLY
    epsilon: float = 1e-5
    use_scale: bool = True
    lr_multiplier: float = 1.0

    #: Whether the mean is subtracted.
    centred: ClassVar[bool]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("epsilon", self.epsilon, 0.0, inclusive="neither")
        check_bool("use_scale", self.use_scale)

    def pass_size(self, form: Form, after: Form) -> int:
        return 4 * after.size

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        return {"g": (form.features,)} if self.use_scale else {}

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        if self.use_scale:
            params["g"][...] = 1.0

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        # Contiguous, so that the order of a sum depends on the number of features alone.
        centre = packed(x)
        if self.centred:
            centre = centre - _mean(centre)  # (LN1)
        r = 1 / np.sqrt(_mean(centre * centre) + x.dtype.type(self.epsilon))
        n = centre * r  # (LN2), (LN4)
        y = n * p.g if self.use_scale else n
        if hasattr(p, "b"):
            y = y + p.b  # (LN3)
        if mask is not None:
            y = np.where(mask[..., None], y, 0)
        return Result(y, mask, (p, n, r, mask))

    def backward(
        self,
        grad: Any,
        cache: Any,
        dy: np.ndarray | None,
        d_final: Any = None,
        inputs: bool = True,
    ) -> tuple[np.ndarray | None, Any]:
        p, n, r, mask = cache
        assert dy is not None
        if mask is not None:
            dy = np.where(mask[..., None], dy, 0)
        if hasattr(p, "b"):
            grad.b += dy.reshape(-1, dy.shape[-1]).sum(axis=0)  # (LN3')
        if self.use_scale:
            grad.g += (dy * n).reshape(-1, dy.shape[-1]).sum(axis=0)
        if not inputs:
            return None, None
        dn = packed(dy * p.g if self.use_scale else dy)
        dx = dn - n * _mean(dn * n)
        if self.centred:
            dx -= _mean(dn)
        return dx * r, None  # (LN2'), (LN4')


def _mean(x: np.ndarray) -> np.ndarray:
    """The mean over the last axis of a contiguous array, which is kept."""
    return x.mean(axis=-1, keepdims=True)


@LAYERS.register("LayerNorm")
@dataclass(frozen=True, kw_only=True)
class LayerNorm(Normalization):
    """Normalise the features of each step or vector to mean 0 and variance 1.

    The result does not depend on other steps or rows, so the layer is the same in training and in
    prediction, and runs in streams.

    Parameters
    ----------
    epsilon : float
        Number added to the variance, inside the root; the default is that of PyTorch.
    use_scale, use_bias : bool
        Whether to multiply by a learned g (F,), which is 1 at first, and to add a learned b (F,),
        which is 0 at first.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.LayerNorm()], n_features=4, dtype="float64")
    >>> net.predict([[[1.0, 2.0, 3.0, 4.0]]]).round(3)
    array([[[-1.342, -0.447,  0.447,  1.342]]])
    """

    use_bias: bool = True

    centred: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bool("use_bias", self.use_bias)

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        shapes = super().param_shapes(form)
        return shapes | {"b": (form.features,)} if self.use_bias else shapes


@LAYERS.register("RMSNorm")
@dataclass(frozen=True)
class RMSNorm(Normalization):
    """Divide the features of each step or vector by the root of their mean square.

    Cheaper than :class:`LayerNorm`, whose mean it does not subtract.

    Parameters
    ----------
    epsilon : float
        Number added to the mean square, inside the root.
    use_scale : bool
        Whether to multiply by a learned g (F,), which is 1 at first.
    lr_multiplier : float
        Factor on the learning rate of this layer; 0 freezes the layer.

    Examples
    --------
    >>> import throughtime as tt
    >>> net = tt.Network([tt.layers.RMSNorm()], n_features=2, dtype="float64")
    >>> net.predict([[[3.0, 4.0]]]).round(3)
    array([[[0.849, 1.131]]])
    """

    centred: ClassVar[bool] = False
