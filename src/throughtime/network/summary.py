"""The table of layers, output shapes and parameter counts: ``print(net)``, and in notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from throughtime.layers.base import summary_of
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

    The table of a graph has a column that says who feeds whom:

    >>> x, y = tt.Input(3, name="x"), tt.Input(1, name="y")
    >>> _, state = tt.layers.GRU(8, return_state=True, name="encoder")(x)
    >>> h = tt.layers.GRU(8, return_sequences=True, name="decoder")(y, initial_state=state)
    >>> print(tt.Network(inputs=[x, y], outputs=tt.layers.Dense(1)(h)))
    layer                                 from                output     parameters
    -------------------------------------------------------------------------------
    input x                                                   (N, T, 3)
    input y                                                   (N, T2, 1)
    encoder GRU(8, return_state=True)     x                   (N, 8)            296
    decoder GRU(8, return_sequences=True) y, state of encoder (N, T2, 8)        248
    2 Dense(1)                            decoder             (N, T2, 1)          9
    output                                2                   (N, T2, 1)
    -------------------------------------------------------------------------------
    553 parameters, float32, 2.2 kB
    """
    head, rows = cells(topology, params)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [_line(row, widths) for row in [head, *rows]]
    rule = "-" * (sum(widths) + len(widths) - 1)
    return "\n".join([lines[0], rule, *lines[1:], rule, _total(params)])


def html_table(topology: Topology, params: Params) -> str:
    """Return the table as HTML, for notebooks."""
    titles, found = cells(topology, params)
    rows = "".join(f"<tr>{_row('td', row)}</tr>" for row in found)
    head, total = _row("th", titles), html.escape(_total(params))
    return (
        f"<table><caption>{total}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """One line of the text: only the last column, of numbers, stands to the right."""
    cells = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)]
    return " ".join([*cells, f"{row[-1]:>{widths[-1]}}"]).rstrip()


def cells(topology: Topology, params: Params) -> tuple[list[str], list[list[str]]]:
    """The head and the rows; only the table of a graph says where signals come from."""
    stack = topology.plan.stack
    head = ["layer", "from", "output", "parameters"]
    rows = [*_inputs(topology), *_layers(topology, params)]
    if stack:
        del head[1]
        return head, [[row[0], *row[2:]] for row in rows]
    return head, [*rows, *_outputs(topology)]


def _inputs(topology: Topology) -> Iterator[list[str]]:
    names = topology.plan.inputs.names
    for name, form in zip(names, topology.input_forms, strict=True):
        yield [_end("input", name, len(names)), "", str(form), ""]


def _layers(topology: Topology, params: Params) -> Iterator[list[str]]:
    stack = topology.plan.stack
    for i, (owner, layer) in enumerate(zip(topology.owners, topology.layers, strict=True)):
        count = sum(array.size for array in params.owned(owner).values())
        calls = topology.owners[:i].count(owner)
        shown = f"{owner} {summary_of(layer, named=stack)}"
        yield [
            f"{shown}, call {calls + 1}" if calls else shown,
            _sources(topology, i),
            str(topology.forms[i]),
            "shared" if calls and count else f"{count:,}",
        ]


def _sources(topology: Topology, i: int) -> str:
    """What call ``i`` takes: signals, and its initial state."""
    _, sources, state = topology.plan.calls[i]
    words = [topology.label(s) for s in sources]
    if isinstance(state, int):
        words.append(f"state of {topology.label(state + len(topology.input_forms))}")
    elif state is not None:
        words.append(f"state from {' and '.join(topology.label(s) for s in state)}")
    return ", ".join(words)


def _outputs(topology: Topology) -> Iterator[list[str]]:
    plan = topology.plan
    for name, signal, form in zip(
        plan.outputs.names, plan.signals, topology.output_forms, strict=True
    ):
        title = _end("output", name, len(plan.signals))
        yield [title, topology.label(signal), str(form), ""]


def _end(what: str, name: str, number: int) -> str:
    """The title of an input or an output: with its name, unless it is the only one without one."""
    return what if number == 1 and name == "0" else f"{what} {name}"


def _total(params: Params) -> str:
    size = params.flat.nbytes
    human = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    return f"{params.size:,} parameters, {params.dtype}, {human}"


def _row(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{html.escape(t)}</{tag}>" for t in texts)
