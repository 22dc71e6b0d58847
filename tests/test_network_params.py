"""Params: one flat vector and its views, and the names of parameters."""

import copy
import pickle
import re

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.network.params import Params, check_dtype

SHAPES = {"0.W_x": (2, 3), "0.b": (3,), "0.forward.W_h": (1, 1), "1.scale": ()}


def numbered():
    params = Params(SHAPES, "float64")
    params.flat = np.arange(11.0)
    return params


def test_starts_at_zero():
    params = Params(SHAPES)
    assert params.dtype == np.float32
    assert params.size == len(params.flat) == 11
    assert not params.flat.any()


def test_names_keep_their_order_and_shapes():
    params = numbered()
    assert list(params) == list(SHAPES)
    assert {name: view.shape for name, view in params.items()} == SHAPES
    np.testing.assert_array_equal(params["0.W_x"], [[0, 1, 2], [3, 4, 5]])
    assert params["1.scale"] == 10


def test_views_and_vector_are_the_same_memory():
    params = numbered()
    assert all(np.shares_memory(view, params.flat) for view in params.values())
    params["0.b"] += 100
    np.testing.assert_array_equal(params.flat[6:9], [106, 107, 108])
    params.flat -= 1
    assert params["0.W_x"][0, 0] == -1
    params.flat = 7
    assert params["1.scale"] == 7
    assert all(np.shares_memory(view, params.flat) for view in params.values())


def test_setting_an_array_copies_into_the_view():
    params, values = numbered(), np.ones(3, "float32")
    params["0.b"] = values
    values[:] = 5
    np.testing.assert_array_equal(params["0.b"], 1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("0.b", np.ones(4), "params['0.b'] must be of shape (3,); got shape (4,)."),
        ("0.W_x", np.ones(3), "params['0.W_x'] must be of shape (2, 3); got shape (3,)."),
    ],
)
def test_a_wrong_shape_is_not_broadcast(name, value, message):
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        numbered()[name] = value


def test_flat_of_a_wrong_length_is_refused():
    message = r"^params.flat must be of shape \(11,\); got shape \(3,\)\.$"
    with pytest.raises(ShapeError, match=message):
        numbered().flat = np.ones(3)


def test_unknown_name():
    with pytest.raises(KeyError, match=r"no parameter '0.W'; there are 0.W_x, 0.b, "):
        numbered()["0.W"]


def test_group_is_the_tree_below_a_prefix():
    params = numbered()
    group = params.group("0")
    assert set(vars(group)) == {"W_x", "b", "forward"}
    assert group.b is params["0.b"]
    assert group.forward.W_h is params["0.forward.W_h"]
    assert vars(params.group("0.forward")) == {"W_h": params["0.forward.W_h"]}
    assert vars(params.group("2")) == {}


def test_a_name_tells_owner_local_name_leaf_and_whether_it_is_a_weight():
    names = {
        "0.W_x": ("0", "W_x", "W_x", True),
        "0.b": ("0", "b", "b", False),
        "10.forward.W_h": ("10", "forward.W_h", "W_h", True),
        "encoder.backward.h_0": ("encoder", "backward.h_0", "h_0", False),
    }
    for name, parts in names.items():
        told = Params.owner(name), Params.local(name), Params.leaf(name), Params.is_weight(name)
        assert told == parts


def test_owned_are_the_arrays_of_one_owner_alone():
    params = Params(SHAPES | {"10.b": (2,)})
    assert list(params.owned("0")) == ["0.W_x", "0.b", "0.forward.W_h"]
    assert params.owned("1") == {"1.scale": params["1.scale"]}
    assert list(params.owned("10")) == ["10.b"]
    assert params.owned("2") == {}


def test_copies_are_independent():
    params = numbered()
    for other in (params.copy(), copy.deepcopy(params), pickle.loads(pickle.dumps(params))):
        assert other == params
        other["0.b"] = 0
        assert all(np.shares_memory(view, other.flat) for view in other.values())
        assert other != params
    assert params == numbered()


def test_astype_and_zeros_like():
    params = numbered()
    single = params.astype("float32")
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single.flat, params.flat)
    assert single != params
    zeros = params.zeros_like()
    assert zeros.shapes == params.shapes
    assert zeros == Params(SHAPES, "float64")


def test_equality_looks_at_names_and_other_types():
    assert Params({"a": (2,)}) != Params({"b": (2,)})
    assert Params({"a": (2,)}) != {"a": np.zeros(2)}
    with pytest.raises(TypeError, match="unhashable"):
        hash(numbered())


@pytest.mark.parametrize(
    ("index", "place"),
    [(0, ("0.W_x", (0, 0))), (5, ("0.W_x", (1, 2))), (6, ("0.b", (0,))), (10, ("1.scale", ()))],
)
def test_locate(index, place):
    params = numbered()
    assert params.locate(index) == place
    name, where = place
    assert params[name][where] == index


def test_locate_skips_empty_arrays():
    assert Params({"a": (0, 3), "b": (1,)}).locate(0) == ("b", (0,))


@pytest.mark.parametrize("index", [-1, 11])
def test_locate_refuses(index):
    message = rf"^index must be an integer from 0 to 10; got {index}\.$"
    with pytest.raises(InvalidArgumentError, match=message):
        numbered().locate(index)
    with pytest.raises(InvalidTypeError):
        numbered().locate(0.0)


def test_repr():
    assert repr(Params({"0.b": (3,)})) == "Params(3 numbers, float32: 0.b (3,))"


@pytest.mark.parametrize("dtype", ["float32", np.float64, float, np.dtype("f4")])
def test_float_types(dtype):
    assert check_dtype(dtype) == np.dtype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "int64", ">f8", "double precision", None])
def test_other_types_are_refused(dtype):
    message = f"dtype must be 'float32' or 'float64'; got {dtype!r}."
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(message)}$"):
        Params(SHAPES, dtype)
