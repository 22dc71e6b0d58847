"""``draw`` and ``draw_modes``: they check the arguments; other modules lay out and paint."""

from __future__ import annotations

from typing import Any

from throughtime.drawing.drawn_layer import read
from throughtime.drawing.folded import folded
from throughtime.drawing.graph import graph
from throughtime.drawing.modes import modes
from throughtime.drawing.node.picture import node_picture
from throughtime.drawing.picture import Drawing
from throughtime.drawing.sheet import Sheet
from throughtime.drawing.svg import THEMES, paint
from throughtime.drawing.unfolded import unfolded
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_choice,
    check_int,
    describe,
    sentence,
)
from throughtime.layers import Dense, Recurrent
from throughtime.network import Network

#: A picture with more columns or more layers cannot be read.
MOST_STEPS, MOST_STEPS_BOTH_WAYS = 6, 4
MOST_LAYERS = 60


def draw(
    net: Network,
    steps: int = 4,
    node: tuple[int | str, int | None] | None = None,
    gradients: bool = False,
    *,
    view: str = "unfolded",
    theme: str = "auto",
) -> Drawing:
    """Draw a network, or one node of it, as SVG.

    Parameters
    ----------
    net : Network
        The network to draw.
    steps : int
        Number of time steps in the picture: the first ones and, after an ellipsis, the last one,
        T. At most 6, or 4 if a layer is bidirectional; any number for a node. A layer of a graph
        that shares its row with others shows as many as there is room for.
    node : tuple of int, optional
        ``(layer, t)`` of a node to draw alone, t from 1 to ``steps``, with its inputs, its outputs
        and its numbered equations. The layer must be recurrent or Dense; t is None if it works on
        vectors. In a graph the layer is the number of a call, or the name of a layer.
    gradients : bool
        Whether to draw how the gradients flow back: which come in, and which are to be computed.
    view : {"unfolded", "folded"}
        ``"unfolded"`` draws layers by time steps; ``"folded"`` draws each layer once, with a loop
        for its state. Of a graph, both draw each call of a layer: a layer that is called twice
        stands twice, marked as one set of weights.
    theme : {"auto", "light", "dark"}
        Colours of the picture; ``"auto"`` follows the reader's system.

    Returns
    -------
    Drawing
        A notebook shows it; ``.save("net.svg")`` writes it, ``.svg`` is its text, and ``.alt`` says
        in words what it shows.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If the network has no such node, or the picture would be too large to read.

    Examples
    --------
    >>> import throughtime as tt
    >>> from throughtime.plotting import draw
    >>> layers = [tt.layers.LSTM(16, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=3)
    >>> picture = draw(net)
    >>> "0.W_x (3, 64)" in picture.svg
    True
    >>> draw(net, node=(0, 2), gradients=True)
    <Drawing: gradients of layer 0, LSTM(16), at t = 2>
    """
    if not isinstance(net, Network):
        raise InvalidTypeError(sentence("net", "a Network", describe(net)))
    gradients = check_bool("gradients", gradients)
    view = check_choice("view", view, ("unfolded", "folded"))
    theme = check_choice("theme", theme, THEMES)
    for asked, what in ((node is not None, "a node is"), (gradients, "gradients are")):
        if asked and view == "folded":
            expected = f"'unfolded' where {what} drawn"
            raise InvalidArgumentError(sentence("view", expected, describe(view)))
    if node is not None:
        steps = check_int("steps", steps, 1)
        index, t = _check_node(node, net, steps)
        sheet = node_picture(read(net), index, t, steps, gradients)
        return _finished(sheet, theme)
    hint = "The last one drawn stands for T, whatever T is; more would be too small to read."
    both = any(getattr(layer, "bidirectional", False) for layer in net.layers)
    steps = check_int("steps", steps, 1, MOST_STEPS_BOTH_WAYS if both else MOST_STEPS, hint)
    if len(net.layers) > MOST_LAYERS:
        raise InvalidArgumentError(
            sentence(
                "net",
                f"at most {MOST_LAYERS} layers to be drawn",
                len(net.layers),
                "Draw one layer with node=(layer, t), or print(net).",
                must="have",
            )
        )
    if not net.plan.stack:
        sheet = graph(net, None if view == "folded" else steps, gradients)
    else:
        sheet = folded(net) if view == "folded" else unfolded(net, steps, gradients)
    return _finished(sheet, theme)


def draw_modes(theme: str = "auto") -> Drawing:
    """Draw the modes in which a recurrent network maps sequences, side by side.

    They are one-to-one, one-to-many, many-to-one and many-to-many, the last both step by step and
    with an encoder and a decoder. Each mode names the layers that make it.

    Parameters
    ----------
    theme : {"auto", "light", "dark"}
        Colours of the picture; ``"auto"`` follows the reader's system.

    Examples
    --------
    >>> from throughtime.plotting import draw_modes
    >>> draw_modes()
    <Drawing: sequence modes>
    """
    theme = check_choice("theme", theme, THEMES)
    sheet = modes()
    return _finished(sheet, theme)


def _finished(sheet: Sheet, theme: str) -> Drawing:
    return Drawing(paint(sheet, theme), sheet.title, sheet.alt)


def _check_node(node: Any, net: Network, steps: int) -> tuple[int, int | None]:
    """Check ``node`` and return its layer and its step."""
    if not isinstance(node, tuple | list) or len(node) != 2:
        raise InvalidTypeError(sentence("node", "a pair (layer, t)", describe(node)))
    layers = read(net)
    index = net.topology.number("the layer of node", node[0])
    found = layers[index]
    if not isinstance(found.layer, Recurrent | Dense):
        able = [drawn.index for drawn in layers if isinstance(drawn.layer, Recurrent | Dense)]
        hint = f"Those of this network are {', '.join(map(str, able))}." if able else ""
        raise InvalidArgumentError(
            sentence(
                "the layer of node",
                "a recurrent or a Dense layer",
                f"{index} ({found.layer.kind})",
                hint,
            )
        )
    if found.before is None:
        if node[1] is not None:
            raise InvalidArgumentError(
                sentence(
                    "the step of node",
                    f"None: layer {index} ({found.layer.kind}) works on a vector, which has no time"
                    " steps",
                    describe(node[1]),
                    f"Write node=({index}, None).",
                )
            )
        return index, None
    return index, check_int(
        "the step of node", node[1], 1, steps, "Steps count from 1 to the argument steps."
    )
