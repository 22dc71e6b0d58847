"""Every activation: its derivative, extreme inputs, both dtypes; user-defined activations."""

import json
import math
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from network_cases import FUNCTIONS, swish, swish_derivative

import throughtime as tt
from throughtime.activations import (
    ACTIVATIONS,
    ELU,
    Activation,
    Custom,
    Identity,
    LeakyReLU,
    Softmax,
    Tanh,
    get,
)
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    MissingDependencyError,
    ModelFileError,
)

every_function = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

#: The definitions for one number in plain Python; softmax has a separate test.
DEFINITIONS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z)),
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0.0),
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "leaky_relu, steep": lambda z: z if z > 0 else 0.3 * z,
    "elu": lambda z: z if z > 0 else math.expm1(z),
    "elu, low": lambda z: z if z > 0 else 0.6 * math.expm1(z),
    "softplus": lambda z: max(z, 0.0) + math.log1p(math.exp(-abs(z))),
    "hard_sigmoid": lambda z: min(max(z / 6 + 0.5, 0.0), 1.0),
    "exp": math.exp,
    "custom": lambda z: z / (1 + math.exp(-z)),
}
ELEMENTWISE = [name for name in FUNCTIONS if not name.startswith("softmax")]
POINTS = np.array([[-31.7, -5.25, -2.9, -1.0, -0.3, -1e-9], [0.0, 1e-9, 0.4, 1.5, 2.9, 33.1]])
#: Numbers at which a formula may overflow inside, underflow, or divide by zero.
HARD = [0.0, -0.0, 800.0, -800.0, 88.0, -88.0, -104.0, 20.0, -20.0]


@pytest.mark.parametrize("name", ELEMENTWISE)
@every_dtype
def test_values_are_the_definition(name, dtype):
    z = POINTS.astype(dtype)
    y = FUNCTIONS[name](z)
    expected = np.array([[DEFINITIONS[name](float(v)) for v in row] for row in z])
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps)


def test_every_elementwise_activation_has_its_definition_here():
    assert set(ELEMENTWISE) == set(DEFINITIONS)
    assert set(ACTIVATIONS) <= set(FUNCTIONS)


@every_function
def test_backward_is_the_derivative_by_differences(f):
    """Every entry of the Jacobian, by complete rows, away from the kinks."""
    rng = np.random.default_rng(0)
    z = rng.normal(scale=2.0, size=(5, 4))
    y = f(z)
    for j in range(4):
        h = np.zeros(4)
        h[j] = 1e-3
        d = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * 1e-3)
        for i in range(4):
            dy = np.zeros((5, 4))
            dy[:, i] = 1.0
            got = f.backward(dy, y, z if f.needs_input else None)[:, j]
            np.testing.assert_allclose(got, d[:, i], rtol=1e-7, atol=1e-10)


@every_function
@every_dtype
def test_gradient_and_value_are_finite_where_the_answer_is(f, dtype):
    """At +-800, at subnormals, at the largest floats: no warning, no NaN."""
    limits = np.finfo(dtype)
    tiny = [limits.smallest_subnormal, -limits.smallest_subnormal, limits.tiny, -limits.tiny]
    hard = HARD if isinstance(f, Custom) else [*HARD, limits.max, -limits.max]
    hard = [v for v in hard if not isinstance(f, Custom) or abs(v) < 80]
    z = np.array([*hard, *tiny], dtype=dtype)[:, None] * np.ones(2, dtype=dtype)
    z = np.concatenate([z, z[::-1] * np.array([1, -1], dtype=dtype)])
    y = f(z)
    finite = np.isfinite(y)
    assert not np.isnan(y).any()
    assert finite.all() or f == ACTIVATIONS["exp"]()
    assert (z[~finite] > 80).all()
    dz = f.backward(np.where(finite, 1, 0).astype(dtype), np.where(finite, y, 1), z)
    assert np.isfinite(dz).all()
    assert y.dtype == dz.dtype == np.dtype(dtype)
    assert y.shape == dz.shape == z.shape


@every_dtype
def test_tails_keep_their_precision(dtype):
    """Far to the left, sigmoid, softplus and ELU are not 0 and not -alpha but for rounding."""
    eps = 4 * np.finfo(dtype).eps
    z = np.array([-40.0, -60.0, -80.0], dtype=dtype)
    for name in ("sigmoid", "softplus"):
        np.testing.assert_allclose(FUNCTIONS[name](z), np.exp(z.astype("float64")), rtol=10 * eps)
        slope = FUNCTIONS[name].backward(np.ones_like(z), FUNCTIONS[name](z))
        np.testing.assert_allclose(slope, np.exp(z.astype("float64")), rtol=10 * eps)
    near = np.array([-1e-7, 1e-7], dtype=dtype)
    np.testing.assert_allclose(FUNCTIONS["elu"](near), near, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.05, 2.5, 40.0])
@every_dtype
def test_softmax_is_a_distribution_whatever_the_shift(temperature, dtype):
    f = Softmax(temperature)
    z = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(dtype)
    p = f(z)
    eps = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=eps)
    np.testing.assert_allclose(f(z + dtype_of(512, dtype)), p, rtol=300 * eps / temperature)
    e = np.exp(z.astype("float64") / temperature)
    np.testing.assert_allclose(p, e / e.sum(axis=-1, keepdims=True), rtol=10 * eps / temperature)
    ramp = f.backward(np.ones_like(p), p)  # the sum is 1 whatever z
    np.testing.assert_allclose(ramp, 0.0, atol=eps / temperature)


def dtype_of(value, dtype):
    return np.dtype(dtype).type(value)


def test_a_derivative_is_finite_at_a_kink():
    zero = np.zeros(1)
    for name, slope in [("relu", 0.0), ("leaky_relu", 0.01), ("elu", 1.0)]:
        f = FUNCTIONS[name]
        assert f.backward(np.ones(1), f(zero))[0] == slope


# -- user-defined -----------------------------------------------------------------------------


def test_custom_is_what_it_says():
    f = Custom(swish, derivative=swish_derivative)
    z = np.linspace(-3, 3, 7, dtype="float32")
    assert f(z).dtype == np.float32
    np.testing.assert_allclose(f(z), swish(z), rtol=1e-6)
    np.testing.assert_allclose(f.backward(2 * z, f(z), z), 2 * z * swish_derivative(z), rtol=1e-6)


def test_a_constant_derivative_may_be_a_number():
    f = Custom(lambda z: 3 * z, derivative=lambda z: 3.0)
    assert f.backward(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2))).tolist() == [[3, 3]] * 2


def double(z):
    return np.concatenate([z, z])


def test_custom_of_another_shape_is_refused():
    z = np.zeros(3)
    with pytest.raises(InvalidTypeError) as caught:
        Custom(double, derivative=double)(z)
    assert str(caught.value) == (
        "activation 'double' must return an array of the shape it takes; got (6,) for (3,)."
    )
    with pytest.raises(InvalidTypeError) as caught:
        Custom(lambda z: z, derivative=double).backward(z, z, z)
    assert str(caught.value) == (
        "activation '<lambda>' must have a derivative of the shape of its input; got (6,) for (3,)."
    )
    with pytest.raises(InvalidTypeError, match=r"got \(\) for \(3,\)\.$"):
        Custom(np.sum, derivative=double)(z)


def test_without_jax_a_function_alone_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingDependencyError) as caught:
        tt.Network([tt.layers.RNN(2, activation=np.tanh)], 1).predict(np.zeros((1, 2, 1)))
    assert str(caught.value) == (
        "The automatic derivative of 'tanh' needs the package 'jax', which is not installed."
        " Run: pip install 'throughtime[autodiff]' (in a clone: pip install '.[autodiff]'). Or"
        " write the derivative yourself, which needs nothing: activations.Custom(f, derivative=...)"
    )


def test_a_registered_one_is_saved_and_loaded(monkeypatch, tmp_path):
    monkeypatch.setattr(ACTIVATIONS, "_classes", dict(ACTIVATIONS._classes))
    monkeypatch.setattr(ACTIVATIONS, "_names", dict(ACTIVATIONS._names))

    @ACTIVATIONS.register("swish")
    @dataclass(frozen=True)
    class Swish(Activation):
        needs_input = True

        def __call__(self, z):
            return swish(z)

        def backward(self, dy, y, z=None):
            return dy * swish_derivative(z)

    x = np.random.default_rng(0).normal(size=(2, 3, 1))
    net = tt.Network([tt.layers.RNN(2, activation="swish")], 1, dtype="float64")
    assert tt.check_gradients(net, x, np.zeros((2, 2)), loss="mse").ok
    net.save(tmp_path / "model.safetensors")
    again = tt.load(tmp_path / "model.safetensors")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


# -- names and options ------------------------------------------------------------------------


def test_get_takes_names_objects_and_functions():
    assert get("tanh") == Tanh()
    assert get("linear") == Identity()
    assert get(Softmax(2.0)) == Softmax(temperature=2.0)
    assert isinstance(get(np.sin), Custom)


NAMES = "'identity', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'elu', 'softplus', 'hard_sigmoid'"


def test_a_typing_error_gets_a_suggestion():
    with pytest.raises(InvalidArgumentError) as caught:
        get("tahn")
    words = str(caught.value)
    assert words.startswith("activation must be one of 'identity', 'linear', 'sigmoid', 'logistic'")
    assert words.endswith("; got 'tahn'. Did you mean 'tanh'?")


@pytest.mark.parametrize(
    ("spec", "hint"),
    [(None, ""), (3, ""), (Tanh, " Write it with brackets, to make an object: Tanh().")],
    ids=["None", "number", "class"],
)
def test_get_refuses_what_is_no_activation(spec, hint):
    with pytest.raises(InvalidTypeError) as caught:
        get(spec)
    assert str(caught.value) == (
        f"activation must be one of {NAMES}, 'exp', 'softmax' or an object of class Activation;"
        f" got {spec!r}.{hint}"
    )


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("cls", "option"), [(LeakyReLU, "slope"), (ELU, "alpha"), (Softmax, "temperature")]
)
def test_options_out_of_range_are_refused(cls, option, value):
    with pytest.raises(InvalidArgumentError) as caught:
        cls(**{option: value})
    assert str(caught.value) == f"{option} must be a finite number > 0; got {value!r}."


@every_function
def test_descriptions_survive_json(f):
    if isinstance(f, Custom):
        with pytest.raises(InvalidTypeError, match=r"is your own object and cannot be written"):
            ACTIVATIONS.to_config(f)
    else:
        assert ACTIVATIONS.from_config(json.loads(json.dumps(ACTIVATIONS.to_config(f)))) == f


@pytest.mark.parametrize(
    "config",
    [None, 3, "tanh", {}, {"name": "Tanh"}, {"name": "tanh", "slope": 1}, {"name": ["tanh"]},
     {"name": "softmax", "temperature": 0}, {"name": "softmax", "temperature": "1"}],
    ids=repr,
)  # fmt: skip
def test_junk_descriptions_are_refused(config):
    with pytest.raises(ModelFileError):
        ACTIVATIONS.from_config(config)


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError):
        Activation()(np.zeros(1))
    with pytest.raises(NotImplementedError):
        Activation().backward(np.zeros(1), np.zeros(1))
