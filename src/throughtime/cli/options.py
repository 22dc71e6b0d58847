"""Options of a command, each declared once.

The declaration is a dataclass. Each field is one option, and its annotation says everything about
it: the flag, the default, the help, how the text is read, which argument of the library it sets.
The command, its help, the checks and the call of the library follow from it::

    @dataclass(frozen=True)
    class Request:
        horizon: Annotated[int, Option("--horizon", "Steps ahead.", read=integer(1))]
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from throughtime.errors import InvalidArgumentError, check_choice, check_int, describe, sentence

#: Turns the flag and the text given for it into the value of the option.
Reader = Callable[[str, Any], Any]
Request = TypeVar("Request")


@dataclass(frozen=True)
class Option:
    """An option of a command.

    Attributes
    ----------
    flag : str
        As it is typed; ``"--yes/--no"`` for a choice between two flags.
    help : str
    panel : str
        The heading that it stands under in the help.
    metavar : str
        What the help shows in place of the value; empty for a flag without a value.
    default : str or bool, optional
    kind : type
        ``str`` where the option has a value, ``bool`` for a flag, ``Path``.
    read : callable, optional
        Turns the flag and the text into the value; called only if there is a text.
    argument : str
        The argument of the library that the option sets, where it is not named like the field.
    """

    flag: str
    help: str
    panel: str | None = None
    metavar: str = ""
    default: str | bool | None = None
    kind: type = str
    read: Reader | None = None
    argument: str = ""


@dataclass(frozen=True)
class Positional:
    """An argument of a command that has no flag: the path of a file.

    Attributes
    ----------
    help : str
    required : bool
    """

    help: str
    required: bool = True


def declared(request: type[Any]) -> dict[str, Option | Positional]:
    """The options of a request class by the names of their fields."""
    hints = get_type_hints(request, include_extras=True)
    return {
        field.name: mark
        for field in dataclasses.fields(request)
        for mark in getattr(hints[field.name], "__metadata__", ())
        if isinstance(mark, Option | Positional)
    }


def flags_of(request: type[Any]) -> dict[str, str]:
    """The flag of every argument of the library that a request class has an option for."""
    return {
        option.argument or name: option.flag
        for name, option in declared(request).items()
        if isinstance(option, Option)
    }


def arguments_for(function: Callable[..., Any], request: Any) -> dict[str, Any]:
    """The arguments of ``function`` that the options of ``request`` set."""
    taken = inspect.signature(function).parameters
    return {
        option.argument or name: getattr(request, name)
        for name, option in declared(type(request)).items()
        if isinstance(option, Option) and (option.argument or name) in taken
    }


def command(request: type[Request], run: Callable[[Request], None]) -> Callable[..., None]:
    """A function for Typer that reads the options of ``request`` and calls ``run``.

    A request class with a field ``command`` gets the words of the command line in it.
    """
    import typer

    options = declared(request)
    fields = dataclasses.fields(request)  # type: ignore[arg-type]  # a dataclass, as declared() asks
    has_command = any(field.name == "command" for field in fields)

    def function(**given: Any) -> None:
        context = given.pop("context")
        values = {name: read(options[name], value) for name, value in given.items()}
        if has_command:
            values["command"] = tuple(context.obj or ())
        run(request(**values))

    parameters = [_parameter("context", typer.Context)]
    for name, option in options.items():
        parameters.append(_parameter(name, *_for_typer(name, option)))
    setattr(function, "__signature__", inspect.Signature(parameters))  # noqa: B010  # unknown to mypy
    return function


def read(option: Option | Positional, given: Any) -> Any:
    """The value of an option from what was typed.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If it is not allowed.
    """
    if isinstance(option, Positional) or option.read is None or given is None:
        return given
    return option.read(option.flag, given)


def _for_typer(name: str, option: Option | Positional) -> tuple[Any, Any]:
    """Annotation and default of the parameter that Typer makes the option of."""
    import typer

    if isinstance(option, Positional):
        mark = typer.Argument(help=option.help, show_default=False, metavar=name.upper())
        if option.required:
            return Annotated[Path, mark], inspect.Parameter.empty
        return Annotated[Path | None, mark], None
    mark = typer.Option(
        option.flag, help=option.help, rich_help_panel=option.panel, metavar=option.metavar
    )
    optional = option.default is None
    return Annotated[option.kind | None if optional else option.kind, mark], option.default


def _parameter(
    name: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


# -- readers ----------------------------------------------------------------------------------


def integer(minimum: int, maximum: int | None = None) -> Reader:
    """A reader of integers from ``minimum`` to ``maximum``."""

    def read_integer(flag: str, text: str) -> int:
        try:
            number: Any = int(text)
        except ValueError:
            number = text
        return check_int(flag, number, minimum, maximum)

    return read_integer


def choice(*choices: str) -> Reader:
    """A reader of one of some words."""
    return lambda flag, text: check_choice(flag, text, choices)


def names(_flag: str, text: str) -> tuple[str, ...]:
    """Read ``"price,holiday"``: the names of columns."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def shares(example: str) -> Reader:
    """A reader of different numbers between 0 and 1, such as ``example``; it puts them in order."""

    def read_shares(flag: str, text: str) -> tuple[float, ...]:
        found = _numbers(text)
        inside = all(0.0 < share < 1.0 for share in found)
        if not found or not inside or len(set(found)) < len(found):
            expected = "numbers between 0 and 1 with commas between"
            way = f"Write for example {example}."
            raise InvalidArgumentError(sentence(flag, expected, describe(text), way))
        return tuple(sorted(found))

    return read_shares


coverages = shares("0.8,0.95")


def quantiles_option(panel: str | None = None) -> Option:
    """The option ``--quantiles``, under a heading of the help."""
    return Option(
        "--quantiles",
        "Add a column to forecast.csv for each of these levels, 0.1,0.5,0.9: q0.1 is the lower end"
        " of the 80 % interval, q0.5 the point forecast.",
        panel,
        "LEVELS",
        read=shares("0.1,0.5,0.9"),
    )


def country(flag: str, text: str) -> str | None:
    """Read the code of a country."""
    # Forecasting takes a moment to load, and --help must not wait for it.
    from throughtime.forecasting.holidays import check_code

    return check_code(flag, text)


def season(flag: str, text: str) -> Any:
    """Read ``auto``, ``none``, a number of steps, or several with commas between.

    Raises
    ------
    InvalidArgumentError
        If it is none of these.
    """
    if text in ("auto", "none"):
        return None if text == "none" else "auto"
    seasons = _numbers(text)
    if not seasons or not all(1.0 < steps < _LONGEST_SEASON for steps in seasons):
        expected = "auto, none, or a number of steps > 1"
        raise InvalidArgumentError(sentence(flag, expected, describe(text)))
    whole = [int(steps) if steps.is_integer() else steps for steps in seasons]
    return whole[0] if len(whole) == 1 else whole


#: Longer than any series; it keeps infinity out.
_LONGEST_SEASON = 1e9


def _numbers(text: str) -> list[float]:
    """Numbers with commas between; empty if there is anything else."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
