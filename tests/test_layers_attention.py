"""Attention: what has weight 0, bits, streams, options; its gradients are in test_gradients.py."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.kernels import selection
from throughtime.layers import GRU, AdditiveAttention, Dense, MultiHeadAttention
from throughtime.layers.forms import Form, Steps

KINDS = {
    "heads": lambda **options: MultiHeadAttention(2, 6, **options),
    "additive": lambda **options: AdditiveAttention(3, **options),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def random(net, seed=0):
    net.params.flat = np.random.default_rng(seed).normal(size=net.params.size)
    return net


def alone(kind, dtype="float64", **options):
    return random(tt.Network([KINDS[kind](**options)], n_features=4, dtype=dtype))


def crossed(kind, vector=False, keys=False, dtype="float64", **options):
    """A network of a query, a value and perhaps a key."""
    inputs = [tt.Input(4, name="query", time=not vector), tt.Input(3, name="value")]
    if keys:
        inputs.append(tt.Input(2, name="key"))
    y = KINDS[kind](**options)(inputs)
    return random(tt.Network(inputs=inputs, outputs=y, dtype=dtype))


def data(net, rows=3, query=5, value=6, seed=1):
    rng = np.random.default_rng(seed)
    sizes = {"query": (query, 4), "value": (value, 3), "key": (value, 2)}
    vector = net.topology.input_forms[0].kind == "vector"
    return {
        name: rng.normal(size=(rows, 4) if vector and name == "query" else (rows, *sizes[name]))
        for name in net.topology.plan.inputs.names
    }


def slopes_of(net, x, u, **options):
    """dL/dx and the gradients, by name."""
    net.grads.flat[...] = 0
    _, tape = net.forward(x, **options)
    found = net.backward(tape, u)
    return (found if isinstance(found, dict) else {"x": found}) | dict(net.grads)


# -- several inputs --------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@every_kind
def test_every_gradient_of_several_inputs(kind, causal, vector, keys, masked):
    if causal and vector:
        pytest.skip("a vector has no step")
    net = crossed(kind, vector, keys, causal=causal)
    x = data(net, query=4, value=4 if causal else 3)
    options = {}
    if masked:
        lengths = {name: [3, 1, 2] for name in x}
        if vector:
            del lengths["query"]
        elif not causal:
            lengths["query"] = [4, 2, 0]
        options = {"lengths": lengths}
    y, _ = net.forward(x, **options)
    u = np.random.default_rng(2).normal(size=y.shape)
    slopes = slopes_of(net, x, u, **options)
    for name, array in {**x, **net.params}.items():
        for index in np.ndindex(array.shape):
            centre, values = array[index], []
            for h in (2e-3, 1e-3, -1e-3, -2e-3):
                array[index] = centre + h
                values.append((u * net.forward(x, **options)[0]).sum())
            array[index] = centre
            estimate = (8 * (values[1] - values[2]) - (values[0] - values[3])) / 12e-3
            assert slopes[name][index] == pytest.approx(estimate, rel=1e-6, abs=1e-7), name


@every_kind
def test_one_input_is_query_value_and_key(kind):
    """The same numbers, and the gradient of the input is the sum of the three."""
    signal = tt.Input(4, name="x")
    layer = KINDS[kind]()
    one = random(tt.Network(inputs=signal, outputs=layer(signal), dtype="float64"))
    three = random(tt.Network(inputs=signal, outputs=layer([signal] * 3), dtype="float64"))
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    y, tape = one.forward(x)
    y3, tape3 = three.forward(x)
    assert np.array_equal(y, y3)
    dy = np.ones_like(y)
    np.testing.assert_allclose(one.backward(tape, dy), three.backward(tape3, dy), rtol=1e-12)


@every_kind
def test_a_vector_is_a_query_of_one_step(kind):
    net, steps = crossed(kind, vector=True), crossed(kind)
    x = data(net)
    y = net.predict(x)
    assert y.ndim == 2
    longer = steps.predict({**x, "query": x["query"][:, None]})
    np.testing.assert_allclose(longer[:, 0], y, rtol=1e-12)


# -- masks -----------------------------------------------------------------------------------


@every_kind
def test_values_at_masked_steps_have_weight_zero(kind):
    net = crossed(kind)
    x = data(net)
    mask = np.array([[1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 0, 0], [1] * 6], dtype=bool)
    (weights,) = tt.inspect.attention_weights(net, x, mask={"value": mask})
    assert weights.shape == (3, 2 if kind == "heads" else 1, 5, 6)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-12)
    assert not weights[np.broadcast_to(~mask[:, None, None], weights.shape)].any()
    assert (weights[1, ..., 1] == 1).all()


@every_kind
def test_causal_weights_are_those_of_the_past(kind):
    net = alone(kind, causal=True)
    x = np.random.default_rng(0).normal(size=(2, 5, 4))
    (weights,) = tt.inspect.attention_weights(net, x)
    assert not np.triu(weights, 1).any()
    y = net.predict(x)
    for t in range(1, 6):
        np.testing.assert_allclose(net.predict(x[:, :t]), y[:, :t], rtol=1e-12)


@every_kind
def test_without_a_step_to_look_at_the_output_and_all_gradients_are_zero(kind):
    net = crossed(kind)
    x = data(net)
    mask = {"value": np.array([[True] * 6, [False] * 6, [True] * 6])}
    y, tape = net.forward(x, mask=mask)
    assert not y[1].any()
    assert y[[0, 2]].all()
    dx = net.backward(tape, np.ones_like(y))
    assert not any(d[1].any() for d in dx.values())
    whole = net.grads.flat.copy()
    net.grads.flat[...] = 0
    rest = {name: a[[0, 2]] for name, a in x.items()}
    y, tape = net.forward(rest)
    net.backward(tape, np.ones_like(y))
    np.testing.assert_allclose(net.grads.flat, whole, rtol=1e-10, atol=1e-12)


@every_kind
def test_a_query_before_the_first_value_has_the_output_zero(kind):
    net = crossed(kind, causal=True)
    x = tuple(data(net, value=5).values())
    mask = np.array([[False, False, True, True, True]] * 3)
    layer = net.layers[0]
    result = layer.forward(net.groups[0], x, (None, mask), None, tt.layers.Call())
    assert not result.y[:, :2].any()
    assert result.y[:, 2:].all()
    assert result.mask is None
    dx, _ = layer.backward(net.grad_groups[0], result.cache, np.ones_like(result.y))
    assert not dx[0][:, :2].any()
    assert dx[0][:, 2:].any()
    assert np.isfinite(net.grads.flat).all()


@every_kind
def test_masks_of_values_and_keys_must_be_equal(kind):
    net = crossed(kind, keys=True)
    x = data(net)
    with pytest.raises(ShapeError) as caught:
        net.forward(x, lengths={"value": [6, 4, 6], "key": [6, 6, 6]})
    assert str(caught.value) == (
        f"the values and keys of {net.layers[0].kind} must have the same unmasked steps;"
        " got others in row 1. Give all of them the same lengths or the same mask."
    )


@every_kind
def test_steps_of_queries_and_values_must_be_equal_if_it_is_causal(kind):
    layer = KINDS[kind](causal=True)
    x = np.ones((1, 3, 4)), np.ones((1, 4, 4))
    with pytest.raises(ShapeError) as caught:
        layer.forward(None, x, (None, None), None, tt.layers.Call())
    assert str(caught.value) == (
        f"the queries and values of {layer.kind} must have equally many steps; got 3 and 4."
    )


# -- bits ------------------------------------------------------------------------------------


def equal(a, b):
    if selection.current() == "native":
        assert a.tobytes() == b.tobytes()
    else:
        np.testing.assert_allclose(a, b, rtol=1e-4 if a.dtype == np.float32 else 1e-11, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("causal", [False, True])
@every_kind
def test_a_row_has_the_same_bits_in_any_batch_with_any_padding_on_any_threads(kind, causal, dtype):
    rng = np.random.default_rng(0)
    for steps in (1, 2, 3, 7, 8, 9, 16, 17, 33):
        net = alone(kind, dtype, causal=causal)
        x = rng.normal(size=(5, steps, 4)).astype(dtype)
        y = net.predict(x)
        where = [0, steps // 2, steps]
        padded = np.insert(np.pad(x, ((0, 0), (0, 20), (0, 0))), where, 7.0, axis=1)
        mask = np.insert(np.pad(np.ones((5, steps), dtype=bool), ((0, 0), (0, 20))), where, False,
                         axis=1)  # fmt: skip
        equal(net.predict(padded, mask=mask)[mask].reshape(y.shape), y)
        for n in range(5):
            equal(net.predict(x[n : n + 1])[0], y[n])
        try:
            for count in (1, 2, 3):
                tt.set_num_threads(count)
                equal(net.predict(np.concatenate([x] * 9))[-5:], y)
        finally:
            tt.set_num_threads(None)
        if causal:
            stream = net.stream(5)
            for t in range(steps):
                equal(stream.step(x[:, t]), y[:, t])


# -- streams ---------------------------------------------------------------------------------


@every_kind
def test_a_stream_goes_on_after_sequences_of_different_lengths(kind):
    layers = [GRU(4, return_sequences=True), KINDS[kind](causal=True), Dense(2)]
    net = random(tt.Network(layers, 3, dtype="float64"))
    x, lengths = np.random.default_rng(0).normal(size=(3, 8, 3)), np.array([5, 2, 4])
    stream = net.stream(3)
    np.testing.assert_allclose(
        stream.warm_up(x[:, :5], lengths), [net.predict(row[None, :n])[0, -1]
                                            for row, n in zip(x, lengths, strict=True)], rtol=1e-12,
    )  # fmt: skip
    state = stream.state
    more = np.random.default_rng(1).normal(size=(3, 4, 3))
    wanted = [
        net.predict(np.concatenate([row[:n], new])[None])[0, n:]
        for row, n, new in zip(x, lengths, more, strict=True)
    ]
    for _ in range(2):
        got = np.stack([stream.step(more[:, t]) for t in range(4)], axis=1)
        np.testing.assert_allclose(got, wanted, rtol=1e-11)
        stream.state = state
    stream.reset([1])
    got = stream.step(more[:, 0])
    np.testing.assert_allclose(got[1], net.predict(more[1:2, :1])[0, 0], rtol=1e-11)
    np.testing.assert_allclose(got[2], wanted[2][0], rtol=1e-11)
    stream.state = state
    stream.take([2, 0])
    np.testing.assert_allclose(
        stream.step(more[[2, 0], 0]), [wanted[2][0], wanted[0][0]], rtol=1e-11
    )
    with pytest.raises(ShapeError, match=r"^state\[0\] must have the shapes "):
        stream.state = [state[0][:1], state[1][:2], state[2]]


@pytest.mark.parametrize("keys", [False, True])
@every_kind
def test_causal_attention_of_several_streams(kind, keys):
    net = crossed(kind, keys=keys, causal=True)
    x = data(net, value=5)
    y = net.predict(x)
    stream = net.stream(3)
    for t in range(5):
        now = stream.step({name: a[:, t] for name, a in x.items()})
        np.testing.assert_allclose(now, y[:, t], rtol=1e-11)


@every_kind
def test_a_decoder_looks_at_a_fixed_source(kind):
    net = crossed(kind)
    x = data(net)
    lengths = {"value": [6, 2, 4]}
    y = net.predict(x, lengths=lengths)
    stream = net.stream(3, fixed={"value": x["value"]}, lengths=lengths)
    for t in range(5):
        np.testing.assert_allclose(stream.step(x["query"][:, t]), y[:, t], rtol=1e-11)


@every_kind
def test_what_needs_later_steps_is_no_stream(kind):
    with pytest.raises(InvalidArgumentError) as caught:
        alone(kind).stream()
    name = KINDS[kind]().kind
    assert str(caught.value) == (
        f"layer 0 ({name}) cannot be run as a stream: it looks at all steps of its values, also at"
        " later ones."
    )
    net = alone(kind, causal=True)
    with pytest.raises(InvalidArgumentError) as caught:
        tt.train(net, np.ones((2, 4, 4)), np.ones((2, 4, 4)), tbptt=(2, 2), verbose=False)
    assert str(caught.value).startswith(
        f"tbptt must be None for this network: layer 0 ({name}) cannot be cut into chunks of time,"
        " because it looks back at the steps of earlier chunks."
    )


# -- options ---------------------------------------------------------------------------------


def test_shapes_of_the_parameters():
    net = tt.Network([MultiHeadAttention(2, 5, head_units=3)], n_features=4)
    assert {k: v.shape for k, v in net.params.items()} == {
        "0.W_q": (4, 6), "0.W_k": (4, 6), "0.W_v": (4, 6), "0.W_o": (6, 5),
        "0.b_q": (6,), "0.b_k": (6,), "0.b_v": (6,), "0.b_o": (5,),
    }  # fmt: skip
    assert not net.params["0.b_o"].any()
    assert all(net.params[f"0.W_{name}"].all() for name in "qkvo")
    net = tt.Network([AdditiveAttention(3)], n_features=4)
    assert {k: v.shape for k, v in net.params.items()} == {
        "0.W_q": (4, 3), "0.W_k": (4, 3), "0.W_e": (3, 1), "0.b": (3,),
    }  # fmt: skip
    assert AdditiveAttention(3).output_form((Form("vector", 2), Form("sequence", 7))) == Form(
        "vector", 7
    )


def test_forms_that_do_not_fit():
    sequence, vector = Form("sequence", 4, Steps()), Form("vector", 4)
    layer, causal = AdditiveAttention(2), AdditiveAttention(2, causal=True)
    words = "its values and keys must be sequences; only its query may be a vector."
    for forms in ((vector,), (sequence, vector), (sequence, sequence, vector)):
        assert layer.refusal(forms) == words
    assert layer.refusal((vector, sequence)) is None
    assert causal.refusal((vector, sequence)) == (
        "its query is a vector, which has no step, so causal must be False."
    )
    assert MultiHeadAttention(3).refusal((sequence,)) == (
        "4 features of the output cannot be shared among heads=3; give head_units."
    )
    assert MultiHeadAttention(3, head_units=2).refusal((sequence,)) is None
    assert MultiHeadAttention(3, 6).refusal((sequence,)) is None


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: MultiHeadAttention(0), InvalidArgumentError,
         "heads must be an integer >= 1; got 0."),
        (lambda: MultiHeadAttention(2, 0), InvalidArgumentError,
         "units must be an integer >= 1; got 0."),
        (lambda: MultiHeadAttention(2, head_units=1.5), InvalidTypeError,
         "head_units must be an integer >= 1; got 1.5."),
        (lambda: AdditiveAttention("2"), InvalidTypeError,
         "units must be an integer >= 1; got '2'."),
        (lambda: AdditiveAttention(2, causal=1), InvalidTypeError,
         "causal must be True or False; got 1."),
        (lambda: AdditiveAttention(2, dropout=1), InvalidArgumentError,
         "dropout must be a number in [0, 1); got 1."),
        (lambda: AdditiveAttention(2, use_bias=1), InvalidTypeError,
         "use_bias must be True or False; got 1."),
        (lambda: MultiHeadAttention(num_heads=2), InvalidTypeError,
         "MultiHeadAttention has no argument 'num_heads'; it is called heads here."),
        (lambda: MultiHeadAttention(2, key_dim=4), InvalidTypeError,
         "MultiHeadAttention has no argument 'key_dim'; it is called head_units here."),
    ],
)  # fmt: skip
def test_options_are_checked(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == words
