"""States and nodes of graphs: several inputs, shared layers, states between layers."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.inspect import attention_weights, hidden_states, trace
from throughtime.layers import GRU, LSTM, RNN, Add, AdditiveAttention, Concatenate, Dense
from throughtime.network import Network, Params

CELLS = [RNN, GRU, LSTM]


def jittered(inputs, outputs):
    """A network none of whose parameters is zero."""
    net = Network(inputs=inputs, outputs=outputs, dtype="float64")
    net.params.flat[...] += 0.3 * np.random.default_rng(0).normal(size=net.params.size)
    return net


def siamese(cell, **options):
    x, y = tt.Input(2, name="x"), tt.Input(2, name="y")
    encoder = cell(3, name="encoder", **options)
    return jittered([x, y], Dense(2)(Concatenate()([encoder(x), encoder(y)])))


def translator(cell, **options):
    """One state from which two layers start, and a third in series with another shared layer."""
    x, y = tt.Input(2, name="x"), tt.Input(2, name="y")
    h, state = cell(3, return_state=True, time_bias=True, name="encoder", **options)(x)
    decoder = cell(3, return_sequences=True, time_bias=True, name="decoder", **options)
    one = decoder(y, initial_state=state)
    two = cell(3, return_sequences=True, time_bias=True, name="other", **options)(
        y, initial_state=state
    )
    again = decoder(Dense(2)(Add()([one, two])))
    return jittered([x, y], {"each": Dense(1)(again), "last": Dense(2)(h)})


def started(cell):
    """A layer whose initial state is made of vectors."""
    x, s = tt.Input(2, name="x"), tt.Input(4, name="s", time=False)
    made = [Dense(3)(s) for _ in cell(3).cell.states]
    return jittered([x, s], cell(3, name="reader")(x, initial_state=made))


NETWORKS = {
    "siamese": siamese,
    "siamese, every step": lambda cell: siamese(cell, return_sequences=True),
    "siamese, both ways": lambda cell: siamese(cell, bidirectional=True),
    "states": translator,
    "states, both ways": lambda cell: translator(cell, bidirectional=True),
    "started": started,
}


def data(net, lengths=None):
    rng = np.random.default_rng(1)
    x = {
        name: rng.normal(size=(3, 5, form.features) if form.steps else (3, form.features))
        for name, form in zip(net.plan.inputs.names, net.topology.input_forms, strict=True)
    }
    shapes = net.output_shape({name: one.shape for name, one in x.items()})
    if isinstance(shapes, dict):
        return x, {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return x, rng.normal(size=shapes)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_shares_of_all_nodes_of_all_calls_make_the_gradient(cell, name, ragged):
    net = NETWORKS[name](cell)
    x, y = data(net)
    lengths = {"x": [5, 2, 4], "y": [4, 5, 1]} if ragged else None
    if ragged and name.startswith(("siamese, every", "started")):
        lengths = {"x": [5, 2, 4]}
    found = trace(net, x, y, loss="mse", lengths=lengths)
    shares = {}
    for i, layer in enumerate(net.layers):
        for group, _ in getattr(layer, "directions", ()):
            for node in found.nodes(i, group or "forward"):
                for local, share in node.gradients.items():
                    key = f"{net.topology.owners[i]}.{group}.{local}".replace("..", ".")
                    shares[key] = shares.get(key, 0) + share
    owners = {net.topology.owners[i] for i, one in enumerate(net.layers) if hasattr(one, "cell")}
    assert shares.keys() == {key for key in net.params if Params.owner(key) in owners}
    for key, share in shares.items():
        np.testing.assert_allclose(share, found.gradients[key], rtol=1e-11, atol=1e-14)


def test_the_gradients_of_several_losses_add():
    net = translator(GRU)
    x, y = data(net)
    found = trace(net, x, y, loss="half_mse")
    net.grads.flat[...] = 0
    out, tape = net.forward(x)
    loss = tt.losses.get("half_mse")
    net.backward(tape, {name: loss(out[name], y[name])[1] for name in y})
    np.testing.assert_allclose(found.gradients.flat, net.grads.flat, rtol=1e-12, atol=1e-15)
    assert found.loss == pytest.approx(sum(loss(out[name], y[name])[0] for name in y), rel=1e-13)


def test_a_state_that_two_layers_start_from_gets_both_gradients():
    net = translator(RNN)
    found = trace(net, *data(net))
    d_one, d_two = (found.tape.d_initial_state[i][0] for i in (1, 2))
    last = found.node("encoder", 5)
    np.testing.assert_allclose(last.dh_later, d_one + d_two, rtol=1e-13)
    given = [None] * len(net.layers)
    given[1] = (np.zeros((3, 3)), np.ones((3, 1)))
    own = trace(net, *data(net), initial_state=given)
    np.testing.assert_allclose(
        own.node("encoder", 5).dh_later, own.tape.d_initial_state[2][0], rtol=1e-13
    )


@pytest.mark.parametrize("cell", CELLS)
def test_states_by_number_and_by_name(cell):
    net = siamese(cell, return_sequences=True)
    x, _ = data(net)
    states = hidden_states(net, x)
    assert [found is None for found in states] == [False, False, True, True]
    assert states["encoder"] is states[0]
    one = Network([cell(3, return_sequences=True)], n_features=2, dtype="float64")
    one.params.flat[...] = net.params.flat[: one.params.size]
    for i, name in enumerate("xy"):
        np.testing.assert_allclose(states[i]["h"], one.predict(x[name]), rtol=1e-12)
    with pytest.raises(InvalidArgumentError) as caught:
        states["nobody"]
    assert str(caught.value) == "layer must be one of 'encoder', '1', '2'; got 'nobody'."
    stack = Network([cell(3, name="encoder", return_sequences=True)], n_features=2)
    states = hidden_states(stack, x["x"])
    assert states["encoder"] is states["0"] is states[0]


def test_nodes_by_number_and_by_name():
    net = siamese(LSTM)
    found = trace(net, *data(net))
    for t in (1, 5):
        np.testing.assert_array_equal(found.node("encoder", t).dx, found.node(0, t).dx)
    assert found.node(1, 2).layer == 1
    assert (found.nodes("encoder")[2].x == found.node(0, 3).x).all()
    for layer, message in {
        "nobody": "layer must be one of 'encoder', '1', '2'; got 'nobody'.",
        "1": "layer must be a recurrent layer, one of [0, 1]; got 1, which is Concatenate.",
        7: "layer must be an integer from 0 to 3; got 7.",
    }.items():
        with pytest.raises(InvalidArgumentError) as caught:
            found.node(layer, 1)
        assert str(caught.value) == message


def test_a_trace_of_a_graph_is_a_snapshot():
    net = translator(GRU)
    x, y = data(net)
    found = trace(net, x, y)
    before = found.node("decoder", 2)
    net.params.flat[...] = 0
    for one in x.values():
        one[...] = 0
    np.testing.assert_array_equal(before.dx, found.node("decoder", 2).dx)
    assert repr(found).startswith(f"Trace(loss {found.loss:.6g}; outputs (3, 3) -> (3, 5, 3) -> ")


def test_weights_of_attention_by_number_and_by_name():
    x, q = tt.Input(3, name="x"), tt.Input(2, time=False, name="q")
    look = AdditiveAttention(4, name="look")
    net = jittered([x, q], Dense(1)(look([q, GRU(3, return_sequences=True)(x)])))
    arrays = {"x": np.ones((2, 5, 3)), "q": np.ones((2, 2))}
    weights = attention_weights(net, arrays, lengths={"x": [5, 2]})
    assert [found is None for found in weights] == [True, False, True]
    assert weights["look"] is weights[1]
    np.testing.assert_allclose(weights["look"].sum(axis=-1), 1.0, rtol=1e-12)
    assert not weights["look"][1, 0, 0, 2:].any()


def test_a_layer_of_a_stack_is_found_by_its_name():
    layers = [tt.layers.GRU(3, return_sequences=True, name="body"), tt.layers.MultiHeadAttention(1)]
    net = tt.Network(layers, n_features=2)
    states = tt.inspect.hidden_states(net, np.zeros((1, 4, 2)))
    assert states["body"] is states["0"] is states[0]
    with pytest.raises(InvalidArgumentError) as caught:
        states["nobody"]
    assert str(caught.value) == "layer must be one of 'body', '1'; got 'nobody'."
