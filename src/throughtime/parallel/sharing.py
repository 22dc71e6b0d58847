"""What several tasks hold, the same array for example, travels once, with the context."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import numpy as np

#: Bytes of an array below which a copy for each task costs nothing.
_SMALL = 4096


class Place(NamedTuple):
    """In a task, where an object stood: its number among those that are shared."""

    number: int


def share(tasks: Iterable[Any], whole: Collection[int] = ()) -> tuple[list[Any], list[Any]]:
    """Take out of ``tasks`` what at least two of them hold.

    Looked for are arrays, and lists of arrays, in the arguments of a :func:`functools.partial`
    and in dicts, lists and tuples. The same object counts, not one that is equal.

    Parameters
    ----------
    tasks : iterable
    whole : collection of int
        The ids of other objects that can be shared.

    Returns
    -------
    shared : list
        The objects; arrays are read-only, because what one task writes the others would see.
    tasks : list
        The tasks, with a :class:`Place` for each of them.
    """
    tasks = list(tasks)
    found: dict[int, Any] = {}
    holders: Counter[int] = Counter()
    for task in tasks:
        inside: set[int] = set()

        def note(value: Any, inside: set[int] = inside) -> Any:
            if _can_be_shared(value) or id(value) in whole:
                inside.add(id(value))
                found[id(value)] = value
            return value

        _replace(task, note)
        holders.update(inside)
    keys = [key for key, n in holders.items() if n > 1]
    places = {key: Place(number) for number, key in enumerate(keys)}
    short = [_replace(task, lambda value: places.get(id(value), value)) for task in tasks]
    return [_read_only(found[key]) for key in keys], short


def restore(shared: list[Any], task: Any) -> Any:
    """The task as it was before :func:`share`."""
    return _replace(task, lambda value: shared[value.number] if type(value) is Place else value)


def _replace(value: Any, function: Callable[[Any], Any]) -> Any:
    """``value`` with ``function`` applied to all that it holds, outermost first."""
    found = function(value)
    if found is not value:
        return found
    kind = type(value)
    if kind is dict:
        return {key: _replace(item, function) for key, item in value.items()}
    if kind is list or kind is tuple:
        return kind(_replace(item, function) for item in value)
    if kind is functools.partial:
        args = [_replace(item, function) for item in value.args]
        options = {key: _replace(item, function) for key, item in value.keywords.items()}
        return functools.partial(value.func, *args, **options)
    return value


def _can_be_shared(value: Any) -> bool:
    kind = type(value)
    if kind is np.ndarray or kind is np.memmap:
        return value.nbytes >= _SMALL
    return (kind is list or kind is tuple) and bool(value) and all(map(_is_array, value))


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _read_only(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if _can_be_shared(value):
        return type(value)(_read_only(item) for item in value)
    return value
