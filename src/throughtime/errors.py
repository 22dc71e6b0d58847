"""The exception tree, and the checks that every public function shares.

One grammar for every message: the argument, what was expected, what was got, the way out::

    epochs must be an integer >= 1; got 0.
    x must have 3 axes (N, T, F); got shape (5, 3). Write x[..., None] for a single feature.

Build it with :func:`sentence`. The error then carries its parts, and no program searches the text::

    raise ShapeError(sentence("x", "3 axes (N, T, F)", f"shape {x.shape}", must="have"))
    error.parameter, error.value, error.hint
"""

from __future__ import annotations

import importlib
import inspect
import math
import numbers
import operator
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Self

import numpy as np

from throughtime.messages import Argument, Message, Setting, describe, sentence

#: Packages whose objects look like ours but work on tensors of their own.
FOREIGN = ("keras", "mxnet", "paddle", "tensorflow", "tf_keras", "torch")

#: First parameters that mean a target: the function then takes its arguments in the other order.
TARGETS = ("label", "labels", "target", "targets", "y_true")

__all__ = [
    "Argument",
    "DataError",
    "DivergedError",
    "FitsWarning",
    "InvalidArgumentError",
    "InvalidTypeError",
    "Message",
    "MissingDependencyError",
    "ModelFileError",
    "Setting",
    "ShapeError",
    "ThroughtimeError",
    "WorkerError",
    "WorkersWarning",
    "as_array",
    "check_array",
    "check_bool",
    "check_choice",
    "check_collected",
    "check_float",
    "check_function",
    "check_int",
    "describe",
    "foreign",
    "import_extra",
    "sentence",
]


class ThroughtimeError(Exception):
    """Base of every error that throughtime raises on purpose.

    A program reads the attributes; the text is for people and may change.

    Attributes
    ----------
    parameter : str or None
        The argument that is wrong, where the error is about one.
    value : object
        The value that it had, where that is known.
    hint : str
        What to do about it; empty where there is nothing to say.
    """

    @property
    def message(self) -> Message:
        """The text with its parts."""
        text = self.args[0] if self.args else ""
        return text if isinstance(text, Message) else Message.of(str(self))

    @property
    def parameter(self) -> str | None:
        """The argument that is wrong."""
        return self.message.parameter

    @property
    def value(self) -> Any:
        """The value that it had."""
        return self.message.value

    @property
    def hint(self) -> str:
        """What to do about it."""
        return self.message.hint

    def with_hint(self, hint: str) -> Self:
        """The same error with another way out."""
        return type(self)(self.message.with_hint(hint))

    def within(self, where: str, parameter: str | None = None) -> Self:
        """The same error, of a part: ``where`` and a colon stand before it."""
        return type(self)(
            Message(
                "{where}: {problem}",
                parameter=parameter or self.parameter,
                value=self.value,
                hint=self.hint,
                where=where,
                problem=self.message.with_hint(""),
            )
        )


class InvalidArgumentError(ThroughtimeError, ValueError):
    """An argument has a value that is not allowed."""


class InvalidTypeError(ThroughtimeError, TypeError):
    """An argument has a type that is not allowed."""


class ShapeError(InvalidArgumentError):
    """An array has the wrong number of axes or the wrong sizes."""


class DataError(InvalidArgumentError):
    """Data (a table, a series, a batch) cannot be used: empty, NaN, text, too short."""


class ModelFileError(ThroughtimeError, ValueError):
    """A model or checkpoint file is damaged, foreign, or of a version that cannot be read."""


class MissingDependencyError(ThroughtimeError, ImportError):
    """An optional package is needed and not installed."""


class DivergedError(ThroughtimeError, ArithmeticError):
    """Training produced a value that is not finite.

    Attributes
    ----------
    history : History or None
        The history until then.
    """

    history: Any = None


class FitsWarning(RuntimeWarning):
    """Some of many fits failed."""


class WorkerError(ThroughtimeError, RuntimeError):
    """Workers died of a task, or have a result or an exception that cannot be sent back."""


class WorkersWarning(RuntimeWarning):
    """Workers of an executor were lost; the results are the same, but take longer."""


def check_int(
    name: str | Argument,
    value: Any,
    minimum: int | None = None,
    maximum: int | None = None,
    hint: str = "",
) -> int:
    """Return ``value`` as an int inside ``[minimum, maximum]``; booleans are refused."""
    expected = "an integer"
    if minimum is not None and maximum is not None:
        expected += f" from {minimum} to {maximum}"
    elif minimum is not None:
        expected += f" >= {minimum}"
    elif maximum is not None:
        expected += f" <= {maximum}"
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InvalidTypeError(sentence(name, expected, describe(value), hint)) from None
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise InvalidArgumentError(sentence(name, expected, describe(value), hint))
    return number


def check_float(
    name: str | Argument,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    inclusive: str = "both",
    hint: str = "",
) -> float:
    """Return ``value`` as a finite float in the interval from ``low`` to ``high``.

    ``inclusive`` is ``"both"``, ``"low"``, ``"high"`` or ``"neither"``: which ends are allowed.
    """
    take_low, take_high = inclusive in ("both", "low"), inclusive in ("both", "high")
    expected = "a finite number"
    if low > -math.inf and high < math.inf:
        left, right = "[" if take_low else "(", "]" if take_high else ")"
        expected = f"a number in {left}{low:g}, {high:g}{right}"
    elif low > -math.inf:
        expected = f"a finite number {'>=' if take_low else '>'} {low:g}"
    elif high < math.inf:
        expected = f"a finite number {'<=' if take_high else '<'} {high:g}"
    scalar = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(scalar, bool) or not isinstance(scalar, numbers.Real):
        raise InvalidTypeError(sentence(name, expected, describe(value), hint))
    try:
        number = float(scalar)
    except OverflowError:  # an int beyond the largest double
        number = math.inf
    except TypeError:  # a duration of NumPy, which calls itself an integer
        raise InvalidTypeError(sentence(name, expected, describe(value), hint)) from None
    inside = (number > low or (take_low and number == low)) and (
        number < high or (take_high and number == high)
    )
    if not (math.isfinite(number) and inside):
        raise InvalidArgumentError(sentence(name, expected, describe(value), hint))
    return number


def check_bool(name: str | Argument, value: Any, hint: str = "") -> bool:
    """Return ``value`` if it is a boolean."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError(sentence(name, "True or False", describe(value), hint))
    return bool(value)


def check_choice(name: str | Argument, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of the strings ``choices``; otherwise suggest the nearest."""
    options = list(choices)
    if isinstance(value, str) and value in options:
        return value
    hint = ""
    if isinstance(value, str):
        import difflib

        lower = {option.lower(): option for option in reversed(options)}
        near = difflib.get_close_matches(value.lower(), lower, n=1)
        hint = f"Did you mean {lower[near[0]]!r}?" if near else ""
    raise InvalidArgumentError(
        sentence(name, f"one of {', '.join(map(repr, options))}", describe(value), hint)
    )


def check_array(
    name: str | Argument,
    value: Any,
    *,
    shape: tuple[int | str, ...] | None = None,
    dtype: Any = None,
    finite: bool = True,
    hint: str = "",
) -> np.ndarray:
    """Return ``value`` as a numeric array that matches ``shape`` and holds no NaN.

    Parameters
    ----------
    shape : tuple of int or str, optional
        One entry for each axis: an int must match, a letter (see :mod:`throughtime.shapes`) is
        free.
    dtype : dtype, optional
        The dtype to convert to; by default a numeric array keeps its own.
    finite : bool
        Whether to refuse NaN and infinities.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        way = hint or "Fill the masked values, or pass .data and a mask of the steps."
        raise DataError(sentence(name, "no masked values", describe(value), way, must="hold"))
    array = as_array(name, value, hint)
    if array.dtype.kind not in "biuf":
        what = "text" if array.dtype.kind in "US" else f"an array of dtype {array.dtype}"
        got = describe(value) if array.dtype.kind == "O" and array.ndim == 0 else what
        raise DataError(sentence(name, "numbers", got, hint, must="hold", value=value))
    if shape is not None:
        fits = array.shape == shape or (
            array.ndim == len(shape)
            and all(
                not isinstance(want, int) or want == have
                for want, have in zip(shape, array.shape, strict=True)
            )
        )
        if not fits:
            wanted = "(" + ", ".join(str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"
            got = f"shape {array.shape}"
            raise ShapeError(sentence(name, f"of shape {wanted}", got, hint, value=value))
    if finite:
        _check_finite(name, array, hint)
    if dtype is not None and array.dtype != np.dtype(dtype):
        with np.errstate(over="ignore", under="ignore"):
            array = array.astype(dtype)
        if finite:  # a float64 number may be too large for float32
            _check_finite(name, array, hint)
    return array


def _check_finite(name: str | Argument, array: np.ndarray, hint: str) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    got = f"{array[first]} at index {first}"
    way = hint or "Remove or fill missing values first."
    raise DataError(sentence(name, "finite", got, way, value=array))


def as_array(name: str | Argument, value: Any, hint: str = "") -> np.ndarray:
    """Return ``value`` as an array of any dtype."""
    if type(value) is np.ndarray:
        return value
    check_collected(name, value)
    try:
        return np.asarray(value)
    except ValueError:
        hint = hint or "Pass a list of arrays only where ragged data is allowed."
        got = "a ragged sequence"
        raise ShapeError(sentence(name, "a rectangular array", got, hint, value=value)) from None
    except Exception as error:  # a tensor of another library, which has its own reason
        way = _readable(value) or f"It says: {describe(str(error), limit=200)}."
        hint = hint or way
        got = describe(value)
        raise DataError(sentence(name, "readable by NumPy", got, hint, value=value)) from None


def _readable(tensor: Any) -> str:
    """What makes a tensor of another library one that NumPy can read."""
    steps = [".detach()"] * (getattr(tensor, "requires_grad", False) is True)
    steps += [".float()"] * str(getattr(tensor, "dtype", "")).endswith("bfloat16")
    steps += [".cpu()"] * (getattr(tensor, "is_cuda", False) is True)
    return f"Write tensor{''.join(steps)}." if steps else ""


def check_collected(name: str | Argument, value: Any) -> None:
    """Refuse what can only be run through, such as a generator or a loader of batches."""
    if runs_only(value):
        items = f"list({name})" if isinstance(value, Iterable) else _BY_NUMBER.format(name)
        hint = f"Collect its items first: {items}."
        raise InvalidTypeError(sentence(name, "an array or a list", describe(value), hint))


def runs_only(value: Any) -> bool:
    """Whether ``value`` can only be run through, or gives its items by number as a loader does."""
    # Cheapest first: every array that is checked comes through here.
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        return False
    numbered = hasattr(type(value), "__getitem__")
    return numbered != isinstance(value, Iterable) and not (numbered and _is_buffer(value))


#: The items of what gives them by number. NumPy and ``list`` would ask it for items without end.
_BY_NUMBER = "[{0}[i] for i in range(len({0}))]"


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def foreign(value: Any) -> str:
    """The package of :data:`FOREIGN` that an object, a class or a function is of, or ``""``."""
    kinds = [value] if hasattr(value, "__qualname__") else []
    for kind in [*kinds, *type(value).__mro__]:
        package = str(getattr(kind, "__module__", "")).partition(".")[0]
        if package in FOREIGN:
            return package
    return ""


def check_function(name: str, function: Any, arguments: tuple[str, ...]) -> None:
    """Refuse what cannot be called with ``arguments``, in this order.

    Parameters
    ----------
    name : str
        What messages call it.
    function : callable
    arguments : tuple of str
        What it will be called with, in words: ``("y", "target")``.

    Raises
    ------
    InvalidTypeError
        If it is no function, belongs to another framework, takes another number of arguments, or
        takes the target first.
    """
    expected = f"a function f({', '.join(arguments)})"
    package = foreign(function)
    if package:
        hint = f"It works on tensors of {package}; write a function of NumPy arrays."
        raise InvalidTypeError(sentence(name, expected, describe(function), hint))
    if not callable(function):
        raise InvalidTypeError(sentence(name, expected, describe(function)))
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of compiled modules do not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        what = f"{_called(function)}{signature}, which takes other arguments"
        raise InvalidTypeError(sentence(name, expected, what, value=function)) from None
    first = next(iter(signature.parameters), "")
    if arguments[-1] == "target" and first in TARGETS:
        call = f"lambda {', '.join(arguments)}: f({', '.join(reversed(arguments))})"
        what = f"{_called(function)}{signature}, which takes the target first"
        raise InvalidTypeError(sentence(name, expected, what, f"Write {call}.", value=function))


def _called(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def how_to_install(extra: str) -> str:
    """The command that installs the packages of ``extra``, from an index or from the sources."""
    return f"pip install 'throughtime[{extra}]' (in a clone: pip install '.[{extra}]')"


def import_extra(module: str, extra: str, purpose: str, hint: str = "") -> ModuleType:
    """Import an optional package; if it is missing, say which extra installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # An installed package that fails to import reports its own error.
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingDependencyError(
            Message(
                "{purpose} needs the package {package!r}, which is not installed.",
                hint=f"Run: {how_to_install(extra)}{'. ' + hint if hint else ''}",
                purpose=purpose,
                package=module.partition(".")[0],
            )
        ) from None
