"""The native engine's functions: their accuracy, and the same bits at any position of an array."""

import numpy as np
import pytest
from loop_cases import needs_native
from network_cases import FUNCTIONS

from throughtime.activations import ACTIVATIONS, Activation, Custom, Softmax, Tanh, native_kind
from throughtime.kernels import selection

pytestmark = needs_native

KERNELS = selection.extension()
LEVELS = KERNELS.levels() if KERNELS else ()
BUILT_IN = {name: f for name, f in FUNCTIONS.items() if not isinstance(f, Custom)}

every_level = pytest.mark.parametrize("level", LEVELS, indirect=True)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_function = pytest.mark.parametrize("f", BUILT_IN.values(), ids=BUILT_IN)


@pytest.fixture
def level(request):
    before = KERNELS.level()
    KERNELS.use_level(request.param)
    yield request.param
    KERNELS.use_level(before)


def native(name, x):
    y = np.full_like(x, 7)
    assert KERNELS.math(name, x, y)
    return y


def on(engine, call, *args):
    before = selection.current()
    selection.use(engine)
    try:
        with np.errstate(all="ignore"):
            return call(*args)
    finally:
        selection.use(before)


# -- at most 2 ulp from the correctly rounded result -------------------------------------------

#: In more digits than the result has, from NumPy's own functions.
EXACT = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
}
every_math = pytest.mark.parametrize("name", EXACT)
#: Inputs where a result becomes infinite, subnormal, 0, 1 or -1, or where a formula changes.
TURNS = {
    "float32": [0.0, 1.0, 88.7228, 89.0, 87.3365, 87.68, 88.376, 103.97, 104.5, 9.01, 9.2, 17.33,
                18.0, 16.64, 0.34657, 0.17329, 0.54931, 0.41421356],
    "float64": [0.0, 1.0, 709.7827, 710.0, 708.3964, 708.74, 709.44, 745.13, 746.0, 19.06, 19.2,
                36.74, 38.0, 37.43, 0.34657, 0.17329, 0.54931, 0.41421356],
}  # fmt: skip
wide = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 60, reason="no wider type here than float64"
)


def sample(name, dtype):
    """Bit patterns from everywhere, and denser where a formula changes."""
    integer = np.dtype(f"u{np.dtype(dtype).itemsize}")
    rng = np.random.default_rng(0)
    if dtype == "float32":
        anywhere = np.arange(0, 2**32, 5003, dtype="uint64").astype(integer)
    else:
        anywhere = rng.integers(0, 2**64, 20_000, dtype=integer)
    turns = np.array(TURNS[dtype], dtype).view(integer).astype("int64")
    near = np.abs(turns[:, None] + np.arange(-500, 501)).ravel().astype(integer).view(dtype)
    logarithmic = 2.0 ** rng.uniform(-40, 10, 60_000)
    parts = [near, logarithmic, rng.uniform(-4, 4, 60_000), rng.uniform(-110, 110, 60_000)]
    x = np.concatenate([*(p.astype(dtype) for p in parts), anywhere.view(dtype)])
    x = np.concatenate([x, -x])
    return x[(x >= 0) & (x <= 1)] if name == "log1p" else x


def order(x):
    """Neighbouring floats are neighbouring integers."""
    bits = x.view(f"i{x.itemsize}").astype("int64")
    return np.where(bits < 0, np.iinfo(f"i{x.itemsize}").min - bits, bits)


def check_exact(name, dtype, wider):
    x = sample(name, dtype)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(wider)).astype(dtype)
    y = native(name, x)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    kept = ~np.isnan(x)
    if name == "sigmoid":  # below the smallest normal number it may be 0
        tiny = np.finfo(dtype).tiny
        assert (y[exact < tiny] <= tiny).all()
        kept &= exact >= tiny
    x, y, exact = x[kept], y[kept], exact[kept]
    distance = np.abs(order(y) - order(exact))
    worst = int(distance.argmax())
    assert distance[worst] <= 2, f"{name}({x[worst]!r}) = {y[worst]!r}, not {exact[worst]!r}"
    np.testing.assert_array_equal(np.signbit(y), np.signbit(exact))
    np.testing.assert_array_equal(np.isinf(y), np.isinf(exact))


@every_level
@every_math
def test_single_precision_is_exact_to_2_ulp(name, level):
    check_exact(name, "float32", "float64")


@wide
@every_level
@every_math
def test_double_precision_is_exact_to_2_ulp(name, level):
    check_exact(name, "float64", "longdouble")


@every_level
@every_dtype
def test_ends_are_right(level, dtype):
    x = np.array([np.inf, -np.inf, 0.0, -0.0, np.nan, -np.nan], dtype)
    with np.errstate(all="ignore"):
        for name in set(EXACT) - {"log1p"}:
            want = EXACT[name](x)
            np.testing.assert_array_equal(native(name, x), want)
            np.testing.assert_array_equal(np.signbit(native(name, x))[:4], np.signbit(want)[:4])


@every_level
@every_dtype
def test_no_value_leaves_its_range(level, dtype):
    """Rounding may not carry tanh over 1: its slope would be negative."""
    x = np.random.default_rng(0).uniform(0, 40, 100_000).astype(dtype)
    for y in (native("tanh", x), -native("tanh", -x), native("sigmoid", x)):
        assert y.max() == 1
        assert (y >= 0).all()
    assert (native("sigmoid", -x) >= 0).all()
    assert native("expm1", -x).min() == -1


# -- whatever stands around it ------------------------------------------------------------------


def numbers(dtype, *shape):
    rng = np.random.default_rng(1)
    return (rng.normal(size=shape) * 2.0 ** rng.integers(-8, 5, size=shape)).astype(dtype)


def bits(array):
    return np.ascontiguousarray(array).tobytes()


def misaligned(array):
    """The same numbers, at an address that is no multiple of their size."""
    buffer = np.zeros(array.nbytes + 1, "uint8")[1:]
    buffer[:] = np.frombuffer(array.tobytes(), "uint8")
    moved = buffer.view(array.dtype).reshape(array.shape)
    assert not moved.flags.aligned
    return moved


#: Other memory layouts of the same array; each keeps the last axis, along which softmax goes.
LAYOUTS = {
    "columns first": np.asfortranarray,
    "every other row": lambda z: np.repeat(z, 2, axis=0)[::2],
    "every third number": lambda z: np.repeat(z, 3, axis=1)[:, ::3],
    "backwards": lambda z: np.ascontiguousarray(z[:, ::-1])[:, ::-1],
    "one number further": lambda z: (
        np.concatenate([[0], z.ravel()]).astype(z.dtype)[1:].reshape(z.shape)
    ),
    "misaligned": misaligned,
    "of another byte order": lambda z: z.astype(z.dtype.newbyteorder()).astype(z.dtype),
    "not writable": lambda z: np.frombuffer(z.tobytes(), z.dtype).reshape(z.shape),
}


#: Softmax sums short rows in one way and long rows in another.
short_and_long = pytest.mark.parametrize("width", [5, 37])


@every_level
@every_dtype
@every_function
@short_and_long
def test_bits_do_not_depend_on_the_place(f, dtype, level, width):
    z, dy = numbers(dtype, 9, width), numbers(dtype, 9, width)[::-1].copy()
    y = f(z)
    dz = f.backward(dy, y)
    for row in range(len(z)):
        assert bits(f(z[row])) == bits(y[row])
        assert bits(f.backward(dy[row], y[row])) == bits(dz[row])
    for n in (1, 2, 5):
        assert bits(f(z[-n:])) == bits(y[-n:])
    if not isinstance(f, Softmax):
        for n in range(1, width):
            assert bits(f(z[2, n:])) == bits(y[2, n:])
            assert bits(f(z[2, :n])) == bits(y[2, :n])
            assert bits(f.backward(dy[2, n:], y[2, n:])) == bits(dz[2, n:])


@every_dtype
@every_function
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bits_do_not_depend_on_the_layout(f, dtype, layout):
    z, dy = numbers(dtype, 6, 21), numbers(dtype, 6, 21)[::-1].copy()
    y = f(z)
    assert bits(f(layout(z))) == bits(y)
    assert bits(f.backward(layout(dy), layout(y))) == bits(f.backward(dy, y))


@every_dtype
@every_function
@short_and_long
def test_bits_do_not_depend_on_the_threads(f, dtype, width):
    z = np.resize(numbers(dtype, 50, width), (250_000 // width, width))
    results = []
    for n in (1, 2, 3):
        KERNELS.set_num_threads(n)
        y = f(z)
        results.append(bits(y) + bits(f.backward(z, y)))
    KERNELS.set_num_threads(0)
    assert results[0] == results[1] == results[2]


# -- both engines ------------------------------------------------------------------------------

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-300, -1e30, 1e30, 800.0, -800.0, 3.0, -3.0]


@every_level
@every_dtype
@every_function
def test_engines_agree(f, dtype, level):
    tolerance = {"float32": 2e-6, "float64": 1e-12}[dtype]
    z, dy = numbers(dtype, 40, 13), numbers(dtype, 40, 13)[::-1].copy()
    y, want = f(z), on("reference", f, z)
    assert y.dtype == want.dtype
    np.testing.assert_allclose(y, want, rtol=tolerance, atol=tolerance * 1e-3)
    got, want = f.backward(dy, y), on("reference", f.backward, dy, y)
    assert got.dtype == want.dtype
    scale = np.abs(want)
    if isinstance(f, Softmax):  # whose gradient is a difference
        scale = scale.max()
    assert (np.abs(got - want) <= tolerance * scale + 1e-30).all()


@every_level
@every_dtype
@every_function
def test_engines_agree_at_the_ends(f, dtype, level):
    with np.errstate(all="ignore"):
        z = np.array(SPECIAL, "float64").astype(dtype)[:, None]
    z = np.hstack([z, np.ones_like(z)])
    y, want = f(z), on("reference", f, z)
    np.testing.assert_allclose(y, want, rtol=1e-6)
    dy = np.ones_like(z)
    np.testing.assert_allclose(f.backward(dy, y), on("reference", f.backward, dy, y), rtol=1e-6)


@every_dtype
@pytest.mark.parametrize("width", [1, 2, 7, 8, 15, 16, 17, 31, 33, 100])
def test_softmax_of_every_width(width, dtype):
    f, z = Softmax(0.7), numbers(dtype, 5, width)
    y = f(z)
    np.testing.assert_allclose(y, on("reference", f, z), rtol={"float32": 2e-6}.get(dtype, 1e-13))
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=2e-6)


# -- what stays as it is -------------------------------------------------------------------------


def test_every_activation_of_the_registry_is_native():
    kinds = [native_kind(ACTIVATIONS[name]()) for name in ACTIVATIONS]
    assert {kind for kind, _ in kinds} == set(range(10))
    assert native_kind(BUILT_IN["leaky_relu, steep"]) == (4, 0.3)
    assert native_kind(Activation()) is None
    assert native_kind(Custom(np.sin)) is None


def test_a_subclass_is_another_activation():
    class Steeper(Tanh):
        def derivative(self, y):
            return 2 - y

    z = np.ones(3)
    assert native_kind(Steeper()) is None
    np.testing.assert_allclose(Steeper().backward(z, z), [1, 1, 1])
    np.testing.assert_allclose(Steeper()(z), np.tanh(z))


@every_function
def test_other_arrays_go_the_way_of_numpy(f):
    assert f(np.empty((3, 0, 2), "float32")).shape == (3, 0, 2)
    assert f(np.empty((0, 4))).shape == (0, 4)
    z = np.array([[0.5, -1.5]])
    assert f(z.astype("longdouble")).dtype == np.longdouble
    assert f(z.astype("float16")).dtype == np.float16
    masked = np.ma.masked_array(z, mask=[[True, False]])
    assert type(f(masked)) is type(on("reference", f, masked))


def test_numpy_broadcasts_and_takes_single_numbers():
    f, z = Tanh(), np.array([[0.5, -1.5]])
    assert f(np.float64(0.5)) == f(np.array(0.5)) == np.tanh(0.5)
    assert f.backward(np.ones((2, 1)), f(z)).shape == (2, 2)


def test_the_arrays_of_the_caller_are_not_written():
    for f in BUILT_IN.values():
        z, dy = numbers("float64", 3, 5), numbers("float64", 3, 5)
        kept = z.copy()
        f.backward(dy, f(z))
        assert (z == kept).all()
        assert (dy == kept).all()


# -- the functions of the extension --------------------------------------------------------------


@every_dtype
@every_function
def test_masked_rows_are_zero(f, dtype):
    kind = native_kind(f)
    z = numbers(dtype, 4, 3, 5)
    mask = np.random.default_rng(2).random((4, 3)) < 0.5
    poisoned = np.where(mask[..., None], z, np.nan).astype(dtype)
    y, dz, filled = np.empty_like(z), np.empty_like(z), np.empty_like(z)
    assert KERNELS.activate(*kind, poisoned, y, mask)
    assert KERNELS.activate(*kind, z, filled)
    np.testing.assert_array_equal(y, np.where(mask[..., None], filled, 0))
    assert KERNELS.activate_backward(*kind, poisoned, y, dz, mask=mask)
    assert KERNELS.activate_backward(*kind, z, filled, filled)  # in place
    np.testing.assert_array_equal(dz, np.where(mask[..., None], filled, 0))


def test_what_does_not_fit_is_refused():
    z = np.zeros((2, 3))
    out = np.full((2, 3), 7.0)
    read_only = out.view()
    read_only.flags.writeable = False
    good = np.ones(2, bool)
    refused = [
        (z, np.zeros((3, 2)), None), (z, np.zeros(6), None), (z, out.astype("float32"), None),
        (z, read_only, None), (z.astype("int64"), out, None), (z[:, ::2], out[:, ::2], None),
        (z, out, np.ones(3, bool)), (z, out, np.ones(2)), (z, out, np.ones((2, 3), bool)),
        (np.zeros(()), np.zeros(()), None), (z, "out", None),
    ]  # fmt: skip
    for z_, y, mask in refused:
        assert not KERNELS.activate(2, 0.0, z_, y, mask)
        assert not KERNELS.activate_backward(2, 0.0, z_, z_, y, mask)
    assert not KERNELS.activate_backward(2, 0.0, z[:1], z, out)
    assert (out == 7).all()
    assert KERNELS.activate(2, 0.0, z, out, good)
    for kind in (-1, 10):
        with pytest.raises(ValueError, match=f"^no such activation: {kind}$"):
            KERNELS.activate(kind, 0.0, z, out)
    with pytest.raises(ValueError, match=r"^no such function: sinh$"):
        KERNELS.math("sinh", z, out)
    assert not KERNELS.math("tanh", z, out[:1])
    assert not KERNELS.math("tanh", z.astype("int64"), out)
