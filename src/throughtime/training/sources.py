"""Batches from anywhere: a list, a class, a loader of another library, a function."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.prefetch import Prefetch
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ThroughtimeError,
    check_array,
    check_choice,
    describe,
    foreign,
    sentence,
)
from throughtime.network.signals import alike, each
from throughtime.network.tape import copy_state
from throughtime.training.fingerprint import digest
from throughtime.training.heads import Heads
from throughtime.training.options import OTHER_NAMES
from throughtime.training.samples import Samples, Weigher, check_samples

if TYPE_CHECKING:
    from throughtime.network import Network

#: The entries of a batch that is a dict, and the arguments of :func:`check_samples` that they are.
ENTRIES = {
    "x": "x", "y": "y", "lengths": "lengths", "mask": "mask", "weight": "sample_weight",
    "sample_weight": "sample_weight", "initial_state": "initial_state", "reset": "reset",
}  # fmt: skip
WANTED = "(x, y), (x, y, weight) or a dict with x, y, lengths, mask, weight"


class Source:
    """The batches of ``given``, each checked when it comes.

    Parameters
    ----------
    net, heads :
        What the batches must fit.
    given : iterable or callable
        See :func:`throughtime.train`.
    name : str
        What messages call it.
    prefetch : int
        How many batches are read ahead in a thread; 0 reads in this thread.
    marks : bool
        Whether batches may mark the rows that begin anew, because states go on.

    Attributes
    ----------
    weigh : callable, or None
        Gives a batch the weights of its classes.
    hashes : list of int, or None
        Of each batch that was read in the epoch that runs; None if nobody asks for them.
    """

    def __init__(
        self,
        net: Network,
        heads: Heads,
        given: Any,
        name: str = "batches",
        prefetch: int = 2,
        marks: bool = False,
    ) -> None:
        self.net, self.heads, self.name, self.prefetch = net, heads, name, prefetch
        self.marks = marks
        self.weigh: Weigher | None = None
        self.given = check_source(given, name)
        self.hashes: list[int] | None = None

    #: Its data come later; a checkpoint compares the hashes of its batches.
    arrays: tuple[np.ndarray, ...] = ()

    def count(self) -> int:
        """How many batches an epoch has, if the source says so; otherwise 0."""
        try:
            return len(self.given)
        except Exception:  # it may be unknown in any way; the loaders of PyTorch raise TypeError
            return 0

    @property
    def batch_size(self) -> int:
        """How many sequences a whole batch has, if the source says so; otherwise 0."""
        found = getattr(self.given, "batch_size", None)
        return found if isinstance(found, int) and not isinstance(found, bool) else 0

    def weighted(self, weights: Weigher | None) -> Source:
        """The source, whose batches get the weights of their classes."""
        self.weigh = weights
        return self

    @property
    def knows_epochs(self) -> bool:
        """Whether the source is told which epoch it gives."""
        return hasattr(self.given, "set_epoch") or _takes_epoch(self.given)

    def epoch(self, number: int | None) -> Generator[Samples, None, None]:
        """Yield the batches of an epoch, from 1; None for those of the first, outside training.

        Raises
        ------
        ShapeError, DataError, InvalidArgumentError, InvalidTypeError
            If a batch does not fit, or there is none; the message says which batch.
        """
        # Here, not in the thread: a loader with processes starts them now.
        iterator = self._open(1 if number is None else number)
        batches = self._checked(iterator, number)
        if not self.prefetch:
            yield from batches
            return
        ahead = Prefetch(batches, self.prefetch)
        try:
            yield from ahead
        finally:
            ahead.close()

    def _open(self, number: int) -> Iterator[Any]:
        given = self.given
        try:
            if hasattr(given, "set_epoch"):
                given.set_epoch(number)
            if not isinstance(given, Iterable):
                given = given(number) if _takes_epoch(given) else given()
            if isinstance(given, Iterable):
                return iter(given)
        except Exception as error:
            error.add_note(f"{self.name} raised this at the start of epoch {number}.")
            raise
        expected = "an iterator of batches"
        raise InvalidTypeError(
            sentence(f"the function {self.name}", expected, describe(given), must="return")
        )

    def _checked(self, iterator: Iterator[Any], number: int | None) -> Iterator[Samples]:
        if self.hashes is not None:
            self.hashes = []
        count = 0
        of = "" if number is None else f" of epoch {number}"
        whose = "" if self.name == "batches" else f"{self.name}, "
        while True:
            place = f"batch {count + 1}{of}"
            try:
                item = next(iterator, _END)
            except Exception as error:
                kept = "" if number is None else "; the weights so far are kept"
                error.add_note(f"{self.name} raised this at {place}{kept}.")
                raise
            if item is _END:
                break
            count += 1
            try:
                part = self._read(item)
            except ThroughtimeError as error:
                raise error.within(f"{whose}{place}", self.name) from None
            if self.hashes is not None:
                self.hashes.append(number_of(part))
            yield part
        if not count:
            got, hint = "none", ""
            if number is not None and number > 1:
                got = f"none in epoch {number}"
                hint = "An iterator can be run through once only: pass the function that makes it."
            raise DataError(sentence(self.name, "at least one batch", got, hint, must="give"))

    def _read(self, item: Any) -> Samples:
        arguments = _by_name(item)
        reset = arguments.pop("reset", None)
        part = check_samples(self.net, self.heads, **arguments, empty=True)
        if reset is not None:
            check_marks("reset", reset, self.marks)
            part.reset = check_reset(self.net, reset, len(part))
        part = _owned(part, arguments)
        return part if self.weigh is None else self.weigh(part)


_END = object()


def check_source(given: Any, name: str) -> Any:
    """Return ``given`` if it can be run through again and again.

    Raises
    ------
    InvalidTypeError
        If it cannot.
    """
    expected = "a list of batches, a class with __iter__, a loader or a function that makes one"
    if isinstance(given, Iterator):
        hint = (
            "An iterator can be run through once only: pass the function that makes it,"
            f" {name}=lambda: ..."
        )
        raise InvalidTypeError(sentence(name, expected, describe(given), hint, value=given))
    fits = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping | np.ndarray)
    if fits or (not isinstance(given, Iterable) and _is_maker(given)):
        return given
    hint = f"A batch is {WANTED}."
    if (
        hasattr(given, "__getitem__")
        and hasattr(given, "__len__")
        and not isinstance(given, Mapping | str | bytes | np.ndarray)
    ):
        hint = f"It gives its items by number: {name}=lambda: (it[i] for i in range(len(it)))."
    raise InvalidTypeError(sentence(name, expected, describe(given), hint, value=given))


def is_source(value: Any) -> bool:
    """Whether a validation set comes in batches: no fraction, tuple, dict or pair of arrays."""
    if isinstance(value, list):  # a pair may hold dicts by input and by output
        return bool(value) and all(
            isinstance(one, tuple) or (isinstance(one, Mapping) and "x" in one) for one in value
        )
    if value is None or isinstance(value, tuple | Mapping | str | bytes | np.ndarray):
        return False
    return isinstance(value, Iterable) or callable(value)


def check_reset(net: Network, reset: Any, rows: int) -> np.ndarray:
    """Return ``reset`` as an array of bool of shape (N,); one value is that of all rows.

    Raises
    ------
    InvalidArgumentError
        If a layer begins a sequence with another state than zero, with which marked rows begin.
    """
    for i, (layer, call) in enumerate(zip(net.layers, net.plan.calls, strict=True)):
        reason = "learns its initial state" if getattr(layer, "learn_initial_state", False) else ""
        if call.state is not None:
            reason = "takes its initial state from another layer"
        if reason:
            raise InvalidArgumentError(
                f"reset must be None for this network: {net.topology.named(i)} {reason}, and rows"
                " that are marked begin with zero."
            )
    if isinstance(reset, bool | np.bool_):
        return np.full(rows, bool(reset))
    array = check_array("reset", reset, shape=(rows,))
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        got = f"an array of dtype {array.dtype}"
        hint = "True marks a row that begins anew."
        raise DataError(sentence("reset", "True and False", got, hint, must="hold", value=reset))
    return array.astype(bool)


def check_marks(name: str, reset: Any, carry_state: bool) -> None:
    """Refuse marks of the rows that begin anew, the value of ``name``, where all rows do."""
    if reset is not None and not carry_state:
        hint = "Without it every sequence begins anew."
        raise InvalidArgumentError(
            sentence(name, "None without carry_state=True", describe(reset), hint)
        )


def _is_maker(given: Any) -> bool:
    """Whether a function, or a class, can make an iterator of batches."""
    known = callable(given) and not foreign(given) and not isinstance(given, BuiltinFunctionType)
    return known and _required(given) <= 1


def _takes_epoch(given: Any) -> bool:
    """Whether a function takes an argument: the number of the epoch."""
    return not isinstance(given, Iterable | type) and _required(given) == 1


def _required(function: Any) -> int:
    """How many arguments a function must be called with; more than 1 if one of them by name."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return 0
    return sum(
        1 if p.kind != p.KEYWORD_ONLY else 2
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    )


def _by_name(item: Any) -> dict[str, Any]:
    """A batch as arguments of :func:`check_samples`, and ``reset``."""
    if isinstance(item, Mapping):
        for key in item:
            _check_key(key)
        if "weight" in item and "sample_weight" in item:
            raise InvalidArgumentError(
                sentence("a batch", "'weight' once", "'weight' and 'sample_weight'", must="hold")
            )
        for key in ("x", "y"):
            if key not in item:
                got = ", ".join(map(repr, item)) or "nothing"
                raise InvalidArgumentError(
                    sentence("a batch", "'x' and 'y'", got, must="hold", value=item)
                )
        return {ENTRIES[key]: value for key, value in item.items()}
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        if len(item) == 3:
            _check_no_lengths(item[0], item[2])
        return dict(zip(("x", "y", "sample_weight"), item, strict=False))
    got = describe(item)
    if isinstance(item, tuple | list):
        got = f"{len(item)} entr{'y' if len(item) == 1 else 'ies'}"
    raise InvalidTypeError(sentence("a batch", WANTED, got, value=item))


def _check_no_lengths(x: Any, weight: Any) -> None:
    """Refuse weights that are the lengths of padded sequences, as other loaders give them."""
    shape, numbers = tuple(getattr(x, "shape", ())), np.asarray(weight)
    if len(shape) != 3 or numbers.shape != shape[:1] or numbers.dtype.kind not in "iu":
        return
    if numbers.size and 1 <= numbers.min() < numbers.max() == shape[1]:
        got = f"integers up to {shape[1]}, the number of steps of x, which look like lengths"
        hint = "Write {'x': x, 'y': y, 'lengths': lengths}, or make the weights floats."
        expected = "weights as its third entry"
        raise InvalidArgumentError(
            sentence("a batch", expected, got, hint, must="have", parameter="weight", value=weight)
        )


def _check_key(key: Any) -> None:
    """Refuse a key that no batch has, and say what it is called here."""
    ours = next((name for name in ENTRIES if key in OTHER_NAMES.get(name, ())), None)
    if key in ENTRIES or ours is None:
        check_choice("a key of a batch", key, ENTRIES)
        return
    expected = f"one of {', '.join(map(repr, ENTRIES))}"
    hint = f"It is called {ours!r} here."
    raise InvalidArgumentError(sentence("a key of a batch", expected, describe(key), hint))


def _owned(part: Samples, arguments: Mapping[str, Any]) -> Samples:
    """The batch with arrays of its own: its source may write into what it gave."""
    leaves = [leaf for value in arguments.values() for leaf in _leaves(value)]
    given = {id(leaf) for leaf in leaves}
    # What a tensor gives as an array may be its own memory.
    tensors = any(hasattr(one, "__array__") and not isinstance(one, np.ndarray) for one in leaves)

    def own(array: Any) -> Any:
        if array is None or not (tensors or array.base is not None or id(array) in given):
            return array
        return array.copy()

    targets = tuple(
        one._replace(y=own(one.y), mask=own(one.mask), weight=own(one.weight))
        for one in part.targets
    )
    x, mask = (alike(tuple(map(own, each(value)))) for value in (part.x, part.mask))
    states = None if part.states is None else [copy_state(state) for state in part.states]
    return replace(part, x=x, mask=mask, targets=targets, states=states)


def _leaves(value: Any) -> Iterator[Any]:
    """The arrays of an entry of a batch: itself, or those in a dict or list of it."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return iter(value if isinstance(value, list | tuple) else [value])


def number_of(part: Samples) -> int:
    """64 bits of the hash of a batch, as a signed number."""
    text = hashlib.sha256(digest(part.arrays).encode()).digest()
    return int.from_bytes(text[:8], "little", signed=True)
