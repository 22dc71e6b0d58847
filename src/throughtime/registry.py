"""One registry for everything that is chosen by name: activations, losses, optimisers, layers.

A registered class is a dataclass whose fields are its options. That makes it printable, comparable
and, through :meth:`Registry.to_config`, a small JSON object in a model file. Every generic test
(gradient, dtype, serialization) runs over the registries, so adding a class adds its tests.

A class of one's own enters the same way, and then may stand in a model file. The program that reads
the file registers it first, under the same name, for a file holds names and no code::

    @tt.activations.ACTIVATIONS.register("square")
    @dataclass(frozen=True)
    class Square(tt.activations.Activation): ...

A field declared with ``metadata={"registry": OTHER}`` may hold an object of the registry ``OTHER``
(a schedule inside an optimiser); its description is nested in that of its owner.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_choice,
    describe,
)

Base = TypeVar("Base")


class Registry(Generic[Base]):
    """Names for the classes of one ``kind``.

    Parameters
    ----------
    kind : str
        What the entries are, as messages call it: ``"loss"``.
    base : type
        The class that every entry derives from.
    """

    def __init__(self, kind: str, base: type[Base]) -> None:
        self.kind = kind
        self.base = base
        self._classes: dict[str, type[Base]] = {}
        self._names: dict[type[Base], str] = {}

    def register(self, name: str, *aliases: str) -> Callable[[type[Base]], type[Base]]:
        """Class decorator: enter a dataclass under ``name`` and its aliases."""

        def enter(cls: type[Base]) -> type[Base]:
            for key in (name, *aliases):
                if key in self._classes:
                    taken_by = self._classes[key].__name__
                    raise InvalidArgumentError(
                        f"{self.kind} {key!r} is registered already, as {taken_by}."
                    )
                self._classes[key] = cls
            self._names[cls] = name
            return cls

        return enter

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __getitem__(self, name: str) -> type[Base]:
        return self._classes[check_choice(self.kind, name, self._classes)]

    def name_of(self, obj: Base) -> str:
        """The name under which the class of ``obj`` is registered."""
        return self._names[type(obj)]

    def get(self, spec: Any) -> Base:
        """Return what ``spec`` means: an object stands for itself, a name for the default one."""
        if isinstance(spec, self.base):
            return spec
        if isinstance(spec, str):
            return self[spec]()
        raise InvalidTypeError(
            f"{self.kind} must be one of {', '.join(map(repr, self))} or an object of"
            f" class {self.base.__name__}; got {describe(spec)}."
        )

    def to_config(self, obj: Base) -> dict[str, Any]:
        """A JSON-ready description of ``obj``: its name and its fields."""
        if type(obj) not in self._names:
            raise InvalidTypeError(
                f"{self.kind} {describe(obj)} is your own object and cannot be written to a file;"
                f" only registered ones can: {', '.join(self)}. Make yours a dataclass, a subclass"
                f" of {self.base.__name__}, under the registry's decorator register('a name')."
            )
        fields = dataclasses.fields(obj)  # type: ignore[arg-type]  # every entry is a dataclass
        config: dict[str, Any] = {"name": self.name_of(obj)}
        for field in fields:
            if field.init:
                value, inner = getattr(obj, field.name), field.metadata.get("registry")
                if inner is not None and isinstance(value, inner.base):
                    value = inner.to_config(value)
                config[field.name] = value
        return config

    def from_config(self, config: Any) -> Base:
        """Build the object that :meth:`to_config` described; refuse anything else."""
        if not isinstance(config, dict) or not isinstance(config.get("name"), str):
            raise ModelFileError(f"the file holds no {self.kind}; got {describe(config)}.")
        cls = self._classes.get(config["name"])
        if cls is None:
            raise ModelFileError(f"the file asks for an unknown {self.kind} {config['name']!r}.")
        options = {key: value for key, value in config.items() if key != "name"}
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # every entry is a dataclass
        known = {field.name: field.metadata.get("registry") for field in fields if field.init}
        if not options.keys() <= known.keys():
            unknown = sorted(options.keys() - known.keys())[0]
            raise ModelFileError(
                f"the file gives {self.kind} {config['name']!r} an unknown option {unknown!r}."
            )
        for key, inner in known.items():
            if inner is not None and isinstance(options.get(key), dict):
                options[key] = inner.from_config(options[key])
        try:
            return cls(**options)
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"the file holds a bad {self.kind}: {error}") from None
