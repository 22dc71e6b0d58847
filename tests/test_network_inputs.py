"""Inputs of networks: containers, steps and masks that inputs share, tokens, wrong arguments."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError
from throughtime.layers import GRU, Add, Concatenate, Dense, Dropout, Embedding, LastStep, MeanPool

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 4, 5, 2))
V = RNG.normal(size=(4, 3))
LENGTHS = np.array([5, 2, 0, 3])


def apart(container=dict):
    """Two sequences that never meet, and a vector."""
    a, b = tt.Input(2, name="a"), tt.Input(2, name="b")
    v = tt.Input(3, time=False, name="v")
    ends = {"y": GRU(2)(a), "z": Dense(1)(Concatenate()([GRU(3, return_sequences=True)(b), v]))}
    inputs = {"a": a, "b": b, "v": v} if container is dict else [a, b, v]
    outputs = ends if container is dict else list(ends.values())
    return tt.Network(inputs=inputs, outputs=outputs, dtype="float64")


def together(*forms, **options):
    """Two sequences that meet at every step."""
    a, b = tt.Input(2, name="a", **options), tt.Input(2, name="b", **options)
    return tt.Network(inputs=[a, b], outputs=Dense(1)(Concatenate()([a, b])), dtype="float64")


# -- containers -------------------------------------------------------------------------------


def test_what_goes_in_decides_how_gradients_come_back():
    net = apart()
    by_name, in_order = {"v": V, "a": A, "b": B}, [A, B, V]
    y, tape = net.forward(by_name)
    assert list(y) == ["y", "z"]
    z, other = net.forward(in_order)
    dy = {name: np.ones_like(one) for name, one in y.items()}
    dx = net.backward(tape, dy)
    assert list(dx) == ["a", "b", "v"]
    back = net.backward(other, list(dy.values()))
    assert isinstance(back, list)
    for name, one in zip(dx, back, strict=True):
        assert np.array_equal(dx[name], one)
        assert one.shape == by_name[name].shape
    for name in y:
        assert np.array_equal(y[name], z[name])
        assert np.array_equal(net.predict(tuple(in_order))[name], y[name])


def test_outputs_come_in_the_container_that_they_were_declared_in():
    y = apart(list).predict([A, B, V])
    assert isinstance(y, list)
    assert [one.shape for one in y] == [(4, 2), (4, 5, 1)]
    a = tt.Input(2, name="a")
    h = GRU(2)(a)
    one, listed, named = (tt.Network(inputs=a, outputs=end) for end in (h, [h], {"y": h}))
    assert isinstance(one.predict(A), np.ndarray)
    assert np.array_equal(listed.predict(A)[0], one.predict(A))
    assert np.array_equal(named.predict({"a": A})["y"], one.predict(A))
    for net, dy in (
        (one, np.ones((4, 2))),
        (listed, [np.ones((4, 2))]),
        (named, {"y": np.ones((4, 2))}),
    ):
        _, tape = net.forward(A)
        assert net.backward(tape, dy).shape == A.shape
        _, tape = net.forward({"a": A})
        assert list(net.backward(tape, dy)) == ["a"]


def test_a_list_of_one_input_is_a_single_one():
    """A list of one array would look like a list of ragged sequences."""
    a = tt.Input(2)
    net = tt.Network(inputs=[a], outputs=GRU(2)(a))
    assert net.predict(A).shape == (4, 2)
    assert net.predict([A[0], A[1, :3]]).shape == (2, 2)


def test_a_gradient_that_is_missing_is_zero_and_comes_back_as_none():
    net = apart()
    y, tape = net.forward([A, B, V])
    dx = net.backward(tape, {"y": np.ones((4, 2)), "z": None})
    assert dx[0].any()
    assert dx[1] is None
    assert dx[2] is None
    assert net.backward(tape, [None, np.ones((4, 5, 1))])[0] is None
    assert y["z"].shape == (4, 5, 1)


def test_what_the_caller_does_to_arrays_afterwards_changes_nothing():
    net = together()
    a, b = A.copy(), B.copy()
    y, tape = net.forward([a, b])
    dy = np.ones_like(y)
    net.backward(tape, dy)
    want = net.grads.flat.copy()
    net.grads.flat = 0.0
    y, tape = net.forward([a, b])
    a[...] = b[...] = y[...] = 7.0
    net.backward(tape, dy)
    assert np.array_equal(net.grads.flat, want)


def test_predictions_in_parts_of_the_rows_are_the_whole():
    net = apart()
    lengths = {"a": LENGTHS, "b": LENGTHS[::-1]}
    whole = net.predict([A, B, V], lengths)
    for size in (1, 3):
        parts = net.predict([A, B, V], lengths, batch_size=size)
        for name in whole:
            np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12, atol=1e-14)


# -- steps and masks --------------------------------------------------------------------------


def test_each_input_may_have_lengths_or_a_mask_or_be_a_list():
    net = apart()
    mask = np.arange(5) < LENGTHS[:, None]
    want = net.predict([A, B, V], lengths={"a": LENGTHS})
    for given in (
        {"lengths": [LENGTHS, None, None]}, {"mask": {"a": mask}}, {"mask": [mask, None, None]},
        {"lengths": (list(LENGTHS), None, None)},
    ):  # fmt: skip
        found = net.predict([A, B, V], **given)
        for name in want:
            assert np.array_equal(found[name], want[name])
    found = net.predict([[a[:n] for a, n in zip(A, LENGTHS, strict=True)], B, V])
    assert np.array_equal(found["y"], want["y"])
    _, tape = net.forward([A, B, V], lengths={"a": LENGTHS, "b": LENGTHS[::-1]})
    assert np.array_equal(tape.mask[0], mask)
    assert np.array_equal(tape.mask[1], mask[::-1])
    assert tape.mask[2] is None
    assert tape.output_mask[0] is None
    assert np.array_equal(tape.output_mask[1], mask[::-1])


@pytest.mark.parametrize(
    "given",
    [
        {"lengths": LENGTHS}, {"lengths": list(LENGTHS)}, {"lengths": {"a": LENGTHS}},
        {"lengths": {"b": LENGTHS}}, {"lengths": [LENGTHS, LENGTHS]},
        {"mask": np.arange(5) < LENGTHS[:, None]}, {"mask": {"b": np.arange(5) < LENGTHS[:, None]}},
    ],
    ids=lambda given: f"{next(iter(given))}, {type(next(iter(given.values()))).__name__}",
)  # fmt: skip
def test_inputs_that_meet_have_one_mask_that_either_brings(given):
    """What the other one holds at the masked steps does not matter either."""
    net = together()
    mask = np.arange(5) < LENGTHS[:, None]
    want = np.where(mask[..., None], net.predict([A, B]), 0)
    a, b = (np.where(mask[..., None], one, np.nan) for one in (A, B))
    y, tape = net.forward([a, b], **given)
    np.testing.assert_allclose(y, want, rtol=1e-14, atol=1e-15)
    assert np.array_equal(tape.output_mask, mask)
    for dx in net.backward(tape, np.ones_like(y)):
        assert not dx[~mask].any()
        assert dx[mask].all()


def test_an_input_may_be_a_ragged_list_beside_an_array():
    net = together()
    lengths = np.array([5, 2, 1, 3])
    ragged = [b[:n] for b, n in zip(B, lengths, strict=True)]
    assert np.array_equal(net.predict([A, ragged]), net.predict([A, B], lengths))


MEETING = "because a layer takes both together"
DIFFER = {
    "two lengths": (
        [A, B], {"lengths": [LENGTHS, [5, 2, 1, 3]]},
        f"x['b'] and x['a'] must have the same unmasked steps, {MEETING}; they differ in row 2.",
    ),
    "whole and shorter": (
        [A, B], {"lengths": {"a": [5, 5, 5, 5], "b": [5, 4, 5, 5]}},
        f"x['b'] and x['a'] must have the same unmasked steps, {MEETING}; they differ in row 1.",
    ),
    "shorter and whole": (
        [A, B], {"mask": {"a": np.arange(5) < [[5], [5], [5], [4]], "b": np.ones((4, 5), bool)}},
        f"x['b'] and x['a'] must have the same unmasked steps, {MEETING}; they differ in row 3.",
    ),
    "a whole list": (
        [A, list(B)], {"lengths": {"a": [5, 4, 5, 5]}},
        f"x['b'] and x['a'] must have the same unmasked steps, {MEETING}; they differ in row 1.",
    ),
    "steps": ([A, B[:, :4]], {}, f"x['b'] must have the 5 steps of x['a'], {MEETING}; got 4."),
    "steps, with lengths": (
        [A, B[:, :4]], {"lengths": {"a": LENGTHS}},
        f"x['b'] must have the 5 steps of x['a'], {MEETING}; got 4.",
    ),
    "rows": ([A, B[:3]], {}, "x['b'] must have 4 rows, as x['a'] has; got 3."),
    "rows, with lengths": (
        [A, B[:3]], {"lengths": {"a": LENGTHS}}, "x['b'] must have 4 rows, as x['a'] has; got 3.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFER)
def test_steps_that_do_not_match_are_refused(name):
    x, given, message = DIFFER[name]
    with pytest.raises(ShapeError) as caught:
        together().predict(x, **given)
    assert str(caught.value) == message


def test_masks_of_inputs_that_never_meet_may_differ():
    net = apart()
    net.predict([A, B, V], lengths=[[5, 5, 5, 5], [5, 4, 1, 0], None])


def test_an_input_with_known_steps_has_so_many():
    net = together(steps=5)
    assert net.predict([A, B]).shape == (4, 5, 1)
    with pytest.raises(ShapeError) as caught:
        net.predict([A, B[:, :4]])
    assert str(caught.value) == "x['b'] must have 5 steps; got 4."
    with pytest.raises(ShapeError) as caught:
        net.predict([A, B], lengths={"a": LENGTHS})
    assert str(caught.value) == (
        "the inputs of Concatenate must have the same unmasked steps; got others in row 1. Give all"
        " of them the same lengths or the same mask."
    )


def test_the_only_input_with_known_steps_has_so_many():
    a = tt.Input(2, steps=4)
    net = tt.Network(inputs=a, outputs=GRU(2)(a))
    with pytest.raises(ShapeError) as caught:
        net.predict(A)
    assert str(caught.value) == "x must have 4 steps; got 5."
    with pytest.raises(ShapeError) as caught:
        net.output_shape((3, 5, 2))
    assert str(caught.value) == "input_shape must have 4 steps; got 5."


def test_shapes_are_refused_as_arrays_would_be():
    for shapes, message in (
        ([(4, 5, 2), (4, 6, 2)],
         f"input_shape['b'] must have the 5 steps of input_shape['a'], {MEETING}; got 6."),
        ({"a": (4, 5, 2), "b": (3, 5, 2)},
         "input_shape['b'] must have 4 rows, as input_shape['a'] has; got 3."),
        ([(4, 5, 2), (4, 5, 3)], "input_shape['b'] must be (N, T, 2); got (4, 5, 3)."),
    ):  # fmt: skip
        with pytest.raises(ShapeError) as caught:
            together().output_shape(shapes)
        assert str(caught.value) == message


# -- tokens -----------------------------------------------------------------------------------


def test_tokens_have_the_range_of_the_smallest_embedding_that_takes_them():
    t, a = tt.Input(tokens=True, name="t"), tt.Input(2, name="a")
    ends = [MeanPool()(Embedding(5, 2)(t)), LastStep()(Embedding(3, 2)(t)), GRU(2)(a)]
    net = tt.Network(inputs=[t, a], outputs=Add()(ends))
    assert net.predict([[[0, 1, 2], [2, 2, 0]], A[:2]]).shape == (2, 2)
    with pytest.raises(InvalidArgumentError) as caught:
        net.predict([[[0, 1, 3], [2, 2, 0]], A[:2]])
    assert str(caught.value) == (
        "input 't': x must hold integers from 0 to 2, the tokens of its Embedding; got values"
        " from 0 to 3."
    )
    _, tape = net.forward([[[0, 1], [2, 1]], A[:2]])
    dx = net.backward(tape, np.ones((2, 2)))
    assert dx[0] is None
    assert dx[1].shape == (2, 5, 2)


# -- wrong arguments --------------------------------------------------------------------------

OWN = "a dict or a list with an entry for each input, which have steps of their own"
WRONG = {
    "one array": (
        A, {}, InvalidTypeError,
        "x must be {}; got an array of shape (4, 5, 2) and dtype float64.",
    ),
    "two of three": ([A, B], {}, ShapeError, "x must be {}; got 2 of them."),
    "a name lost": (
        {"a": A, "b": B}, {}, InvalidArgumentError, "x must hold 'a', 'b' and 'v'; got no 'v'.",
    ),
    "a name unknown": (
        {"a": A, "b": B, "v": V, "w": V}, {}, InvalidArgumentError,
        "a key of x must be one of 'a', 'b', 'v'; got 'w'.",
    ),
    "features": (
        [A, A[..., :1], V], {}, ShapeError,
        "input 'b': x must have 2 features a step, the last axis; got shape (4, 5, 1).",
    ),
    "not finite": (
        [A, A * np.inf, V], {}, DataError,
        ("input 'b': x must be finite; got {} at index (0, 0, 0). Fill missing values, or mask"
        " their steps."),
    ),
    "rows": ([A, B, V[:2]], {}, ShapeError, "x['v'] must have 4 rows, as x['a'] has; got 2."),
    "lengths of a vector": (
        [A, B, V], {"lengths": {"v": LENGTHS}}, InvalidArgumentError,
        "input 'v': lengths and mask must be left out: the input is vectors (N, F).",
    ),
    "one lengths for all": (
        [A, B, V], {"lengths": [1, 2, 3, 4]}, InvalidArgumentError,
        f"lengths must be {OWN}; got [1, 2, 3, 4].",
    ),
    "one mask for all": (
        [A, B, V], {"mask": np.ones((4, 5), bool)}, InvalidArgumentError,
        f"mask must be {OWN}; got an array of shape (4, 5) and dtype bool.",
    ),
    "lengths of no input": (
        [A, B, V], {"lengths": {"c": LENGTHS}}, InvalidArgumentError,
        "a key of lengths must be one of 'a', 'b', 'v'; got 'c'.",
    ),
    "too long": (
        [A, B, V], {"lengths": {"b": [6, 1, 1, 1]}}, InvalidArgumentError,
        "input 'b': lengths must be from 0 to 5, the steps of x; got 6 in row 0.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs_are_refused_by_name(name):
    x, given, error, message = WRONG[name]
    message = message.replace("must be {}", "must be a dict with 'a', 'b' and 'v', or a list of 3")
    with pytest.raises(error) as caught:
        apart().predict(x, **given)
    assert str(caught.value) == message.replace("{}", str(A[0, 0, 0] * np.inf))


def test_wrong_gradients_are_refused_by_name():
    net = apart()
    _, tape = net.forward([A, B, V])
    for dy, error, message in (
        ({"y": A}, InvalidArgumentError, "dy must hold 'y' and 'z'; got no 'z'."),
        ([None], ShapeError, "dy must be a dict with 'y' and 'z', or a list of 2; got 1 of them."),
        ({"y": np.ones((4, 3)), "z": None}, ShapeError,
         "dy['y'] must be of shape (4, 2); got shape (4, 3)."),
    ):  # fmt: skip
        with pytest.raises(error) as caught:
            net.backward(tape, dy)
        assert str(caught.value) == message


def test_dropout_alone_hands_no_gradient_to_masked_steps():
    net = tt.Network([Dropout(0.5)], n_features=2)
    _, tape = net.forward(A, LENGTHS)
    dx = net.backward(tape, np.full(A.shape, np.nan))
    assert not dx[np.arange(5) >= LENGTHS[:, None]].any()
