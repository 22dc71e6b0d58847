"""Class ids, one-hot vectors and characters, turned into each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_int,
    describe,
    sentence,
)

__all__ = ["Vocabulary", "labels", "one_hot"]


def one_hot(ids: Any, n_classes: int | None = None, dtype: Any = "float32") -> np.ndarray:
    """Vectors with a one at the position of each id and zeros elsewhere.

    Parameters
    ----------
    ids : int array of shape (...)
        Class ids from 0 to ``n_classes - 1``.
    n_classes : int, optional
        Number of classes, K; by default one more than the largest id.
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    ndarray of shape (..., K)

    Raises
    ------
    InvalidTypeError
        If the ids are not integers.
    InvalidArgumentError
        If an id is out of range.

    Examples
    --------
    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    array = check_array("ids", ids, finite=False)
    if array.size and array.dtype.kind not in "iu":
        raise InvalidTypeError(
            sentence("ids", "integers", f"an array of dtype {array.dtype}", must="hold")
        )
    if n_classes is None:
        if array.size == 0:
            raise InvalidArgumentError(sentence("n_classes", "given when ids is empty", "None"))
        n_classes = int(array.max()) + 1
    else:
        n_classes = check_int("n_classes", n_classes, 1)
    if array.size and (array.min() < 0 or array.max() >= n_classes):
        bad = array[(array < 0) | (array >= n_classes)].flat[0]
        raise InvalidArgumentError(
            sentence("ids", f"from 0 to {n_classes - 1}", f"{bad}", value=bad)
        )
    hot = np.zeros((*array.shape, n_classes), dtype=_check_dtype(dtype))
    np.put_along_axis(hot, array[..., None].astype(np.intp), 1, axis=-1)
    return hot


def _check_dtype(dtype: Any) -> np.dtype:
    """Return ``dtype`` as a NumPy dtype if it is one of numbers."""
    named = isinstance(dtype, str | type | np.dtype)
    try:
        found = np.dtype(dtype) if named else None
    except (TypeError, ValueError):
        found = None
    if found is None or found.kind not in "biuf":
        raise InvalidArgumentError(sentence("dtype", "a type of numbers", describe(dtype)))
    return found


def _check_texts(name: str, texts: Any) -> Iterable[str]:
    """Return ``texts`` if it may be several texts, and is not a single one."""
    try:
        several = None if isinstance(texts, str | bytes) else iter(texts)
    except TypeError:
        several = None
    if several is None:
        raise InvalidTypeError(sentence(name, "a list of strings", describe(texts)))
    return several


def labels(scores: Any) -> np.ndarray:
    """Ids of the classes with the largest scores: ``(..., K)`` to int64 ``(...)``.

    Of equal scores the first wins.

    Examples
    --------
    >>> labels([[0.1, 0.7, 0.2], [1.0, 0.0, 0.0]])
    array([1, 0])
    """
    array = check_array("scores", scores)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ShapeError(sentence("scores", "of shape (..., K)", f"shape {array.shape}"))
    return np.argmax(array, axis=-1)


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of texts; the id of a symbol is its position.

    Parameters
    ----------
    symbols : str or sequence of str
        Single characters, all different.

    Examples
    --------
    >>> dna = Vocabulary("ACGT")
    >>> dna.encode("GATTACA")
    array([2, 0, 3, 3, 0, 1, 0])
    >>> dna.decode([2, 0, 3])
    'GAT'
    """

    symbols: Sequence[str]

    def __post_init__(self) -> None:
        try:
            symbols = tuple(self.symbols)
        except TypeError:
            got = describe(self.symbols)
            expected = "a string or a list of characters"
            raise InvalidTypeError(sentence("symbols", expected, got)) from None
        if not symbols:
            raise InvalidArgumentError(
                sentence("symbols", "at least one character", "nothing", must="hold")
            )
        for place, symbol in enumerate(symbols):
            if not isinstance(symbol, str) or len(symbol) != 1:
                raise InvalidArgumentError(
                    sentence("symbols", "single characters", describe(symbol), must="hold")
                )
            if symbol in symbols[:place]:
                raise InvalidArgumentError(
                    sentence("symbols", "all different", f"{symbol!r} twice")
                )
        object.__setattr__(self, "symbols", symbols)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Vocabulary:
        """The vocabulary of the characters in ``texts``, in the order of their code points."""
        found: set[str] = set()
        for text in _check_texts("texts", texts):
            if not isinstance(text, str):
                raise InvalidTypeError(sentence("texts", "a list of strings", describe(text)))
            found.update(text)
        return cls(tuple(sorted(found)))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> np.ndarray:
        """Ids ``(T,)`` of the characters of ``text``, as int64.

        Raises
        ------
        DataError
            If a character is not among the symbols.
        """
        if not isinstance(text, str):
            raise InvalidTypeError(sentence("text", "a string", describe(text)))
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        for at, symbol in enumerate(text):
            if symbol not in places:
                raise DataError(
                    sentence(
                        "text", f"made of {''.join(self.symbols)!r}", f"{symbol!r} at position {at}"
                    )
                )
        return np.array([places[symbol] for symbol in text], dtype=np.int64)

    def decode(self, ids: Any) -> str:
        """The text of ``ids (T,)``."""
        array = check_array("ids", ids, shape=("T",), finite=False)
        if array.size and array.dtype.kind not in "iu":
            raise InvalidTypeError(
                sentence("ids", "integers", f"an array of dtype {array.dtype}", must="hold")
            )
        if array.size and (array.min() < 0 or array.max() >= len(self)):
            bad = array[(array < 0) | (array >= len(self))][0]
            raise InvalidArgumentError(
                sentence("ids", f"from 0 to {len(self) - 1}", f"{bad}", value=bad)
            )
        return "".join(self.symbols[i] for i in array)

    def one_hot(self, texts: Iterable[str], dtype: Any = "float32") -> list[np.ndarray]:
        """One array ``(T_i, K)`` for each text: a list of sequences that networks accept."""
        several = _check_texts("texts", texts)
        return [one_hot(self.encode(text), len(self), dtype) for text in several]
