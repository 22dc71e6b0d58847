"""Drawings of networks: their content, that it can be read, and their descriptions."""

import base64
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from drawing_cases import (
    SVG,
    WIDE,
    ZOO,
    box_of,
    check_readable,
    labels,
    names,
    network,
    overlap,
    texts,
)

from throughtime.activations import Custom
from throughtime.layers import (
    GRU,
    LAYERS,
    LRU,
    RNN,
    Dense,
    IndRNN,
    MinGRU,
    Recurrent,
    RepeatVector,
)
from throughtime.network import Network
from throughtime.plotting import DARK, LIGHT, Drawing, draw, draw_modes


def pictures(name):
    """Every view of a network, and every node that it has at the steps that differ."""
    net = network(name)
    yield "unfolded", draw(net)
    yield "gradients", draw(net, gradients=True)
    yield "one step", draw(net, 1)
    yield "two steps", draw(net, 2, gradients=True)
    yield "folded", draw(net, view="folded")
    if not any(getattr(layer, "bidirectional", False) for layer in net.layers):
        yield "six steps", draw(net, 6)
        yield "six steps, gradients", draw(net, 6, gradients=True)
    for (i, layer), t, gradients in itertools.product(
        enumerate(net.layers), (1, 2, 4), (False, True)
    ):
        if isinstance(layer, Recurrent | Dense) and i < 4:
            before = net.topology.forms[i - 1] if i else net.topology.input_form
            step = t if before.kind == "sequence" else None
            yield f"node {i} {step} {gradients}", draw(net, node=(i, step), gradients=gradients)


@pytest.mark.parametrize("name", ZOO)
def test_every_picture_can_be_read(name):
    for what, picture in pictures(name):
        check_readable(what, picture)


@pytest.mark.parametrize("view", ["unfolded", "folded"])
@pytest.mark.parametrize("name", ZOO)
def test_every_layer_and_parameter_stands_in_the_picture(name, view):
    net = network(name)
    found = texts(draw(net, view=view).svg)
    for i, layer in enumerate(net.layers):
        assert any(text.startswith(f"{i} {layer.kind}") for text in found)
    for parameter, array in net.params.items():
        assert f"{parameter} {array.shape}" in found


@pytest.mark.parametrize("name", ["lstm", "bidirectional", "time bias"])
def test_a_node_shows_its_own_parameters(name):
    net = network(name)
    found = texts(draw(net, node=(len(net.layers) - 2, 2)).svg)
    own = [n for n in net.params if n.startswith(f"{len(net.layers) - 2}.")]
    assert own
    for parameter in own:
        assert f"{parameter} {net.params[parameter].shape}" in found


def test_steps_are_columns_and_the_last_one_is_t():
    found = names(draw(network("rnn")).svg)
    for letter in "xhy":
        assert [f for f in found if re.fullmatch(rf"{letter}_\w", f) and f != "h_0"] == [
            f"{letter}_{t}" for t in ("1", "2", "3", "T")
        ]
    assert "h_0" in found
    assert found.count("\u22ef") == 4  # in the input, both layers and the output


def test_the_same_weights_are_named_at_every_step():
    found = names(draw(network("rnn")).svg)
    assert found.count("0.W_x") == found.count("1.W") == 4
    # To the ellipsis and from it, and from the initial state.
    assert found.count("0.W_h") + found.count("W_h") == 5


@pytest.mark.parametrize(
    ("layer", "symbol"),
    [(IndRNN(4), "u"), (MinGRU(4), None), (LRU(4), None)],
)
def test_only_weights_that_are_there_are_named_from_step_to_step(layer, symbol):
    net = Network([layer, Dense(1)], n_features=3)
    for options in ({"view": "folded"}, {}):
        found = names(draw(net, **options).svg)
        assert not any("W_h" in name for name in found)
        assert any(name in ("u", "0.u") for name in found) == (symbol == "u")


def test_both_states_of_a_linear_recurrent_unit_are_named():
    found = names(draw(Network([LRU(4, return_sequences=True)], n_features=3)).svg)
    assert {"re_1", "im_1", "re_{T-1}", "im_{T-1}", "re_0, im_0"} <= {*found}


def test_two_directions_name_their_parameters_at_their_first_step():
    found = names(draw(network("bidirectional")).svg)
    assert found.count("W_x") == 2
    assert found.count("W_h") == 4  # from the initial state and after the first step
    assert found.count("b_hn, b_time") == found.count("b_hn") - 2 <= 2
    assert "Each direction of a bidirectional layer names them at its first step." in found


def test_the_last_step_alone_goes_on():
    found = names(draw(network("gru, many to one")).svg)
    assert found.count("0.W_x") == 4
    assert found.count("1.W") == found.count("y") == 1
    assert "y_1" not in found


def test_b_time_is_absent_at_the_first_step():
    found = names(draw(network("time bias"), 2).svg)
    # Two layers, two arrows each: to the ellipsis and from it. None at the initial state.
    assert found.count("b_time") == 4
    assert "b_time" in names(draw(network("time bias"), node=(0, 2)).svg)
    first = draw(network("time bias"), node=(0, 1))
    assert "b_time" not in names(first.svg)
    assert "At the first step b_time is absent (B1, where e_t = 0)." in texts(first.svg)


def test_b_time_is_there_at_the_first_step_of_a_layer_that_goes_on():
    layers = [
        RNN(4, time_bias=True, return_state=True),
        RepeatVector(3),
        RNN(4, time_bias=True, return_sequences=True),
    ]
    found = names(draw(Network(layers, 2), node=(2, 1)).svg)
    assert "b_time" in found
    assert "of layer 0" in found


def test_the_state_is_handed_over():
    picture = draw(network("encoder and decoder"))
    assert "from layer 0" in texts(picture.svg)
    assert "h_T, c_T" in names(picture.svg)
    assert "starts from the final state of layer 0" in picture.svg
    assert "final state" in texts(draw(network("encoder and decoder"), view="folded").svg)


def test_repeated_steps_have_numbers():
    found = names(draw(network("encoder and decoder")).svg)
    assert [f for f in found if f.startswith("y_")] == ["y_1", "y_2", "y_3", "y_12"]
    found = names(draw(network("one to many")).svg)
    assert [f for f in found if f.startswith("y_")] == ["y_1", "y_2", "y_3"]
    assert "x" in found


def test_a_learned_state_is_told_from_a_zero_one():
    assert texts(draw(network("time bias")).svg).count("learned") == 1
    assert texts(draw(network("time bias")).svg).count("zero") == 1


def test_a_layer_of_unknown_kind_is_a_box():
    found = texts(draw(network("unknown")).svg)
    assert "Mixer(4): mix<&>" in found
    assert "Halver" in found
    assert "0.mix<&> (4, 3)" in found
    assert "T\u2032" in "".join(found)


def test_a_cell_of_unknown_kind_is_a_node():
    found = names(draw(network("own cell"), node=(0, 2)).svg)
    assert {"h_{t-1}", "m_{t-1}", "h_t", "m_t", "x_t", "W_x", "W_h", "b", "b_time"} <= {*found}
    found = names(draw(network("own cell"), node=(0, 4), gradients=True).svg)
    assert {"dL/dh_{t-1}", "dL/dm_{t-1}", "dL/dW_h", "dL/db_time", "final state"} <= {*found}


def test_a_node_has_the_equations_of_its_cell():
    elman = names(draw(network("rnn"), node=(0, 2)).svg)
    assert {"(P)", "(E1)", "(E2)", "h_{t-1}", "x_t", "W_x", "W_h", "b", "z_t", "h_t"} <= {*elman}
    gru = names(draw(network("gru, many to one"), node=(0, 2)).svg)
    assert {"(G1)", "(G2)", "(G3)", "(G4)", "r", "z", "n", "q", "W_hr", "W_hn", "b_hn"} <= {*gru}
    cho = names(draw(network("cho's gru"), node=(0, 2)).svg)
    assert "(G3b)" in cho
    assert "b_hn" not in cho
    lstm = names(draw(network("lstm"), node=(0, 2)).svg)
    assert {"(L1)", "(L2)", "(L3)", "(L4)", "i", "f", "g", "o", "c_{t-1}", "c_t"} <= {*lstm}


def test_a_node_with_options_has_their_equations():
    """It is one box with its states: the diagram of the plain cell would be wrong."""
    found = names(draw(network("lstm, every option"), node=(0, 2)).svg)
    numbers = {f"(L{n})" for n in (2, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16)}
    assert numbers | {"step", "h_{t-1}", "c_{t-1}", "W_h", "h_t", "c_t"} <= {*found}
    assert "(L1)" not in found
    back = names(draw(network("lstm, every option"), node=(0, 2), gradients=True).svg)
    assert {f"(L{n}\u2032)" for n in (2, 3, 7, 8, 9, 11, 12, 13, 14, 15, 16)} <= {*back}
    coupled = names(draw(network("lstm, coupled"), node=(0, 1)).svg)
    assert "(L10)" in coupled
    gru = names(draw(network("gru, normalised"), node=(0, 2)).svg)
    assert {"step", "(L18)", "(L19)", "(L20)", "(G4)", "(L16)"} <= {*gru}
    assert "(L20b)" in names(draw(network("cho's gru, normalised"), node=(0, 2)).svg)
    assert "(L17)" in names(draw(network("rnn, normalised"), node=(0, 1)).svg)
    clipped = names(draw(network("rnn, clipped"), node=(0, 2)).svg)
    assert {"step", "(E2)", "(L15)"} <= {*clipped}


def test_the_gradients_of_a_node():
    found = names(draw(network("time bias"), node=(0, 2), gradients=True).svg)
    wanted = {"dL/dz_t", "dL/dW_x", "dL/dW_h", "dL/db", "dL/db_time", "dL/dx_t", "dL/dh_{t-1}"}
    assert wanted <= {*found}
    assert found.count("dL/dh_t") == 3  # from above, from the later step, and their sum
    assert {"(E1\u2032)", "(E2\u2032)", "(E1\u2033)", "(B1\u2032)", "(B3\u2032)"} <= {*found}
    assert "from step t+1" in found
    first = names(draw(network("time bias"), node=(0, 1), gradients=True).svg)
    assert "dL/db_time" not in first


@pytest.mark.parametrize(
    ("layers", "node"),
    [
        ([RNN(3, activation="softmax", return_sequences=True)], (0, 2)),
        ([RNN(3, return_sequences=True), Dense(4, activation="softmax")], (1, 2)),
        ([GRU(3, activation="softmax", return_sequences=True)], (0, 2)),
    ],
)
def test_a_softmax_has_a_jacobian_and_no_slope(layers, node):
    net = Network(layers, n_features=2)
    svg = draw(net, node=node, gradients=True).svg
    assert "(Y4)" in names(svg)
    whole = "".join(ET.fromstring(svg).itertext())
    assert "Jij" in whole.replace(" ", "").replace("_", "")
    if not isinstance(layers[node[0]], GRU):
        assert "f\u2032" not in whole


def test_nothing_comes_from_a_later_step_at_the_last_one():
    found = texts(draw(network("rnn"), node=(0, 4), gradients=True).svg)
    assert "from step t+1" not in found
    assert {"final state", "(zero unless given)"} <= {*found}


def test_time_runs_the_other_way_in_a_reversed_layer():
    found = names(draw(network("reverse"), node=(0, 2)).svg)
    assert "h_{t+1}" in found
    assert "from step t+1" in found
    # Its first step is the last one of the sequence.
    assert "b_time" not in names(draw(network("reverse"), node=(0, 4)).svg)
    assert "b_time" in names(draw(network("reverse"), node=(0, 1)).svg)


def test_the_output_layer_as_a_node():
    found = names(draw(network("rnn"), node=(1, 2), gradients=True).svg)
    assert {"dL/dy_t", "dL/dz_t", "dL/dW", "dL/db", "dL/dx_t", "from the loss"} <= {*found}
    vector = names(draw(network("gru, many to one"), node=(1, None)).svg)
    assert {"x", "z", "y", "W"} <= {*vector}


def test_gradients_flow_back_through_the_unfolded_network():
    found = names(draw(network("rnn"), gradients=True).svg)
    assert {f"dL/dy_{t}" for t in "123T"} <= {*found}
    assert {"dL/dh_1", "dL/dh_2", "dL/dh_3", "dL/dh_{T-1}", "dL/dx_1"} <= {*found}


def test_tokens_have_no_gradient():
    found = names(draw(network("bidirectional"), gradients=True).svg)
    assert not [f for f in found if re.fullmatch("(dL/)?dx_.", f)]


def test_directions_are_arrows_of_different_lines():
    for picture in (draw(network("rnn"), node=(0, 2)), draw(network("rnn"), gradients=True)):
        roles = {}
        for path in ET.fromstring(picture.svg).iter(f"{SVG}path"):
            roles.setdefault(path.get("class"), set()).add(path.get("stroke-dasharray"))
        assert None not in roles["s-outgoing"]
        assert roles["s-incoming" if "s-incoming" in roles else "s-forecast"] == {None}


def test_modes():
    picture = draw_modes()
    found = texts(picture.svg)
    for mode in ("one-to-one", "one-to-many", "many-to-one", "many-to-many, step by step"):
        assert mode in found
    assert "many-to-many, encoder and decoder" in found
    boxes = [box_of(text) for text in labels(picture.svg)]
    assert max(overlap(a, b) for a, b in itertools.combinations(boxes, 2)) <= 1.0
    assert max(box[2] for box in boxes) <= WIDE


def test_the_layers_of_the_modes_are_those_of_the_library():
    words = re.findall(r"(\w+)\(\d", " ".join(texts(draw_modes().svg)))
    assert {*words} == {"Dense", "GRU", "RepeatVector"} <= {*LAYERS}


@pytest.mark.parametrize("name", ZOO)
def test_every_picture_has_words_for_those_who_cannot_see_it(name):
    for what, picture in [*pictures(name), ("modes", draw_modes())]:
        root = ET.fromstring(picture.svg)
        assert root.get("role") == "img"
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
        assert title.text == picture.title
        assert picture.alt == f"{title.text[0].upper()}{title.text[1:]}. {description.text}"
        assert len(description.text) > 30, what
        assert description.text.endswith("."), what


def test_the_words_of_a_picture():
    net = network("rnn")
    assert draw(net).alt == (
        "RNN(16), Dense(1), unfolded in time. Layer 0 is RNN(16), which runs forward in time, and"
        " passes on every step; its output has the shape (N, T, 16). Layer 1 is Dense(1); its"
        " output has the shape (N, T, 1)."
    )
    assert draw(net, node=(0, 1)).alt == (
        "Layer 0, RNN(16), at t = 1. Input: x_t, from the data. State h: initial state, zero; to"
        " step t+1. Output: to layer 1, Dense. Equations: a_t = x_t W_x + b; z_t = a_t + h_{t-1}"
        " W_h; h_t = f(z_t), f = tanh."
    )
    assert draw(net, node=(1, 4), gradients=True).alt == (
        "Gradients of layer 1, Dense(1), at t = 4 = T. Input: x_t, from layer 0, RNN. Output: out"
        " of the network. Equations: dL/dz_t = f\u2032(z_t) dL/dy_t; dL/dW += x_t^T"
        " dL/dz_t, dL/db += dL/dz_t; dL/dx_t = dL/dz_t W^T."
    )
    assert Drawing("<svg/>", "a picture").alt == ""


def test_a_halo_covers_no_letter():
    # When the halo was a stroke of the label, the prime's halo covered most of the f before it.
    for picture in (draw(network("rnn"), node=(0, 2), gradients=True), draw(network("lstm"))):
        elements = list(ET.fromstring(picture.svg).iter(f"{SVG}text"))
        assert not [text for text in labels(picture.svg) if text.get("stroke")]
        halos = [text for text in elements if text.get("aria-hidden")]
        assert halos
        for halo in halos:
            own = elements[elements.index(halo) + 1]
            assert "".join(own.itertext()) == "".join(halo.itertext())
            assert halo.get("stroke") == halo.get("fill") != own.get("fill")


def test_names_are_escaped():
    def sneaky(x):
        return x

    sneaky.__name__ = "</text><script>"
    net = Network([RNN(3, activation=Custom(sneaky)), Dense(1)], 3)
    for picture in (draw(net), draw(net, node=(0, 2))):
        assert "<script" not in picture.svg
        assert any("</text><script>" in text for text in texts(picture.svg))


def test_same_network_same_bytes():
    assert draw(network("bidirectional")).svg == draw(network("bidirectional")).svg
    assert draw(network("rnn")).svg != draw(network("rnn"), 3).svg


def test_ids_are_unique_in_a_page():
    page = [draw(network(name), theme=theme).svg for name in ZOO for theme in ("auto", "dark")]
    ids = re.findall(r'\bid="([^"]+)"', "".join(page))
    assert len(ids) == len(set(ids)) == 3 * len(page)
    # The rules of a picture apply to no other picture.
    for svg in page:
        own = ET.fromstring(svg).get("id")
        assert {*re.findall(r"#(tt-\w+)", svg)} <= {own}


def test_themes():
    light, dark, auto = (draw(network("rnn"), theme=t).svg for t in ("light", "dark", "auto"))
    assert "<style" not in light + dark
    assert LIGHT.surface in light
    assert LIGHT.surface not in dark
    assert DARK.surface in dark
    assert "@media (prefers-color-scheme: dark)" in auto
    for role, colour in DARK.items():
        assert f".f-{role}{{fill:{colour}}}" in auto
    used = re.findall(r'class="([^"]+)"', auto)
    for name in " ".join(used).split():
        assert f".{name}{{" in auto


def test_every_colour_has_its_class():
    for element in ET.fromstring(draw(network("lstm"), node=(0, 2)).svg).iter():
        classes = element.get("class", "").split()
        for key, letter in (("fill", "f"), ("stroke", "s")):
            has = element.get(key, "none") != "none"
            assert has == any(name.startswith(f"{letter}-") for name in classes)


def test_a_drawing_is_saved_and_shown(tmp_path):
    picture = draw(network("rnn"), theme="light")
    assert picture._repr_svg_() == str(picture) == picture.svg
    image = ET.fromstring(picture._repr_html_().replace(">", "/>"))
    kind, _, source = image.get("src").partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert base64.b64decode(source).decode() == picture.svg
    assert image.get("alt") == picture.alt
    assert ' alt="a &lt;b&gt; &amp; &quot;c&quot;" ' in Drawing("", 'a <b> & "c"')._repr_html_()
    assert repr(picture) == "<Drawing: RNN(16), Dense(1), unfolded in time>"
    picture.save(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text("utf-8") == picture.svg
    picture.save(str(tmp_path / "NET.SVG"))
    assert isinstance(picture, Drawing)


def test_it_needs_no_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import throughtime as tt\n"
        "from throughtime.plotting import draw, draw_modes\n"
        "net = tt.Network([tt.layers.GRU(4)], 2)\n"
        "print(draw(net).svg[:4], draw_modes().svg[:4], draw(net, node=(0, 1)).svg[:4])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["<svg"] * 3
