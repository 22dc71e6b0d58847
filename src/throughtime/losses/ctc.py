r"""Connectionist temporal classification: labels without their times (Graves et al., 2006).

A path gives each step a class or the blank; merging its repetitions and removing its blanks leaves
the labels. The loss is -log of the summed probability of all paths that leave the target. With the
extended target s_1 .. s_S, S = 2 L + 1, which has a blank before, between and after the labels,

    a_t(s) = log y_t(s) + logsum(a_{t-1}(s), a_{t-1}(s-1), a_{t-1}(s-2) if skip(s))       (CT2)
    b_t(s) = logsum(c_{t+1}(s), c_{t+1}(s+1), c_{t+1}(s+2) if skip(s+2)),
    c_t(s) = log y_t(s) + b_t(s)                                                           (CT3)
    l      = -logsum(a_T(S), a_T(S-1))                                                     (CT4)
    o_tk   = sum over s that are k of exp(a_t(s) + b_t(s) + l),   dl/dlog y_tk = -o_tk     (CT5)

where a label may skip the blank before it unless it repeats the label before, skip(s). All is in
float64 and in logarithms. A masked step is no step of a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from throughtime.errors import (
    Argument,
    DataError,
    InvalidArgumentError,
    Message,
    ShapeError,
    check_bool,
    check_int,
    sentence,
)
from throughtime.kernels import selection
from throughtime.kernels.arrays import packed
from throughtime.kernels.rule import own_kernel
from throughtime.losses.base import LOSSES, Terms
from throughtime.losses.classification import CategoricalCrossentropy, log_softmax
from throughtime.losses.domain import Domain
from throughtime.losses.floors import log_floored, smallest
from throughtime.losses.labels import END, label_rows
from throughtime.losses.sequence import SequenceLoss

#: The logarithm of an impossible event: finite, so that no difference of two of them is NaN, and
#: far beyond the sum of the logarithms of a possible path.
FAR = -1e300


@LOSSES.register("ctc")
@dataclass(frozen=True)
class CTC(SequenceLoss):
    """Connectionist temporal classification: labels without their times (Graves et al., 2006).

    The outputs are probabilities of K classes at every step, one of which is the blank; fused with
    ``softmax``. The target is a list of labels for each sequence, without blanks and without times:
    a list of arrays of different lengths, or an integer array (N, L) in which -1 stands after the
    last label. A list may be empty. With ``"mean"``, each sequence has the weight 1, whatever the
    number of its labels. :func:`~throughtime.data.ctc_greedy` and
    :func:`~throughtime.data.ctc_beam` turn outputs into labels.

    Parameters
    ----------
    blank : int
        Number of the class that means "no label".
    zero_infinity : bool
        Whether a target that no path leaves, because it is too long for its sequence, has the loss
        0 and no gradient. By default it is refused.

    Examples
    --------
    Two steps, classes blank, a, b; the paths that leave "a" are "a-", "-a" and "aa":

    >>> import numpy as np
    >>> value, dy = CTC()(np.full((1, 2, 3), 1 / 3), [[1]])
    >>> round(float(np.exp(-value)), 6) == round(3 / 9, 6)
    True
    """

    blank: int = 0
    zero_infinity: bool = False

    aligned: ClassVar[bool] = False
    activation: ClassVar[str | None] = "softmax"
    logits_kernel: ClassVar[str | None] = "ctc"
    domain: ClassVar[Domain | None] = CategoricalCrossentropy.domain

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("blank", self.blank, 0)
        check_bool("zero_infinity", self.zero_infinity)

    def outside_domain(self, y: np.ndarray) -> tuple[str, float] | None:
        return CategoricalCrossentropy().outside_domain(y)

    def check_n_outputs(self, n_outputs: int) -> None:
        if n_outputs <= max(self.blank, 1):
            least = max(self.blank + 1, 2)
            raise InvalidArgumentError(
                Message(
                    "{loss} {name!r} needs at least {least} outputs, one a label and one for the"
                    " blank, number {blank}; got {n_outputs}.",
                    parameter="loss",
                    value=self,
                    name=self.name,
                    least=least,
                    blank=self.blank,
                    n_outputs=n_outputs,
                )
            )

    def check_target(
        self, target: Any, y_shape: tuple[int, ...], mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Return labels as int64 (N, L), -1 after the last label, or say what is wrong with them.

        Parameters
        ----------
        target : list of N arrays of shape (L_n,), or array of shape (N, L)
            Labels of each sequence; in an array, -1 (any number below 0) stands after the last one.
        y_shape : tuple of int
            Shape of the outputs, (N, T, K).
        mask : ndarray of bool, of shape (N, T), optional
            True at the steps that count. The target of a sequence without one may hold anything.
        """
        self.check_axes(y_shape)
        n, steps, n_classes = y_shape
        self.check_n_outputs(n_classes)
        lengths = np.full(n, steps) if mask is None else mask.sum(axis=1)
        labels = label_rows("y", target, lengths > 0)
        if len(labels) != n:
            raise ShapeError(
                sentence("y", f"the labels of {n} sequences", f"{len(labels)}", must="hold")
            )
        bad = (labels >= n_classes) | (labels == self.blank)
        if bad.any():
            row, place = (int(i) for i in np.argwhere(bad)[0])
            expected = f"labels from 0 to {n_classes - 1} without the blank, {self.blank}"
            got = f"{labels[row, place]} at place {place}"
            hint = "" if self.blank else "Number the labels from 1, or set blank=."
            raise DataError(sentence(Argument("y", row), expected, got, hint, must="hold"))
        if not self.zero_infinity:
            needed = steps_needed(labels)
            short = (needed > lengths) & (lengths > 0)
            if short.any():
                row = int(np.argmax(short))
                expected = f"labels that fit into the {lengths[row]} steps of its output"
                got = f"{(labels[row] != END).sum()} labels, which need {needed[row]}"
                hint = "Give longer sequences, or ignore such targets with zero_infinity=True."
                raise DataError(sentence(Argument("y", row), expected, got, hint, must="hold"))
        return labels

    def sequence_terms(
        self, y: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: np.finfo
    ) -> Terms:
        log_p, slope = log_floored(y, smallest(limits))
        terms, occupancy, possible = self._terms(log_p, target, mask)
        return terms, np.where(possible, -occupancy * slope, 0.0)

    def sequence_terms_from_logits(
        self, z: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: np.finfo
    ) -> Terms:
        rows = log_softmax(z.reshape(-1, z.shape[-1]))
        log_p, p, not_p = (part.reshape(z.shape) for part in rows)
        terms, occupancy, possible = self._terms(log_p, target, mask)
        # p - occupancy, in a form without cancellation where the answer is nearly right
        dz = p * (1.0 - occupancy) - occupancy * not_p
        return terms, np.where(possible, dz, 0.0)

    def _compiled_terms(
        self,
        y: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
        share: np.ndarray,
        dy: np.ndarray,
        logits: bool,
    ) -> np.ndarray | None:
        kernels = selection.kernels()
        if kernels is None or not logits or own_kernel(self, "logits_kernel") is None:
            return None
        terms, flags = np.zeros(len(y)), None if mask is None else packed(mask)
        if not kernels.ctc(packed(y), packed(target), flags, share, self.blank, terms, dy):
            return None
        impossible = np.isposinf(terms)
        if self.zero_infinity:
            terms[impossible] = 0.0
        for row in np.flatnonzero(impossible):
            real = slice(None) if mask is None else mask[row]
            dy[row, real] = 0.0 if self.zero_infinity else np.nan
        return terms

    def _terms(
        self, log_p: np.ndarray, target: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return l (N,), the occupancies (N, T, K), and which sequences count (N, 1, 1)."""
        terms, occupancy = paths(log_p, target, mask, self.blank)
        counts = np.ones(len(terms), dtype=bool)
        if self.zero_infinity:
            counts = ~np.isposinf(terms)
            terms = np.where(counts, terms, 0.0)
        return terms, occupancy, counts[:, None, None]


def steps_needed(labels: np.ndarray) -> np.ndarray:
    """Return the fewest steps (N,) that labels (N, L) need: a blank stands between equal ones."""
    repeated = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != END)
    needed: np.ndarray = (labels != END).sum(axis=1) + repeated.sum(axis=1)
    return needed


def paths(
    log_p: np.ndarray, labels: np.ndarray, mask: np.ndarray, blank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum over all paths that leave the labels.

    Parameters
    ----------
    log_p : ndarray of shape (N, T, K)
        Logarithms of the outputs.
    labels : ndarray of int of shape (N, L)
        Labels, END after the last one.
    mask : ndarray of bool of shape (N, T)
        True at the unmasked steps.
    blank : int

    Returns
    -------
    loss : ndarray of shape (N,)
        (CT4); infinite where no path leaves the labels.
    occupancy : ndarray of shape (N, T, K)
        (CT5): the share of the paths that are at class k in step t; 0 at masked steps, NaN where no
        path leaves the labels.
    """
    (n, steps, n_classes), rows = log_p.shape, np.arange(len(log_p))
    states = np.full((n, 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = np.where(labels == END, blank, labels)
    skip = np.full(states.shape, FAR)
    fresh = states[:, 2:] != states[:, :-2]
    skip[:, 2:][fresh] = 0.0  # never a blank: all blanks are equal
    log_y = np.take_along_axis(log_p, states[:, None], axis=2).swapaxes(0, 1)
    log_y = np.maximum(log_y, FAR, order="C")  # (T, N, S); log 0 is finite, NaN stays
    real = np.ascontiguousarray(mask.T)[..., None]
    end = 2 * (labels != END).sum(axis=1)

    # Two columns stand before and after the states, so that a step to either side is a slice.
    before = np.full((n, states.shape[1] + 2), FAR)
    a, before[:, 2] = np.empty(log_y.shape), 0.0  # the blank before the first label
    for t in range(steps):  # (CT2)
        new = log_y[t] + _logsum(before[:, 2:], before[:, 1:-1], before[:, :-2] + skip)
        before[:, 2:] = np.where(real[t], new, before[:, 2:])
        a[t] = before[:, 2:]

    after = np.full(before.shape, FAR)
    b, far = after[:, :-2], np.full((n, 2), FAR)
    b[rows, end] = b[rows, np.maximum(end - 1, 0)] = 0.0
    last = a[-1] + b if steps else np.full_like(b, FAR)
    peak = last.max(axis=1, keepdims=True)
    loss = -(peak[:, 0] + np.log(np.exp(last - peak).sum(axis=1)))  # (CT4)
    ahead = np.hstack((skip[:, 2:], far))
    for t in reversed(range(steps)):  # (CT3)
        a[t] += b
        c = after.copy()
        c[:, :-2] += log_y[t]
        b[...] = np.where(real[t], _logsum(c[:, :-2], c[:, 1:-1], c[:, 2:] + ahead), b)
    loss[loss > -FAR / 2] = np.inf
    # Divided by their own sum, which is exp(-l) but for rounding errors that grow with T.
    a -= a.max(axis=2, keepdims=True)
    np.exp(a, out=a)
    a *= real / a.sum(axis=2, keepdims=True)
    place = (rows[None, :, None] * steps + np.arange(steps)[:, None, None]) * n_classes + states
    total = np.bincount(place.ravel(), a.ravel(), n * steps * n_classes)  # (CT5)
    occupancy = total.reshape(log_p.shape)
    occupancy[np.isposinf(loss)] = np.nan
    return loss, occupancy


def _logsum(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """log(exp a + exp b + exp c)."""
    peak = np.maximum(np.maximum(a, b), c)
    total: np.ndarray = peak + np.log(np.exp(a - peak) + np.exp(b - peak) + np.exp(c - peak))
    return total
