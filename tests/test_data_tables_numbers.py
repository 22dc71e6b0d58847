"""Numbers in cells of text, in the many ways people write them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.tables.numbers import UnreadableError, parse_numbers


@given(st.lists(st.one_of(st.none(), st.floats(allow_infinity=False)), min_size=1))
def test_numbers_round_trip(values):
    texts = ["" if value is None else repr(value) for value in values]
    want = [np.nan if value is None else value for value in values]
    np.testing.assert_array_equal(parse_numbers(texts), want)
    points = [text.replace(".", ",") for text in texts]
    np.testing.assert_array_equal(parse_numbers(points, ";"), want)


@pytest.mark.parametrize(
    ("texts", "separator", "want"),
    [
        (["1,234", "12"], ",", [1234, 12]),
        (["1,234", "12"], ";", [1.234, 12]),
        (["1,234", "1,234.5"], ";", [1234, 1234.5]),
        (["3,14", "2"], ",", [3.14, 2]),
        (["1.500,5", "2.000"], ";", [1500.5, 2000]),
        (["1 234", "1'234'567", "12\u202f000"], ",", [1234, 1234567, 12000]),
        (["1 234,5"], ";", [1234.5]),
        (["+1", "-2e3", " 7 "], ",", [1, -2000, 7]),
        (["NA", "n/a", "null", "?", "-", "."], ",", [np.nan] * 6),
    ],
)
def test_ways_to_write_numbers(texts, separator, want):
    np.testing.assert_array_equal(parse_numbers(texts, separator), want)


@pytest.mark.parametrize(
    "texts",
    [["1", "1_000"], ["1", "Infinity"], ["1", "5 %"], [*["1", "1,5", "2.5"][::2], "€ 5"]],
)
def test_what_is_no_number(texts):
    with pytest.raises(UnreadableError) as caught:
        parse_numbers(texts)
    assert caught.value.index == len(texts) - 1


def test_two_kinds_of_decimals_in_one_column_are_refused():
    with pytest.raises(UnreadableError):
        parse_numbers(["1,5", "2.5"], ";")
