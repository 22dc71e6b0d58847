"""What every cell has in common: its names, its input part, and the weights' gradients.

A cell is ONE TIME STEP, as pure functions of arrays. It knows nothing of time, masks or layers.

    a_t = x_t W_x + b                         project: for all steps at once     (P)
    s_t = step(a_t, s_{t-1})                  step: the equations of the cell
    (dL/da_t, dL/ds_{t-1}) = step_backward(dL/ds_t)

``a_t`` is ``(N, G*H)``: G gates side by side. ``s_t`` is a tuple of states, each ``(N, H)``, the
first is the hidden state h, the output of the layer. ``drop`` ``(N, H)`` or None is the
variational dropout mask on h_{t-1} where it meets W_h, one mask for all steps (Gal and
Ghahramani, 2016); ``saved`` is what a step keeps for its derivative.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from throughtime.activations import Activation

State = tuple[np.ndarray, ...]
Saved = tuple[np.ndarray, ...]


class KernelForm(NamedTuple):
    """The options of a cell as its kernel takes them.

    Attributes
    ----------
    activation, gate_activation : Activation
    reset_after : bool
        Of a GRU.
    takes_softmax : bool
        Whether the kernel has all units of a row at once, which softmax needs.
    streams : bool
        Whether native streams have the cell in this form.
    """

    activation: Activation
    gate_activation: Activation
    reset_after: bool = True
    takes_softmax: bool = False
    streams: bool = True


class Cell:
    """Base of the cells; a subclass is a frozen dataclass whose fields are its options."""

    #: Gates in the order of their blocks in W_x, W_h and b.
    gates: ClassVar[tuple[str, ...]]
    #: Names of the states; the first is the output.
    states: ClassVar[tuple[str, ...]] = ("h",)
    #: How many of the states, side by side, are the output.
    outputs: ClassVar[int] = 1
    #: Whether the cell has the recurrent weights W_h (H, G*H).
    recurrent_weights: ClassVar[bool] = True
    #: The number of the kernel in native/ that must equal the cell (``CellKind`` in
    #: native/base/loops.hpp); None runs on the reference loops.
    kernel: ClassVar[int | None] = None
    #: The number of the plain cell whose equations the loops of cells with options extend
    #: (``native/level/options.cpp``); None runs on the reference loops. Not for a plain cell.
    option_kernel: ClassVar[int | None] = None
    #: Whose sums are layer-normalised together: so many gates each time, (4,) or (2, 1); empty if
    #: the cell does not normalise.
    normalised: tuple[int, ...] = ()
    activation: Activation

    def kernel_form(self) -> KernelForm:
        """The options of the cell for its kernel."""
        return KernelForm(self.activation, self.activation)

    def extra_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        """Parameters besides W_x, W_h and the biases."""
        return {}

    def bias_shapes(self, units: int) -> dict[str, tuple[int, ...]]:
        """Biases besides b; a layer with ``use_bias=False`` has none of them."""
        return {}

    def step(
        self, p: Any, a: np.ndarray, state: State, drop: np.ndarray | None = None
    ) -> tuple[State, Saved]:
        """Return s_t and what :meth:`step_backward` needs."""
        raise NotImplementedError

    def step_backward(
        self,
        p: Any,
        dstate: State,
        state_prev: State,
        state: State,
        saved: Saved,
        drop: np.ndarray | None = None,
    ) -> tuple[Any, ...]:
        """Return dL/da_t ``(N, G*H)`` and dL/ds_{t-1}, given dL/ds_t.

        What follows them in the tuple, arrays ``(N, ...)``, :meth:`recurrent_gradients` receives.
        ``state`` is what :meth:`step` returned: s_t, before any clipping and zoneout.
        """
        raise NotImplementedError

    def recurrent_gradients(
        self, grad: Any, h_used: np.ndarray, da: np.ndarray, saved: Saved, *more: np.ndarray
    ) -> None:
        """Add dL/dW_h (and the like) of all steps to ``grad`` in one matrix product.

        ``h_used (M, H)`` is h_{t-1}, dropout applied; ``da (M, G*H)`` is dL/da_t; ``saved`` and
        ``more``, from :meth:`step_backward`, hold ``(M, ...)`` arrays, those of ``more`` zero at
        masked steps; M runs over all steps of all samples.
        """
        if self.recurrent_weights:
            grad.W_h += h_used.T @ da

    def gate_values(self, saved: Saved, state: State) -> tuple[np.ndarray, ...]:
        """The values of the gates at one step, in the order of ``gates``, each (N, H).

        For :mod:`throughtime.inspect`; a user-defined cell need not define it.
        """
        return ()

    def preactivation(self, p: Any, a: np.ndarray, h_used: np.ndarray, saved: Saved) -> np.ndarray:
        """What the activations of one step were applied to, (N, G*H)."""
        return a + h_used @ p.W_h if self.recurrent_weights else a


def dropped(h: np.ndarray, drop: np.ndarray | None) -> np.ndarray:
    """Apply the recurrent dropout mask, if there is one; its own derivative as well."""
    return h if drop is None else h * drop


def gates(activation: Activation, u: np.ndarray, count: int) -> np.ndarray:
    """Apply an activation to each of ``count`` gates side by side in ``u (N, count*H)``.

    Each gate is a row of its own: a softmax sums to 1 over the units of one gate.
    """
    return activation(u.reshape(_by_gate(u, count))).reshape(u.shape)


def gates_backward(
    activation: Activation, dy: np.ndarray, y: np.ndarray, u: np.ndarray | None, count: int
) -> np.ndarray:
    """The derivative of :func:`gates`; ``u`` is None if the activation does not need it."""
    form = _by_gate(y, count)
    u = None if u is None else u.reshape(form)
    return activation.backward(dy.reshape(form), y.reshape(form), u).reshape(y.shape)


def _by_gate(u: np.ndarray, count: int) -> tuple[int, int, int]:
    """The shape (N, count, H) of ``u (N, count*H)``."""
    return len(u), count, u.shape[1] // count
