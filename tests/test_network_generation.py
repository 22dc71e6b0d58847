"""Networks that go on by themselves: equal to predicting growing sequences again and again."""

import numpy as np
import pytest
from network_cases import CELLS

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError
from throughtime.layers import GRU, LSTM, RNN, Conv1D, Dense, Embedding, LastStep, MeanPool
from throughtime.network.sampling import distribution, draw, log_probabilities, uniform_numbers

V = 6
SOFTMAX = {"activation": "softmax"}
MODELS = {
    "gru": [Embedding(V, 3), GRU(4, return_sequences=True), Dense(V, **SOFTMAX)],
    "logits": [Embedding(V, 3), LSTM(4, return_sequences=True), Dense(V)],
    "warm softmax": [Embedding(V, 3), GRU(4), Dense(V, activation=tt.activations.Softmax(2.0))],
    "two layers": [Embedding(V, 3), LSTM(3, return_sequences=True, time_bias=True), GRU(4),
                   Dense(5, activation="relu"), Dense(V, **SOFTMAX)],
    "mean": [Embedding(V, 3), RNN(4, return_sequences=True), MeanPool(), Dense(V)],
    "last step": [Embedding(V, 3), GRU(4, return_sequences=True), LastStep(), Dense(V)],
    "convolution": [Embedding(V, 3), Conv1D(4, 3, padding="causal"), Dense(V, **SOFTMAX)],
    "fewer out than in": [Embedding(V, 3), GRU(4), Dense(V - 2)],
    "one-hot": [LSTM(4, return_sequences=True), Dense(V, **SOFTMAX)],
} | {
    f"{name} of tokens": [Embedding(V, 3), layer(3, return_sequences=True, **own), Dense(V)]
    for name, (layer, own) in CELLS.items()
}  # fmt: skip
every_model = pytest.mark.parametrize("name", MODELS)
PREFIXES = [[1, 2, 3], [0], [3, 3, 1, 0, 2]]
WAYS = {
    "drawn": {},
    "cool": {"temperature": 0.4},
    "top k": {"top_k": 2},
    "top p": {"temperature": 1.5, "top_p": 0.6},
    "greedy": {"temperature": 0},
}
every_way = pytest.mark.parametrize("way", WAYS)


def network(name="gru", dtype="float64"):
    layers = MODELS[name]
    net = tt.Network(layers, None if isinstance(layers[0], Embedding) else V, dtype)
    net.params.flat = 0.9 * np.random.default_rng(4).normal(size=net.params.size)
    return net


def predicted(net, sequence):
    """Log probabilities (1, V) of the token after ``sequence``, by ``net.predict``."""
    x = np.array([sequence])
    if not isinstance(net.layers[0], Embedding):
        x = tt.data.one_hot(x, V)
    y = net.predict(x)
    y = y if y.ndim == 2 else y[:, -1]
    return log_probabilities(y, not isinstance(net.output_activation, tt.activations.Softmax))


def plain(net, prefix, steps, row=0, seed=0, temperature=1.0, top_k=None, top_p=None):
    """Tokens and log probabilities of one row, by predicting the growing sequence again."""
    numbers = uniform_numbers(seed, row + 1, steps)[row]
    tokens, logs = [], []
    for u in numbers:
        log_p = predicted(net, [*prefix, *tokens])
        if temperature == 0:
            token = log_p.argmax()
        else:
            token = draw(distribution(log_p, temperature, top_k, top_p), np.array([u]))[0]
        tokens.append(int(token))
        logs.append(log_p[0, token])
    return tokens, logs


@every_way
@every_model
def test_it_is_to_predict_growing_sequences_again(name, way):
    net = network(name)
    found = tt.generate(net, PREFIXES, 7, seed=5, return_log_probabilities=True, **WAYS[way])
    assert found[0].dtype == np.int64
    assert found[1].dtype == np.float64
    for row, prefix in enumerate(PREFIXES):
        tokens, log_p = plain(net, prefix, 7, row, 5, **WAYS[way])
        assert found[0][row].tolist() == tokens
        np.testing.assert_allclose(found[1][row], log_p, rtol=1e-9)


@every_way
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_does_not_depend_on_the_others(way, dtype):
    net = network("two layers", dtype)
    rng = np.random.default_rng(0)
    prefixes = [rng.integers(0, V, size=n) for n in (3, 1, 8, 2, 5, 3, 4, 2, 2, 6, 1)]
    together = tt.generate(net, prefixes, 9, **WAYS[way])
    for rows in (1, 2, 5, 10):
        few = tt.generate(net, prefixes[:rows], 9, **WAYS[way])
        np.testing.assert_array_equal(few, together[:rows])
    # Nor on where the others are: row 1 keeps its number.
    other = tt.generate(net, [prefixes[4], prefixes[1], prefixes[2]], 9, **WAYS[way])
    np.testing.assert_array_equal(other[1:], together[1:3])


def test_a_seed_gives_the_same_tokens_and_another_seed_others():
    net = network()
    one, two, other = (tt.generate(net, PREFIXES, 30, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert all((a != b).any() for a, b in zip(one, other, strict=True))
    rows = tt.generate(net, [PREFIXES[0]] * 4, 30)
    assert len(np.unique(rows, axis=0)) == 4  # equal prefixes, samples of their own


def test_fewer_steps_are_the_first_ones():
    net = network()
    long = tt.generate(net, PREFIXES, 12)
    for steps in (1, 2, 11):
        np.testing.assert_array_equal(tt.generate(net, PREFIXES, steps), long[:, :steps])


@every_model
def test_samples_have_the_probabilities_of_their_sequences(name):
    """Exact, without chance: u runs over [0, 1) in equal parts at the first two steps."""
    net, parts = network(name), 400
    first = predicted(net, [2])
    q = distribution(first, 0.8)
    line = (np.arange(parts) + 0.5) / parts
    shares = np.bincount(draw(np.repeat(q, parts, axis=0), line), minlength=q.size) / parts
    np.testing.assert_allclose(shares, np.exp(first[0] / 0.8) / np.exp(first[0] / 0.8).sum(),
                               atol=1 / parts)  # fmt: skip


def test_many_samples_have_the_frequencies_of_the_exact_distribution():
    net, rows = network(), 4000
    options = {"temperature": 0.7, "top_k": 4, "top_p": 0.9}
    pairs = tt.generate(net, np.full((rows, 1), 2), 2, **options)
    exact = np.zeros((V, V))
    one = distribution(predicted(net, [2]), *options.values())[0]
    for a in range(V):
        exact[a] = one[a] * distribution(predicted(net, [2, a]), *options.values())[0]
    counts = np.zeros((V, V))
    np.add.at(counts, tuple(pairs.T), 1)
    assert (counts[exact == 0] == 0).all()
    possible = exact > 0
    chi = ((counts - rows * exact)[possible] ** 2 / (rows * exact)[possible]).sum()
    freedom = np.count_nonzero(possible) - 1
    assert abs(chi - freedom) < 5 * np.sqrt(2 * freedom)


# -- stop, lengths, forms ---------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("stop", [4, [3, 2]])
def test_a_stop_ends_each_row_at_its_own_token(stop, way):
    net = network("logits")
    prefixes = [*PREFIXES, [5], [2, 2], [4, 1], [3]]
    whole = tt.generate(net, prefixes, 15, return_log_probabilities=True, **WAYS[way])
    ended = tt.generate(net, prefixes, 15, stop=stop, return_log_probabilities=True, **WAYS[way])
    lengths = set()
    for tokens, log_p, short, its_log_p in zip(*whole, *ended, strict=True):
        ends = np.flatnonzero(np.isin(tokens, stop))
        length = ends[0] + 1 if len(ends) else 15
        np.testing.assert_array_equal(short, tokens[:length])
        np.testing.assert_allclose(its_log_p, log_p[:length])
        lengths.add(length)
    assert len(lengths) > 1


def test_forms_of_prefixes():
    net = network()
    one = tt.generate(net, [1, 2, 3], 5)
    assert one.shape == (5,)
    np.testing.assert_array_equal(tt.generate(net, np.array([1, 2, 3]), 5), one)
    np.testing.assert_array_equal(tt.generate(net, np.array([[1, 2, 3]]), 5), one[None])
    np.testing.assert_array_equal(tt.generate(net, [[1, 2, 3]], 5), one[None])
    np.testing.assert_array_equal(tt.generate(net, [np.array([1, 2, 3])], 5), one[None])
    padded = np.array([[1, 2, 3, 0, 0], [0, 9, 9, 9, 9], [3, 3, 1, 0, 2]])
    np.testing.assert_array_equal(
        tt.generate(net, padded, 5, lengths=[3, 1, 5]), tt.generate(net, PREFIXES, 5)
    )
    ended, log_p = tt.generate(net, [1, 2, 3], 5, stop=int(one[2]), return_log_probabilities=True)
    first = one.tolist().index(one[2]) + 1
    assert ended.tolist() == one[:first].tolist()
    assert log_p.shape == (first,)


def test_one_hot_networks_take_tokens():
    net = network("one-hot")
    found = tt.generate(net, PREFIXES, 5)
    padded = np.array([[1, 2, 3, 0, 0], [0, 9, 9, 9, 9], [3, 3, 1, 0, 2]])
    np.testing.assert_array_equal(tt.generate(net, padded, 5, lengths=[3, 1, 5]), found)
    assert tt.generate(net, [1, 2], 5, beam=2).shape == (5,)


def test_the_network_is_as_before():
    net = network()
    before = net.params.flat.copy()
    tt.generate(net, PREFIXES, 5, beam=3)
    np.testing.assert_array_equal(net.params.flat, before)


# -- values -----------------------------------------------------------------------------------


def walker(outputs=2):
    net = tt.Network([GRU(3, return_sequences=True), Dense(outputs)], 2, dtype="float64")
    net.params.flat = np.random.default_rng(1).normal(size=net.params.size)
    return net, np.random.default_rng(2).normal(size=(3, 5, 2))


def test_values_are_those_of_extrapolate():
    net, x = walker()
    want = net.extrapolate(x, 6)
    np.testing.assert_array_equal(tt.generate(net, x, 6), want)
    np.testing.assert_array_equal(tt.generate(net, list(x), 6), want)
    alone = tt.generate(net, x[1], 6)
    assert alone.shape == (6, 2)
    np.testing.assert_allclose(alone, want[1], rtol=1e-12)
    lengths = [5, 2, 3]
    np.testing.assert_array_equal(
        tt.generate(net, x, 6, lengths=lengths), net.extrapolate(x, 6, lengths)
    )


def test_values_with_feedback():
    net, x = walker(3)
    found = tt.generate(net, x, 4, feedback=lambda y: y[:, :2])
    np.testing.assert_array_equal(found, net.extrapolate(x, 4, feedback=lambda y: y[:, :2]))
    tokens = network("fewer out than in")
    calls = []

    def feedback(y):
        calls.append(y)
        return y.argmax(axis=1)

    values = tt.generate(tokens, [[1, 2]], 4, feedback=feedback)
    assert values.shape == (1, 4, V - 2)
    assert len(calls) == 3  # the last output makes no input


# -- what is refused --------------------------------------------------------------------------


def refused(*arguments, error=InvalidArgumentError, **options):
    with pytest.raises(error) as caught:
        tt.generate(*arguments, **options)
    return str(caught.value)


def test_options_that_do_not_fit_are_refused():
    net, (values, x) = network(), walker()
    for option in ({"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.5}, {"beam": 2}, {"stop": 1},
                   {"length_penalty": 1.0}, {"return_log_probabilities": True}):  # fmt: skip
        assert refused(values, x, 3, **option) == (
            f"{next(iter(option))} must be left out: it has no meaning for a network that"
            " generates values."
        )
    for option in ({"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.5}):
        assert refused(net, [1], 3, beam=2, **option) == (
            f"{next(iter(option))} must be left out: it has no meaning for a beam search, which"
            " draws nothing."
        )
    assert refused(net, [1], 3, length_penalty=1.0) == (
        "length_penalty must be left out: it has no meaning for a generation without a beam."
    )


def test_values_out_of_range_are_refused():
    net = network()
    for options, text in [
        ({"temperature": -1.0}, "temperature must be a finite number >= 0; got -1.0."),
        ({"top_k": 0}, "top_k must be an integer >= 1; got 0."),
        ({"top_p": 0.0}, "top_p must be a number in (0, 1]; got 0.0."),
        ({"beam": 0}, "beam must be an integer >= 1; got 0."),
        ({"beam": 2, "length_penalty": -1}, "length_penalty must be a finite number >= 0; got -1."),
        ({"seed": -1}, "seed must be an integer >= 0; got -1."),
        ({"stop": V}, "stop must be an integer from 0 to 5; got 6."),
        ({"stop": [1, -1]}, "stop must be an integer from 0 to 5; got -1."),
    ]:
        assert refused(net, [1], 3, **options) == text
    assert refused(net, [1], 0) == "steps must be an integer >= 1; got 0."
    assert refused(net, [1], 3, stop="x", error=InvalidTypeError) == (
        "stop must be an integer from 0 to 5; got 'x'."
    )
    assert refused(net, [1], 3, return_log_probabilities=1, error=InvalidTypeError) == (
        "return_log_probabilities must be True or False; got 1."
    )


def test_words_of_other_libraries_are_answered():
    with pytest.raises(InvalidTypeError) as caught:
        tt.generate(network(), [1], max_new_tokens=3)
    assert str(caught.value) == (
        "generate has no argument 'max_new_tokens'; it is called steps here."
    )


def test_wrong_prefixes_are_refused():
    net = network()
    assert refused(net, [1, 9], 3).startswith(
        "prefix must hold integers from 0 to 5, the tokens of its Embedding; got"
    )
    for name in ("gru", "one-hot"):
        padded = np.array([[1, 2]]), {"lengths": [0]}, 0
        for prefix, options, row in (([[1], []], {}, 1), padded):
            assert refused(network(name), prefix, 3, error=DataError, **options) == (
                f"prefix must hold at least one step in each row; got none in row {row}."
            )
        assert refused(network(name), [], 3, error=DataError) == (
            "prefix must have at least one time step; got shape (1, 0, 1)."
        )
    hot = network("one-hot")
    way_out = (
        " The network takes one-hot vectors, which are made of them here. Of vectors,"
        " tt.data.labels(x) gives the tokens."
    )
    expected = "prefix must hold tokens, integers from 0 to 5; got "
    assert refused(hot, np.zeros((1, 3, V)), 3) == f"{expected}shape (1, 3, 6).{way_out}"
    assert refused(hot, [1, 6], 3) == f"{expected}6.{way_out}"
    assert refused(hot, [[1.5]], 3) == f"{expected}1.5.{way_out}"


def test_networks_that_cannot_generate_are_refused():
    layers = [Embedding(4, 3), GRU(3)]
    assert refused(tt.Network([*layers, Dense(4, activation="sigmoid")]), [1], 3) == (
        "a network that generates tokens must end with a Dense layer that has the activation"
        " 'softmax', or none for logits. Give feedback, a function that makes the next token of"
        " an output, to generate values."
    )
    assert refused(tt.Network([*layers, Dense(5)]), [1], 3) == (
        "a network that generates tokens must take all that it gives; this one gives 5 and takes 4."
    )
    both = tt.Network([Embedding(4, 3), GRU(3, bidirectional=True), Dense(4)])
    assert refused(both, [1], 3) == (
        "layer 1 (GRU) cannot be run as a stream: it reads each sequence from its end, which a"
        " stream has not seen yet."
    )


@pytest.mark.parametrize("options", [{}, {"beam": 2}, {"temperature": 0}])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["gru", "logits"])
def test_outputs_that_are_not_finite_are_refused(name, value, options):
    net = network(name)
    net.params["2.b"][...] = value
    with np.errstate(invalid="ignore"):  # of infinities in NumPy's softmax
        message = refused(net, [[1], [2]], 3, error=DataError, **options)
    assert message == (
        "the network gives no probabilities: its output is not finite. Its training may have"
        " diverged."
    )
