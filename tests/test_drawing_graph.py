"""Drawings of graphs: what they show, that they can be read, and what is refused."""

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from drawing_cases import GRAPHS, SVG, check_readable, graph, labels, names, texts

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.layers import GRU, LSTM, RNN, Add, Concatenate, Dense, LastStep, Recurrent
from throughtime.network import Network, Params
from throughtime.plotting import draw

VIEWS = {
    "folded": {"view": "folded"},
    "unfolded": {},
    "one step": {"steps": 1},
    "gradients": {"gradients": True},
    "two steps back": {"steps": 2, "gradients": True},
    "six steps": {"steps": 6},
}


def views(net):
    both = any(getattr(layer, "bidirectional", False) for layer in net.layers)
    return {name: own for name, own in VIEWS.items() if not (both and own.get("steps") == 6)}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_picture_can_be_read(name):
    net = graph(name)
    for what, options in views(net).items():
        check_readable(what, draw(net, **options))
    for i, layer in enumerate(net.layers):
        if isinstance(layer, Recurrent | Dense):
            before = net.topology.before[i].kind == "sequence"
            for gradients in (False, True):
                picture = draw(net, node=(i, 2 if before else None), gradients=gradients)
                check_readable(f"node {i}", picture)


@pytest.mark.parametrize("view", ["unfolded", "folded"])
@pytest.mark.parametrize("name", sorted(set(GRAPHS) - {"unknown"}))
def test_every_call_parameter_and_end_stands_in_the_picture(name, view):
    net = graph(name)
    found = texts(draw(net, view=view).svg)
    plan = net.plan
    for owner, layer in zip(net.topology.owners, net.layers, strict=True):
        assert f"{owner} {layer.kind}" in " ".join(found)  # a long title has two lines
    for parameter, array in net.params.items():
        shown = f"{Params.local(parameter)} {array.shape}"
        assert any(shown in text for text in found), shown
    if len(plan.forms) > 1:
        assert {f"input {name}" for name in plan.inputs.names} <= set(found)
    assert sum(text.split()[0] == "output" for text in found) == len(plan.signals)


def test_the_same_graph_has_the_same_picture_and_a_dark_one():
    net = graph("everything")
    assert draw(net).svg == draw(net.copy()).svg
    dark, light = draw(net, theme="dark").svg, draw(net, theme="light").svg
    assert tt.plotting.DARK.surface in dark
    assert tt.plotting.DARK.surface not in light


def boxes(svg, role):
    """The boxes whose outline has a colour."""
    found = ET.fromstring(svg).iter(f"{SVG}rect")
    return [box for box in found if f"s-{role}" in box.get("class", "")]


@pytest.mark.parametrize("view", ["unfolded", "folded"])
def test_calls_of_one_layer_are_one_set_of_weights(view):
    picture = draw(graph("siamese"), view=view)
    found = texts(picture.svg)
    assert {"call 1 of 2, one set of weights", "call 2 of 2, one set of weights"} <= set(found)
    assert sum("W_x (6, 128)" in text for text in found) == 1
    assert len(boxes(picture.svg, "forecast")) == 2
    assert "Blue boxes with the same name share one set of weights." in found
    assert "Layer encoder (call 2) is LSTM(32), on input right, with the parameters" in picture.alt


def test_a_layer_without_parameters_that_is_called_twice_shares_nothing():
    x, y = tt.Input(3, name="x"), tt.Input(3, name="y")
    last = LastStep()
    net = Network(inputs=[x, y], outputs=[Dense(1)(last(x)), Dense(1)(last(y))])
    picture = draw(net, view="folded")
    assert boxes(picture.svg, "forecast") == []
    assert not any("one set of weights" in text for text in texts(picture.svg))


def lines(svg, role):
    """The lines of a colour, each as its dash."""
    return [path.get("stroke-dasharray") for path in paths(svg, role)]


def paths(svg, role):
    """The lines of a colour."""
    found = ET.fromstring(svg).iter(f"{SVG}path")
    return [path for path in found if f"s-{role}" in path.get("class", "")]


@pytest.mark.parametrize("view", ["unfolded", "folded"])
def test_states_between_layers_are_dashed_and_named(view):
    picture = draw(graph("deep"), view=view)
    assert sum(dash is not None for dash in lines(picture.svg, "backtest")) == 2
    assert texts(picture.svg).count("state") == 2
    assert "starts from the final state of layer 0" in picture.alt
    assert "starts from layer start" in draw(graph("everything"), view=view).alt


def test_an_initial_state_from_elsewhere_is_neither_zero_nor_learned():
    found = texts(draw(graph("translator")).svg)
    assert found.count("zero") == 1  # of the encoder
    steps = [f for f in names(draw(graph("deep"), 3).svg) if f.startswith("h_")]
    assert steps.count("h_0") == 4


def test_steps_are_columns_and_fewer_where_layers_stand_side_by_side():
    alone, shared = names(draw(graph("residual"), 4).svg), names(draw(graph("deep"), 4).svg)
    assert alone.count("h_3") == 3
    assert shared.count("h_1") == shared.count("h_T") + shared.count("h_T2") == 4
    assert "h_3" not in shared
    assert "h_6" not in names(draw(graph("residual"), 6).svg)
    assert names(draw(graph("residual"), 6).svg).count("h_5") == 3


def test_thick_lines_carry_sequences():
    words = "Thick lines carry all steps of a sequence, thin ones a vector."
    assert words in texts(draw(graph("siamese"), view="folded").svg)
    assert words not in texts(draw(graph("translator"), view="folded").svg)


def test_gradients_flow_back_on_every_signal_but_tokens():
    red = lines(draw(graph("siamese"), gradients=True).svg, "outgoing")
    plain = lines(draw(graph("siamese")).svg, "outgoing")
    assert plain == []
    assert all(red)
    blue = lines(draw(graph("deep"), gradients=True).svg, "forecast")
    assert blue == [None, None]  # what the losses give
    found = texts(draw(graph("two_inputs"), gradients=True).svg)
    assert (
        "Gradients add where a signal has several takers, and over all uses of a parameter."
        in found
    )


@pytest.mark.parametrize(("name", "reached"), [("two_inputs", 2), ("siamese", 2), ("deep", 2),
                                               ("residual", 1), ("translator", 0)])  # fmt: skip
def test_a_gradient_reaches_every_input_that_is_no_token(name, reached):
    svg = draw(graph(name), gradients=True).svg
    lowest = min(
        float(t.get("y")) for t in labels(svg) if "".join(t.itertext()).startswith("input")
    )
    ends = [float(re.split(r"[ A-Z]", p.get("d"))[-1]) for p in paths(svg, "outgoing")]
    assert sum(end > lowest - 40 for end in ends) == reached


def test_attention_is_a_line_from_every_value_to_every_query_that_looks_at_it():
    found = draw(graph("attentive"), 4)
    thin = [path for path in paths(found.svg, "forecast") if path.get("stroke-width") == "0.9"]
    assert len(thin) == 16
    assert [texts(found.svg).count(role) for role in ("query", "values", "keys")] == [1, 1, 0]
    assert "on layer decoder, GRU and layer encoder, GRU as its query and values" in found.alt
    assert {"v_1", "v_T", "c_1", "c_T2", "a_ij"} <= set(names(found.svg))
    causal = draw(graph("transformer"), 4)
    thin = [path for path in paths(causal.svg, "forecast") if path.get("stroke-width") == "0.9"]
    assert len(thin) == 10
    assert "query" not in texts(causal.svg)
    back = draw(graph("transformer"), 4, gradients=True)
    assert len([p for p in paths(back.svg, "outgoing") if p.get("stroke-width") == "0.9"]) == 10


@pytest.mark.parametrize("view", ["unfolded", "folded"])
def test_a_query_that_is_a_vector_looks_at_all_steps(view):
    found = draw(graph("looking"), view=view)
    assert [texts(found.svg).count(role) for role in ("query", "values", "keys")] == [2, 2, 1]
    assert ("a_j" in names(found.svg)) == ("c" in texts(found.svg)) == (view == "unfolded")


@pytest.mark.parametrize("gradients", [False, True])
def test_a_node_of_a_graph_knows_its_neighbours(gradients):
    net = graph("translator")
    found = draw(net, node=("decoder", 1), gradients=gradients)
    assert found.svg == draw(net, node=(3, 1), gradients=gradients).svg
    assert found.title.endswith("layer decoder, LSTM(64), at t = 1")
    assert "from layer 1, Embedding" in found.alt
    assert "from the final state of layer encoder" in found.alt
    assert "Output: to layer words, Dense." in found.alt
    last = draw(net, node=("encoder", 4), gradients=gradients)
    assert "final state, to layer decoder" in last.alt


def test_a_node_with_several_takers_names_them_all():
    net = graph("two_inputs")
    picture = draw(net, node=("2", None))
    assert "to layer 3, Dense and layer 4, Dense" in picture.alt
    assert "3.W" not in names(picture.svg)  # the weights of one of them
    head = draw(net, node=("3", None))
    assert "Output: to output price." in head.alt
    start = draw(graph("everything"), node=("steps", 1))
    assert "from layer start" in texts(start.svg)


def test_a_call_of_a_shared_layer_is_named_as_such():
    net = graph("siamese")
    one, two = draw(net, node=(0, 2)), draw(net, node=(1, 2))
    assert "from input left" in one.alt
    assert "from input right" in two.alt
    assert "layer encoder (call 2), LSTM(32), at t = 2" in two.title
    assert "encoder.W_x (6, 128)" in texts(two.svg)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            ("nobody", 1),
            (
                "the layer of node must be one of '0', '1', 'encoder', 'decoder', 'words'; got"
                " 'nobody'."
            ),
        ),
        ((9, 1), "the layer of node must be an integer from 0 to 4; got 9."),
        (
            ("0", 1),
            (
                "the layer of node must be a recurrent or a Dense layer; got 0 (Embedding). Those"
                " of this network are 2, 3, 4."
            ),
        ),
    ],
)
def test_a_node_that_is_not_there(node, message):
    with pytest.raises(InvalidArgumentError) as caught:
        draw(graph("translator"), node=node)
    assert str(caught.value) == message


def test_too_many_signals_side_by_side():
    x = tt.Input(2)
    firsts = [Dense(2)(x) for _ in range(28)]
    late = Add()(firsts)
    net = Network(inputs=x, outputs=Dense(1)(Concatenate()([late, *firsts])))
    with pytest.raises(InvalidArgumentError) as caught:
        draw(net)
    assert str(caught.value) == (
        "net must have fewer signals side by side, to be drawn; got too many for the width of a"
        " page. print(net) says who feeds whom."
    )


def test_a_wide_graph_is_drawn_on_more_levels():
    x = tt.Input(2)
    net = Network(inputs=x, outputs=Concatenate()([GRU(4)(x) for _ in range(9)]))
    for options in VIEWS.values():
        check_readable("wide", draw(net, **options))


def test_a_graph_that_is_a_stack_shows_the_same_layers():
    x = tt.Input(3)
    layers = [LSTM(4, return_sequences=True), RNN(5), Dense(1)]
    h = x
    for layer in layers:
        h = layer(h)
    net, stack = Network(inputs=x, outputs=h), Network(layers, n_features=3)
    for view, gradients in itertools.product(("folded", "unfolded"), (False, True)):
        if view == "folded" and gradients:
            continue
        own, other = (draw(one, view=view, gradients=gradients) for one in (net, stack))
        assert own.title == other.title
        assert own.svg != other.svg


def test_the_layers_of_a_network_in_another_one_have_its_name():
    inner = Network([LSTM(4, return_sequences=True), Dense(2)], n_features=2, name="inner")
    stack = draw(Network([inner, Dense(1)], n_features=2))
    check_readable("stack", stack)
    assert {"0/0.W_x", "0/1.W", "1.W"} <= set(names(stack.svg))
    x = tt.Input(2)
    twice = draw(Network(inputs=x, outputs=inner(inner(x))))
    check_readable("twice", twice)
    assert "Layer inner/0 (call 2) is LSTM(4), on layer inner/1, Dense, with the parameters of" in (
        twice.alt
    )
    assert draw(Network([inner], n_features=2), node=("0/0", 1)).title.startswith("layer 0/0, LSTM")
