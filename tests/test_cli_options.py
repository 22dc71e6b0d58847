"""Every option is declared once; the command, its checks and the call of the library follow."""

import dataclasses
import inspect
from pathlib import Path
from typing import Annotated

import pytest

from throughtime.cli import forecast, options, predict
from throughtime.cli.app import build
from throughtime.cli.options import Option, arguments_for, command, declared, flags_of
from throughtime.cli.predict_request import PredictRequest
from throughtime.cli.requests import DEMO_HORIZON, ForecastRequest
from throughtime.data.tables.files import read_table
from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.forecasting import Forecaster

REQUESTS = {"forecast": ForecastRequest, "predict": PredictRequest}


@pytest.fixture
def asked(monkeypatch):
    """A function from a command line to the request that it makes."""

    def ask(*words):
        made = []
        monkeypatch.setattr(forecast, "run", made.append)
        monkeypatch.setattr(predict, "run", made.append)
        with build().make_context("throughtime", list(words), obj=list(words)) as context:
            context.command.invoke(context)
        (one,) = made
        return one

    return ask


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_command_has_the_declared_options_and_no_others(name):
    names = {parameter.name for parameter in build().commands[name].params}
    assert names - {"help"} == set(declared(REQUESTS[name]))


def test_defaults_are_those_of_the_forecaster(asked):
    parameters = inspect.signature(Forecaster).parameters
    given = arguments_for(Forecaster, asked("forecast", "--horizon", "3"))
    assert set(given) == {
        "horizon", "cell", "hidden_size", "num_layers", "window", "season", "epochs", "network",
        "base_model", "use", "coverages", "seed", "holidays",
    }  # fmt: skip
    assert given.pop("horizon") == 3
    assert given == {name: parameters[name].default for name in given}


def test_what_is_typed_reaches_the_forecaster(asked):
    request = asked(
        "forecast", "a.csv", "--horizon", "7", "--cell", "lstm", "--hidden-size", "5",
        "--layers", "2", "--network", "never", "--window", "9", "--epochs", "3", "--seed", "1",
        "--season", "7,30", "--holidays", "DE-BY",
        "--intervals", "0.9,0.5",
    )  # fmt: skip
    assert arguments_for(Forecaster, request) == {
        "horizon": 7, "cell": "lstm", "hidden_size": 5, "num_layers": 2, "network": "never",
        "base_model": "shipped", "use": "best", "window": 9, "epochs": 3, "seed": 1,
        "season": [7, 30], "holidays": "DE-BY",
        "coverages": (0.5, 0.9),
    }  # fmt: skip
    Forecaster(**arguments_for(Forecaster, request))


def test_what_is_typed_reaches_the_table(asked):
    request = asked(
        "forecast", "a.csv", "--horizon", "7", "--target", "y", "--time", "t", "--id", "i",
        "--covariates", "a,b", "--no-dayfirst",
    )  # fmt: skip
    assert arguments_for(read_table, request) == {
        "target": ("y",), "time": ("t",), "id": "i", "covariates": ("a", "b"), "dayfirst": False,
        "all_targets": False, "date_format": None, "decimal": None, "thousands": None,
        "duplicates": "error", "freq": None, "aggregate": None, "tz": None,
    }  # fmt: skip
    assert request.command_line.endswith("--covariates a,b --no-dayfirst")


def test_defaults_that_depend_on_the_data(asked):
    request = asked("forecast")
    assert (request.data, request.horizon) == (None, DEMO_HORIZON)
    assert request.out == Path("co2-forecast")
    assert request.covariates == ()
    assert asked("forecast", "b.csv", "--horizon", "1").out == Path("b-forecast")
    request = asked("predict", "m.safetensors", "c.csv")
    assert request.out == Path("c-prediction")
    assert (request.horizon, request.dayfirst, request.quiet) == (None, None, False)


def test_the_library_names_an_option_by_the_argument_that_it_sets():
    flags = flags_of(ForecastRequest)
    assert flags["num_layers"] == "--layers"
    assert flags["coverages"] == "--intervals"
    assert flags["horizon"] == "--horizon"
    assert set(flags_of(PredictRequest)) < set(flags) | {"model", "data"}


def test_a_command_of_two_options():
    @dataclasses.dataclass
    class Request:
        size: Annotated[int, Option("--size", "How large.", default="3", read=options.integer(1))]
        loud: Annotated[bool, Option("--loud", "How loud.", default=False, kind=bool)]

    made = []
    function = command(Request, made.append)
    assert list(inspect.signature(function).parameters) == ["context", "size", "loud"]
    function(context=None, size="4", loud=True)
    assert made == [Request(4, True)]
    with pytest.raises(InvalidArgumentError, match=r"^--size must be an integer >= 1; got 0\.$"):
        function(context=None, size="0", loud=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [("week", InvalidTypeError), ("1.5", InvalidTypeError), ("", InvalidTypeError)],
)
def test_integers_that_are_none(text, error):
    with pytest.raises(error) as caught:
        options.integer(1)("--size", text)
    assert caught.value.parameter == "--size"
    assert caught.value.value == text
    assert str(caught.value) == f"--size must be an integer >= 1; got {text!r}."
