"""What the library says of its arguments, said of the options and the columns of a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from throughtime.cli.options import flags_of
from throughtime.errors import Argument, Message, Setting, ThroughtimeError

#: Argument of the forecaster -> what it is of a column or a series.
_COVARIATES = {"X": "the covariates", "X_future": "the covariates of the steps ahead"}


class Wording:
    """The words of a command.

    Parameters
    ----------
    request : type
        The class that declares its options.
    target : str
        The column that is forecast; empty as long as it is not known.
    covariates : sequence of str
        The columns of covariates, where they are known.

    Examples
    --------
    >>> from throughtime.cli.predict_request import PredictRequest
    >>> words = Wording(PredictRequest, "sales")
    >>> words.say(Message("{y} is too short; {other} reads it.", other=Setting("dayfirst", False)))
    "column 'sales' is too short; --no-dayfirst reads it."
    """

    def __init__(self, request: type, target: str = "", covariates: Sequence[str] = ()) -> None:
        self.flags: Mapping[str, str] = flags_of(request)
        self.target = target
        self.covariates = covariates

    def say(self, text: str) -> str:
        """``text`` of the library with arguments called as the user knows them."""
        return Message.of(text).render(self._rename)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """A context in which errors of the library are said in these words."""
        try:
            yield
        except ThroughtimeError as error:
            raise type(error)(self.say(error.message)) from None

    def _rename(self, argument: Argument | Setting) -> str | None:
        yes, _, no = self.flags.get(argument.name, "").partition("/")
        if isinstance(argument, Setting):
            if not yes:
                return None
            # A choice between two flags has no value to write.
            return f"{yes} {argument.value}" if not no else yes if argument.value else no
        if argument.name == "covariate" and argument.key in range(len(self.covariates)):
            return repr(self.covariates[argument.key])
        series = "" if argument.key is None else f"series {argument.key!r}"
        if argument.name == "y" and self.target:
            return series or f"column {self.target!r}"
        if argument.name in _COVARIATES:
            return _COVARIATES[argument.name] + (f" of {series}" if series else "")
        return yes or None
