"""One array, or a tuple of arrays of the same samples."""

import numpy as np

from throughtime.network.signals import alike, cut, each, first_of, mapped

A, B = np.arange(6).reshape(3, 2), np.arange(3)


def test_one_and_several():
    assert each(A) == (A,)
    assert each((A, B)) == (A, B)
    assert alike((A,)) is A
    assert alike((A, B)) == (A, B)
    assert first_of(A) is A
    assert first_of((A, B)) is A


def test_rows_of_all_and_none_of_none():
    rows = slice(1, 3)
    assert np.array_equal(cut(A, rows), A[1:3])
    a, none, b = cut((A, None, B), rows)
    assert np.array_equal(a, A[1:3])
    assert none is None
    assert np.array_equal(b, [1, 2])
    assert cut(None, rows) is None
    assert np.array_equal(cut(A, [2, 0]), A[[2, 0]])
    assert mapped(len, (A, None, B)) == (3, None, 3)
