"""Concatenate, Add, Multiply and Average: values, gradients, masks, and what they refuse."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, ShapeError
from throughtime.layers import GRU, Add, Average, Concatenate, Dense, Multiply
from throughtime.layers.base import Call
from throughtime.layers.forms import Form, Steps

MASKS = {
    "none": None,
    "ragged": np.arange(4) < np.array([4, 2, 0])[:, None],
    "holes": np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 1, 1]], dtype=bool),
}
#: Axes of the inputs: sequences (3) and vectors (2).
INPUTS = [(3, 3), (2, 2), (3, 2), (2, 3), (3, 2, 3), (2, 3, 2, 3), (3, 3, 3)]
LAYERS = [Concatenate, Add, Multiply, Average]
WANTED = {
    "Concatenate": lambda parts: np.concatenate(parts),
    "Add": sum,
    "Multiply": lambda parts: np.prod(parts, axis=0),
    "Average": lambda parts: sum(parts) / len(parts),
}
every_layer = pytest.mark.parametrize("layer", LAYERS)
every_mask = pytest.mark.parametrize("pattern", MASKS)


def data(axes, mask, widths=None):
    rng = np.random.default_rng(0)
    widths = widths or [2] * len(axes)
    x = [
        rng.normal(size=(3, 4, w) if n == 3 else (3, w)) for n, w in zip(axes, widths, strict=True)
    ]
    if mask is not None:
        x = [np.where(mask[..., None], a, 0) if a.ndim == 3 else a for a in x]
    return tuple(x), tuple(mask if n == 3 else None for n in axes)


def run(layer, x, masks):
    return layer().forward(None, x, masks, None, Call())


@every_mask
@pytest.mark.parametrize("axes", INPUTS, ids=str)
@every_layer
def test_every_number(layer, axes, pattern):
    """One row and one step at a time."""
    mask = MASKS[pattern] if 3 in axes else None
    x, masks = data(axes, mask, [1, 3, 2, 4][: len(axes)] if layer is Concatenate else None)
    y = run(layer, x, masks)
    if 3 not in axes:
        want = np.array([WANTED[layer.__name__]([a[n] for a in x]) for n in range(3)])
        assert y.mask is None
    else:
        want = np.zeros_like(y.y)
        for n, t in np.ndindex(3, 4):
            if mask is None or mask[n, t]:
                want[n, t] = WANTED[layer.__name__]([a[n, t] if a.ndim == 3 else a[n] for a in x])
        assert y.mask is mask
    np.testing.assert_allclose(y.y, want, rtol=1e-15, atol=0)
    forms = tuple(
        Form("sequence", a.shape[2], Steps(4)) if a.ndim == 3 else Form("vector", a.shape[1])
        for a in x
    )
    form = layer().output_form(forms)
    assert (form.features, form.kind) == (y.y.shape[-1], "sequence" if 3 in axes else "vector")
    assert form.steps == (Steps(4) if 3 in axes else None)
    assert layer().refusal(forms) is None


@every_mask
@pytest.mark.parametrize("axes", INPUTS, ids=str)
@every_layer
def test_every_gradient(layer, axes, pattern):
    mask = MASKS[pattern] if 3 in axes else None
    x, masks = data(axes, mask, [1, 3, 2, 4][: len(axes)] if layer is Concatenate else None)
    result = run(layer, x, masks)
    dy = np.random.default_rng(1).normal(size=result.y.shape)
    wild = dy if mask is None else np.where(mask[..., None], dy, np.nan)
    found, none = layer().backward(None, result.cache, wild)
    assert none is None
    for a, d in zip(x, found, strict=True):
        assert a.shape == d.shape
        for index in np.ndindex(a.shape):
            centre, values = a[index], []
            for h in (1e-3, -1e-3):
                a[index] = centre + h
                values.append((dy * run(layer, x, masks).y).sum())
            a[index] = centre
            assert d[index] == pytest.approx((values[0] - values[1]) / 2e-3, rel=1e-6, abs=1e-9)


@every_layer
def test_a_zero_factor_has_a_gradient(layer):
    x = (np.zeros((1, 2)), np.full((1, 2), 3.0), np.zeros((1, 2)))
    result = run(layer, x, (None,) * 3)
    found, _ = layer().backward(None, result.cache, np.ones_like(result.y))
    assert all(np.isfinite(d).all() for d in found)


def test_three_factors_one_of_them_zero():
    x = tuple(np.array([[value]]) for value in (2.0, 0.0, 5.0))
    result = run(Multiply, x, (None,) * 3)
    found, _ = Multiply().backward(None, result.cache, np.ones((1, 1)))
    assert [d.item() for d in found] == [0.0, 10.0, 0.0]


@every_layer
def test_a_step_of_a_stream_is_that_of_a_sequence(layer):
    x, masks = data((3, 2, 3), None)
    y = run(layer, x, masks).y
    for t in range(4):
        now = tuple(a[:, t] if a.ndim == 3 else a for a in x)
        step, state = layer().stream_step(None, now, ())
        assert np.array_equal(step, y[:, t])
        assert state == ()


@every_layer
def test_masks_must_be_equal(layer):
    x, _ = data((3, 3), None)
    mask, other = np.ones((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)
    other[1, 2] = False
    words = (
        f"the inputs of {layer.__name__} must have the same unmasked steps; got others in row 1."
        " Give all of them the same lengths or the same mask."
    )
    for masks in ((mask, other), (other, mask), (None, other), (other, None)):
        with pytest.raises(ShapeError) as caught:
            run(layer, x, masks)
        assert str(caught.value) == words
    for masks in ((mask, None), (None, mask), (other, other.copy()), (mask, mask)):
        assert run(layer, x, masks).y.shape[:2] == (3, 4)


@every_layer
def test_steps_must_be_equal(layer):
    x = np.ones((2, 4, 3)), np.ones((2, 5, 3))
    with pytest.raises(ShapeError) as caught:
        run(layer, x, (None, None))
    assert str(caught.value) == (
        f"the inputs of {layer.__name__} must have equally many steps; got 4 and 5."
    )


@pytest.mark.parametrize("layer", [Add, Multiply, Average])
def test_features_must_be_equal(layer):
    forms = Form("vector", 3), Form("sequence", 4, Steps())
    assert layer().refusal(forms) == (
        "its inputs must have equally many features, and have 3 and 4."
    )
    assert Concatenate().refusal(forms) is None
    assert Concatenate().output_form(forms) == Form("sequence", 7, Steps())


def test_a_network_with_all_of_them():
    """A residual, a gate, and a vector beside a sequence; branches meet again and again."""
    signal, static = tt.Input(3, name="signal"), tt.Input(2, name="static", time=False)
    h = GRU(4, return_sequences=True)(signal)
    both = Concatenate()([h, static])
    gate = Dense(4, activation="sigmoid")(both)
    z = Average()([Add()([h, Dense(4)(both)]), Multiply()([h, gate]), h])
    net = tt.Network(inputs=[signal, static], outputs=Dense(2)(z), dtype="float64", seed=0)
    rng = np.random.default_rng(0)
    x = {"signal": rng.normal(size=(3, 4, 3)), "static": rng.normal(size=(3, 2))}
    options = {"mask": {"signal": MASKS["holes"]}}
    y, tape = net.forward(x, **options)
    u = rng.normal(size=y.shape)
    dx = net.backward(tape, u)
    arrays = {**x, **net.params}
    slopes = {**dx, **net.grads}
    for name, array in arrays.items():
        for index in np.ndindex(array.shape):
            centre, values = array[index], []
            for h in (1e-4, -1e-4):
                array[index] = centre + h
                values.append((u * net.forward(x, **options)[0]).sum())
            array[index] = centre
            estimate = (values[0] - values[1]) / 2e-4
            assert slopes[name][index] == pytest.approx(estimate, rel=1e-6, abs=1e-8)


def test_a_network_refuses_features_that_differ():
    one, two = tt.Input(3), tt.Input(2)
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network(inputs=[one, two], outputs=Add()([one, two]))
    assert str(caught.value) == (
        "layer 0 (Add): its inputs must have equally many features, and have 2 and 3."
    )


@every_layer
def test_the_gradient_of_a_vector_has_the_same_bits_with_any_padding(layer):
    one = layer()
    rng = np.random.default_rng(4)
    vector, sequence = rng.normal(size=(2, 1)), rng.normal(size=(2, 29, 1))
    dy = rng.normal(size=(2, 29, 2 if one.kind == "Concatenate" else 1))

    def slope(padding):
        wide = [(0, 0), (0, padding), (0, 0)]
        mask = np.arange(29 + padding) < np.full((2, 1), 29)
        inputs = vector, np.pad(sequence, wide)
        found = one.forward(None, inputs, (None, mask), None, Call())
        return one.backward(None, found.cache, np.pad(dy, wide))[0][0]

    for padding in range(1, 12):
        np.testing.assert_array_equal(slope(padding), slope(0))
