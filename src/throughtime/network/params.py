"""Parameters: ONE flat vector with named views.

Optimisers, clipping, penalties, checkpoints and gradient checks work on ``params.flat``; people
read ``params["0.W_x"]``. Gradients are another :class:`Params` of the same form.

A name has parts with dots between them: ``"0.forward.W_x"`` belongs to layer 0 (its owner), is
``"forward.W_x"`` to that layer, and ends in the leaf ``"W_x"``. A leaf that begins with ``W`` names
weights, which penalties apply to; others name biases and initial states, which they leave alone.
Only this module takes names apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    ShapeError,
    check_array,
    check_int,
    describe,
    sentence,
)


def check_dtype(dtype: Any) -> np.dtype:
    """Return ``dtype`` as a NumPy dtype if it is float32 or float64."""
    try:
        found = None if dtype is None else np.dtype(dtype)  # np.dtype(None) would mean float64
    except (TypeError, ValueError, SyntaxError):  # what NumPy raises for other descriptions
        found = None
    if found is None or found not in (np.float32, np.float64):
        raise InvalidArgumentError(sentence("dtype", "'float32' or 'float64'", describe(dtype)))
    return found


class Params(Mapping[str, np.ndarray]):
    """Named arrays that are views into one contiguous vector.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Name and shape of each array, in their order in the vector.
    dtype : dtype
        float32 or float64.

    Examples
    --------
    >>> params = Params({"0.W": (2, 3), "0.b": (3,)}, "float64")
    >>> params["0.b"] = 1.0
    >>> params.flat
    array([0., 0., 0., 0., 0., 0., 1., 1., 1.])
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], dtype: Any = "float32") -> None:
        self.shapes: dict[str, tuple[int, ...]] = {k: tuple(v) for k, v in shapes.items()}
        self.slices: dict[str, slice] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + int(np.prod(shape, dtype=np.int64))
            self.slices[name] = slice(start, stop)
            start = stop
        self._owned: dict[str, list[str]] = {}
        for name in self.shapes:
            self._owned.setdefault(self.owner(name), []).append(name)
        self._flat: np.ndarray = np.zeros(start, dtype=check_dtype(dtype))
        self._views = {
            name: self._flat[self.slices[name]].reshape(shape)
            for name, shape in self.shapes.items()
        }

    @property
    def flat(self) -> np.ndarray:
        """The whole vector; writing into it changes every view."""
        return self._flat

    @flat.setter
    def flat(self, values: np.ndarray) -> None:
        # `params.flat -= step` and `params.flat = saved` must change the views, not bind the name
        # to another array.
        self._flat[...] = _fitting("params.flat", values, self._flat.shape)

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._flat.dtype

    @property
    def size(self) -> int:
        """Number of all numbers."""
        return self._flat.size

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._views)}") from None

    def __setitem__(self, name: str, value: Any) -> None:
        view = self[name]
        view[...] = _fitting(f"params[{name!r}]", value, view.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __eq__(self, other: object) -> bool:
        # Mapping would compare dicts of arrays, and the truth of an array is ambiguous.
        if not isinstance(other, Params):
            return NotImplemented
        same_form = self.shapes == other.shapes and self.dtype == other.dtype
        return same_form and np.array_equal(self._flat, other._flat)

    __hash__ = None  # type: ignore[assignment]  # mutable, as a dict is

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._views)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {shape}" for name, shape in self.shapes.items())
        return f"Params({self.size} numbers, {self.dtype}: {rows})"

    @staticmethod
    def owner(name: str) -> str:
        """The owner of a parameter: ``"0"`` of ``"0.forward.W_x"``."""
        return name.partition(".")[0]

    @staticmethod
    def local(name: str) -> str:
        """The name by which its owner knows a parameter: ``"forward.W_x"``."""
        return name.partition(".")[2]

    @staticmethod
    def leaf(name: str) -> str:
        """The last part of a name: ``"W_x"``."""
        return name.rpartition(".")[2]

    @staticmethod
    def is_weight(name: str) -> bool:
        """Whether a parameter holds weights, not a bias or an initial state."""
        return Params.leaf(name).startswith("W")

    def owned(self, owner: str) -> dict[str, np.ndarray]:
        """The parameters of one owner, by their whole names."""
        return {name: self._views[name] for name in self._owned.get(owner, ())}

    def group(self, prefix: str) -> SimpleNamespace:
        """Arrays whose names begin with ``prefix``, as attributes: ``group("0").forward.W_x``."""
        tree = SimpleNamespace()
        for name, view in self.owned(self.owner(prefix)).items():
            if not name.startswith(prefix + "."):
                continue
            *path, leaf = name[len(prefix) + 1 :].split(".")
            node = tree
            for part in path:
                if not hasattr(node, part):
                    setattr(node, part, SimpleNamespace())
                node = getattr(node, part)
            setattr(node, leaf, view)
        return tree

    def zeros_like(self) -> Params:
        """Params of the same form, filled with zeros (the form of a gradient)."""
        return Params(self.shapes, self.dtype)

    def copy(self) -> Params:
        """An independent copy."""
        other = self.zeros_like()
        other.flat[...] = self._flat
        return other

    def astype(self, dtype: Any) -> Params:
        """An independent copy in another float type."""
        other = Params(self.shapes, dtype)
        other.flat[...] = self._flat
        return other

    def locate(self, index: int) -> tuple[str, tuple[int, ...]]:
        """Name and index of the number at ``flat[index]``."""
        index = check_int("index", index, 0, self.size - 1)
        name = next(name for name, part in self.slices.items() if index < part.stop)
        where = np.unravel_index(index - self.slices[name].start, self.shapes[name])
        return name, tuple(int(i) for i in where)

    # By default a pickle or deepcopy would restore views that do not share memory with the vector.
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.shapes, self._flat)


def _fitting(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """``value`` as numbers of ``shape``, or as one number for all."""
    array = check_array(name, value, finite=False)
    if array.shape not in ((), shape):
        raise ShapeError(sentence(name, f"of shape {shape}", f"shape {array.shape}"))
    return array


def _rebuild(shapes: Mapping[str, tuple[int, ...]], flat: np.ndarray) -> Params:
    params = Params(shapes, flat.dtype)
    params.flat[...] = flat
    return params
