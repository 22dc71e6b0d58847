"""Generation: a network goes on by itself, each output making the next input.

A network of tokens gives the probabilities of the next token, and one token is chosen by them:
drawn (:mod:`throughtime.network.sampling`), the most probable one, or the first of the most
probable continuation (:mod:`throughtime.network.beam`). A network of values feeds its outputs back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from throughtime.data.encoding import one_hot
from throughtime.data.sequences import unpad
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.kernels.underflow import ignore_underflow
from throughtime.network.beam import search
from throughtime.network.passes import Streamable
from throughtime.network.prefixes import (
    Generator,
    Target,
    begin,
    find_target,
    gives_logits,
    output_of,
)
from throughtime.network.sampling import distribution, draw, log_probabilities, uniform_numbers
from throughtime.network.stream import Stream
from throughtime.registry import translate

__all__ = ["extrapolate", "generate"]


@translate(
    {
        "prefix": ("input_ids", "prompt", "start", "x"),
        "steps": ("max_new_tokens", "max_length", "n_steps", "length"),
        "beam": ("num_beams", "beam_size", "beam_width"),
        "stop": ("eos_token_id", "stop_token", "end_token"),
        "seed": ("random_state", "random_seed", "rng"),
        "return_log_probabilities": ("output_scores", "return_log_probs"),
        "temperature=0": ("do_sample", "greedy"),
    }
)
@ignore_underflow
def generate(
    net: Generator,
    prefix: Any,
    steps: int,
    *,
    lengths: Any = None,
    fixed: Any = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beam: int | None = None,
    length_penalty: float = 0.0,
    stop: Any = None,
    seed: int = 0,
    return_log_probabilities: bool = False,
    feedback: Callable[[np.ndarray], Any] | None = None,
) -> Any:
    """Continue sequences by what the network makes of them, one step at a time.

    A network whose first layer is an Embedding generates tokens. So does one that takes V features
    and gives V probabilities (softmax): the one-hot vectors that it takes are made of tokens here.
    Any other network generates values, as with ``feedback``: each output is the next input.

    Parameters
    ----------
    net : Network
        A network that can run as a stream. One of tokens ends with a Dense layer: with softmax, or
        without activation, whose outputs are then logits.
    prefix : array or list
        The sequences so far, each with at least one step. Of tokens: ``(T,)`` for one row,
        ``(N, T)``, or a list of arrays ``(T_i,)``. Of values: ``(T, F)`` for one row,
        ``(N, T, F)``, or a list of arrays ``(T_i, F)``.
    steps : int
        Number of steps to add, S; the largest number with ``stop``.
    lengths : array of int of shape (N,), or dict, optional
        Number of steps of each row; each row is continued from its own end. With ``fixed``, a dict
        by the names of the inputs.
    fixed : dict of str to array, optional
        The other inputs of a graph, by name: the source of a decoder, or a vector. They are read
        once, whole. The prefix is that of the input that is left; one row of it begins all rows.
    temperature : float
        T in (GN1). Below 1 probable tokens become more probable. 0 takes the most probable token
        and draws nothing.
    top_k : int, optional
        Draw from the k most probable tokens only.
    top_p : float, optional
        Draw from the fewest most probable tokens only whose probabilities, after ``temperature``
        and ``top_k``, reach this share.
    beam : int, optional
        Width of a beam search, which draws nothing: it looks for the continuation with the highest
        score (GN5).
    length_penalty : float
        Exponent a in the score (GN5) of a beam search. 0 looks for the most probable continuation,
        and so prefers short ones; 1 compares means.
    stop : int or list of int, optional
        Tokens that end a row. The one that ended it is its last token.
    seed : int
        Seed of the random numbers. Each row has its own: its sample does not depend on the other
        rows.
    return_log_probabilities : bool
        Whether to return the logarithm of the probability of each chosen token as well, as the
        network gives it: before ``temperature``, ``top_k`` and ``top_p``.
    feedback : callable, optional
        Function that returns the next input (N, F) for an output (N, K), for networks of values; it
        is needed if K is not F.

    Returns
    -------
    tokens : ndarray of int of shape (N, S), or values: ndarray of shape (N, S, K)
        The new steps, without the prefix. With ``stop`` a list of N arrays (S_i,). For one row,
        without the axis N.
    log_probabilities : ndarray of float64, or list
        In the form of the tokens; only if asked for.

    Raises
    ------
    InvalidArgumentError
        If the network cannot run as a stream, or options do not fit it.
    DataError
        If a network of tokens gives what is no probability, such as NaN.

    Notes
    -----
    On the native engine a row has the same result in any batch, and streams give the bits of
    ``net.predict``.

    Examples
    --------
    >>> import throughtime as tt
    >>> layers = [tt.layers.Embedding(5, 4), tt.layers.GRU(8), tt.layers.Dense(5)]  # logits
    >>> net = tt.Network(layers)
    >>> tt.generate(net, [[1, 2, 3], [4]], steps=6).shape
    (2, 6)
    """
    steps = check_int("steps", steps, 1)
    check_bool("return_log_probabilities", return_log_probabilities)
    target = find_target(net, fixed)
    logits = None if feedback is not None else gives_logits(net, target)
    given = {
        "temperature": check_float("temperature", temperature, 0.0) != 1.0,
        "top_k": top_k is not None,
        "top_p": top_p is not None,
        "beam": beam is not None,
        "length_penalty": check_float("length_penalty", length_penalty, 0.0) > 0,
        "stop": stop is not None,
        "return_log_probabilities": return_log_probabilities,
    }
    if logits is None:
        _refuse(given, given, "a network that generates values")
        return _feed_back(net, target, prefix, steps, lengths, fixed, feedback)
    if beam is None:
        _refuse(given, ("length_penalty",), "a generation without a beam")
    else:
        check_int("beam", beam, 1)
        _refuse(given, ("temperature", "top_k", "top_p"), "a beam search, which draws nothing")
    if top_k is not None:
        check_int("top_k", top_k, 1)
    if top_p is not None:
        check_float("top_p", top_p, 0.0, 1.0, inclusive="high")
    check_int("seed", seed, 0)
    ends = _check_stop(stop, target.n_outputs)
    beginning = begin(net, target, prefix, lengths, fixed, tokens=True)

    def scores(y: Any) -> np.ndarray:
        return _check_finite(log_probabilities(output_of(net, y), logits))

    def inputs(tokens: np.ndarray) -> np.ndarray:
        return tokens if target.embeds else one_hot(tokens, target.features, net.dtype)

    uniform = uniform_numbers(seed, beginning.rows, steps) if temperature > 0 else None

    def choose(log_p: np.ndarray, rows: np.ndarray, t: int) -> np.ndarray:
        if uniform is None:
            return log_p.argmax(axis=-1)
        return draw(distribution(log_p, temperature, top_k, top_p), uniform[rows, t])

    shape = beginning.rows, steps
    tokens, log_p = np.zeros(shape, np.int64), np.zeros(shape)
    count = np.zeros(beginning.rows, np.int64)
    for rows, stream, y in beginning.parts:
        if beam is None:
            found = _one_by_one(stream, y, steps, rows, ends, choose, scores, inputs)
        else:
            found = search(
                stream, y, steps, width=beam, length_penalty=length_penalty, stop=ends,
                scores=scores, inputs=inputs,
            )  # fmt: skip
        tokens[rows], log_p[rows], count[rows] = found
    results = [_shaped(part, count, beginning.single, stop is not None) for part in (tokens, log_p)]
    return tuple(results) if return_log_probabilities else results[0]


def _one_by_one(
    stream: Stream,
    y: np.ndarray,
    steps: int,
    numbers: np.ndarray,
    stop: list[int],
    choose: Callable[[np.ndarray, np.ndarray, int], np.ndarray],
    scores: Callable[[np.ndarray], np.ndarray],
    inputs: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose token after token; return tokens, log probabilities and their number in each row.

    ``numbers (n,)`` are those of the rows of the stream.
    """
    rows = np.arange(len(y))  # those that have not stopped
    tokens, log_p = np.zeros((len(y), steps), np.int64), np.zeros((len(y), steps))
    count = np.full(len(y), steps)
    for t in range(steps):
        own = scores(y)
        chosen = choose(own, numbers[rows], t)
        tokens[rows, t], log_p[rows, t] = chosen, own[np.arange(len(rows)), chosen]
        going = ~np.isin(chosen, stop)
        count[rows[~going]] = t + 1
        if t + 1 == steps or not going.any():
            break
        if not going.all():
            stream.take(going)
            rows, chosen = rows[going], chosen[going]
        y = stream.step(inputs(chosen))
    return tokens, log_p, count


def extrapolate(
    net: Streamable,
    x: Any,
    steps: int,
    lengths: Any = None,
    feedback: Callable[[np.ndarray], Any] | None = None,
) -> np.ndarray:
    """Continue sequences of values: each output becomes the next input.

    :func:`generate` does the same for a network of values.

    Parameters
    ----------
    net : Network
        The network. Its output at step t is used as the input at step t + 1.
    x : array of shape (N, T, F), or list of arrays (T_i, F)
        The sequences so far.
    steps : int
        Number of steps to add.
    lengths : array of int of shape (N,), optional
        Number of steps of each row; each row is continued from its own end.
    feedback : callable, optional
        Function that returns the next input (N, F) for an output (N, K); needed if K is not F.

    Returns
    -------
    ndarray of shape (N, steps, K)

    Raises
    ------
    InvalidArgumentError
        If outputs cannot be inputs, or the network cannot run as a stream.

    Examples
    --------
    >>> import throughtime as tt
    >>> layers = [tt.layers.RNN(4, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=1)
    >>> net.extrapolate(np.zeros((2, 9, 1)), steps=5).shape
    (2, 5, 1)
    """
    check_int("steps", steps, 1)
    return _feed_back(net, find_target(net, None), x, steps, lengths, None, feedback, "x")


def _feed_back(
    net: Streamable,
    target: Target,
    prefix: Any,
    steps: int,
    lengths: Any,
    fixed: Any,
    feedback: Callable[[np.ndarray], Any] | None,
    name: str = "prefix",
) -> np.ndarray:
    """Values (N, S, K): each output makes the next input; for one row (S, K)."""
    if feedback is not None and not callable(feedback):
        raise InvalidTypeError(
            sentence("feedback", "a function of an output (N, K)", describe(feedback))
        )
    if feedback is None and (target.embeds or target.n_outputs != target.features):
        kind = "a token" if target.embeds else f"{target.features} numbers"
        raise InvalidArgumentError(
            f"feedback must be given, a function of an output ({target.n_outputs} numbers) that"
            f" returns the next input ({kind})."
        )
    beginning = begin(net, target, prefix, lengths, fixed, tokens=target.embeds, name=name)
    result = np.empty((beginning.rows, steps, target.n_outputs), dtype=net.dtype)
    for rows, stream, y in beginning.parts:
        result[rows, 0] = y
        for t in range(1, steps):
            y = output_of(net, stream.step(y if feedback is None else feedback(y)))
            result[rows, t] = y
    return result[0] if beginning.single else result


# -- arguments and results --------------------------------------------------------------------


def _refuse(given: dict[str, bool], unfit: Iterable[str], what: str) -> None:
    """Refuse options that were given and mean nothing for ``what``."""
    for name in unfit:
        if given[name]:
            raise InvalidArgumentError(f"{name} must be left out: it has no meaning for {what}.")


def _check_stop(stop: Any, n_outputs: int) -> list[int]:
    if stop is None:
        return []
    several = stop if isinstance(stop, list | tuple | set) else [stop]
    return [check_int("stop", token, 0, n_outputs - 1) for token in several]


def _check_finite(log_p: np.ndarray) -> np.ndarray:
    if np.isnan(log_p).any():
        raise DataError(
            "the network gives no probabilities: its output is not finite. Its training may have"
            " diverged."
        )
    return log_p


def _shaped(part: np.ndarray, count: np.ndarray, single: bool, ragged: bool) -> Any:
    """Results (N, S) in the form that the caller receives."""
    if single:
        return part[0, : count[0]]
    return unpad(part, count) if ragged else part
