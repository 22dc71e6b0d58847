"""The equations of a node, forward and backward, with the numbers of the modules in ``cells/``.

Each is a pair (number, formula). (P), (E.), (G.) and (L.) are numbers of the cell's module, (B.) of
:mod:`throughtime.bptt`. In a direction that runs in reverse, the step before ``t`` is ``t+1``.
"""

from __future__ import annotations

from collections.abc import Iterator

from throughtime.activations import Activation, Softmax
from throughtime.cells import GRU, LSTM, Elman
from throughtime.drawing.drawn_layer import words_of
from throughtime.drawing.node import options
from throughtime.drawing.node.context import NodeContext
from throughtime.layers import Dense, Recurrent

Equation = tuple[str, str]


def forward(context: NodeContext) -> list[Equation]:
    """The equations of the node."""
    return [(number, _turned(context, text)) for number, text in _forward(context)]


def backward(context: NodeContext) -> list[Equation]:
    """The equations of the node's gradients."""
    return [(number, _turned(context, text)) for number, text in _backward(context)]


def slope(number: str, y: str, f: Activation) -> Equation:
    """The equation of dL/dz from dL/dy; softmax needs the whole Jacobian, not its diagonal."""
    end = " = dL/da_t" if y == "h" else ""
    if not isinstance(f, Softmax):
        return number, f"dL/dz_t = f\u2032(z_t) dL/d{y}_t{end}"
    heat = "" if f.temperature == 1.0 else f" / {f.temperature:g}"
    return "Y4", f"dL/dz_t = dL/d{y}_t J{end},  J_ij = {y}_i (δ_ij - {y}_j){heat}"


def _turned(context: NodeContext, text: str) -> str:
    text = context.indexed(text)
    return text.replace("{t-1}", f"{{{context.before}}}").replace(",  ", ",\u2003")


def _forward(context: NodeContext) -> Iterator[Equation]:
    layer, leaves = context.drawn.layer, context.direction.leaves
    bias = " + b" if "b" in leaves else ""
    if isinstance(layer, Dense):
        yield "", f"z_t = x_t W{bias}"
        yield "", f"y_t = f(z_t),  f = {words_of(layer.activation)}"
        return
    assert isinstance(layer, Recurrent)
    cell = layer.cell
    # A user-defined cell need not have an activation.
    f = words_of(getattr(cell, "activation", None))
    names = f" = [{', '.join(f'a_{g}' for g in cell.gates)}]" if len(cell.gates) > 1 else ""
    time = " + b_time" if context.time_bias else ""
    if cell.normalised:
        yield "L6", 'w(v) = k (v - m)  "of each row:" m "its mean," 1/k "its deviation"'
        yield "L7", f"a_t = g_x * w(x_t W_x){bias}{time}{names}"
    elif "b_time" in leaves:
        yield "B1", f"a_t = x_t W_x{bias}{time}{names}"
    else:
        yield "P", f"a_t = x_t W_x{bias}{names}"
    if type(cell) is Elman:
        yield "E1", "z_t = a_t + h_{t-1} W_h"
        yield "E2", f"h_t = f(z_t),  f = {f}"
    elif type(cell) is GRU:
        s = words_of(cell.recurrent_activation)
        yield "G1", f"r_t = s(a_r + h_{{t-1}} W_hr),  s = {s}"
        yield "G2", "z_t = s(a_z + h_{t-1} W_hz)"
        if cell.reset_after:
            own = " + b_hn" if "b_hn" in leaves else ""
            yield "G3", f"n_t = f(a_n + r_t * q_t),  q_t = h_{{t-1}} W_hn{own},  f = {f}"
        else:
            yield "G3b", f"n_t = f(a_n + (r_t * h_{{t-1}}) W_hn),  f = {f}"
        yield "G4", "h_t = (1 - z_t) * n_t + z_t * h_{t-1}"
    elif type(cell) is LSTM:
        s = words_of(cell.recurrent_activation)
        yield "L1", "u_t = [u_i, u_f, u_g, u_o] = a_t + h_{t-1} W_h"
        yield "L2", "i = s(u_i),  f = s(u_f),  g = φ(u_g),  o = s(u_o)"
        yield "L3", "c_t = f * c_{t-1} + i * g"
        yield "L4", f"h_t = o * φ(c_t),  s = {s},  φ = {f}"
    else:
        yield from options.forward(cell, leaves)
    yield from options.updated(options.update_of(layer), cell.states)


def _backward(context: NodeContext) -> Iterator[Equation]:
    layer, leaves = context.drawn.layer, context.direction.leaves
    if isinstance(layer, Dense):
        yield slope("", "y", layer.activation)
        yield "", "dL/dW += x_t^T dL/dz_t" + (",  dL/db += dL/dz_t" if "b" in leaves else "")
        yield "", "dL/dx_t = dL/dz_t W^T"
        return
    assert isinstance(layer, Recurrent)
    cell = layer.cell
    p = "\u2032"
    yield f"B3{p}", f"dL/dh_t = {' + '.join(context.sources)}"
    yield from options.updated_backward(options.update_of(layer), cell.states)
    if type(cell) is Elman:
        yield slope(f"E2{p}", "h", cell.activation)
        yield f"E1{p}", "dL/dh_{t-1} = dL/dz_t W_h^T"
        yield "E1\u2033", "dL/dW_h += h_{t-1}^T dL/dz_t"
    elif type(cell) is GRU:
        yield f"G4{p}", "dn = dh * (1 - z),  dz = dh * (h_{t-1} - n),  dh_{t-1} = dh * z"
        yield f"G3{p}", f"da_n = f{p} dn"
        if cell.reset_after:
            yield f"G5{p}", "dr = da_n * q,  dq = da_n * r,  dh_{t-1} += dq W_hn^T"
        else:
            yield f"G5b{p}", "du = da_n W_hn^T,  dr = du * h_{t-1},  dh_{t-1} += du * r"
        yield (
            f"G1{p}, G2{p}",
            f"da_z = s{p} dz,  da_r = s{p} dr,  dh_{{t-1}} += [da_r, da_z] W_h[r,z]^T",
        )
        second = "dq" if cell.reset_after else "da_n"
        left = "h_{t-1}^T" if cell.reset_after else "(r * h_{t-1})^T"
        own = ",  db_hn += dq" if "b_hn" in leaves else ""
        yield "", f"dW_h[r,z] += h_{{t-1}}^T [da_r, da_z],  dW_hn += {left} {second}{own}"
    elif type(cell) is LSTM:
        yield f"L4{p}", f"do = dh * φ(c_t),  dc += dh * o * φ{p}(c_t)"
        yield f"L3{p}", "di = dc * g,  dg = dc * i,  df = dc * c_{t-1},  dc_{t-1} = dc * f"
        yield f"L2{p}", f"du = [s{p}(u_i) di, s{p}(u_f) df, φ{p}(u_g) dg, s{p}(u_o) do] = da_t"
        yield f"L1{p}", "dh_{t-1} = du W_h^T,  dW_h += h_{t-1}^T du"
    else:
        yield from options.backward(cell, leaves)
    gates = getattr(cell, "recurrent_activation", None), getattr(cell, "activation", None)
    if type(cell) is not Elman and any(isinstance(f, Softmax) for f in gates):
        yield "Y4", f"softmax: its {p} is the whole Jacobian,  J_ij = y_i (δ_ij - y_j)"
    a = "dL/da_t" if type(cell) is Elman else "da_t"
    product = a
    if cell.normalised:
        yield f"L7{p}", f'dv = "N of" {a} * g_x,  dg_x += {a} * w(x_t W_x)'
        product = "dv"
    yield f"B1{p}", f"dL/dx_t = {product} W_x^T"
    sums = [f"dL/dW_x += x_t^T {product}"]
    sums += [f"dL/db += {a}"] if "b" in leaves else []
    sums += [f"dL/db_time += {a}"] if context.time_bias else []
    yield "B1\u2033", ",  ".join(sums)
