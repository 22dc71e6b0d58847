"""The recurrent layers: each is a :class:`~throughtime.layers.Recurrent` with its own cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from throughtime.activations import ACTIVATIONS
from throughtime.cells import GRU as GRUCell
from throughtime.cells import LSTM as LSTMCell
from throughtime.cells import Cell, CoupledLSTM, Elman, GeneralLSTM, NormElman, NormGRU
from throughtime.cells.update import Update
from throughtime.errors import InvalidArgumentError, check_bool, check_float, check_int, sentence
from throughtime.layers.base import LAYERS, Call, chosen, drawn
from throughtime.layers.recurrent import Recurrent


@dataclass(frozen=True, kw_only=True)
class Classic(Recurrent):
    """Options of the layers with recurrent weights: RNN, GRU and LSTM.

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent`.
    layer_norm : bool
        Whether to normalise the sums of each step over the units (Ba, Kiros and Hinton, 2016,
        arXiv:1607.06450): x_t W_x with the gain ``g_x``, h_{t-1} W_h with the gain ``g_h``, and c_t
        of an LSTM with ``g_c`` and ``b_c``. It needs two units.
    zoneout : float
        Probability that a unit of h keeps its value from the step before, drawn for each step in
        training; the expectation is used in prediction (Krueger et al., 2016, arXiv:1606.01305).
    hidden_clip : float, optional
        Bound of the size of each h_t. Where h_t is clipped, its gradient is zero.
    """

    layer_norm: bool = False
    zoneout: float = 0.0
    hidden_clip: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bool("layer_norm", self.layer_norm)
        check_float("zoneout", self.zoneout, 0.0, 1.0, inclusive="low")
        if self.hidden_clip is not None:
            check_float("hidden_clip", self.hidden_clip, 0.0, inclusive="neither")
        if self.layer_norm and self.units == 1:
            hint = "A single unit has nothing to be normalised over, and would be constant."
            raise InvalidArgumentError(
                sentence("layer_norm", "False in a layer of one unit", "True", hint)
            )

    @property
    def hold_rates(self) -> tuple[float, ...]:
        """The probability of zoneout of each state."""
        return (self.zoneout,)

    @property
    def draws(self) -> bool:
        return super().draws or any(self.hold_rates)

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        super().initialize(params, rng)
        for name, array in params.items():
            if name.rpartition(".")[2] in ("g_x", "g_h", "g_c"):
                array[...] = 1.0

    def update(self, steps: int, batch: int, call: Call) -> Update | None:
        rates = self.hold_rates
        if not any(rates):
            return (
                None if self.hidden_clip is None else Update(self.hidden_clip, (None,) * len(rates))
            )
        if not call.training:
            return Update(self.hidden_clip, tuple(rate or None for rate in rates))
        widths = self.state_widths
        ends = np.cumsum([widths[name] for name in self.cell.states])
        numbers = np.split(drawn((steps, batch, int(ends[-1])), call, by_step=True), ends[:-1], -1)
        hold = zip(numbers, rates, strict=True)
        return Update(self.hidden_clip, tuple(z < rate if rate else None for z, rate in hold))


@LAYERS.register("RNN")
@dataclass(frozen=True)
class RNN(Classic):
    """Elman's recurrent layer, h_t = f(x_t W_x + h_{t-1} W_h + b).

    All options are those of :class:`Recurrent` and :class:`Classic`; the equations are in
    :mod:`throughtime.cells.elman` and :mod:`throughtime.cells.norm_elman`.
    """

    native_stream: ClassVar[bool] = True

    @cached_property
    def cell(self) -> Cell:
        return NormElman(self.activation) if self.layer_norm else Elman(self.activation)


@LAYERS.register("GRU")
@dataclass(frozen=True, kw_only=True)
class GRU(Classic):
    """Gated recurrent unit.

    The equations are in :mod:`throughtime.cells.gru` and :mod:`throughtime.cells.norm_gru`.

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent` and :class:`Classic`; ``activation`` is that of the
        candidate n.
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
        cell = NormGRU if self.layer_norm else GRUCell
        return cell(self.activation, self.recurrent_activation, self.reset_after)


@LAYERS.register("LSTM")
@dataclass(frozen=True, kw_only=True)
class LSTM(Classic):
    """Long short-term memory.

    The equations are in :mod:`throughtime.cells.lstm`, those of its options in
    :mod:`throughtime.cells.general_lstm`.

    Parameters
    ----------
    units, activation, ... :
        The options of :class:`Recurrent` and :class:`Classic`; ``activation`` is that of g and of
        the output.
    recurrent_activation : str, Activation or callable
        Activation of the gates i, f and o.
    forget_bias : float
        Initial bias of the forget gate; with 1 the memory survives from the first epoch on
        (Jozefowicz, Zaremba, Sutskever, 2015). With coupled gates the input gate begins with minus
        this number, which is the same.
    peepholes : bool
        Whether the gates see the memory: i and f see c_{t-1}, o sees c_t, through the weights
        ``W_c`` of each unit, which begin at zero (Gers, Schraudolph and Schmidhuber, 2002).
    coupled_gates : bool
        Whether f = 1 - i, with three gates i, g, o instead of four (Greff et al., 2017); ONNX calls
        it ``input_forget``.
    proj_size : int, optional
        Size of h_t if it is a projection, (o * phi(c_t)) W_r, of the units (Sak, Senior and
        Beaufays, 2014), as in PyTorch; c_t has all units.
    cell_clip : float, optional
        Bound of the size of each c_t. Where c_t is clipped, its gradient is zero. (``clip`` of ONNX
        bounds the inputs of the activations instead.)
    cell_zoneout : float
        Probability of zoneout of c; ``zoneout`` is that of h.
    """

    recurrent_activation: Any = chosen("sigmoid", ACTIVATIONS)
    forget_bias: float = 1.0
    peepholes: bool = False
    coupled_gates: bool = False
    proj_size: int | None = None
    cell_clip: float | None = None
    cell_zoneout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_float("forget_bias", self.forget_bias)
        check_bool("peepholes", self.peepholes)
        check_bool("coupled_gates", self.coupled_gates)
        if self.proj_size is not None:
            check_int("proj_size", self.proj_size, 1)
        if self.cell_clip is not None:
            check_float("cell_clip", self.cell_clip, 0.0, inclusive="neither")
        check_float("cell_zoneout", self.cell_zoneout, 0.0, 1.0, inclusive="low")

    native_stream: ClassVar[bool] = True

    @cached_property
    def cell(self) -> Cell:
        functions = (self.activation, self.recurrent_activation)
        names = ("layer_norm", "peepholes", "proj_size", "cell_clip")
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.coupled_gates:
            return CoupledLSTM(*functions, **options)
        return GeneralLSTM(*functions, **options) if any(options.values()) else LSTMCell(*functions)

    @property
    def output_units(self) -> int:
        return self.proj_size or self.units

    @property
    def state_widths(self) -> dict[str, int]:
        return super().state_widths | {"h": self.output_units}

    @property
    def hold_rates(self) -> tuple[float, ...]:
        return self.zoneout, self.cell_zoneout

    def initialize_bias(self, b: np.ndarray) -> None:
        if self.coupled_gates:
            b[: self.units] = -self.forget_bias
        else:
            b[self.units : 2 * self.units] = self.forget_bias

    def initialize(self, params: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
        super().initialize(params, rng)
        for name, array in params.items():
            if name.rpartition(".")[2] == "W_r":
                array[...] = self.initializer(array.shape, rng, array.dtype)
