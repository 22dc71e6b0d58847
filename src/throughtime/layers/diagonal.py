"""Recurrent layers without a product in their time loop: all their products are of all steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS, Identity
from throughtime.cells import LRU as LRUCell
from throughtime.cells import Cell
from throughtime.cells import IndRNN as IndRNNCell
from throughtime.cells import MinGRU as MinGRUCell
from throughtime.cells import MinLSTM as MinLSTMCell
from throughtime.cells.base import State
from throughtime.errors import InvalidArgumentError, check_float, check_int, sentence
from throughtime.initializers import INITIALIZERS, Uniform
from throughtime.kernels.affine import add_product, affine, affine_backward
from throughtime.layers.base import LAYERS, chosen
from throughtime.layers.forms import Form
from throughtime.layers.recurrent import Recurrent, in_group


@dataclass(frozen=True)
class Diagonal(Recurrent):
    """Base of the layers whose units depend on their own past alone.

    They have no W_h, hence no ``recurrent_initializer``, ``recurrent_dropout`` and ``time_bias``.
    """

    # An annotation as ClassVar takes the field of the base out of the dataclass.
    recurrent_initializer: ClassVar[Any] = None  # type: ignore[misc]  # no field any more
    recurrent_dropout: ClassVar[float] = 0.0  # type: ignore[misc]  # as above
    time_bias: ClassVar[bool] = False  # type: ignore[misc]  # as above


@LAYERS.register("MinGRU")
@dataclass(frozen=True)
class MinGRU(Diagonal):
    """Minimal gated recurrent unit; the equations are in :mod:`throughtime.cells.min_gru`.

    A GRU whose gate and candidate do not see h_{t-1} (Feng et al., 2024, arXiv:2410.01201). One
    layer cannot decide by what it remembers; two or more can.

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent` but those of the product with W_h; ``activation`` is that
        of the candidate n.
    """

    activation: Any = chosen("identity", ACTIVATIONS)

    @cached_property
    def cell(self) -> Cell:
        return MinGRUCell(self.activation)


@LAYERS.register("MinLSTM")
@dataclass(frozen=True)
class MinLSTM(Diagonal):
    """Minimal long short-term memory; the equations are in :mod:`throughtime.cells.min_lstm`.

    Input and forget gate do not see h_{t-1} and sum to 1 (Feng et al., 2024, arXiv:2410.01201).

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent` but those of the product with W_h; ``activation`` is that
        of the candidate g.
    """

    activation: Any = chosen("identity", ACTIVATIONS)

    @cached_property
    def cell(self) -> Cell:
        return MinLSTMCell(self.activation)


@LAYERS.register("IndRNN")
@dataclass(frozen=True)
class IndRNN(Diagonal):
    """Independently recurrent layer, h_t = f(x_t W_x + u * h_{t-1} + b) with a vector u.

    The equations are in :mod:`throughtime.cells.ind_rnn` (Li et al., 2018, arXiv:1803.04831).

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent` but those of the product with W_h.
    recurrent_initializer : str, Initializer or callable
        Initializer of u (H,). A unit forgets as abs(u)^t where f is linear. Penalties do not act
        on u.
    """

    activation: Any = chosen("relu", ACTIVATIONS)
    # A field again, of u; mypy knows it as the ClassVar of the base.
    recurrent_initializer: Any = chosen(Uniform(0.0, 1.0), INITIALIZERS)  # type: ignore[misc]

    @cached_property
    def cell(self) -> Cell:
        return IndRNNCell(self.activation)

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        super().initialize(params, rng)
        for group, _ in self.directions:
            u = params[in_group(group, "u")]
            u[...] = self.recurrent_initializer(u.shape, rng, u.dtype)


@LAYERS.register("LRU")
@dataclass(frozen=True)
class LRU(Diagonal):
    r"""Linear recurrent unit: y_t = Re(h_t C) + x_t D + b_y with a complex diagonal recurrence.

    The recurrence is in :mod:`throughtime.cells.lru`, with

        y_t = re_t W_y[:n] + im_t W_y[n:] + x_t W_d + b_y              (LR4)

    of which W_y (2n, H) = [Re C; -Im C]. Nothing here is nonlinear but in x_t: put a layer with an
    activation between two of them. Orvieto et al. (2023), arXiv:2303.06349.

    Parameters
    ----------
    units, ... :
        The options of :class:`Recurrent` but those of the product with W_h, and of an activation.
        ``units`` is the number of outputs H.
    state_size : int, optional
        Number n of complex numbers in the state. By default 32, or a quarter of ``units`` if that
        is more: most of the time goes into h_t C. ``throughtime demo pixel-digits`` reads the 64
        pixels of a digit with n = 32.
    r_min, r_max : float
        Initial abs(lambda): uniform over the ring between these radii. Nearer to 1, the memory is
        longer.
    max_phase : float
        Initial phases of lambda: uniform from 0 to this angle.
    use_bias : bool
        Whether to add b_y (H,).

    Notes
    -----
    The state is ``(re, im, skip)``: h of the cell, each (N, n), and x_t W_d of the last step,
    (N, H), without which the state alone would not say what the layer puts out.
    """

    activation: ClassVar[Any] = Identity()  # type: ignore[misc]  # no field: nothing to choose

    state_size: int | None = None
    r_min: float = 0.0
    r_max: float = 1.0
    max_phase: float = 2 * np.pi

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.state_size is not None:
            check_int("state_size", self.state_size, 1)
        check_float("r_min", self.r_min, 0.0, 1.0, inclusive="low")
        check_float("r_max", self.r_max, 0.0, 1.0, inclusive="high")
        if self.r_min > self.r_max:
            expected = f"at least r_min, {self.r_min:g}"
            raise InvalidArgumentError(sentence("r_max", expected, f"{self.r_max:g}"))
        check_float("max_phase", self.max_phase, 0.0, inclusive="neither")

    @cached_property
    def cell(self) -> Cell:
        return LRUCell()

    @property
    def state_units(self) -> int:
        return self.state_size or max(32, self.units // 4)

    def direction_shapes(self, form: Form) -> dict[str, tuple[int, ...]]:
        shapes = super().direction_shapes(form)
        shapes.pop("b", None)  # no bias before the recurrence, one behind it
        shapes |= {"W_y": (2 * self.state_units, self.units), "W_d": (form.features, self.units)}
        return shapes | {"b_y": (self.units,)} if self.use_bias else shapes

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        super().initialize(params, rng)
        for group, _ in self.directions:
            own = {leaf: params[in_group(group, leaf)] for leaf in ("W_y", "W_d")}
            for array in own.values():
                array[...] = self.initializer(array.shape, rng, array.dtype)
            n = self.state_units
            # Uniform over a ring is uniform in |lambda|^2; its ends have no logarithm.
            square = np.clip(rng.uniform(self.r_min**2, self.r_max**2, n), 1e-12, 1 - 1e-12)
            phase = self.max_phase * (1.0 - rng.random(n))
            params[in_group(group, "nu")][...] = np.log(-0.5 * np.log(square))
            params[in_group(group, "theta")][...] = np.log(phase)
            params[in_group(group, "gamma")][...] = 0.5 * np.log(1.0 - square)

    @property
    def state_widths(self) -> dict[str, int]:
        return super().state_widths | {"skip": self.units}

    def _output(
        self,
        p: Any,
        x: np.ndarray,
        mask: np.ndarray | None,
        h: np.ndarray,
        final: State,
        other: State,
        reverse: bool,
    ) -> tuple[np.ndarray, State, Any]:
        ends, skip = _ends(x.shape, mask, reverse), other[0].copy()
        if not self.return_sequences:
            h = np.concatenate(final, axis=1)
        y = affine(h, p.W_y, p.b_y if self.use_bias else None)  # (LR4)
        skip[ends[0]] = affine(x[ends], p.W_d)
        if self.return_sequences:
            add_product(y, x, p.W_d)
            if mask is not None:
                y = np.where(mask[..., None], y, 0)
        else:
            y += skip
        return y, (*final, skip), (p, h, x, mask, ends)

    def _output_back(
        self, grad: Any, kept: Any, dy: np.ndarray | None, d_final: State | None, inputs: bool
    ) -> tuple[np.ndarray | None, State | None, np.ndarray | None, State]:
        p, h, x, mask, ends = kept
        if dy is None:
            dy = np.zeros((*h.shape[:-1], self.units), h.dtype)
        elif self.return_sequences and mask is not None:
            dy = np.where(mask[..., None], dy, 0)
        d_skip = np.zeros((len(x), self.units), h.dtype) if d_final is None else d_final[2].copy()
        d_cell = None if d_final is None else d_final[:2]

        dh = affine_backward(h, p.W_y, dy, grad.W_y, grad.b_y if self.use_bias else None)  # (LR4')
        dx = None
        if self.return_sequences:
            dx = affine_backward(x, p.W_d, dy, grad.W_d, None, inputs)  # (LR4')
        else:
            assert dh is not None  # it was asked for
            d_end = np.split(dh, 2, axis=1)
            d_cell, dh = tuple(d_end if d_cell is None else map(np.add, d_end, d_cell)), None
            d_skip += dy
        # What belongs to an end is that of x_t W_d there; the rest, of the initial state.
        if d_final is not None or not self.return_sequences:
            d_ends = affine_backward(x[ends], p.W_d, d_skip[ends[0]], grad.W_d, None, inputs)
            if d_ends is not None:
                dx = np.zeros_like(x) if dx is None else dx
                dx[ends] += d_ends
            d_skip[ends[0]] = 0
        return dh, d_cell, dx, (d_skip,)


def _ends(
    shape: tuple[int, ...], mask: np.ndarray | None, reverse: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The last unmasked step, in the order of the loop, of each sequence that has one.

    Returns
    -------
    rows, steps : ndarray of int
        Such a sequence and its step, as an index of arrays (N, T, ...).
    """
    batch, total = shape[:2]
    if mask is None:
        rows = np.arange(batch if total else 0)
        return rows, np.full(len(rows), 0 if reverse else total - 1)
    rows = np.flatnonzero(mask.any(axis=1))
    real = mask[rows]
    steps = real.argmax(axis=1) if reverse else total - 1 - real[:, ::-1].argmax(axis=1)
    return rows, steps
