"""The recurrent layers: each is a :class:`~throughtime.layers.Recurrent` with its own cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS
from throughtime.cells import GRU as GRUCell
from throughtime.cells import LSTM as LSTMCell
from throughtime.cells import Cell, Elman
from throughtime.errors import check_bool, check_float
from throughtime.layers.base import LAYERS, chosen
from throughtime.layers.recurrent import Recurrent


@LAYERS.register("RNN")
@dataclass(frozen=True)
class RNN(Recurrent):
    """Elman's recurrent layer, h_t = f(x_t W_x + h_{t-1} W_h + b).

    All options are those of :class:`Recurrent`; the equations are in
    :mod:`throughtime.cells.elman`.
    """

    native_stream: ClassVar[bool] = True

    @cached_property
    def cell(self) -> Cell:
        return Elman(self.activation)


@LAYERS.register("GRU")
@dataclass(frozen=True, kw_only=True)
class GRU(Recurrent):
    """Gated recurrent unit; the equations are in :mod:`throughtime.cells.gru`.

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent`; ``activation`` is that of the candidate n.
    recurrent_activation : str, Activation or callable
        Activation of the gates r and z.
    reset_after : bool
        Whether the reset gate is applied after the product with W_hn, which then has its own bias
        b_hn (as in cuDNN, PyTorch and Keras), or before it (Cho et al., 2014).
    """

    recurrent_activation: Any = chosen("sigmoid", ACTIVATIONS)
    reset_after: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bool("reset_after", self.reset_after)

    native_stream: ClassVar[bool] = True

    @cached_property
    def cell(self) -> Cell:
        return GRUCell(self.activation, self.recurrent_activation, self.reset_after)


@LAYERS.register("LSTM")
@dataclass(frozen=True, kw_only=True)
class LSTM(Recurrent):
    """Long short-term memory; the equations are in :mod:`throughtime.cells.lstm`.

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent`; ``activation`` is that of g and of the output.
    recurrent_activation : str, Activation or callable
        Activation of the gates i, f and o.
    forget_bias : float
        Initial bias of the forget gate; with 1 the memory survives from the first epoch on
        (Jozefowicz, Zaremba, Sutskever, 2015).
    """

    recurrent_activation: Any = chosen("sigmoid", ACTIVATIONS)
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("forget_bias", self.forget_bias)

    native_stream: ClassVar[bool] = True

    @cached_property
    def cell(self) -> Cell:
        return LSTMCell(self.activation, self.recurrent_activation)

    def initialize_bias(self, b: np.ndarray) -> None:
        b[self.units : 2 * self.units] = self.forget_bias
