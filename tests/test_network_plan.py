"""Networks from symbols: numbers, names, seeds, sharing, networks in networks, wrong graphs."""

import copy
import pickle

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import GRU, LSTM, RNN, Conv1D, Dense, Dropout, Embedding, LastStep, MeanPool
from throughtime.layers.forms import Form, Steps
from throughtime.network.plan import Call

X = np.random.default_rng(0).normal(size=(6, 5, 2)).astype("float32")


def same(a, b):
    """Equal bits."""
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


def in_a_row(layers, source):
    """Call the layers one after the other; states are handed on as in a stack."""
    y, state = source, None
    for layer in layers:
        given = {"initial_state": state} if isinstance(layer, (GRU, LSTM, RNN)) and state else {}
        y = layer(y, **given)
        state = None if given else state
        if isinstance(y, tuple):
            y, state = y
    return y


STACKS = {
    "gru": ([GRU(4), Dense(1)], 2),
    "deep": ([LSTM(4, return_sequences=True), GRU(3, bidirectional=True), Dense(2)], 2),
    "convolution": ([Conv1D(4, 2, padding="causal"), RNN(3, return_sequences=True), MeanPool()], 2),
    "tokens": ([Embedding(5, 3), LSTM(3, return_sequences=True), LastStep(), Dense(5)], None),
    "dropout": ([GRU(4, dropout=0.3, return_sequences=True), Dropout(0.4), GRU(3), Dense(1)], 2),
    "state": ([GRU(4, return_sequences=True, return_state=True), GRU(4), Dense(1)], 2),
}


# -- a stack as a graph -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STACKS)
def test_a_stack_as_a_graph_has_the_same_names_weights_outputs_and_gradients(name, dtype):
    layers, features = STACKS[name]
    stack = tt.Network(layers, n_features=features, dtype=dtype, seed=3)
    source = tt.Input(features) if features else tt.Input(tokens=True)
    graph = tt.Network(inputs=source, outputs=in_a_row(layers, source), dtype=dtype, seed=3)
    assert list(graph.params) == list(stack.params)
    same(graph.params.flat, stack.params.flat)
    rng = np.random.default_rng(1)
    x = X if features else rng.integers(0, 5, size=(6, 5))
    given = {"lengths": [5, 2, 1, 4, 5, 3], "training": True}
    y, tape = stack.forward(x, **given)
    y2, tape2 = graph.forward(x, **given)
    same(y, y2)
    dy = rng.normal(size=y.shape)
    dx, dx2 = stack.backward(tape, dy), graph.backward(tape2, dy)
    same(stack.grads.flat, graph.grads.flat)
    if features:
        same(dx, dx2)
    same(stack.predict(x), graph.predict(x))


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_as_a_graph_is_trained_to_the_same_weights(name):
    layers, features = STACKS[name]
    stack = tt.Network(layers, n_features=features)
    source = tt.Input(features) if features else tt.Input(tokens=True)
    graph = tt.Network(inputs=source, outputs=in_a_row(layers, source))
    x = X if features else np.random.default_rng(1).integers(0, 5, size=(6, 5))
    y = np.random.default_rng(2).normal(size=stack.output_shape(x.shape))
    for net in (stack, graph):
        tt.train(net, x, y, epochs=3, batch_size=2, lengths=[5, 2, 1, 4, 5, 3], verbose=False)
    same(stack.params.flat, graph.params.flat)


# -- numbers, names and seeds -----------------------------------------------------------------


def test_layers_are_numbered_in_the_order_of_their_first_call():
    a = tt.Input(2)
    first, second = GRU(3, return_sequences=True), LSTM(4)
    late, early = Dense(5), Dense(6)  # called in another order than made
    h = first(a)
    y = early(second(h))
    z = late(second(h))
    net = tt.Network(inputs=a, outputs=[z, y])  # used in another order than called
    assert [unit.owner for unit in net.plan.units] == ["0", "1", "2", "3"]
    assert [unit.layer for unit in net.plan.units] == [first, second, early, late]
    assert net.plan.calls == (
        Call(0, (0,)), Call(1, (1,)), Call(2, (2,)), Call(1, (1,)), Call(3, (4,)),
    )  # fmt: skip
    assert net.plan.signals == (5, 3)


def test_seeds_go_by_the_number_and_not_by_the_name_or_the_use():
    def network(names, turned):
        a = tt.Input(2, name="a")
        one, two = (GRU(3, name=name) for name in names)
        h = one(a)
        g = two(a)
        return tt.Network(inputs=a, outputs=[g, h] if turned else [h, g], seed=5)

    plain, named, turned = (
        network((None, None), False), network(("x", "y"), False), network((None, None), True),
    )  # fmt: skip
    same(plain.params.flat, named.params.flat)
    same(plain.params.flat, turned.params.flat)
    assert list(named.params) == [
        "x.W_x", "x.W_h", "x.b", "x.b_hn", "y.W_x", "y.W_h", "y.b", "y.b_hn",
    ]  # fmt: skip
    assert not np.array_equal(plain.params["0.W_x"], plain.params["1.W_x"])


def test_a_call_that_no_output_needs_is_no_part_of_the_network():
    a = tt.Input(2)
    GRU(7)(a)
    h = GRU(3)(a)
    Dense(2)(h)
    net = tt.Network(inputs=a, outputs=h)
    assert list(net.params) == ["0.W_x", "0.W_h", "0.b", "0.b_hn"]
    assert net.plan.calls == (Call(0, (0,), None),)


def test_a_named_layer_counts_in_the_numbers_of_the_others():
    a = tt.Input(2)
    net = tt.Network(inputs=a, outputs=Dense(1)(GRU(3, name="encoder")(a)))
    assert [unit.owner for unit in net.plan.units] == ["encoder", "1"]
    assert str(net.topology.named(0)) == "layer 'encoder' (GRU)"


def test_equal_names_are_refused():
    a = tt.Input(2)
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network(inputs=a, outputs=[GRU(3, name="x")(a), GRU(3, name="x")(a)])
    assert str(caught.value) == (
        "two layers or networks are called 'x'. Give them names of their own, or call one of them"
        " twice to share its parameters."
    )
    inner = tt.Network([GRU(3)], n_features=2, name="x")
    other = tt.Network([Dropout(0.1), GRU(3)], n_features=2, name="x")  # its owner is x/1
    for pair in ([inner(a), GRU(3, name="x")(a)], [inner(a), other(a)]):
        with pytest.raises(InvalidArgumentError) as again:
            tt.Network(inputs=a, outputs=pair)
        assert str(again.value) == str(caught.value)


# -- sharing ----------------------------------------------------------------------------------


def pair_of(shared, **options):
    """Two inputs through one layer, or through two equal ones."""
    a, b = tt.Input(2, name="a"), tt.Input(2, name="b")
    one = GRU(4)
    two = one if shared else GRU(4)
    assert one == two
    return tt.Network(inputs=[a, b], outputs=[one(a), two(b)], **options)


def copies_of(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    return [
        net.copy(), net.astype("float64"), copy.copy(net), copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)), tt.load(tmp_path / "net.safetensors"),
        tt.Network.from_config(net.to_config()),
    ]  # fmt: skip


def test_sharing_goes_by_identity_and_never_by_equality(tmp_path):
    shared, apart = pair_of(True), pair_of(False)
    assert list(shared.params) == ["0.W_x", "0.W_h", "0.b", "0.b_hn"]
    assert len(apart.params) == 8
    for net, owners in ((shared, ["0", "0"]), (apart, ["0", "1"])):
        for one in copies_of(net, tmp_path):
            assert one.topology.owners == owners
            assert one.plan == net.plan
            if one.dtype == net.dtype:
                for y, z in zip(one.predict([X, X]), net.predict([X, X]), strict=True):
                    same(y, z)


def test_gradients_of_a_shared_layer_add():
    net, apart = pair_of(True, dtype="float64"), pair_of(False, dtype="float64")
    for name in net.params:
        apart.params[name] = apart.params[f"1{name[1:]}"] = net.params[name]
    x = {"a": X, "b": X[:, ::-1]}
    y, tape = net.forward(x)
    _, tape2 = apart.forward(x)
    dy = [np.ones_like(one) * (k + 1) for k, one in enumerate(y)]
    dx, dx2 = net.backward(tape, dy), apart.backward(tape2, dy)
    for name in net.params:
        both = apart.grads[name] + apart.grads[f"1{name[1:]}"]
        np.testing.assert_allclose(net.grads[name], both, rtol=1e-12, atol=1e-14)
    for name in x:
        same(dx[name], dx2[name])


def test_in_a_list_one_object_twice_is_two_sets():
    layer = GRU(2, return_sequences=True)
    net = tt.Network([layer, layer], n_features=2)
    assert len(net.params) == 8
    nested = tt.Network([net, Dense(1)], n_features=2)
    source = tt.Input(2)
    graph = tt.Network(inputs=source, outputs=Dense(1)(net(source)))
    owners = [name.partition(".")[0] for name in nested.params]
    assert owners == [*4 * ["0/0"], *4 * ["0/1"], "1", "1"]
    assert list(graph.params) == list(nested.params)


def test_one_layer_in_two_networks_has_parameters_of_its_own_in_each():
    layer, a = GRU(3), tt.Input(2)
    h = layer(a)
    one, two = (tt.Network(inputs=a, outputs=Dense(k)(h)) for k in (1, 2))
    one.params.flat = 0
    assert two.params["0.W_x"].any()


# -- networks in networks ---------------------------------------------------------------------


def encoder(name="encoder", features=2, **options):
    layers = [GRU(3, return_sequences=True), Dense(2)]
    net = tt.Network(layers, n_features=features, name=name, seed=9, **options)
    net.params.flat += 0.25  # not what its seed gives
    return net


def test_a_network_in_a_network_begins_with_its_weights_and_keeps_its_own():
    inner, a = encoder(), tt.Input(2)
    net = tt.Network(inputs=a, outputs=Dense(1)(inner(a)))
    assert [unit.owner for unit in net.plan.units] == ["encoder/0", "encoder/1", "1"]
    before = inner.params.flat.copy()
    for name in inner.params:
        same(net.params[f"encoder/{name}"], inner.params[name])
    net.params.flat = 0
    same(inner.params.flat, before)
    double = tt.Network(inputs=a, outputs=inner(a), dtype="float64")
    same(double.params["encoder/0.W_x"], inner.params["0.W_x"].astype("float64"))


def test_a_network_that_is_called_twice_shares_its_parameters(tmp_path):
    inner, a, b = encoder(), tt.Input(2, name="a"), tt.Input(2, name="b")
    net = tt.Network(inputs=[a, b], outputs=[inner(a), inner(b)])
    assert len(net.params) == len(inner.params)
    assert len(net.plan.calls) == 4
    for one in copies_of(net, tmp_path):
        assert one.plan == net.plan
    y, z = net.predict([X, X])
    same(y, z)
    same(y, inner.predict(X))


def test_networks_stand_in_networks_that_stand_in_networks(tmp_path):
    inner = encoder("inner")
    a = tt.Input(2)
    middle = tt.Network(inputs=a, outputs=inner(inner(a)), name="middle")
    net = tt.Network([GRU(2, return_sequences=True), middle, Dense(1)], n_features=2)
    assert [unit.owner for unit in net.plan.units] == [
        "0", "1/inner/0", "1/inner/1", "2",
    ]  # fmt: skip
    b = tt.Input(2)
    graph = tt.Network(inputs=b, outputs=middle(b))
    assert [unit.owner for unit in graph.plan.units] == ["middle/inner/0", "middle/inner/1"]
    same(graph.predict(X), inner.predict(inner.predict(X)))
    for each in (net, graph):
        for one in copies_of(each, tmp_path):
            assert one.plan == each.plan
    same(tt.load(tmp_path / "net.safetensors").predict(X), graph.predict(X))


def test_a_list_with_a_network_is_still_a_list_in_a_file(tmp_path):
    """``predict`` returns the state of the last recurrent layer of a list alone."""
    inner = tt.Network([GRU(3, return_sequences=True, return_state=True)], n_features=2)
    net = tt.Network([inner, Dense(1)], n_features=2)
    y, state = net.predict(X)
    for one in copies_of(net, tmp_path)[2:6]:
        again, after = one.predict(X)
        same(again, y)
        same(after[0], state[0])
        assert one.topology.named(0) == "layer 0/0 (GRU)"


def test_a_list_that_begins_with_a_graph_takes_what_the_graph_takes(tmp_path):
    given = tt.Input(4, time=False), tt.Input(4, steps=7)
    for one, kind, steps in zip(given, ("vector", "sequence"), (None, Steps(7)), strict=True):
        inner = tt.Network(inputs=one, outputs=Dense(2)(one))
        net = tt.Network([inner, Dense(1)], n_features=4)
        net.save(tmp_path / "net.safetensors")
        for own in (net, tt.load(tmp_path / "net.safetensors")):
            assert own.plan.forms == (Form(kind, 4, steps),)


def test_what_is_frozen_in_a_network_is_frozen_where_it_stands(tmp_path):
    inner, a = encoder().freeze(1), tt.Input(2)
    net = tt.Network(inputs=a, outputs=Dense(1)(inner(a)))
    assert net.frozen == {"encoder/1"}
    for one in copies_of(net, tmp_path):
        assert one.frozen == {"encoder/1"}
    assert tt.Network([inner], n_features=2).frozen == {"0/1"}


def test_a_network_with_several_ends_stands_in_a_graph():
    a, b = tt.Input(2, name="a"), tt.Input(3, name="b")
    inner = tt.Network(inputs=[a, b], outputs={"x": GRU(3)(a), "y": GRU(3)(b)}, name="inner")
    c, d = tt.Input(2), tt.Input(3)
    for given in ([c, d], {"b": d, "a": c}):
        found = inner(given)
        assert list(found) == ["x", "y"]
        net = tt.Network(inputs=d, outputs=Dense(1)(found["y"]))  # only the part that is needed
        assert [unit.owner for unit in net.plan.units] == ["inner/1", "1"]
        same(net.params["inner/1.W_x"], inner.params["1.W_x"])


def test_a_network_that_stands_in_another_needs_the_features_it_was_made_for():
    for features, build in (
        (1, lambda net: tt.Network([net], n_features=2)),
        (1, lambda net: tt.Network(inputs=(a := tt.Input(2)), outputs=net(a))),
        (3, lambda net: tt.Network([net], n_features=2)),
    ):
        inner = encoder(None, features)
        with pytest.raises(InvalidArgumentError) as caught:
            build(inner)
        assert str(caught.value) == (
            f"layer 0/0 (GRU) stands in a network whose '0.W_x' has the shape ({features}, 9), and"
            " would need (2, 9) here. Give that network as many features as it was made for."
        )


def test_a_network_in_a_list_has_one_input_and_ends_with_its_output():
    a, b = tt.Input(2), tt.Input(2)
    two = tt.Network(inputs=[a, b], outputs=[GRU(2)(a), GRU(2)(b)])
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network([Dense(2), two], n_features=2)
    assert str(caught.value) == (
        "layers[1] must be a network of one input and one output; got one of 2 and 2. Build a"
        " graph: tt.Network(inputs=..., outputs=...)."
    )


def test_a_network_called_on_other_numbers_of_symbols_is_refused():
    inner, a = encoder(), tt.Input(2)
    with pytest.raises(InvalidArgumentError) as caught:
        inner([a, a])
    assert str(caught.value) == "the input of the network must be 1 symbol; got 2."
    with pytest.raises(InvalidArgumentError) as caught:
        inner({"x": a})
    assert str(caught.value) == "a key of inputs must be one of '0'; got 'x'."


# -- wrong graphs -----------------------------------------------------------------------------


def wrong(error, **ends):
    with pytest.raises(error) as caught:
        tt.Network(**ends)
    return str(caught.value)


def test_there_can_be_no_cycle():
    """A symbol exists only after its sources, so no call can take what depends on it."""
    a = tt.Input(2)
    h = GRU(2, return_sequences=True)(a)
    with pytest.raises(AttributeError):
        h.source.sources = (h,)
    assert h.source.order < Dense(1)(h).source.order


def test_inputs_are_symbols_of_inputs_once_each_and_all_used():
    a, b = tt.Input(2, name="a"), tt.Input(2)
    h = GRU(2, return_sequences=True)(a)
    assert wrong(InvalidArgumentError, inputs=h, outputs=GRU(2)(h)) == (
        "inputs must hold symbols that tt.Input made; got the output of a layer."
    )
    assert wrong(InvalidArgumentError, inputs=[a, a], outputs=h) == (
        "inputs must hold one symbol once; got it twice."
    )
    assert wrong(InvalidArgumentError, inputs=[a, b], outputs=h) == (
        "input '1' is not used: no output depends on it. Leave it out, or call a layer on it."
    )
    assert wrong(InvalidArgumentError, inputs={"x": b, "y": a}, outputs=h) == (
        "input 'x' is not used: no output depends on it. Leave it out, or call a layer on it."
    )
    assert wrong(InvalidArgumentError, inputs=b, outputs=h) == (
        "an output depends on the input 'a', which inputs= does not hold. Add it."
    )
    assert wrong(InvalidArgumentError, inputs=a, outputs=[h, GRU(3)(b)]) == (
        "an output depends on the input, which inputs= does not hold. Add it."
    )
    twice = tt.Input(2, name="a")
    assert wrong(InvalidArgumentError, inputs=[a, twice], outputs=[h, GRU(3)(twice)]) == (
        "two inputs are called 'a'; give them names of their own."
    )
    assert wrong(InvalidArgumentError, inputs={}, outputs=h) == (
        "inputs must hold at least one symbol; got none."
    )
    assert wrong(InvalidTypeError, inputs=[], outputs=h) == (
        "inputs must be a symbol, or a list of symbols; got none."
    )


def test_outputs_are_what_layers_returned():
    a = tt.Input(2)
    h, state = GRU(2, return_sequences=True, return_state=True)(a)
    assert wrong(InvalidArgumentError, inputs=a, outputs=[h, a]) == (
        "outputs must hold outputs of layers; got an input of the network."
    )
    assert wrong(InvalidTypeError, inputs=a, outputs=[h, state]) == (
        "outputs must be a symbol, the output of a layer; got a state. A state goes to another"
        " recurrent layer as initial_state=."
    )
    assert wrong(InvalidTypeError, inputs=a, outputs={"y": X}) == (
        "outputs['y'] must be a symbol, or a list of symbols; got an array of shape (6, 5, 2) and"
        " dtype float32. A graph begins with tt.Input(n_features). Arrays go to net.predict."
    )
    assert wrong(InvalidTypeError, inputs=a, outputs={"y": [h, h]}) == (
        "outputs['y'] must be one symbol; got [<Output of GRU>, <Output of GRU>]."
    )
    assert wrong(InvalidArgumentError, inputs=a, outputs={"a.b": h}) == (
        "name must be a text without dots and slashes, and not a number; got 'a.b'."
    )
    assert wrong(InvalidTypeError, inputs=a, outputs={0: h}) == "name must be a text; got 0."


def test_a_network_is_a_stack_or_a_graph():
    a = tt.Input(2)
    h = GRU(2)(a)
    assert wrong(InvalidTypeError) == (
        "layers must be a list of at least one layer; got None. Or give inputs and outputs."
    )
    assert wrong(InvalidArgumentError, layers=[GRU(2)], inputs=a, outputs=h) == (
        "layers must be left out of a graph, which inputs and outputs describe; got it as well."
    )
    assert wrong(InvalidArgumentError, n_features=2, inputs=a, outputs=h) == (
        "n_features must be left out of a graph, which inputs and outputs describe; got it as well."
    )
    assert wrong(InvalidTypeError, layers=a) == (
        "layers must be a list of at least one layer; got <Input (N, T, 2)>. A graph is"
        " tt.Network(inputs=..., outputs=...)."
    )
