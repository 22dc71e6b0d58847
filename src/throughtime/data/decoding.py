"""From outputs to labels: paths through time, and the distance between two lists of labels.

These are the ways back of the losses ``"ctc"`` and ``"crf"``. Probabilities of single steps need no
more than :func:`~throughtime.data.labels`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from throughtime.data.sequences import check_sequences
from throughtime.errors import DataError, ShapeError, check_bool, check_int, sentence
from throughtime.losses import crf
from throughtime.losses.floors import log_floored, smallest
from throughtime.losses.labels import END, label_rows

__all__ = ["crf_marginals", "crf_viterbi", "ctc_beam", "ctc_greedy", "edit_distance"]


def ctc_greedy(
    y: Any, lengths: Any = None, *, mask: Any = None, blank: int = 0
) -> list[np.ndarray]:
    """Labels of the most probable path: the largest output of each step on its own.

    Parameters
    ----------
    y : array of shape (N, T, K), or list of arrays (T_i, K)
        Outputs of a network that was trained with ``loss="ctc"``.
    lengths : array of int of shape (N,), optional
        Number of steps of each sequence.
    mask : array of bool of shape (N, T), optional
        True at the steps that count.
    blank : int
        Number of the class that means "no label".

    Returns
    -------
    list of ndarray of int64 of shape (L_i,)

    Examples
    --------
    >>> path = [0, 1, 1, 0, 1, 2]
    >>> ctc_greedy([np.eye(3)[path]])
    [array([1, 1, 2])]
    """
    array, real = _outputs(y, lengths, mask, blank)
    best = array.argmax(axis=2)
    found = []
    for path, counts in zip(best, real, strict=True):
        path = path[counts]
        starts = np.ones(len(path), dtype=bool)
        starts[1:] = path[1:] != path[:-1]
        found.append(path[starts & (path != blank)])
    return found


def ctc_beam(
    y: Any,
    lengths: Any = None,
    *,
    mask: Any = None,
    blank: int = 0,
    width: int = 10,
    best: int = 1,
    return_scores: bool = False,
) -> Any:
    """Most probable labels, by prefix beam search: paths that leave the same labels are added.

    Equations (CT7) and (CT8). Of equally probable beginnings the one found first is kept.

    Parameters
    ----------
    y, lengths, mask, blank :
        As in :func:`ctc_greedy`; the outputs are probabilities.
    width : int
        Number of beginnings to keep after each step.
    best : int
        Number of answers for each sequence, the most probable one first; at most ``width``.
    return_scores : bool
        Whether to return the logarithm of the probability of each answer, too: of the paths that
        the search has seen.

    Returns
    -------
    labels : list of ndarray of int64 of shape (L_i,)
        With ``best`` above 1, a list of such lists.
    scores : list of float
        With ``return_scores``; with ``best`` above 1, a list of such lists.

    Examples
    --------
    The most probable path leaves nothing, but two paths and more leave a 1:

    >>> y = [[[0.6, 0.4], [0.6, 0.4]]]
    >>> ctc_greedy(y), ctc_beam(y)
    ([array([], dtype=int64)], [array([1])])
    """
    array, real = _outputs(y, lengths, mask, blank)
    if array.size and (array.min() < 0.0 or array.max() > 1.0 + 1e-3):
        bad = array[(array < 0.0) | (array > 1.0 + 1e-3)][0]
        raise DataError(sentence("y", "probabilities", f"{bad:g}", must="hold"))
    width = check_int("width", width, 1)
    best = check_int("best", best, 1, width)
    check_bool("return_scores", return_scores)
    log_p, _ = log_floored(array, smallest(np.finfo(array.dtype)))
    found = [
        _search(own[counts], blank, width)[:best] for own, counts in zip(log_p, real, strict=True)
    ]
    answers: list[Any] = [[labels for labels, _ in each] for each in found]
    scores: list[Any] = [[score for _, score in each] for each in found]
    if best == 1:
        answers, scores = [each[0] for each in answers], [each[0] for each in scores]
    return (answers, scores) if return_scores else answers


def _search(log_p: np.ndarray, blank: int, width: int) -> list[tuple[np.ndarray, float]]:
    """The most probable labels of one sequence (T, K), and the logarithms of their probabilities.

    ``ends`` and ``goes`` are log p- and log p+ of (CT7) for each beginning.
    """
    n_classes = log_p.shape[1]
    prefixes: list[tuple[int, ...]] = [()]
    ends, goes = np.zeros(1), np.full(1, -np.inf)
    for row in log_p:
        both = np.logaddexp(ends, goes)
        last = np.array([prefix[-1] if prefix else blank for prefix in prefixes])
        new_ends = both + row[blank]
        new_goes = np.where(last == blank, -np.inf, goes + row[last])  # (CT7)
        longer = both[:, None] + row
        longer[np.arange(len(last)), last] = ends + row[last]
        longer[:, blank] = -np.inf  # (CT8)
        at = {prefix: i for i, prefix in enumerate(prefixes)}
        for i, prefix in enumerate(prefixes):
            parent = at.get(prefix[:-1]) if prefix else None
            if parent is not None:  # two ways to the same labels
                new_goes[i] = np.logaddexp(new_goes[i], longer[parent, prefix[-1]])
                longer[parent, prefix[-1]] = -np.inf
        scores = np.concatenate((np.logaddexp(new_ends, new_goes), longer.ravel()))
        order = np.argsort(-scores, kind="stable")[:width]
        order = order[scores[order] > -np.inf]
        kept, grown = len(prefixes), []
        for i in order:
            if i < kept:
                grown.append((prefixes[i], new_ends[i], new_goes[i]))
            else:
                parent, label = divmod(int(i) - kept, n_classes)
                grown.append(((*prefixes[parent], label), -np.inf, longer[parent, label]))
        prefixes = [prefix for prefix, _, _ in grown]
        ends = np.array([end for _, end, _ in grown])
        goes = np.array([go for _, _, go in grown])
    scores = np.logaddexp(ends, goes)
    order = np.argsort(-scores, kind="stable")
    return [(np.array(prefixes[i], dtype=np.int64), float(scores[i])) for i in order]


def crf_viterbi(y: Any, lengths: Any = None, *, mask: Any = None) -> np.ndarray:
    """Most probable tags of each sequence, all together, by the algorithm of Viterbi (1967).

    Parameters
    ----------
    y : array of shape (N, T, K K), or list of arrays (T_i, K K)
        Outputs of a network that ends with :class:`throughtime.layers.CRF`.
    lengths : array of int of shape (N,), optional
        Number of steps of each sequence.
    mask : array of bool of shape (N, T), optional
        True at the steps that count.

    Returns
    -------
    ndarray of int64 of shape (N, T)
        -1 at masked steps.
    """
    array, real = _potentials(y, lengths, mask)
    return crf.viterbi(array, real)


def crf_marginals(y: Any, lengths: Any = None, *, mask: Any = None) -> np.ndarray:
    """Probability of each tag at each step, over all tags of the other steps.

    Parameters
    ----------
    y, lengths, mask :
        As in :func:`crf_viterbi`.

    Returns
    -------
    ndarray of float64 of shape (N, T, K)
        0 at masked steps.
    """
    array, real = _potentials(y, lengths, mask)
    return crf.marginals(array, real)


def edit_distance(a: Any, b: Any) -> np.ndarray:
    """Fewest insertions, deletions and replacements that turn one list of labels into another.

    Levenshtein (1966).

    Parameters
    ----------
    a, b : list of N arrays of int, or arrays of shape (N, L)
        Two lists of lists of labels; a number below 0 ends a list.

    Returns
    -------
    ndarray of int64 of shape (N,)

    Examples
    --------
    >>> edit_distance([[1, 2, 3], [], [1, 1]], [[2, 3, 4], [5], [1, 1]])
    array([2, 1, 0])
    """
    left, right = label_rows("a", a), label_rows("b", b)
    if len(left) != len(right):
        expected = f"as many lists of labels as a, {len(left)}"
        raise ShapeError(sentence("b", expected, f"{len(right)}", must="hold"))
    return distances(left, right)


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """:func:`edit_distance` of arrays of labels (N, L) and (N, M), END after the last label."""
    rows, width = np.arange(len(left)), right.shape[1]
    steps = np.arange(width + 1)
    row = np.tile(steps, (len(left), 1))
    for i in range(left.shape[1]):
        new = np.empty_like(row)
        new[:, 0] = i + 1
        replaced = row[:, :-1] + (left[:, i, None] != right)
        new[:, 1:] = np.minimum(row[:, 1:] + 1, replaced)
        # An insertion is a step to the right: the smallest of all values to the left and the way.
        new = np.minimum.accumulate(new - steps, axis=1) + steps
        row = np.where((left[:, i] == END)[:, None], row, new)
    found: np.ndarray = row[rows, (right != END).sum(axis=1)]
    return found


def _outputs(y: Any, lengths: Any, mask: Any, blank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return checked outputs of CTC in a float type, and the mask."""
    array, real = check_sequences(y, lengths, mask, name="y")
    blank = check_int("blank", blank, 0, array.shape[2] - 1)
    array = array if array.dtype.kind == "f" else array.astype(np.float64)
    return array, np.ones(array.shape[:2], dtype=bool) if real is None else real


def _potentials(y: Any, lengths: Any, mask: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return checked outputs of a CRF in float64, and the mask."""
    array, real = check_sequences(y, lengths, mask, dtype=np.float64, name="y")
    if math.isqrt(array.shape[2]) ** 2 != array.shape[2]:
        expected = "K * K outputs of a step, for K tags"
        raise ShapeError(sentence("y", expected, f"{array.shape[2]}", must="have"))
    return array, np.ones(array.shape[:2], dtype=bool) if real is None else real
