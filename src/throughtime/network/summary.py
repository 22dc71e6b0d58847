"""``print(net)``: a table of layers, output shapes and parameter counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughtime.layers.base import summary_of
from throughtime.layers.forms import Form

if TYPE_CHECKING:
    from throughtime.network.network import Network


def table(net: Network) -> str:
    """The table as text.

    Examples
    --------
    >>> import throughtime as tt
    >>> print(tt.Network([tt.layers.GRU(8), tt.layers.Dense(1)], n_features=3))
    layer      output    parameters
    -------------------------------
    input      (N, T, 3)
    0 GRU(8)   (N, 8)           296
    1 Dense(1) (N, 1)             9
    -------------------------------
    305 parameters, float32, 1.2 kB
    """
    form = net.topology.input_form
    rows = [("input", "(N, T) tokens" if form.kind == "tokens" else _shape(form), "")]
    for i, layer in enumerate(net.layers):
        count = sum(array.size for array in net.params.owned(net.topology.owners[i]).values())
        shape = _shape(net.topology.forms[i])
        rows.append((f"{i} {summary_of(layer)}", shape, f"{count:,}"))
    head = ("layer", "output", "parameters")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(3)]
    lines = [
        f"{a:<{widths[0]}} {b:<{widths[1]}} {c:>{widths[2]}}".rstrip() for a, b, c in [head, *rows]
    ]
    rule = "-" * (sum(widths) + 2)
    size = net.params.flat.nbytes
    human = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    total = f"{net.params.size:,} parameters, {net.dtype}, {human}"
    return "\n".join([lines[0], rule, *lines[1:], rule, total])


def _shape(form: Form) -> str:
    steps = "" if form.steps is None else f" {form.steps},"
    return f"(N,{steps} {form.features})"
