"""What the columns of a table are for, and whether their types allow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.tables.cells import Columns
from throughtime.data.tables.columns import check_names, quoted
from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    describe,
    import_extra,
    sentence,
)

__all__ = ["Roles", "find_roles", "kind_of", "plain"]


#: What pandas calls an index that it writes; it is a feature only where it is named.
_INDEX = "__index_level_"


class Roles(NamedTuple):
    """The columns of a table of sequences.

    Attributes
    ----------
    id : str
        Rows with the same value are one sequence.
    time : str or None
        Orders the rows of a sequence; None keeps their order.
    features, targets : tuple of str
    weight : str or None
    by_step : bool
        Whether targets and weights belong to time steps, and not to sequences.
    target_kind : str
        ``"class"``, ``"integer"`` or ``"number"``; empty where there is no target.
    dtype : dtype
        Of features, weights and targets that are numbers.
    """

    id: str
    time: str | None
    features: tuple[str, ...]
    targets: tuple[str, ...]
    weight: str | None
    by_step: bool
    target_kind: str
    dtype: np.dtype

    @property
    def target_dtype(self) -> np.dtype:
        """The dtype of the targets."""
        return self.dtype if self.target_kind == "number" else np.dtype("int64")


def plain(kind: Any) -> Any:
    """A type of Arrow; of a dictionary, that of its values; of an extension, how it is stored."""
    pa = import_extra("pyarrow", "cli", "Reading a Parquet file")
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def kind_of(kind: Any) -> str:
    """``"integer"``, ``"number"``, ``"bool"``, ``"text"``, ``"bytes"``, ``"time"``, or ``""``."""
    pa = import_extra("pyarrow", "cli", "Reading a Parquet file")
    kind = plain(kind)
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_boolean(kind):
        return "bool"
    if kind in (pa.string(), pa.large_string(), pa.string_view()):
        return "text"
    if kind in (pa.binary(), pa.large_binary()) or pa.types.is_fixed_size_binary(kind):
        return "bytes"
    return "time" if pa.types.is_temporal(kind) else ""


def find_roles(
    file: str,
    schema: Any,
    *,
    id: Any,  # noqa: A002 - the word that long tables use
    time: Any,
    features: Any,
    target: Any,
    weight: Any,
    by_step: bool,
    dtype: np.dtype,
) -> Roles:
    """Check the names of columns against the schema of the first file, and their types.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If there is no such column, or one has two roles.
    DataError
        If a column has a type that its role does not allow.
    """
    types = {name: schema.field(k).type for k, name in enumerate(schema.names)}
    targets = _names("target", target)
    named = [("id", id)]
    named += [] if time is None else [("time", time)]
    named += [("target", name) for name in targets]
    named += [] if weight is None else [("weight", weight)]
    if features is not None:
        asked = _names("features", features)
        if not asked:
            raise InvalidArgumentError(sentence("features", "at least one column", "none"))
        named += [("features", name) for name in asked]
    check_names(file, Columns({name: [] for name in types}, np.arange(0)), named)
    taken = {name for _, name in named}
    twice = [name for name in schema.names if name in taken and schema.names.count(name) > 1]
    if twice:
        got = f"two that are called {twice[0]!r}"
        raise DataError(sentence(file, "columns with different names", got, parameter="path"))
    if features is None:
        taken |= {name for name in types if name.startswith(_INDEX)}
        asked = tuple(name for name in types if name not in taken)
    if not asked:
        got = f"none besides {quoted(list(types))}"
        raise DataError(sentence(file, "columns of features", got, must="have", parameter="path"))
    if weight is not None:
        _check_type(file, "weight", weight, types[weight], ("integer", "number", "bool"))
    if time is not None:
        way = "Write it as time stamps or numbers." if kind_of(types[time]) == "text" else ""
        _check_type(file, "time", time, types[time], ("time", "integer", "number"), way)
    _check_type(file, "id", id, types[id], ("integer", "number", "bool", "text", "bytes", "time"))
    for name in targets:
        _check_type(file, "target", name, types[name], ("integer", "number", "bool", "text"))
    hint = "" if features is not None else "Name the columns to learn from: features=[...]."
    for name in asked:
        _check_type(file, "features", name, types[name], ("integer", "number", "bool"), hint)
    return Roles(id, time, asked, targets, weight, by_step, _target_kind(targets, types), dtype)


def _names(role: str, value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return tuple(value)
    raise InvalidTypeError(sentence(role, "a column or a list of columns", describe(value)))


def _target_kind(targets: tuple[str, ...], types: dict[str, Any]) -> str:
    kinds = [kind_of(types[name]) for name in targets]
    for name, kind in zip(targets, kinds, strict=True):
        if kind in ("text", "bool") and len(targets) > 1:
            got = f"the column {name!r} of classes among {len(targets)}"
            raise InvalidArgumentError(
                sentence(
                    "target", "one column of classes or several of numbers", got, value=targets
                )
            )
    if not kinds:
        return ""
    if kinds[0] in ("text", "bool"):
        return "class"
    return "integer" if set(kinds) == {"integer"} else "number"


def _check_type(
    file: str, role: str, name: str, kind: Any, allowed: tuple[str, ...], hint: str = ""
) -> None:
    if kind_of(kind) in allowed:
        return
    words = {"time": "times", "number": "numbers", "text": "text"}
    expected = " or ".join(words[one] for one in words if one in allowed)
    raise DataError(
        sentence(
            f"{role} column {name!r} of {file}",
            expected,
            f"the type {kind}",
            hint,
            must="hold",
            parameter=role,
        )
    )
