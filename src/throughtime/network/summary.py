"""``print(net)``: a table of layers, output shapes and parameter counts."""

from __future__ import annotations

from throughtime.layers.base import summary_of
from throughtime.layers.forms import Form
from throughtime.network.graph import Topology
from throughtime.network.params import Params


def table(topology: Topology, params: Params) -> str:
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
    form = topology.input_form
    rows = [("input", "(N, T) tokens" if form.kind == "tokens" else _shape(form), "")]
    for owner, layer, form in zip(topology.owners, topology.layers, topology.forms, strict=True):
        count = sum(array.size for array in params.owned(owner).values())
        rows.append((f"{owner} {summary_of(layer)}", _shape(form), f"{count:,}"))
    head = ("layer", "output", "parameters")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(3)]
    lines = [
        f"{a:<{widths[0]}} {b:<{widths[1]}} {c:>{widths[2]}}".rstrip() for a, b, c in [head, *rows]
    ]
    rule = "-" * (sum(widths) + 2)
    size = params.flat.nbytes
    human = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    total = f"{params.size:,} parameters, {params.dtype}, {human}"
    return "\n".join([lines[0], rule, *lines[1:], rule, total])


def _shape(form: Form) -> str:
    steps = "" if form.steps is None else f" {form.steps},"
    return f"(N,{steps} {form.features})"
