"""Graphs that generate: encoders and decoders, inputs that stay fixed, prefixes of any length."""

import itertools

import numpy as np
import pytest
from odd_values import ODD

import throughtime as tt
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    ThroughtimeError,
)
from throughtime.layers import (
    GRU,
    LSTM,
    AdditiveAttention,
    Concatenate,
    Dense,
    Embedding,
    MultiHeadAttention,
    RepeatVector,
)
from throughtime.network.sampling import distribution, draw, uniform_numbers

V, START = 5, 4  # the decoder also takes a token that it never gives


def translator(layer=LSTM, dtype="float64", outputs=None):
    """Tokens in, tokens out: the decoder starts from the state of the encoder."""
    source = tt.Input(tokens=True, name="source")
    target = tt.Input(tokens=True, name="target")
    _, state = layer(4, return_state=True, bidirectional=False)(Embedding(7, 3)(source))
    h = layer(4, return_sequences=True)(Embedding(V, 3)(target), initial_state=state)
    y = Dense(V - 1, activation="softmax")(h)
    net = tt.Network(inputs=[source, target], outputs=outputs(y) if outputs else y, dtype=dtype)
    net.params.flat = 1.2 * np.random.default_rng(3).normal(size=net.params.size)
    return net


def attentive(attention):
    """A translator whose decoder looks at all steps of its source, and at its own past."""
    source, target = tt.Input(tokens=True, name="source"), tt.Input(tokens=True, name="target")
    codes = GRU(4, return_sequences=True, bidirectional=True)(Embedding(7, 3)(source))
    h = GRU(4, return_sequences=True)(Embedding(V, 3)(target))
    own = MultiHeadAttention(2, causal=True)(h)
    seen = attention([own, codes])
    y = Dense(V - 1, activation="softmax")(Concatenate()([h, seen]))
    net = tt.Network(inputs=[source, target], outputs=y, dtype="float64")
    net.params.flat = 1.2 * np.random.default_rng(6).normal(size=net.params.size)
    return net


def captioner():
    """A vector in, tokens out: it makes the initial state, and stands beside every step."""
    image, target = tt.Input(3, name="image", time=False), tt.Input(tokens=True, name="target")
    state = Dense(4, activation="tanh")(image)
    h = Concatenate()([Embedding(V, 3)(target), image])
    h = GRU(4, return_sequences=True)(h, initial_state=[state])
    net = tt.Network(inputs=[image, target], outputs=Dense(V - 1)(h), dtype="float64")
    net.params.flat = 1.2 * np.random.default_rng(4).normal(size=net.params.size)
    return net


def continuer():
    """Values in, values out: a decoder that takes what it gave."""
    seen, future = tt.Input(2, name="seen"), tt.Input(1, name="future")
    _, state = GRU(4, return_state=True)(seen)
    h = GRU(4, return_sequences=True)(future, initial_state=state)
    net = tt.Network(inputs={"seen": seen, "future": future}, outputs=Dense(1)(h), dtype="float64")
    net.params.flat = 0.8 * np.random.default_rng(5).normal(size=net.params.size)
    return net


RNG = np.random.default_rng(0)
SOURCES = [RNG.integers(0, 7, size=n) for n in (4, 1, 6)]
IMAGES = RNG.normal(size=(3, 3))
PREFIXES = [[START], [START, 1, 0], [START, 2]]
MODELS = {
    "lstm": (lambda: translator(LSTM), "source", SOURCES),
    "gru": (lambda: translator(GRU), "source", SOURCES),
    "dict of outputs": (lambda: translator(GRU, outputs=lambda y: {"y": y}), "source", SOURCES),
    "additive attention": (lambda: attentive(AdditiveAttention(3)), "source", SOURCES),
    "heads": (lambda: attentive(MultiHeadAttention(2)), "source", SOURCES),
    "vector": (captioner, "image", list(IMAGES)),
}
every_model = pytest.mark.parametrize("name", MODELS)
WAYS = {"drawn": {}, "cut": {"temperature": 1.4, "top_k": 3}, "greedy": {"temperature": 0}}


def problem(name):
    make, key, rows = MODELS[name]
    return make(), key, rows


def predicted(net, key, given, sequence):
    """Log probabilities (1, V - 1) of the token after ``sequence``, by ``net.predict``."""
    y = net.predict({key: given[None], "target": np.array([sequence])})
    y = (y["y"] if isinstance(y, dict) else y)[:, -1]
    if net.output_activation == tt.activations.Softmax():
        return np.log(y)
    return y - np.log(np.exp(y).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("way", WAYS)
@every_model
def test_it_is_to_predict_growing_targets_again(name, way):
    net, key, given = problem(name)
    fixed = {key: np.array(given) if key == "image" else given}
    tokens, logs = tt.generate(
        net, PREFIXES, 6, fixed=fixed, seed=2, return_log_probabilities=True, **WAYS[way]
    )
    assert tokens.shape == (3, 6)
    numbers = uniform_numbers(2, 3, 6)
    for row, prefix in enumerate(PREFIXES):
        sequence = list(prefix)
        for t in range(6):
            log_p = predicted(net, key, given[row], sequence)
            if way == "greedy":
                token = log_p.argmax()
            else:
                options = {"temperature": 1.0} | WAYS[way]
                token = draw(distribution(log_p, **options), numbers[row, t : t + 1])[0]
            assert tokens[row, t] == token
            np.testing.assert_allclose(logs[row, t], log_p[0, token], rtol=1e-9)
            sequence.append(int(token))


@pytest.mark.parametrize("stop", [None, 3])
@every_model
def test_a_wide_beam_is_an_exhaustive_search(name, stop):
    net, key, given = problem(name)
    fixed = {key: np.array(given) if key == "image" else given}
    found = tt.generate(net, PREFIXES, 3, fixed=fixed, beam=(V - 1) ** 2, stop=stop)
    for row, prefix in enumerate(PREFIXES):

        def score(tokens, row=row, prefix=prefix):
            return sum(
                predicted(net, key, given[row], [*prefix, *tokens[:t]])[0, token]
                for t, token in enumerate(tokens)
            )

        ends = [
            tokens
            for length in (1, 2, 3)
            for tokens in itertools.product(range(V - 1), repeat=length)
            if stop not in tokens[:-1] and (length == 3 or tokens[-1] == stop)
        ]
        assert tuple(found[row]) == max(ends, key=score)


def test_one_prefix_begins_all_rows():
    net = translator()
    many = tt.generate(net, [[START]] * 3, 5, fixed={"source": SOURCES}, stop=2)
    for options in ({}, {"lengths": None}):
        one = tt.generate(net, [START], 5, fixed={"source": SOURCES}, stop=2, **options)
        assert [row.tolist() for row in one] == [row.tolist() for row in many]
    alone = tt.generate(net, [START], 5, fixed={"source": SOURCES[0][None]}, stop=2)
    assert [row.tolist() for row in alone] == [many[0].tolist()]


def test_padded_arrays_have_lengths_by_name():
    net = translator()
    want = tt.generate(net, PREFIXES, 5, fixed={"source": SOURCES})
    source, source_lengths = tt.data.pad(SOURCES)
    target, target_lengths = tt.data.pad([np.array(one) for one in PREFIXES])
    lengths = {"source": source_lengths, "target": target_lengths}
    found = tt.generate(net, target, 5, fixed={"source": source}, lengths=lengths)
    np.testing.assert_array_equal(found, want)
    some = tt.generate(
        net, PREFIXES, 5, fixed={"source": source}, lengths={"source": source_lengths}
    )
    np.testing.assert_array_equal(some, want)


def test_a_row_does_not_depend_on_the_others():
    net = translator(GRU, "float32")
    together = tt.generate(net, PREFIXES, 8, fixed={"source": SOURCES})
    for rows in (1, 2):
        few = tt.generate(net, PREFIXES[:rows], 8, fixed={"source": SOURCES[:rows]})
        np.testing.assert_array_equal(few, together[:rows])


def test_values_go_on_from_a_fixed_past():
    net = continuer()
    seen = [RNG.normal(size=(n, 2)) for n in (5, 2, 3)]
    starts = [RNG.normal(size=(n, 1)) for n in (1, 3, 2)]
    found = tt.generate(net, starts, 4, fixed={"seen": seen})
    assert found.shape == (3, 4, 1)
    for row, start in enumerate(starts):
        sequence = start
        for t in range(4):
            y = net.predict({"seen": seen[row][None], "future": sequence[None]})[0, -1:]
            np.testing.assert_allclose(found[row, t : t + 1], y, rtol=1e-10)
            sequence = np.concatenate([sequence, y])
    one = tt.generate(net, np.zeros((1, 1)), 4, fixed={"seen": seen})
    np.testing.assert_array_equal(
        one, tt.generate(net, np.zeros((3, 1, 1)), 4, fixed={"seen": seen})
    )


def test_a_graph_of_one_input_generates_as_a_stack_does():
    x = tt.Input(tokens=True)
    h = GRU(4, return_sequences=True)(Embedding(V, 3)(x))
    y = Dense(V, activation="softmax")(Concatenate()([h, Embedding(V, 2)(x)]))
    net = tt.Network(inputs=x, outputs=y, dtype="float64")
    found = tt.generate(net, [1, 2], 4, temperature=0)
    sequence = [1, 2]
    for token in found:
        assert token == net.predict(np.array([sequence]))[0, -1].argmax()
        sequence.append(int(token))


def test_a_decoder_learns_to_say_its_source_backwards():
    source, target = tt.Input(tokens=True, name="source"), tt.Input(tokens=True, name="target")
    _, state = GRU(32, return_state=True)(Embedding(V - 1, 8)(source))
    h = GRU(32, return_sequences=True)(Embedding(V, 8)(target), initial_state=state)
    y = Dense(V - 1, activation="softmax")(h)
    net = tt.Network(inputs=[source, target], outputs=y)
    rng = np.random.default_rng(1)
    given, unseen = np.split(rng.integers(0, V - 1, size=(600, 4)), [500])
    shifted = np.hstack([np.full((500, 1), START), given[:, :0:-1]])
    tt.train(
        net, {"source": given, "target": shifted}, given[:, ::-1], loss="crossentropy",
        optimizer=tt.optimizers.Adam(0.01), epochs=40, verbose=False,
    )  # fmt: skip
    for options in ({"temperature": 0}, {"beam": 3}):
        found = tt.generate(net, [START], 4, fixed={"source": unseen}, **options)
        assert (found == unseen[:, ::-1]).all(axis=1).mean() > 0.98


def refused(*arguments, error=InvalidArgumentError, **options):
    with pytest.raises(error) as caught:
        tt.generate(*arguments, **options)
    return str(caught.value)


def test_what_does_not_fit_is_refused():
    net = translator()
    assert refused(net, [START], 3) == (
        "one input is generated, and fixed must hold the others; this network has the inputs"
        " 'source', 'target'."
    )
    assert refused(net, [START], 3, fixed=SOURCES, error=InvalidTypeError).startswith(
        "fixed must be a dict of inputs by name; got ["
    )
    assert refused(net, [START], 3, fixed={"source": SOURCES, "sauce": 1}) == (
        "a key of fixed must be one of 'source', 'target'; got 'sauce'."
    )
    assert refused(net, [[START]], 3, fixed={"source": SOURCES}, error=ShapeError) == (
        "fixed['source'] must have 1 rows, those of the stream; got 3."
    )
    assert refused(net, [START, 9], 3, fixed={"source": SOURCES}).startswith(
        "prefix must hold integers from 0 to 4, the tokens of its Embedding; got values from"
    )
    assert refused(net, [[START], []], 3, fixed={"source": SOURCES[:2]}, error=DataError) == (
        "prefix must hold at least one step in each row; got none in row 1."
    )
    assert refused(net, [1], 3, fixed={"target": [[START]]}) == (
        "a decoder starts from the end of its encoder's input, which a stream has not seen yet:"
        " stream the two as networks of their own. Or give that input as fixed=."
    )
    lengths = {"sauce": [1, 2, 3]}
    assert refused(net, [START], 3, fixed={"source": SOURCES}, lengths=lengths) == (
        "a key of lengths must be one of 'source', 'target'; got 'sauce'."
    )
    x = tt.Input(tokens=True)
    h = GRU(4, return_sequences=True)(Embedding(V, 3)(x))
    two = tt.Network(inputs=x, outputs={"a": Dense(V)(h), "b": Dense(2)(h)})
    assert refused(two, [1], 3) == (
        "a network that generates must have one output; this one has 'a', 'b'."
    )


def test_a_vector_cannot_be_generated():
    image = tt.Input(3, name="image", time=False)
    net = tt.Network(inputs=image, outputs=Dense(3)(GRU(2)(RepeatVector(2)(image))))
    assert refused(net, np.zeros((1, 3)), 3) == (
        "a network generates a sequence, and what this one takes, (N, 3), is none."
    )


#: Values that mean something: rows of two lengths; numbers of two tokens.
GOOD = {"ragged", "equal dates", "a date that is missing"}


@pytest.mark.parametrize("kind", sorted(ODD.keys() - GOOD))
def test_odd_values_are_refused(kind):
    make, net = ODD[kind], translator()
    stack = tt.Network([Embedding(V, 3), GRU(3), Dense(V)])
    hot = tt.Network([GRU(3), Dense(V, activation="softmax")], n_features=V)
    for prefix_of in (stack, hot):
        with pytest.raises(ThroughtimeError):
            tt.generate(prefix_of, make(), 3)
    with pytest.raises(ThroughtimeError):
        tt.generate(net, [START], 3, fixed={"source": make()})
    for option in ("steps", "seed", "length_penalty", "return_log_probabilities", "temperature"):
        value = make()
        if option == "return_log_probabilities" and value is True:
            continue
        if option == "temperature" and kind in ("a number", "one number in an array"):
            continue
        with pytest.raises(ThroughtimeError):
            tt.generate(stack, [1], **({"steps": 3} | {option: value}))
