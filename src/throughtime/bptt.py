r"""THE TIME LOOPS, once for all cells: the network unrolled, and backpropagation through time.

Forward, for t = 1 ... T (or T ... 1 with ``reverse``), with m_t the mask (1 = unmasked step):

    a_t = x_t W_x + b + e_t b_time                                  (B1)
    a_t = w_t g_x + b + e_t b_time,  w_t the layer-normalised x_t W_x   (L7)  with a gain g_x
    s_t = step(a_t, s_{t-1}) where m_t, else s_{t-1}                (B2)
    y_t = h_t where m_t, else 0                                     (B3)

e_t is 1 if the sequence has a step before t (or goes on from a given state), else 0: at the first
step the whole time term, with its own bias, is absent. Between step() and the mask an ``Update``
(clipping, zoneout) may act, (L15) and (L16). Backward, for t = T ... 1, with
ds_T = dL/d(final state):

    ds_t    += dL/dy_t (into h)  where m_t                          (B3')
    da_t, ds_{t-1} = step_backward(ds_t) where m_t, else 0, ds_t    (B2')
    dL/dx_t = da_t W_x^T                                            (B1')
    dL/dW_x = sum_t x_t^T da_t,  dL/db = sum_t da_t,  dL/db_time = sum_t e_t da_t   (B1'')

Werbos (1990), Proceedings of the IEEE 78(10). The sums over time are single matrix products after
the loop. Arrays inside are time-major, in the order of the loop. States have T + 1 slots, of which
slot 0 is the initial state, so that the first step is no special case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from throughtime.cells.base import Cell, Saved, State, dropped
from throughtime.cells.normalisation import normalise, normalise_backward
from throughtime.cells.update import Update


@dataclass
class LoopTape:
    """What :func:`unroll` keeps for :func:`bptt`.

    Attributes
    ----------
    x : ndarray of shape (T, N, F)
        The input, in the order of the loop.
    states : tuple of ndarray of shape (T + 1, N, H)
        One for each state of the cell; slot 0 is the initial state.
    saved : tuple of ndarray of shape (T, N, ...)
        What the steps kept.
    mask : ndarray of bool of shape (T, N), or None
        True at unmasked steps.
    started : ndarray of bool of shape (T, N), or None
        e_t of (B1); None without a time bias.
    update : Update or None
        Clipping and zoneout.
    proposed : tuple of ndarray of shape (T, N, H)
        The states that the cell proposed; empty without an update.
    normalised : tuple of ndarray
        w_t and k_t of the input's part; empty if it is not normalised.
    """

    cell: Cell
    p: Any
    x: np.ndarray
    states: State
    saved: Saved
    mask: np.ndarray | None
    started: np.ndarray | None
    drop: np.ndarray | None
    reverse: bool
    whole: list[bool] = field(default_factory=list)
    update: Update | None = None
    proposed: State = ()
    normalised: tuple[np.ndarray, ...] = ()
    engine: ClassVar[str] = "reference"

    def state_at(self, t: int) -> State:
        """The states after ``t`` steps of the loop, each (N, H)."""
        return tuple(s[t] for s in self.states)

    def proposed_at(self, t: int) -> State:
        """The states that the cell proposed at step ``t`` of the loop, before any update."""
        return tuple(s[t] for s in self.proposed) if self.proposed else self.state_at(t + 1)


def unroll(
    cell: Cell,
    p: Any,
    x: np.ndarray,
    state: State,
    *,
    mask: np.ndarray | None = None,
    started: np.ndarray | None = None,
    drop: np.ndarray | None = None,
    update: Update | None = None,
    reverse: bool = False,
    keep: bool = True,
) -> tuple[np.ndarray, State, LoopTape | None]:
    """Run a cell over time.

    Parameters
    ----------
    cell : Cell
    p : namespace
        W_x (F, G*H), W_h (H, G*H), and where the layer has them b (G*H,), b_time (G*H,), ...
    x : ndarray of shape (N, T, F)
        Finite, at masked steps too.
    state : tuple of ndarray of shape (N, H)
        The initial state.
    mask : ndarray of bool of shape (N, T), optional
        True at unmasked steps; holes are allowed.
    started : ndarray of bool of shape (N,), optional
        Whether ``state`` goes on from earlier steps; used with b_time only.
    drop : ndarray of shape (N, H), optional
        Recurrent dropout mask, scaled.
    update : Update, optional
        Clipping of h, and zoneout.
    reverse : bool
        Run from the last step to the first.
    keep : bool
        Keep the tape; without it memory does not grow with the saved values.

    Returns
    -------
    y : ndarray of shape (N, T, H)
        h_t, zero where masked; ``cell.outputs`` states side by side.
    state : tuple of ndarray of shape (N, H)
        The state after the last unmasked step of each sequence.
    tape : LoopTape or None
    """
    order = slice(None, None, -1 if reverse else 1)
    x_time = np.ascontiguousarray(x.swapaxes(0, 1)[order])
    mask_time = None if mask is None else mask.T[order]
    steps, batch = x_time.shape[:2]

    started_time = None
    if hasattr(p, "b_time"):
        started_time = begun(steps, batch, mask_time, started)
    a, normalised = input_part(cell, p, x_time, started_time)

    # A step without masked rows needs no selection.
    whole = [mask_time is None or bool(mask_time[t].all()) for t in range(steps)]
    states = tuple(np.empty((steps + 1, *s.shape), dtype=x.dtype) for s in state)
    for slots, s in zip(states, state, strict=True):
        slots[0] = s
    proposed: State = ()
    if keep and update is not None:
        proposed = tuple(np.empty((steps, *s.shape), dtype=x.dtype) for s in state)
    saved: Saved = ()
    for t in range(steps):
        previous = tuple(slots[t] for slots in states)
        new, kept = cell.step(p, a[t], previous, drop)  # (B2)
        for slots, n in zip(proposed, new, strict=False):
            slots[t] = n
        if update is not None:
            new = update.at(t).apply(new, previous)
        if not whole[t]:
            real = mask_time[t, :, None]  # type: ignore[index]  # whole is all True without a mask
            new = tuple(np.where(real, n, old) for n, old in zip(new, previous, strict=True))
        for slots, n in zip(states, new, strict=True):
            slots[t + 1] = n
        if keep:
            if not saved:
                saved = tuple(np.empty((steps, *k.shape), dtype=x.dtype) for k in kept)
            for slots, k in zip(saved, kept, strict=True):
                slots[t] = k

    outputs = [s[1:] for s in states[: cell.outputs]]
    y = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
    if mask_time is not None:
        y = np.where(mask_time[..., None], y, 0)  # (B3)
    final = tuple(slots[steps].copy() for slots in states)
    tape = LoopTape(
        cell, p, x_time, states, saved, mask_time, started_time, drop, reverse, whole,
        update, proposed, normalised,
    )  # fmt: skip
    return y[order].swapaxes(0, 1), final, tape if keep else None


def bptt(
    tape: LoopTape,
    grad: Any,
    dy: np.ndarray | None,
    d_final: State | None = None,
    inputs: bool = True,
) -> tuple[np.ndarray | None, State]:
    """Backpropagate through time; add the gradients of the parameters to ``grad``.

    Parameters
    ----------
    tape : LoopTape
        What :func:`unroll` returned.
    grad : namespace
        Arrays of the names and shapes of the parameters; the gradients are ADDED.
    dy : ndarray of shape (N, T, H), or None
        dL/dy; ignored where masked. None means zero.
    d_final : tuple of ndarray of shape (N, H), optional
        dL/d(final state).
    inputs : bool
        Whether to compute dL/dx.

    Returns
    -------
    dx : ndarray of shape (N, T, F), or None
        dL/dx, zero where masked.
    d_initial : tuple of ndarray of shape (N, H)
        dL/d(initial state).
    """
    cell, p, mask = tape.cell, tape.p, tape.mask
    order = slice(None, None, -1 if tape.reverse else 1)
    steps, batch = tape.x.shape[:2]
    dy_time = None if dy is None else dy.swapaxes(0, 1)[order]
    dstate = tuple(np.zeros_like(s[0]) for s in tape.states) if d_final is None else d_final

    da = np.empty((steps, batch, p.W_x.shape[1]), dtype=tape.x.dtype)
    more: Saved = ()
    for t in reversed(range(steps)):
        if dy_time is not None:
            dy_t = dy_time[t]
            if not tape.whole[t]:
                real = mask[t, :, None]  # type: ignore[index]  # whole is all True without a mask
                dy_t = np.where(real, dy_t, 0)
            parts = np.split(dy_t, cell.outputs, axis=-1)
            outputs = (d + part for d, part in zip(dstate, parts, strict=False))
            dstate = (*outputs, *dstate[cell.outputs :])  # (B3')
        da[t], dstate, *others = step_back(tape, t, dstate)
        if not more:
            more = tuple(np.empty((steps, *d.shape), dtype=d.dtype) for d in others)
        for slots, d in zip(more, others, strict=True):
            slots[t] = d

    rows = _rows(da)
    if steps:  # else no step has saved anything
        h_used = _rows(dropped(tape.states[0][:-1], tape.drop))
        saved = tuple(_rows(s) for s in tape.saved)
        cell.recurrent_gradients(grad, h_used, rows, saved, *map(_rows, more))
    if hasattr(grad, "b"):
        grad.b += rows.sum(axis=0)
    if hasattr(grad, "b_time"):
        assert tape.started is not None
        grad.b_time += rows[tape.started.ravel()].sum(axis=0)
    if tape.normalised:
        w, k = map(_rows, tape.normalised)
        grad.g_x += (rows * w).sum(axis=0)
        rows = normalise_backward(rows * p.g_x, w, k, cell.normalised)  # (L7')
    grad.W_x += _rows(tape.x).T @ rows  # (B1'')
    if not inputs:
        return None, dstate
    dx = (rows @ p.W_x.T).reshape(tape.x.shape)  # (B1')
    return dx[order].swapaxes(0, 1), dstate


def input_part(
    cell: Cell, p: Any, x: np.ndarray, started: np.ndarray | None
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return a_t of (B1) or (L7) for ``x (T, N, F)``, and w_t and k_t if it is normalised."""
    a = x @ p.W_x  # (B1)
    normalised: tuple[np.ndarray, ...] = ()
    if hasattr(p, "g_x"):
        normalised = normalise(a, cell.normalised)
        a = normalised[0] * p.g_x  # (L7)
    if hasattr(p, "b"):
        a += p.b
    if started is not None:
        a += started[..., None] * p.b_time
    return a, normalised


def step_back(tape: LoopTape, t: int, dstate: State) -> tuple[Any, ...]:
    """One step backward, (B2'), with the mask and the update.

    Return dL/da_t (N, G*H), dL/d(state before), and what else the cell returns for its parameters.
    """
    passed: State = ()
    proposed, update = tape.proposed_at(t), None if tape.update is None else tape.update.at(t)
    d_proposed = dstate
    if update is not None:
        d_proposed, passed = update.backward(dstate, proposed)
    saved = tuple(s[t] for s in tape.saved)
    da, d_previous, *more = tape.cell.step_backward(
        tape.p, d_proposed, tape.state_at(t), proposed, saved, tape.drop
    )
    if passed:
        d_previous = tuple(d + p for d, p in zip(d_previous, passed, strict=True))
    if not tape.whole[t]:
        real = tape.mask[t, :, None]  # type: ignore[index]  # whole is all True without a mask
        da, *more = (np.where(real, d, 0) for d in (da, *more))
        d_previous = tuple(
            np.where(real, new, old) for new, old in zip(d_previous, dstate, strict=True)
        )
    return da, d_previous, *more


def _rows(a: np.ndarray) -> np.ndarray:
    """``a (T, N, ...)`` as rows (T*N, ...): all steps of all samples."""
    return a.reshape(a.shape[0] * a.shape[1], *a.shape[2:])


def begun(
    steps: int, batch: int, mask: np.ndarray | None, started: np.ndarray | None
) -> np.ndarray:
    """e_t of (B1), (T, N): whether an unmasked step, or a given state, precedes step t."""
    result = np.zeros((steps, batch), dtype=bool)
    real = np.ones((steps, batch), dtype=bool) if mask is None else mask
    result[1:] = np.logical_or.accumulate(real[:-1], axis=0)
    return result if started is None else result | started
