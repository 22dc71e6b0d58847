"""Names: of everything that is chosen by name (activations, losses, layers), and of keywords.

A registered class is a dataclass whose fields are its options. So it can be printed, compared and,
by :meth:`Registry.to_config`, written to a model file as a small JSON object. Every generic test
(gradient, dtype, serialization) runs over the registries, so a new class needs no new tests.

A user-defined class is registered in the same way, and a model file may then contain it. A program
that reads the file must register the class first, under the same name, because a file holds names
and no code::

    @tt.activations.ACTIVATIONS.register("square")
    @dataclass(frozen=True)
    class Square(tt.activations.Activation): ...

A field declared with ``metadata={"registry": OTHER}`` may hold an object of the registry ``OTHER``
(a schedule inside an optimiser); its description is nested in that of its owner.

:func:`translate` answers a keyword of another library, ``learning_rate=``, with what it is called
here.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    check_choice,
    describe,
    foreign,
    sentence,
)
from throughtime.messages import Message

Base = TypeVar("Base")
Callee = TypeVar("Callee", bound=Callable[..., Any])

#: What to write here -> the keywords of other libraries that mean it. The key is the name of a
#: parameter, or what to use instead, in words or code.
Words = Mapping[str, tuple[str, ...]]


class Registry(Generic[Base]):
    """Names for the classes of one ``kind``.

    Parameters
    ----------
    kind : str
        What messages call an entry, for example ``"loss"``.
    base : type
        Base class of all entries.
    words : mapping, optional
        What other libraries call the options of the entries; see :func:`translate`.
    """

    def __init__(self, kind: str, base: type[Base], words: Words | None = None) -> None:
        self.kind = kind
        self.base = base
        self._words = words or {}
        self._classes: dict[str, type[Base]] = {}
        self._names: dict[type[Base], str] = {}
        self._spellings: dict[str, str] = {}

    def register(self, name: str, *aliases: str) -> Callable[[type[Base]], type[Base]]:
        """Return a class decorator that registers a dataclass under ``name`` and the aliases."""

        def enter(cls: type[Base]) -> type[Base]:
            for key in (name, *aliases):
                if key in self._classes:
                    taken_by = self._classes[key].__name__
                    raise InvalidArgumentError(
                        f"{self.kind} {key!r} is registered already, as {taken_by}."
                    )
                self._classes[key] = cls
                self._spellings.setdefault(_fold(key), key)
            self._names[cls] = name
            cls.__setattr__ = _saying_how(self.kind, cls.__setattr__)  # type: ignore[method-assign]  # wraps it
            return translate(self._words)(cls)

        return enter

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __getitem__(self, name: str) -> type[Base]:
        """The class registered under ``name``; ``"Adam"`` and ``"LeakyReLU"`` are found too."""
        if isinstance(name, str) and name not in self._classes:
            name = self._spellings.get(_fold(name), name)
        return self._classes[check_choice(self.kind, name, self._classes)]

    def name_of(self, obj: Base) -> str:
        """The name under which the class of ``obj`` is registered."""
        return self._names[type(obj)]

    def get(self, spec: Any) -> Base:
        """Return the object that ``spec`` means: an object itself, or the default one of a name.

        Names are found in upper and lower case alike.
        """
        if isinstance(spec, self.base):
            return spec
        if isinstance(spec, str):
            return self[spec]()
        names = ", ".join(map(repr, self))
        expected = f"one of {names} or an object of class {self.base.__name__}"
        raise InvalidTypeError(sentence(self.kind, expected, describe(spec), self.hint(spec)))

    def hint(self, spec: Any) -> str:
        """What to write instead of ``spec``: a class, or an object of another framework."""
        if isinstance(spec, type) and issubclass(spec, self.base):
            return f"Write it with brackets, to make an object: {spec.__name__}()."
        package = foreign(spec)
        if not package:
            return ""
        theirs = getattr(spec, "__name__", type(spec).__name__).casefold().replace("_", "")
        wanted = {theirs, theirs.removesuffix("loss")}
        ours = next((key for key in self._classes if key.replace("_", "") in wanted), None)
        way = f"Write {ours!r}." if ours else "Use one of these."
        return f"It is of {package}, and works on its tensors. {way}"

    def to_config(self, obj: Base) -> dict[str, Any]:
        """Describe ``obj`` for JSON: its name and its fields."""
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
                if field.name != "name":
                    config[field.name] = value
                elif value is not None:  # "name" is that of the entry
                    config["label"] = value
        return config

    def from_config(self, config: Any) -> Base:
        """Build the object that :meth:`to_config` described; refuse anything else."""
        if not isinstance(config, dict) or not isinstance(config.get("name"), str):
            raise ModelFileError(f"the file holds no {self.kind}; got {describe(config)}.")
        cls = self._classes.get(config["name"])
        if cls is None:
            raise ModelFileError(f"the file asks for an unknown {self.kind} {config['name']!r}.")
        options = {key: value for key, value in config.items() if key != "name"}
        if "label" in options:
            options["name"] = options.pop("label")
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
        # The description may say anything, and a user-defined class may fail on it in any way.
        except Exception as error:
            raise ModelFileError(f"the file holds a bad {self.kind}: {error}") from None


def _saying_how(kind: str, setter: Callable[[Any, str, Any], None]) -> Callable[..., None]:
    """``setter`` of a class, with words for what to do where its objects are frozen."""

    def setattr_(self: Any, name: str, value: Any) -> None:
        try:
            setter(self, name, value)
        except dataclasses.FrozenInstanceError:
            known = [field.name for field in dataclasses.fields(self) if field.init]
            way = f"Its options are {', '.join(known)}." if known else "It has no options."
            if name in known:
                way = f"Make a new one: dataclasses.replace({kind}, {name}={describe(value)})."
            text = f"{name} of this {type(self).__name__} cannot be changed. {way}"
            raise dataclasses.FrozenInstanceError(text) from None

    return setattr_


def _fold(name: str) -> str:
    """A spelling without case and underscores, so that ``LeakyReLU`` means ``leaky_relu``."""
    return name.lower().replace("_", "")


def translate(words: Words, name: str = "") -> Callable[[Callee], Callee]:
    """Decorator of a function or a class: say what an unknown keyword is called here.

    The signature stays as it is, for ``help()`` and for type checkers.

    Parameters
    ----------
    words : mapping
        See :data:`Words`. Keys that are not parameters of the function are ignored if they are
        names, so that one table can serve several functions.
    name : str
        What messages call the function; by default its own name.

    Examples
    --------
    >>> @translate({"epochs": ("n_epochs",)})
    ... def train(epochs: int = 50) -> None: ...
    >>> train(n_epochs=3)
    Traceback (most recent call last):
    throughtime.errors.InvalidTypeError: train has no argument 'n_epochs'; it is called epochs here.
    """

    def decorate(callee: Callee) -> Callee:
        if isinstance(callee, type):
            init = callee.__init__  # type: ignore[misc]  # that of this class, which is wanted
            callee.__init__ = _checked(init, callee.__name__, words)  # type: ignore[misc]
            return callee
        return cast(Callee, _checked(callee, name or callee.__name__, words))

    return decorate


def _checked(function: Callable[..., Any], name: str, words: Words) -> Callable[..., Any]:
    """``function``, called only with arguments that it has; ``check`` looks at them alone."""
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind == p.VAR_KEYWORD for p in parameters):
        return function
    required = [p.name for p in parameters if p.name in named and p.default is p.empty]
    positional = [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    endless = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    skipped = int(named[:1] == ["self"])

    def check(*args: Any, **options: Any) -> None:
        for option in options:
            if option not in named:
                way = _instead(option, named[skipped:], words)
                raise InvalidTypeError(
                    Message(
                        "{function} has no argument {option!r};",
                        parameter=option,
                        value=options[option],
                        hint=way,
                        function=name,
                        option=option,
                    )
                )
        if len(args) > len(positional) and not endless:
            taken = positional[skipped:]
            known = f"{len(taken)} argument{'s' * (len(taken) > 1)} without a name"
            known = f"{known} ({', '.join(taken)})" if taken else "no argument without a name"
            raise InvalidTypeError(
                f"{name} takes {known}; got {len(args) - skipped}. Give the others by name."
            )
        missing = [one for one in required if one not in [*positional[: len(args)], *options]]
        if missing:
            raise InvalidTypeError(
                f"{name} needs {', '.join(required[skipped:])}; got no {', '.join(missing)}."
            )

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError:  # asked only then: a small prediction takes no longer
            try:
                check(*args, **options)
            except InvalidTypeError as wrong:
                raise wrong from None
            raise

    call.check = check  # type: ignore[attr-defined]  # functions have no declared attributes
    return call


def _instead(option: str, named: list[str], words: Words) -> str:
    """What to write for the unknown keyword ``option``."""
    meant = [ours for ours, theirs in words.items() if option in theirs]
    for ours in meant:
        if ours in named:
            return f"it is called {ours} here."
    for ours in meant:
        if not ours.isidentifier():
            return f"use {ours}."
    near = difflib.get_close_matches(option, named, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(named)}."
