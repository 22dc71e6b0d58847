"""LayerNorm and RMSNorm: their numbers, their bits, their start, and what they refuse."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import LayerNorm, RMSNorm
from throughtime.layers.base import Call

both = pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])


@both
def test_features_are_normalised(norm):
    net = tt.Network([norm(epsilon=1e-12)], n_features=7, dtype="float64")
    x = 3 + 5 * np.random.default_rng(0).normal(size=(4, 5, 7))
    y = net.predict(x)
    np.testing.assert_allclose((y**2).mean(axis=-1), 1.0, rtol=1e-9)
    if norm is LayerNorm:
        np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-12)


@both
def test_it_begins_as_the_identity_of_what_is_normalised(norm):
    net = tt.Network([norm()], n_features=3)
    assert net.params["0.g"].tolist() == [1.0] * 3
    assert ("0.b" in net.params) == (norm is LayerNorm)
    if norm is LayerNorm:
        assert not net.params["0.b"].any()
    assert (
        not tt.Network([norm(use_scale=False)], n_features=3).params.get("0.g", np.zeros(1)).any()
    )


@both
def test_equal_features_give_finite_numbers(norm):
    net = tt.Network([norm()], n_features=3)
    x = np.zeros((1, 2, 3), "float32")
    y, tape = net.forward(x)
    assert not y.any()
    assert np.isfinite(net.backward(tape, np.ones_like(y))).all()


@both
@pytest.mark.parametrize("features", [1, 2, 3, 7, 8, 9, 16, 33, 127, 128, 129, 200, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_has_the_same_bits_in_any_batch(norm, features, dtype):
    """NumPy sums a row of a contiguous array in an order of its own, whatever other rows do."""
    rng = np.random.default_rng(features)
    net = tt.Network([norm()], n_features=features, dtype=dtype)
    x = rng.normal(size=(5, 4, features)).astype(dtype)
    y, tape = net.forward(x)
    dy = rng.normal(size=y.shape).astype(dtype)
    dx = net.backward(tape, dy)
    for n in range(5):
        alone, tape = net.forward(x[n : n + 1])
        assert alone.tobytes() == y[n : n + 1].tobytes()
        assert net.backward(tape, dy[n : n + 1]).tobytes() == dx[n : n + 1].tobytes()
        for t in range(4):
            assert net.predict(x[n : n + 1, t : t + 1]).tobytes() == y[n, t].tobytes()
    turned = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
    assert net.predict(turned).tobytes() == y.tobytes()
    padded = np.insert(x, [0, 2, 4], 0.0, axis=1)
    mask = np.array([False, True, True, False, True, True, False])
    masked = net.predict(padded, mask=np.broadcast_to(mask, (5, 7)))
    assert masked[:, mask].tobytes() == y.tobytes()
    assert not masked[:, ~mask].any()


@both
def test_weights_alone_are_penalised(norm):
    assert not tt.Network([norm()], n_features=3).weight_mask().any()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: LayerNorm(epsilon=0), InvalidArgumentError,
         "epsilon must be a finite number > 0; got 0."),
        (lambda: RMSNorm(epsilon=None), InvalidTypeError,
         "epsilon must be a finite number > 0; got None."),
        (lambda: RMSNorm(use_scale=1), InvalidTypeError,
         "use_scale must be True or False; got 1."),
        (lambda: LayerNorm(use_bias=1), InvalidTypeError, "use_bias must be True or False; got 1."),
    ],
)  # fmt: skip
def test_options_are_checked(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == words


@both
def test_what_comes_back_to_a_masked_step_is_ignored(norm):
    """A network sends zero there; a layer does not rely on it."""
    rng = np.random.default_rng(0)
    net = tt.Network([norm()], n_features=3, dtype="float64")
    x, mask = net.check_input(rng.normal(size=(2, 4, 3)), [2, 4])
    found = []
    for noise_there in (0.0, 1e6):
        net.grads.flat[...] = 0
        result = net.layers[0].forward(net.groups[0], x, mask, None, Call())
        dy = np.where(mask[..., None], 1.0, noise_there) * np.arange(3)
        dx, _ = net.layers[0].backward(net.grad_groups[0], result.cache, dy)
        found.append((dx, net.grads.flat.copy()))
    for clean, noisy in zip(*found, strict=True):
        np.testing.assert_array_equal(clean, noisy)
