"""Messages for people that keep their parts for programs.

A text that names arguments marks them, so that a program with other names for them (the command
line) says its own. In a :class:`Message`, ``{horizon}`` is the argument ``horizon``:

>>> hint = Message("Use a shorter {horizon} or {window}.")
>>> str(hint)
'Use a shorter horizon or window.'
>>> hint.render(lambda argument: f"--{argument.name}")
'Use a shorter --horizon or --window.'
"""

from __future__ import annotations

import pickle
import re
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

__all__ = ["Argument", "Message", "Renaming", "Setting", "describe", "sentence"]


@dataclass(frozen=True)
class Argument:
    """An argument that a message names: ``y``, or with a key one entry of it, ``y['a']``.

    Attributes
    ----------
    name : str
    key : object
        The entry, where the message is about one of several; otherwise None.
    """

    name: str
    key: Any = None

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}[{self.key!r}]"


@dataclass(frozen=True)
class Setting:
    """An argument with a value that a message names: ``dayfirst=False``."""

    name: str
    value: Any

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}"


#: Says an argument in the words of another program, or None if that program does not have it.
Renaming = Callable[[Argument | Setting], str | None]


class Message(str):
    """A text for people that keeps its parts for programs.

    Parameters
    ----------
    template : str
        The text, with ``{name}`` where a field stands. A field that is not given is the
        :class:`Argument` of that name. Data go into fields, never into the template.
    parameter : str, optional
        The argument that the message is about.
    value : object
        The value that the argument had.
    hint : str
        The way out: a sentence that follows the text, possibly a Message itself.
    **fields
        What stands in the template: arguments, settings, messages, or anything that formats.

    Attributes
    ----------
    pieces : tuple of str, Argument and Setting
        The text without the hint; joined they are what people read.

    Examples
    --------
    >>> note = Message("{y} holds {n} values.", n=3, hint=Message("Shorten {window}."))
    >>> str(note)
    'y holds 3 values. Shorten window.'
    >>> note.render(lambda argument: {"y": "column 'price'"}.get(argument.name))
    "column 'price' holds 3 values."
    """

    __slots__ = ("hint", "parameter", "pieces", "value")

    pieces: tuple[str | Argument | Setting, ...]
    parameter: str | None
    value: Any
    hint: str

    def __new__(
        cls,
        template: str,
        *,
        parameter: str | None = None,
        value: Any = None,
        hint: str = "",
        **fields: Any,
    ) -> Self:
        """Fill the template; see the class."""
        return cls.join(_pieces(template, fields), parameter, value, hint)

    @classmethod
    def join(
        cls,
        pieces: Iterable[str | Argument | Setting],
        parameter: str | None = None,
        value: Any = None,
        hint: str = "",
    ) -> Self:
        """A message of ``pieces``; the other parts as in the class."""
        parts = tuple(pieces)
        self = super().__new__(cls, _with_hint("".join(map(str, parts)), hint))
        self.pieces, self.parameter, self.value, self.hint = parts, parameter, value, hint
        return self

    @classmethod
    def of(cls, text: str) -> Message:
        """``text`` itself if it is a message, otherwise a message without parts."""
        return text if isinstance(text, Message) else cls.join([text])

    def with_hint(self, hint: str) -> Message:
        """The message with another way out."""
        return Message.join(self.pieces, self.parameter, self.value, hint)

    def render(self, rename: Renaming) -> str:
        """The text with arguments called as another program calls them.

        Parameters
        ----------
        rename : callable
            Returns the other name of an :class:`Argument` or a :class:`Setting`. None keeps the
            name; a hint that contains such an argument is of no use there, and is omitted.
        """
        hint = Message.of(self.hint)
        if any(rename(piece) is None for piece in hint.pieces if not isinstance(piece, str)):
            hint = Message("")
        text = "".join(
            piece if isinstance(piece, str) else rename(piece) or str(piece)
            for piece in self.pieces
        )
        return _with_hint(text, hint.render(rename) if hint else "")

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker must be able to send its error home, whatever the value was.
        try:
            pickle.dumps(self.value)
            value = self.value
        except Exception:
            value = str(describe(self.value))
        return Message.join, (self.pieces, self.parameter, value, self.hint)


def _pieces(template: str, fields: dict[str, Any]) -> Iterator[str | Argument | Setting]:
    """Literal text and filled fields of a template, in order."""
    formatter = string.Formatter()
    for literal, name, form, conversion in formatter.parse(template):
        if literal:
            yield literal
        if name is None:
            continue
        field = formatter.convert_field(fields.get(name, Argument(name)), conversion)
        if isinstance(field, Argument | Setting):
            yield field
        elif isinstance(field, Message):
            yield from field.pieces
            if field.hint:
                yield " "
                yield from Message.of(field.hint).pieces
        else:
            yield format(field, form or "")


def _with_hint(text: str, hint: str) -> str:
    return f"{text} {hint}" if hint else text


class _Description(str):
    """What :func:`describe` says, with the value that it is about."""

    __slots__ = ("value",)

    value: Any


def describe(value: Any, limit: int = 60) -> str:
    """Say in a few words what ``value`` is, for the "got" part of a message."""
    if isinstance(value, np.ndarray):
        text = f"an array of shape {value.shape} and dtype {value.dtype}"
    else:
        try:
            text = re.sub(r"\s*\n\s*", " ", repr(value))  # a message is one line
        except Exception:  # of an object that another library has left half-made
            text = f"an object of class {type(value).__name__}"
        text = text if len(text) <= limit else f"{text[: limit - 3]}..."
    words = _Description(text)
    words.value = value
    return words


def sentence(
    name: str | Argument,
    expected: str,
    got: Any,
    hint: str = "",
    *,
    must: str = "be",
    parameter: str | None = None,
    value: Any = None,
) -> Message:
    """Build the one-line message ``"{name} must {must} {expected}; got {got}. {hint}"``.

    Parameters
    ----------
    name : str or Argument
        The argument that is wrong.
    expected : str
        What is allowed.
    got : object
        A string is printed as it is; anything else goes through :func:`describe`. Give a string
        that the user passed as ``describe(value)``, which quotes it.
    hint : str
        The way out, a whole sentence.
    must : str
        The verb: ``"be"``, ``"hold"``, ``"have"`` ...
    parameter : str
        What ``error.parameter`` is, where ``name`` only describes it in words.
    value : object
        What ``error.value`` is, where ``got`` only describes it in words.
    """
    argument = name if isinstance(name, Argument) else Argument(name)
    words = got if isinstance(got, str) else describe(got)
    return Message(
        "{argument} must {must} {expected}; got {got}.",
        parameter=parameter or argument.name,
        value=words.value if isinstance(words, _Description) else value,
        hint=hint,
        argument=argument,
        must=must,
        expected=expected,
        got=words if isinstance(words, Message) else str(words),
    )
