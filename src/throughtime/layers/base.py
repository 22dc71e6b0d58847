"""What a layer is: a static description, with its forward and backward pass as functions.

A layer holds options and no arrays. The network owns the parameters and hands each layer its own
as a namespace ``p`` (and the gradients as ``grad``), so one layer object may stand in many
networks. ``forward`` returns everything the backward pass needs; nothing hides on ``self``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime import activations, initializers
from throughtime.activations import ACTIVATIONS
from throughtime.cells.base import State
from throughtime.errors import InvalidArgumentError, ModelFileError, check_float
from throughtime.initializers import INITIALIZERS
from throughtime.registry import Registry

#: Fields of layers that hold an object of another registry.
NESTED: dict[str, Registry[Any]] = {
    "activation": ACTIVATIONS,
    "recurrent_activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "recurrent_initializer": INITIALIZERS,
}


@dataclass(frozen=True)
class Form:
    """The static form of a signal between layers.

    Attributes
    ----------
    kind : str
        ``"sequence"`` (N, T, features), ``"vector"`` (N, features) or ``"tokens"``
        (N, T), integers.
    features : int
        Size of the last axis; 1 for tokens.
    """

    kind: str
    features: int


@dataclass(frozen=True)
class Call:
    """How one forward pass runs.

    Attributes
    ----------
    training : bool
        Whether dropout acts.
    rng : Generator or None
        Where its random numbers come from; never None while training.
    keep : bool
        Keep what the backward pass needs.
    logits : bool
        Leave out the activation of the output layer (a loss that is fused with it works on the
        pre-activation).
    """

    training: bool = False
    rng: np.random.Generator | None = None
    keep: bool = True
    logits: bool = False


@dataclass
class Result:
    """What a layer's forward pass returns.

    Attributes
    ----------
    y : ndarray
        The output, zero at masked steps.
    mask : ndarray of bool of shape (N, T), or None
        Which output steps are real.
    cache : object
        What the layer's backward pass needs.
    final_state : tuple or None
        Of recurrent layers: see :class:`throughtime.layers.Recurrent`.
    """

    y: np.ndarray
    mask: np.ndarray | None
    cache: Any = None
    final_state: Any = None


def keep_mask(
    rate: float, shape: tuple[int, ...], dtype: np.dtype, call: Call
) -> np.ndarray | None:
    """Inverted dropout: 0 with probability ``rate``, else 1 / (1 - rate); None outside training."""
    if rate == 0.0 or not call.training:
        return None
    assert call.rng is not None  # the network provides one whenever it trains
    return (call.rng.random(shape) >= rate).astype(dtype) / dtype.type(1.0 - rate)


@dataclass(frozen=True)
class Layer:
    """Base of all layers; a subclass is a frozen dataclass whose fields are its options."""

    #: Kinds of signal the layer takes.
    takes: ClassVar[tuple[str, ...]] = ("sequence", "vector")

    def __post_init__(self) -> None:
        for name, find in (("activation", activations.get), ("initializer", initializers.get)):
            for field in (name, f"recurrent_{name}"):
                if hasattr(self, field):
                    object.__setattr__(self, field, find(getattr(self, field)))
        if hasattr(self, "lr_multiplier"):
            check_float("lr_multiplier", self.lr_multiplier, 0.0)
        for field in ("l1", "l2"):
            if getattr(self, field, None) is not None:
                check_float(field, getattr(self, field), 0.0)

    @property
    def name(self) -> str:
        """The name under which a network's table and messages know the layer."""
        return type(self).__name__

    def output_form(self, form: Form) -> Form:
        """Form of the output for an input of ``form``."""
        return form

    def output_steps(self, steps: int | None) -> int | None:
        """Time steps of the output for an input of ``steps``; None for a vector."""
        return steps

    def param_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter; a dot makes a sub-group."""
        return {}

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        """Fill the parameters, given by the names of :meth:`param_shapes`."""

    def forward(
        self, p: Any, x: np.ndarray, mask: np.ndarray | None, state: Any, call: Call
    ) -> Result:
        """Compute the output from ``x``; ``state`` is a recurrent layer's initial state or None."""
        raise NotImplementedError

    def backward(
        self, p: Any, grad: Any, cache: Any, dy: np.ndarray | None, d_final: Any = None
    ) -> tuple[np.ndarray | None, Any]:
        """Add to ``grad``; return dL/dx and dL/d(initial state) (None where there is none)."""
        raise NotImplementedError

    def stream_start(self, p: Any, rows: int, dtype: np.dtype) -> State:
        """State of a stream before its first step: arrays whose first axis is the row."""
        return ()

    def stream_step(self, p: Any, x: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """One step ``x (N, F)`` of a stream; return the output ``(N, K)`` and the new state."""
        result = self.forward(p, x, None, None, Call(keep=False))
        return result.y, state

    def stream_after(self, x: np.ndarray, mask: np.ndarray | None, final_state: Any) -> State:
        """State of a stream that has seen the input ``x`` of a forward pass."""
        return ()

    def stream_refusal(self) -> str | None:
        """Why the layer cannot be run one step at a time, or None if it can."""
        return None

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        config = LAYERS.to_config(self)
        for field, registry in NESTED.items():
            if config.get(field) is not None:
                config[field] = registry.to_config(config[field])
        return config


LAYERS: Registry[Layer] = Registry("layer", Layer)


def layer_from_config(config: Any) -> Layer:
    """Build the layer that :meth:`Layer.to_config` described."""
    if isinstance(config, dict):
        config = {
            key: NESTED[key].from_config(value) if key in NESTED and value is not None else value
            for key, value in config.items()
        }
    try:
        return LAYERS.from_config(config)
    except InvalidArgumentError as error:
        raise ModelFileError(f"the file holds a bad layer: {error}") from None


def summary_of(layer: Layer) -> str:
    """The options of a layer that differ from their defaults, as one would write them."""
    parts = []
    for f in dataclasses.fields(layer):
        value = getattr(layer, f.name)
        if f.default is dataclasses.MISSING:
            parts.append(str(value))
        elif value != _normal_default(f):
            shown = NESTED[f.name].name_of(value) if _is_registered(f.name, value) else value
            parts.append(f"{f.name}={shown!r}")
    return f"{layer.name}({', '.join(parts)})"


def _normal_default(f: dataclasses.Field[Any]) -> Any:
    if f.name in NESTED and f.default is not None:
        return NESTED[f.name].get(f.default)
    return f.default


def _is_registered(field: str, value: Any) -> bool:
    return field in NESTED and value is not None and value == type(value)()
