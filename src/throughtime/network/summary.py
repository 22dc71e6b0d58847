"""The table of layers, output shapes and parameter counts: ``print(net)``, and in notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterator

from throughtime.layers.base import summary_of
from throughtime.layers.forms import Form
from throughtime.network.graph import Topology
from throughtime.network.params import Params


def table(topology: Topology, params: Params) -> str:
    """Return the table as text.

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
    rows = [_HEAD, *_rows(topology, params)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{widths[0]}} {b:<{widths[1]}} {c:>{widths[2]}}".rstrip() for a, b, c in rows]
    rule = "-" * (sum(widths) + 2)
    return "\n".join([lines[0], rule, *lines[1:], rule, _total(params)])


def html_table(topology: Topology, params: Params) -> str:
    """Return the table as HTML, for notebooks."""
    rows = "".join(f"<tr>{_cells('td', row)}</tr>" for row in _rows(topology, params))
    head, total = _cells("th", _HEAD), html.escape(_total(params))
    return (
        f"<table><caption>{total}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


_HEAD = ("layer", "output", "parameters")


def _rows(topology: Topology, params: Params) -> Iterator[tuple[str, str, str]]:
    form = topology.input_form
    yield "input", "(N, T) tokens" if form.kind == "tokens" else _shape(form), ""
    for owner, layer, form in zip(topology.owners, topology.layers, topology.forms, strict=True):
        count = sum(array.size for array in params.owned(owner).values())
        yield f"{owner} {summary_of(layer)}", _shape(form), f"{count:,}"


def _shape(form: Form) -> str:
    steps = "" if form.steps is None else f" {form.steps},"
    return f"(N,{steps} {form.features})"


def _total(params: Params) -> str:
    size = params.flat.nbytes
    human = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    return f"{params.size:,} parameters, {params.dtype}, {human}"


def _cells(tag: str, texts: tuple[str, ...]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{html.escape(t)}</{tag}>" for t in texts)
