"""Initialisers: their distributions, their shapes; only the Generator decides the numbers."""

import json
import math
import re

import numpy as np
import pytest

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    ShapeError,
)
from throughtime.initializers import (
    INITIALIZERS,
    Constant,
    Custom,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    Initializer,
    Normal,
    Orthogonal,
    Uniform,
    Zeros,
    get,
)  # fmt: skip

#: One for each registered class, every option away from its default.
OPTIONS = [
    GlorotUniform(gain=0.5),
    GlorotNormal(gain=1.5),
    HeUniform(negative_slope=0.3),
    HeNormal(negative_slope=0.3),
    Orthogonal(gain=1.2),
    Identity(gain=0.9),
    Uniform(low=-0.2, high=0.7),
    Normal(std=0.3, mean=-1.0),
    Zeros(),
    Constant(value=2.5),
]
NAMES = ", ".join(map(repr, INITIALIZERS))
EVERY = [*map(INITIALIZERS.get, INITIALIZERS), *OPTIONS]
every_initializer = pytest.mark.parametrize("init", EVERY, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
SHAPES = [(7, 7), (12, 5), (5, 12), (1, 9), (9, 1), (1, 1), (6,), (1,)]

# Variance in terms of fan_in and fan_out, mean, and kurtosis (normal 3, uniform 9/5).
MOMENTS = [
    (GlorotUniform(), lambda i, o: 2 / (i + o), 0.0, 1.8),
    (GlorotUniform(gain=0.5), lambda i, o: 0.25 * 2 / (i + o), 0.0, 1.8),
    (GlorotNormal(), lambda i, o: 2 / (i + o), 0.0, 3.0),
    (GlorotNormal(gain=1.5), lambda i, o: 2.25 * 2 / (i + o), 0.0, 3.0),
    (HeUniform(), lambda i, o: 2 / i, 0.0, 1.8),
    (HeUniform(negative_slope=0.5), lambda i, o: 2 / (1.25 * i), 0.0, 1.8),
    (HeNormal(), lambda i, o: 2 / i, 0.0, 3.0),
    (HeNormal(negative_slope=0.5), lambda i, o: 2 / (1.25 * i), 0.0, 3.0),
    (Uniform(), lambda i, o: 0.1**2 / 12, 0.0, 1.8),
    (Uniform(low=1.0, high=3.0), lambda i, o: 4 / 12, 2.0, 1.8),
    (Normal(), lambda i, o: 0.05**2, 0.0, 3.0),
    (Normal(std=2.0, mean=-1.0), lambda i, o: 4.0, -1.0, 3.0),
    (Orthogonal(), lambda i, o: 1 / max(i, o), 0.0, 3.0),
    (Orthogonal(gain=2.0), lambda i, o: 4 / max(i, o), 0.0, 3.0),
]


def refuses(error, message):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("case", MOMENTS, ids=lambda case: repr(case[0]))
@pytest.mark.parametrize("shape", [(300, 150), (150, 300)])
def test_moments(case, shape):
    init, variance, mean, kurtosis = case
    drawn = init(shape, rng(1), "float64")
    expected = variance(*shape)
    centred = drawn - mean
    # Five standard errors of each estimate; the fourth moment spreads most for the normal ones.
    assert abs(centred.mean()) < 5 * math.sqrt(expected / drawn.size)
    assert np.mean(centred**2) == pytest.approx(expected, rel=5 * math.sqrt(2 / drawn.size))
    got = np.mean(centred**4) / np.mean(centred**2) ** 2
    assert got == pytest.approx(kurtosis, abs=5 * math.sqrt(24 / drawn.size))
    # No row and no column is drawn from anything else.
    for axis, n in ((0, shape[0]), (1, shape[1])):
        ratio = np.mean(centred**2, axis=axis) / expected
        assert np.abs(ratio - 1).max() < 6 * math.sqrt(2 / n)


INTERVALS = [
    (GlorotUniform(), -math.sqrt(6 / 450), math.sqrt(6 / 450)),
    (HeUniform(), -math.sqrt(6 / 300), math.sqrt(6 / 300)),
    (Uniform(), -0.05, 0.05),
    (Uniform(low=1.0, high=3.0), 1.0, 3.0),
]


@pytest.mark.parametrize(("init", "low", "high"), INTERVALS, ids=repr)
def test_uniform_ones_fill_their_interval(init, low, high):
    drawn = init((300, 150), rng(2), "float64")
    assert low <= drawn.min() < low + 1e-3 * (high - low)
    assert high - 1e-3 * (high - low) < drawn.max() <= high


@pytest.mark.parametrize("shape", [(7, 7), (12, 5), (5, 12), (1, 9), (9, 1), (6,)])
@pytest.mark.parametrize("gain", [1.0, -0.7])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_orthogonal(shape, gain, dtype, tolerance):
    w = Orthogonal(gain)(shape, rng(3), dtype).astype("float64")
    w = w.reshape(1, -1) if w.ndim == 1 else w
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=tolerance)


def test_orthogonal_is_uniform_over_rotations_and_reflections():
    # Without the signs of R's diagonal the first element would always be negative and the trace
    # of a random rotation would not average to zero.
    draws = np.stack([Orthogonal()((2, 2), r, "float64") for r in map(rng, range(400))])
    signs = np.sign(draws).mean(axis=0)
    assert np.abs(signs).max() < 5 / math.sqrt(400)
    assert abs(np.sign(np.linalg.det(draws)).mean()) < 5 / math.sqrt(400)
    assert abs(np.trace(draws, axis1=1, axis2=2).mean()) < 5 / math.sqrt(400)
    angles = np.arctan2(draws[:, 1, 0], draws[:, 0, 0])
    counts = np.histogram(angles, bins=4, range=(-math.pi, math.pi))[0]
    assert np.abs(counts - 100).max() < 5 * math.sqrt(75)


def test_identity():
    np.testing.assert_array_equal(Identity()((3, 3), rng(), "float32"), np.eye(3))
    np.testing.assert_array_equal(Identity()((2, 3), rng(), "float64"), [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(Identity(0.5)((3, 2), rng(), "float64"), np.eye(3, 2) / 2)


def test_zeros_and_constant():
    np.testing.assert_array_equal(Zeros()((2, 3), rng(), "float32"), np.zeros((2, 3)))
    np.testing.assert_array_equal(Constant(2.5)((3,), rng(), "float64"), [2.5, 2.5, 2.5])


@every_initializer
@every_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shape_and_dtype(init, dtype, shape):
    drawn = init(shape, rng(), dtype)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    assert drawn.flags.writeable
    assert np.isfinite(drawn).all()


@every_initializer
def test_the_generator_decides(init):
    first, again = (init((6, 4), rng(11), "float64") for _ in range(2))
    np.testing.assert_array_equal(first, again)
    chance = not isinstance(init, Identity | Zeros | Constant)
    assert np.any(first != init((6, 4), rng(12), "float64")) == chance
    shared = rng(11)
    np.testing.assert_array_equal(init((6, 4), shared, "float64"), first)
    assert np.any(init((6, 4), shared, "float64") != first) == chance


@every_initializer
def test_only_the_generator_decides(init):
    # Drawing does not advance NumPy's global generator.
    before = np.random.get_state()[1].copy()  # noqa: NPY002  # it is what must stay untouched
    init((6, 4), rng(), "float32")
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@every_initializer
def test_float32_is_float64_rounded(init):
    single, double = (init((6, 4), rng(5), dtype) for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(single, double.astype("float32"))


def test_every_initializer_is_registered_and_has_options_here():
    ours = {cls for cls in Initializer.__subclasses__() if cls.__module__.startswith("throughtime")}
    assert ours - {Custom} == {INITIALIZERS[name] for name in INITIALIZERS}
    assert {type(init) for init in OPTIONS} == ours - {Custom}
    assert list(INITIALIZERS) == [
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal", "identity",
        "uniform", "normal", "zeros", "constant",
    ]  # fmt: skip


@every_initializer
def test_config_round_trip(init):
    config = json.loads(json.dumps(INITIALIZERS.to_config(init)))
    again = INITIALIZERS.from_config(config)
    assert again == init
    np.testing.assert_array_equal(again((4, 6), rng(), "float64"), init((4, 6), rng(), "float64"))


def test_get():
    assert get("glorot_uniform") == get("xavier_uniform") == get("xavier") == GlorotUniform()
    assert get("xavier_normal") == GlorotNormal()
    assert get("irnn") == Identity()
    init = Normal(std=0.1)
    assert get(init) is init


def test_a_function_of_your_own():
    kept = np.ones((2, 3))
    init = get(lambda shape, generator: kept)
    assert isinstance(init, Custom)
    drawn = init((2, 3), rng(), "float64")
    drawn[...] = 7.0
    np.testing.assert_array_equal(kept, np.ones((2, 3)))

    def triangular(shape, generator):
        return np.tril(generator.normal(size=shape))

    drawn = get(triangular)((4, 4), rng(6), "float32")
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn, np.tril(rng(6).normal(size=(4, 4))).astype("float32"))
    np.testing.assert_array_equal(
        get(lambda shape, generator: [[1, 2]])((1, 2), rng(), "float64"), [[1.0, 2.0]]
    )


def wide(shape, generator):
    return np.ones(3)


def holed(shape, generator):
    return np.full(shape, np.nan)


def words(shape, generator):
    return np.full(shape, "a")


def nested(shape, generator):
    return [[1.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            wide,
            ShapeError,
            "the array of initializer 'wide' must be of shape (2, 2); got (3,).",
        ),
        (
            words,
            DataError,
            "the array of initializer 'words' must hold numbers; got text.",
        ),
        (
            nested,
            ShapeError,
            (
                "the array of initializer 'nested' must be a rectangular array; got a ragged"
                " sequence. Pass a list of arrays only where ragged data is allowed."
            ),
        ),
    ],
)
def test_functions_that_cannot_be_used(function, error, message):
    with refuses(error, message):
        get(function)((2, 2), rng(), "float64")


def test_a_function_that_gives_a_nan():
    init = get(holed)
    with pytest.raises(InvalidArgumentError) as refusal:
        init((2, 2), rng(), "float64")
    words = str(refusal.value)
    assert words.startswith("every number of Custom(function=<function holed")
    assert words.endswith(" must be finite in float64; got nan.")


def test_your_own_cannot_be_written_to_a_file():
    with pytest.raises(InvalidTypeError) as refusal:
        INITIALIZERS.to_config(get(wide))
    words = str(refusal.value)
    assert words.startswith("initializer Custom(function=<function wide")
    names = ", ".join(INITIALIZERS)
    assert f" cannot be written to a file; only registered ones can: {names}. Make yours" in words


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        (3, ""),
        (None, ""),
        (Orthogonal, " Write it with brackets, to make an object: Orthogonal()."),
    ],
)
def test_what_get_refuses(spec, hint):
    expected = (
        f"initializer must be one of {NAMES} or an object of class Initializer; got {spec!r}.{hint}"
    )
    with refuses(InvalidTypeError, expected):
        get(spec)


def test_a_name_that_is_nearly_right():
    known = ", ".join(
        repr(name)
        for name in (
            "glorot_uniform", "xavier", "xavier_uniform", "glorot_normal", "xavier_normal",
            "he_uniform", "he_normal", "orthogonal", "identity", "irnn", "uniform", "normal",
            "zeros", "constant",
        )
    )  # fmt: skip
    message = f"initializer must be one of {known}; got 'ortogonal'. Did you mean 'orthogonal'?"
    with refuses(InvalidArgumentError, message):
        get("ortogonal")


@every_initializer
@pytest.mark.parametrize("seed", [0, None])
def test_a_seed_is_no_generator(init, seed):
    message = (
        f"rng must be a numpy.random.Generator; got {seed}. Write numpy.random.default_rng(seed)."
    )
    with refuses(InvalidTypeError, message):
        init((2, 2), seed, "float64")


@pytest.mark.parametrize("name", [n for n in INITIALIZERS if n[:3] in ("glo", "he_", "ort", "ide")])
@pytest.mark.parametrize("shape", [(), (2, 3, 4), (0, 3), (3, 0)])
def test_shapes_without_fans(name, shape):
    with refuses(ShapeError, f"shape must be (fan_in, fan_out) or (n,); got {shape}."):
        get(name)(shape, rng(), "float64")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: GlorotUniform(gain=-1.0),
            InvalidArgumentError,
            "gain must be a finite number >= 0; got -1.0.",
        ),
        (
            lambda: GlorotNormal(gain=math.nan),
            InvalidArgumentError,
            "gain must be a finite number >= 0; got nan.",
        ),
        (
            lambda: HeUniform(negative_slope="a"),
            InvalidTypeError,
            "negative_slope must be a finite number; got 'a'.",
        ),
        (
            lambda: HeNormal(negative_slope=math.inf),
            InvalidArgumentError,
            "negative_slope must be a finite number; got inf.",
        ),
        (
            lambda: Orthogonal(gain=math.inf),
            InvalidArgumentError,
            "gain must be a finite number; got inf.",
        ),
        (
            lambda: Identity(gain=None),
            InvalidTypeError,
            "gain must be a finite number; got None.",
        ),
        (
            lambda: Uniform(low=1.0, high=0.5),
            InvalidArgumentError,
            "high must be at least low, 1; got 0.5.",
        ),
        (
            lambda: Normal(std=-1.0),
            InvalidArgumentError,
            "std must be a finite number >= 0; got -1.0.",
        ),
        (
            lambda: Normal(mean=math.nan),
            InvalidArgumentError,
            "mean must be a finite number; got nan.",
        ),
        (
            lambda: Constant(value=math.nan),
            InvalidArgumentError,
            "value must be a finite number; got nan.",
        ),
        (
            lambda: Constant(1e300)((2,), rng(), "float32"),
            InvalidArgumentError,
            "every number of Constant(value=1e+300) must be finite in float32; got inf.",
        ),
        (
            lambda: INITIALIZERS.from_config({"name": "normal", "std": -1.0}),
            ModelFileError,
            "the file holds a bad initializer: std must be a finite number >= 0; got -1.0.",
        ),
    ],
)
def test_options_that_are_refused(make, error, message):
    with refuses(error, message):
        make()
