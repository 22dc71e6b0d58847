"""Beam search: equal to an exhaustive search where the beam is wide enough, and to a plain one."""

import itertools

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, LSTM, Dense, Embedding

V = 3
#: Seeds of networks whose best continuations end after 1, 2, 3 and 4 tokens.
ENDING = (0, 3, 9, 11, 17)


def network(seed=0, softmax=True, scale=1.5):
    layers = [Embedding(V, 4), LSTM(5), Dense(V, activation="softmax" if softmax else "identity")]
    net = tt.Network(layers, dtype="float64", seed=seed)
    net.params.flat = scale * np.random.default_rng(seed).normal(size=net.params.size)
    return net


def log_p_after(net, sequence):
    """Log probabilities of the token after ``sequence``, from a prediction of the whole of it."""
    y = net.predict(np.array([sequence]))[0]
    if isinstance(net.output_activation, tt.activations.Softmax):
        return np.log(y)
    return y - np.log(np.exp(y).sum())


def log_p_of(net, prefix, tokens):
    sequence, found = list(prefix), []
    for token in tokens:
        found.append(log_p_after(net, sequence)[token])
        sequence.append(token)
    return np.array(found)


def every_end(steps, stop):
    """All continuations: those that end with ``stop`` before, and those of full length."""
    for length in range(1, steps + 1):
        for tokens in itertools.product(range(V), repeat=length):
            ended = tokens[-1] == stop
            if stop not in tokens[:-1] and (ended or length == steps):
                yield tokens


def exhaustive(net, prefix, steps, stop=None, penalty=0.0):
    def score(tokens):
        return log_p_of(net, prefix, tokens).sum() / len(tokens) ** penalty

    return max(every_end(steps, stop), key=score)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_beam_of_all_continuations_finds_the_best(steps, seed):
    net, prefix = network(seed), [0, 2]
    best = exhaustive(net, prefix, steps)
    for width in (V ** (steps - 1), V**steps):  # none is dropped before the last step
        assert tuple(tt.generate(net, prefix, steps, beam=width)) == best


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", ENDING)
def test_with_a_stop_and_a_length_penalty(seed, penalty):
    net, prefix = network(seed, softmax=seed % 2 == 0), [1]
    found = tt.generate(net, prefix, 4, beam=V**4, stop=2, length_penalty=penalty)
    assert tuple(found) == exhaustive(net, prefix, 4, 2, penalty)


def test_stops_and_lengths_matter_in_these_cases():
    ends = {
        len(tt.generate(network(seed), [1], 4, beam=V**4, stop=2, length_penalty=penalty))
        for seed in ENDING
        for penalty in (0.0, 0.5, 1.0, 2.0)
    }
    assert ends == {1, 2, 3, 4}


def plain_beam(net, prefix, steps, width, stop=None, penalty=0.0):
    """The search in plain Python, for one row."""
    live, results = [(0.0, ())], []
    for _ in range(steps):
        extended = []
        for total, tokens in live:
            log_p = log_p_after(net, [*prefix, *tokens])
            extended += [(total + log_p[i], (*tokens, i)) for i in range(V)]
        results += [(s / len(t) ** penalty, t) for s, t in extended if t[-1] == stop]
        extended = [(s, t) for s, t in extended if t[-1] != stop]
        live = sorted(extended, key=lambda one: -one[0])[:width]
    results += [(total / steps**penalty, tokens) for total, tokens in live]
    return max(results, key=lambda one: one[0])[1]


@pytest.mark.parametrize("options", [{}, {"stop": 2}, {"stop": 0, "length_penalty": 1.0}])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_beam_is_the_plain_one(width, options):
    own = {"penalty" if key == "length_penalty" else key: value for key, value in options.items()}
    for seed in range(5):
        net = network(seed)
        found = tt.generate(net, [1, 0], 6, beam=width, **options)
        assert tuple(found) == plain_beam(net, [1, 0], 6, width, **own)


def test_a_beam_of_one_is_greedy():
    net = network(3)
    one = tt.generate(net, [[0], [1, 2, 0]], 7, beam=1)
    np.testing.assert_array_equal(one, tt.generate(net, [[0], [1, 2, 0]], 7, temperature=0))


def test_a_wide_beam_is_at_least_as_probable():
    better = 0
    for seed in (0, 1, 4, 9):
        net = network(seed, scale=1.0)
        sums = [
            tt.generate(net, [0], 6, beam=width, return_log_probabilities=True)[1].sum()
            for width in (1, V**6)
        ]
        assert sums[1] >= sums[0]
        better += sums[1] > sums[0] + 1e-9
    assert better > 0


def test_log_probabilities_are_those_of_the_tokens():
    net, prefixes = network(2), [[0, 1], [2], [1, 1, 1]]
    found = tt.generate(net, prefixes, 5, beam=4, stop=1, return_log_probabilities=True)
    for prefix, tokens, log_p in zip(prefixes, *found, strict=True):
        assert len(tokens) == len(log_p)
        np.testing.assert_allclose(log_p, log_p_of(net, prefix, tokens), rtol=1e-10)


def test_rows_are_searched_by_themselves():
    net, prefixes = network(1), [[0, 1], [2], [1, 1, 1]]
    for options in ({}, {"stop": [0, 2], "length_penalty": 1.5}):
        together = tt.generate(net, prefixes, 6, beam=3, **options)
        for prefix, row in zip(prefixes, together, strict=True):
            np.testing.assert_array_equal(tt.generate(net, prefix, 6, beam=3, **options), row)


def test_of_equal_continuations_the_one_with_smaller_tokens():
    net = network()
    net.params.flat = 0.0  # all tokens are equally probable
    assert tt.generate(net, [1], 3, beam=4).tolist() == [0, 0, 0]
    # Half of a third is more than a third of a third: the shortest ends at once.
    assert tt.generate(net, [1], 3, beam=4, stop=2).tolist() == [2]
    # All have the same mean: the shortest was first.
    assert tt.generate(net, [1], 3, beam=4, stop=2, length_penalty=1.0).tolist() == [2]


def test_a_token_without_probability_is_not_in_a_beam():
    net = tt.Network([Embedding(2, 2), GRU(2), Dense(2, activation="softmax")])
    net.params.flat = 0.0
    net.params["2.b"][...] = [0.0, -1000.0]  # its exponential is 0
    tokens, log_p = tt.generate(net, [0], 3, beam=8, return_log_probabilities=True)
    assert tokens.tolist() == [0, 0, 0]
    assert log_p.tolist() == [0.0, 0.0, 0.0]
