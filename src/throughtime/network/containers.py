"""The containers of several arrays: a dict by name, a list in order, or one array alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    describe,
    sentence,
)


class Container(NamedTuple):
    """The names of inputs or outputs, and the container that holds them.

    Attributes
    ----------
    kind : str
        ``"single"``, ``"list"`` or ``"dict"``.
    names : tuple of str
        The names; the number of an input or output that has none.
    """

    kind: str
    names: tuple[str, ...]

    @classmethod
    def single(cls) -> Container:
        """One array alone."""
        return cls("single", ("0",))

    def spread(self, argument: str, value: Any, *, part: bool = False) -> tuple[Any, ...]:
        """Return the values in the order of the names.

        Parameters
        ----------
        argument : str
            The name of the argument, for messages.
        value : mapping, list, tuple or array
            By name, or in order; a single one alone.
        part : bool
            Whether values may be absent, which are then None.
        """
        if isinstance(value, Mapping):
            for key in value:
                if key not in self.names:
                    raise InvalidArgumentError(
                        sentence(f"a key of {argument}", f"one of {self._listed()}", describe(key))
                    )
            lost = [name for name in self.names if name not in value]
            if lost and not part:
                raise InvalidArgumentError(
                    sentence(argument, self._listed(" and "), f"no {lost[0]!r}", must="hold")
                )
            return tuple(value.get(name) for name in self.names)
        listed = self.kind == "list" and isinstance(value, list | tuple) and len(value) == 1
        if len(self.names) == 1 and not listed:
            return (value,)
        if not isinstance(value, list | tuple):
            raise InvalidTypeError(sentence(argument, self._wanted(), describe(value)))
        if len(value) != len(self.names):
            raise ShapeError(sentence(argument, self._wanted(), f"{len(value)} of them"))
        return tuple(value)

    def gather(self, values: Sequence[Any]) -> Any:
        """Return ``values``, in the order of the names, in the container."""
        if self.kind == "dict":
            return dict(zip(self.names, values, strict=True))
        return list(values) if self.kind == "list" else values[0]

    def _listed(self, last: str = ", ") -> str:
        names = [repr(name) for name in self.names]
        return last.join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

    def _wanted(self) -> str:
        return f"a dict with {self._listed(' and ')}, or a list of {len(self.names)}"
