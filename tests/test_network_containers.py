"""The containers of several arrays."""

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.network.containers import Container

TWO = Container("dict", ("a", "b"))


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_values_come_by_name_or_in_order(kind):
    box = Container(kind, ("a", "b"))
    for given in ({"b": 2, "a": 1}, [1, 2], (1, 2)):
        assert box.spread("x", given) == (1, 2)
    assert box.spread("x", {"b": 2}, part=True) == (None, 2)
    assert box.spread("x", {}, part=True) == (None, None)
    assert box.gather((1, 2)) == ({"a": 1, "b": 2} if kind == "dict" else [1, 2])


def test_a_single_value_stands_alone():
    one = Container.single()
    assert one == Container("single", ("0",))
    array = np.zeros(3)
    for given in (array, [array, array], [array], 3):
        assert one.spread("x", given) == (given,)
    assert one.spread("x", {"0": 3}) == (3,)
    assert one.gather((array,)) is array
    listed = Container("list", ("0",))
    assert listed.spread("x", [3]) == (3,)
    assert listed.spread("x", array)[0] is array
    assert listed.spread("x", [1, 2]) == ([1, 2],)
    assert listed.gather((3,)) == [3]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((2, 3)), InvalidTypeError,
         ("x must be a dict with 'a' and 'b', or a list of 2; got an array of shape (2, 3) and"
         " dtype float64.")),
        (3, InvalidTypeError, "x must be a dict with 'a' and 'b', or a list of 2; got 3."),
        ([1], ShapeError, "x must be a dict with 'a' and 'b', or a list of 2; got 1 of them."),
        ({"a": 1}, InvalidArgumentError, "x must hold 'a' and 'b'; got no 'b'."),
        ({"a": 1, 3: 2}, InvalidArgumentError, "a key of x must be one of 'a', 'b'; got 3."),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_container_of_two_is_refused(value, error, message):
    with pytest.raises(error) as caught:
        TWO.spread("x", value)
    assert str(caught.value) == message


def test_three_names_are_listed():
    with pytest.raises(InvalidArgumentError) as caught:
        Container("dict", ("a", "b", "c")).spread("dy", {"a": 1})
    assert str(caught.value) == "dy must hold 'a', 'b' and 'c'; got no 'b'."
