"""Every message names the argument, what was expected, what was got, and the way out."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from throughtime import errors
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    MissingDependencyError,
    ShapeError,
    ThroughtimeError,
    check_array,
    check_bool,
    check_choice,
    check_float,
    check_int,
    describe,
    import_extra,
    sentence,
)


def exactly(text):
    return f"^{re.escape(text)}$"


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (InvalidArgumentError, ValueError),
        (InvalidTypeError, TypeError),
        (ShapeError, ValueError),
        (DataError, ValueError),
        (errors.ModelFileError, ValueError),
        (MissingDependencyError, ImportError),
        (errors.DivergedError, ArithmeticError),
    ],
)
def test_every_error_is_ours_and_a_builtin(cls, builtin):
    assert issubclass(cls, ThroughtimeError)
    assert issubclass(cls, builtin)


def test_describe():
    assert describe(np.zeros((2, 3), "float32")) == "an array of shape (2, 3) and dtype float32"
    assert describe("adam") == "'adam'"
    assert describe("x" * 100) == "'" + "x" * 56 + "..."


def test_sentence_quotes_values_and_prints_words():
    assert sentence("k", "an integer", "shape (2,)") == "k must be an integer; got shape (2,)."
    assert sentence("k", "an integer", describe("a")) == "k must be an integer; got 'a'."
    assert sentence("k", "an integer", None, "Drop it.") == (
        "k must be an integer; got None. Drop it."
    )


@pytest.mark.parametrize("value", [3, np.int8(3), np.array(3), np.uint64(3)])
def test_check_int_returns_an_int(value):
    number = check_int("epochs", value, 1)
    assert type(number) is int
    assert number == 3


@pytest.mark.parametrize(
    ("value", "limits", "error", "message"),
    [
        (0, (1,), InvalidArgumentError, "epochs must be an integer >= 1; got 0."),
        (9, (None, 5), InvalidArgumentError, "epochs must be an integer <= 5; got 9."),
        (9, (1, 5), InvalidArgumentError, "epochs must be an integer from 1 to 5; got 9."),
        (1.0, (), InvalidTypeError, "epochs must be an integer; got 1.0."),
        (True, (0,), InvalidTypeError, "epochs must be an integer >= 0; got True."),
        (np.True_, (0,), InvalidTypeError, "epochs must be an integer >= 0; got np.True_."),
        ("a lot", (1,), InvalidTypeError, "epochs must be an integer >= 1; got 'a lot'."),
        (None, (1,), InvalidTypeError, "epochs must be an integer >= 1; got None."),
    ],
)
def test_check_int_refuses(value, limits, error, message):
    with pytest.raises(error, match=exactly(message)):
        check_int("epochs", value, *limits)


def test_hint_is_the_way_out():
    message = "fh must be an integer >= 1; got 0. The first step after the data is 1."
    with pytest.raises(InvalidArgumentError, match=exactly(message)):
        check_int("fh", 0, 1, hint="The first step after the data is 1.")


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5), Fraction(1, 2)])
def test_check_float_returns_a_float(value):
    number = check_float("lr", value, 0.0)
    assert type(number) is float
    assert number == 0.5


@pytest.mark.parametrize(
    ("inclusive", "allowed"), [("both", "01"), ("low", "0"), ("high", "1"), ("neither", "")]
)
def test_check_float_ends(inclusive, allowed):
    for end in (0, 1):
        if str(end) in allowed:
            assert check_float("rate", end, 0, 1, inclusive=inclusive) == end
        else:
            with pytest.raises(InvalidArgumentError):
                check_float("rate", end, 0, 1, inclusive=inclusive)


@pytest.mark.parametrize(
    ("value", "options", "error", "message"),
    [
        (1, {"low": 0, "high": 1, "inclusive": "low"}, InvalidArgumentError,
         "rate must be a number in [0, 1); got 1."),
        (0, {"low": 0, "high": 1, "inclusive": "high"}, InvalidArgumentError,
         "rate must be a number in (0, 1]; got 0."),
        (-1, {"low": 0}, InvalidArgumentError, "rate must be a finite number >= 0; got -1."),
        (0, {"low": 0, "inclusive": "neither"}, InvalidArgumentError,
         "rate must be a finite number > 0; got 0."),
        (2, {"high": 1}, InvalidArgumentError, "rate must be a finite number <= 1; got 2."),
        (1, {"high": 1, "inclusive": "low"}, InvalidArgumentError,
         "rate must be a finite number < 1; got 1."),
        (math.nan, {}, InvalidArgumentError, "rate must be a finite number; got nan."),
        (math.inf, {"low": 0}, InvalidArgumentError, "rate must be a finite number >= 0; got inf."),
        ("0.1", {}, InvalidTypeError, "rate must be a finite number; got '0.1'."),
        (True, {}, InvalidTypeError, "rate must be a finite number; got True."),
        (np.array(True), {}, InvalidTypeError,
         "rate must be a finite number; got an array of shape () and dtype bool."),
        (None, {}, InvalidTypeError, "rate must be a finite number; got None."),
        (1j, {}, InvalidTypeError, "rate must be a finite number; got 1j."),
        ([1, [2]], {}, InvalidTypeError, "rate must be a finite number; got [1, [2]]."),
        (np.zeros(1), {}, InvalidTypeError,
         "rate must be a finite number; got an array of shape (1,) and dtype float64."),
    ],
)  # fmt: skip
def test_check_float_refuses(value, options, error, message):
    with pytest.raises(error, match=exactly(message)):
        check_float("rate", value, **options)


def test_check_float_refuses_an_int_beyond_the_largest_double():
    with pytest.raises(InvalidArgumentError, match=r"^lr must be a finite number; got 1000"):
        check_float("lr", 10**400)


def test_check_bool():
    assert check_bool("shuffle", np.False_) is False
    with pytest.raises(InvalidTypeError, match=exactly("shuffle must be True or False; got 1.")):
        check_bool("shuffle", 1)


def test_check_choice():
    names = ("adam", "sgd")
    assert check_choice("optimizer", "sgd", names) == "sgd"
    message = "optimizer must be one of 'adam', 'sgd'; got 'adm'. Did you mean 'adam'?"
    with pytest.raises(InvalidArgumentError, match=exactly(message)):
        check_choice("optimizer", "adm", iter(names))
    message = "optimizer must be one of 'adam', 'sgd'; got 'an array'."
    with pytest.raises(InvalidArgumentError, match=exactly(message)):
        check_choice("optimizer", "an array", names)
    message = "optimizer must be one of 'adam', 'sgd'; got 3."
    with pytest.raises(InvalidArgumentError, match=exactly(message)):
        check_choice("optimizer", 3, names)


def test_check_array_keeps_or_converts():
    x = np.ones((2, 3), "float32")
    assert check_array("x", x) is x
    assert check_array("x", x, shape=("N", 3), dtype="float32") is x
    assert check_array("x", [[1, 2]], dtype="float64").dtype == np.float64
    assert np.isnan(check_array("x", [math.nan], finite=False))


@pytest.mark.parametrize(
    ("value", "options", "error", "message"),
    [
        (np.zeros((5, 3)), {"shape": ("N", "T", "F")}, ShapeError,
         "x must be of shape (N, T, F); got shape (5, 3)."),
        (np.zeros((5, 3)), {"shape": ("N", 2)}, ShapeError,
         "x must be of shape (N, 2); got shape (5, 3)."),
        (0.0, {"shape": ("N",)}, ShapeError, "x must be of shape (N,); got shape ()."),
        ([[1], [1, 2]], {}, ShapeError, ("x must be a rectangular array; got a ragged sequence."
         " Pass a list of arrays only where ragged data is allowed.")),
        (["a"], {}, DataError, "x must hold numbers; got text."),
        ([None], {}, DataError, "x must hold numbers; got an array of dtype object."),
        ([1j], {}, DataError, "x must hold numbers; got an array of dtype complex128."),
        ([[0, 1], [math.nan, 2]], {}, DataError, ("x must be finite; got nan at index (1, 0)."
         " Remove or fill missing values first.")),
        ([math.nan], {"dtype": int}, DataError, ("x must be finite; got nan at index (0,)."
         " Remove or fill missing values first.")),
        ([0, 1e300], {"dtype": "float32", "hint": "Scale it."}, DataError,
         "x must be finite; got inf at index (1,). Scale it."),
    ],
)  # fmt: skip
def test_check_array_refuses(value, options, error, message):
    with pytest.raises(error, match=exactly(message)):
        check_array("x", value, **options)


def test_import_extra_names_the_install():
    assert import_extra("json.decoder", "cli", "reading").__name__ == "json.decoder"
    message = (
        "plotting needs the package 'nonesuch', which is not installed."
        " Run: pip install 'throughtime[cli]' (in a clone: pip install '.[cli]')"
    )
    with pytest.raises(MissingDependencyError, match=exactly(message)):
        import_extra("nonesuch.pyplot", "cli", "plotting")


def test_import_extra_does_not_hide_a_broken_package(tmp_path, monkeypatch):
    (tmp_path / "throughtime_broken.py").write_text("import nonesuch")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'nonesuch'$"):
        import_extra("throughtime_broken", "cli", "plotting")


def test_values_that_are_masked_are_not_used_as_if_they_were_not():
    masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
    with pytest.raises(DataError, match="x must hold no masked values"):
        check_array("x", masked)
    assert check_array("x", np.ma.masked_array([1.0, 2.0], mask=False)).tolist() == [1.0, 2.0]


def test_what_numpy_cannot_read_is_refused_with_the_reason():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use detach().")

        def __repr__(self):
            return "tensor([1.], requires_grad=True)"

    message = (
        "x must be readable by NumPy; got tensor([1.], requires_grad=True). It says: \"Can't call"
        ' numpy() on Tensor that requires grad. Use detach().".'
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        check_array("x", Tensor())


@pytest.mark.parametrize(
    ("attributes", "way"),
    [
        ({"requires_grad": True}, "tensor.detach()"),
        ({"dtype": "torch.bfloat16"}, "tensor.float()"),
        ({"requires_grad": True, "dtype": "torch.bfloat16"}, "tensor.detach().float()"),
        ({"is_cuda": True}, "tensor.cpu()"),
    ],
)
def test_what_makes_a_tensor_readable(attributes, way):
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("unsupported")

        def __repr__(self):
            return "tensor"

    tensor = Tensor()
    vars(tensor).update(attributes)
    with pytest.raises(DataError) as caught:
        check_array("x", tensor)
    assert str(caught.value) == f"x must be readable by NumPy; got tensor. Write {way}."
