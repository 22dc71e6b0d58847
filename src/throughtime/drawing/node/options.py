"""The equations of a node with options, forward and backward: those of the page on options.

Each is a pair (number, formula), as in :mod:`throughtime.drawing.node.equations`. w(v) is v, layer-
normalised, and "N of d" is what (L6') makes of d.
"""

from __future__ import annotations

from collections.abc import Iterator

from throughtime.cells import Cell, GeneralLSTM, NormElman, NormGRU
from throughtime.cells.update import Update
from throughtime.drawing.drawn_layer import words_of
from throughtime.layers import Recurrent
from throughtime.layers.base import UNTAPED

Equation = tuple[str, str]


def update_of(layer: Recurrent) -> Update | None:
    """Clipping and zoneout of a layer; None if it has neither."""
    return layer.update(1, 1, UNTAPED)


def forward(cell: Cell, leaves: set[str]) -> Iterator[Equation]:
    """The equations of a cell with options, after that of a_t."""
    if isinstance(cell, NormElman):
        yield "L17", "z_t = a_t + g_h * w(h_{t-1} W_h)"
        yield "E2", f"h_t = f(z_t),  f = {words_of(cell.activation)}"
    elif isinstance(cell, NormGRU):
        yield from _gru(cell, leaves)
    elif isinstance(cell, GeneralLSTM):
        yield from _lstm(cell, leaves)


def backward(cell: Cell, leaves: set[str]) -> Iterator[Equation]:
    """The equations of the gradients, down to dL/da_t."""
    if isinstance(cell, NormElman):
        yield "E2\u2032", "dz = f\u2032(z_t) dh = da_t"
        yield "L17\u2032", 'dv = "N of" dz * g_h,  dh_{t-1} = dv W_h^T,  dW_h += h_{t-1}^T dv'
        yield "", "dg_h += dz * w(h_{t-1} W_h)"
    elif isinstance(cell, NormGRU):
        yield from _gru_backward(cell, leaves)
    elif isinstance(cell, GeneralLSTM):
        yield from _lstm_backward(cell, leaves)


def updated(update: Update | None, states: tuple[str, ...]) -> Iterator[Equation]:
    """(L15) and (L16): s' is what the cell proposes."""
    if update is None:
        return
    if update.clip is not None:
        yield (
            "L15",
            f'h_t = min(max(h\u2032_t, -κ), κ),  κ = {update.clip:g},  h\u2032_t "as above"',
        )
    for state, hold in zip(states, update.hold, strict=True):
        if hold is not None:
            rule = f"{state}_t = ζ {state}_{{t-1}} + (1 - ζ) {state}_t"
            yield "L16", f'{rule},  ζ = {hold:g}; "in training it is drawn, 0 or 1"'


def updated_backward(update: Update | None, states: tuple[str, ...]) -> Iterator[Equation]:
    """The derivatives of :func:`updated`."""
    if update is None:
        return
    for state, hold in zip(states, update.hold, strict=True):
        if hold is not None:
            d = f"d{state}"
            yield "L16\u2032", f'{d}_{{t-1}} = ζ {d}_t "and what follows",  {d}_t = (1 - ζ) {d}_t'
    if update.clip is not None:
        yield "L15\u2032", f'dh_t = 0 "where h was clipped," κ = {update.clip:g}'


def _gru(cell: NormGRU, leaves: set[str]) -> Iterator[Equation]:
    s = words_of(cell.recurrent_activation)
    yield "L18", "[w_r, w_z] = w(h_{t-1} W_h[r,z])"
    yield "L19", f"r_t = s(a_r + g_r * w_r),  z_t = s(a_z + g_z * w_z),  s = {s}"
    f = f"f = {words_of(cell.activation)}"
    if cell.reset_after:
        own = " + b_hn" if "b_hn" in leaves else ""
        yield "L20", f"n_t = f(a_n + r_t * q_t),  q_t = g_n * w(h_{{t-1}} W_hn){own},  {f}"
    else:
        yield "L20b", f"n_t = f(a_n + g_n * w((r_t * h_{{t-1}}) W_hn)),  {f}"
    yield "G4", "h_t = (1 - z_t) * n_t + z_t * h_{t-1}"


def _gru_backward(cell: NormGRU, leaves: set[str]) -> Iterator[Equation]:
    yield "G4\u2032", "dn = dh * (1 - z),  dz = dh * (h_{t-1} - n),  dh_{t-1} = dh * z"
    if cell.reset_after:
        yield "L20\u2032", "da_n = f\u2032 dn,  dq = da_n * r,  dr = da_n * q"
        yield "L18\u2032", 'dv_n = "N of" dq * g_n,  dh_{t-1} += dv_n W_hn^T'
    else:
        yield "L20\u2032", "da_n = dq = f\u2032 dn"
        yield "L18\u2032", 'dv_n = "N of" dq * g_n,  du = dv_n W_hn^T'
        yield "G5b\u2032", "dr = du * h_{t-1},  dh_{t-1} += du * r"
    yield (
        "L19\u2032",
        'da_z = s\u2032 dz,  da_r = s\u2032 dr,  [dv_r, dv_z] = "N of" [da_r, da_z] * [g_r, g_z]',
    )
    yield "", "dh_{t-1} += [dv_r, dv_z] W_h[r,z]^T"
    left = "h_{t-1}^T" if cell.reset_after else "(r * h_{t-1})^T"
    own = ",  db_hn += dq" if "b_hn" in leaves else ""
    yield "", f"dW_h[r,z] += h_{{t-1}}^T [dv_r, dv_z],  dW_hn += {left} dv_n{own}"


def _lstm(cell: GeneralLSTM, leaves: set[str]) -> Iterator[Equation]:
    s = words_of(cell.recurrent_activation)
    gates = ", ".join(f"u_{gate}" for gate in cell.gates)
    sums = "g_h * w(h_{t-1} W_h)" if cell.layer_norm else "h_{t-1} W_h"
    yield "L8", f"u_t = [{gates}] = a_t + {sums}"
    if cell.peepholes:
        forget = "" if cell.coupled else ",  u_f += p_f * c_{t-1}"
        names = "p_i, p_o" if cell.coupled else "p_i, p_f, p_o"
        yield "L9", f"u_i += p_i * c_{{t-1}}{forget},  W_c = [{names}]"
    yield "L2", f"i = s(u_i),{'' if cell.coupled else '  f = s(u_f),'}  g = φ(u_g),  s = {s}"
    if cell.coupled:
        yield "L10", "f = 1 - i"
    memory = "f * c_{t-1} + i * g"
    if cell.cell_clip is None:
        yield "L3", f"c_t = {memory}"
    else:
        yield "L11", f"c_t = min(max({memory}, -κ), κ),  κ = {cell.cell_clip:g}"
    yield "L12", "o = s(u_o + p_o * c_t)" if cell.peepholes else "o = s(u_o)"
    shown = "c_t"
    own = " + b_c" if "b_c" in leaves else ""
    if cell.layer_norm:
        shown = f"g_c * w(c_t){own}"
    out = "h_t" if cell.proj_size is None else "m_t"
    yield "L13", f"{out} = o * φ({shown}),  φ = {words_of(cell.activation)}"
    if cell.proj_size is not None:
        yield "L14", "h_t = m_t W_r"


def _lstm_backward(cell: GeneralLSTM, leaves: set[str]) -> Iterator[Equation]:
    m = "dh" if cell.proj_size is None else "dm"
    if cell.proj_size is not None:
        yield "L14\u2032", "dm = dh W_r^T,  dW_r += m_t^T dh"
    shown, to = ("v_t", '"N of" dv * g_c') if cell.layer_norm else ("c_t", "dv")
    yield "L13\u2032", f"do = {m} * φ({shown}),  dv = {m} * o * φ\u2032({shown}),  dc += {to}"
    if cell.layer_norm:
        yield "", "dg_c += dv * w(c_t)" + (",  db_c += dv" if "b_c" in leaves else "")
    if cell.peepholes:
        yield "L12\u2032", "dc += du_o * p_o,  dp_o += du_o * c_t"
    if cell.cell_clip is not None:
        yield "L11\u2032", f'dc = 0 "where c was clipped," κ = {cell.cell_clip:g}'
    if cell.coupled:
        yield "L10\u2032", "di = dc * (g - c_{t-1}),  dg = dc * i,  dc_{t-1} = dc * f"
        gates = "s\u2032(u_i) di, φ\u2032(u_g) dg, s\u2032(u_o) do"
    else:
        yield "L3\u2032", "di = dc * g,  dg = dc * i,  df = dc * c_{t-1},  dc_{t-1} = dc * f"
        gates = "s\u2032(u_i) di, s\u2032(u_f) df, φ\u2032(u_g) dg, s\u2032(u_o) do"
    yield "L2\u2032", f"du = [{gates}] = da_t"
    if cell.peepholes:
        forget = "" if cell.coupled else " + du_f * p_f"
        more = "" if cell.coupled else ",  dp_f += du_f * c_{t-1}"
        yield "L9\u2032", f"dc_{{t-1}} += du_i * p_i{forget},  dp_i += du_i * c_{{t-1}}{more}"
    if cell.layer_norm:
        yield "L8\u2032", 'dv = "N of" du * g_h,  dh_{t-1} = dv W_h^T,  dW_h += h_{t-1}^T dv'
        yield "", "dg_h += du * w(h_{t-1} W_h)"
    else:
        yield "L8\u2032", "dh_{t-1} = du W_h^T,  dW_h += h_{t-1}^T du"
