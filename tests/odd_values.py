"""Values of every kind that a user passes by mistake, for the tests of what is refused."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


class Tensor:
    """A tensor that NumPy cannot read, as one of PyTorch that requires gradients."""

    ndim, shape, dtype = 1, (60,), "torch.float32"

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.\nUse detach().")

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise IndexError
        return self

    def __repr__(self) -> str:
        return "tensor([1.,\n        2.], requires_grad=True)"


class BrainFloat(Tensor):
    """A tensor of a type that NumPy does not have."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Got unsupported ScalarType BFloat16")


class Unprintable:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError


#: Name -> a function that makes the value.
ODD: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a boolean": lambda: True,
    "a number": lambda: 5.5,
    "a negative number": lambda: -5,
    "text": lambda: "abc",
    "a null character": lambda: "a\0b",
    "bytes": lambda: b"abc",
    "a generator": lambda: (i for i in range(60)),
    "a zip": lambda: zip([1], [2], strict=True),
    "a set": lambda: {1.0, 2.0},
    "a dict": lambda: {"a": [1.0]},
    "an empty dict": dict,
    "a dict of None": lambda: {"a": None},
    "an empty list": list,
    "ragged": lambda: [[1.0], [2.0, 3.0]],
    "ragged at its end": lambda: [1.0, [2.0, 3.0]],
    "ragged inside": lambda: [[[1.0], [2.0, 3.0]], [1.0]],
    "texts": lambda: ["a", "b"],
    "a class": lambda: dict,
    "a function": lambda: len,
    "an ellipsis": lambda: ...,
    "a slice": lambda: slice(3),
    "a deque": lambda: collections.deque([1.0, "a"]),
    "a date": lambda: dt.date(2024, 1, 1),
    "decimals": lambda: [decimal.Decimal("1.5")] * 2,
    "a huge integer": lambda: [10**400] * 60,
    "infinities": lambda: [1.0, np.inf] * 30,
    "huge numbers": lambda: np.full(60, 1e300),
    "one number in an array": lambda: np.array(3.0),
    "None in an array": lambda: np.array(None, dtype=object),
    "objects": lambda: np.array([1, "a", None], dtype=object),
    "complex numbers": lambda: np.ones(60) * 1j,
    "days": lambda: np.array(["2020-01-01"] * 3, dtype="M8[D]"),
    "durations": lambda: np.array([1, 2], dtype="m8[s]"),
    "four axes": lambda: np.ones((2, 3, 4, 5)),
    "a structure": lambda: np.zeros(3, dtype=[("a", "f8")]),
    "nothing but bytes": lambda: np.zeros(3, dtype="V4"),
    "a tensor with gradients": Tensor,
    "tensors with gradients": lambda: [Tensor(), Tensor()],
    "a tensor of brain floats": BrainFloat,
    "an object that does not print": Unprintable,
    "a frame of text": lambda: pd.DataFrame({"a": ["x"] * 60}),
    "a frame of dates": lambda: pd.DataFrame({"a": pd.date_range("2020", periods=60)}),
    "a frame of both": lambda: pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
    "categories": lambda: pd.Series(list("ab") * 30, dtype="category"),
    "equal dates": lambda: pd.Series([1.0, 2.0], index=pd.to_datetime(["2020-01-01"] * 2)),
    "a date that is missing": lambda: pd.Series(
        [1.0, 2.0], index=pd.to_datetime(["2020-01-01", None])
    ),
}  # fmt: skip
