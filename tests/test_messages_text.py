"""Messages are for people; what a program needs to know travels in their parts."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from throughtime import errors
from throughtime.errors import DataError, DivergedError, InvalidArgumentError, ThroughtimeError
from throughtime.messages import Argument, Message, Setting, describe, sentence

#: Helper -> a call that it refuses, the value, and the hint.
EMPTY = iter(())
REFUSED = {
    "check_array": (lambda: errors.check_array("k", ["a"], hint="Drop it."), ["a"], "Drop it."),
    "check_bool": (lambda: errors.check_bool("k", 1), 1, ""),
    "check_choice": (lambda: errors.check_choice("k", "a", ["ab"]), "a", "Did you mean 'ab'?"),
    "check_float": (lambda: errors.check_float("k", "1", hint="Drop it."), "1", "Drop it."),
    "check_collected": (
        lambda: errors.check_collected("k", EMPTY),
        EMPTY,
        "Collect its items first: list(k).",
    ),
    "check_function": (lambda: errors.check_function("k", 3, ("y", "target")), 3, ""),
    "check_int": (lambda: errors.check_int("k", 0, 1, hint="Drop it."), 0, "Drop it."),
}


def refusal(call):
    with pytest.raises(ThroughtimeError) as caught:
        call()
    return caught.value


def options(argument):
    """What a program says that has a single option, --horizon, and a column y."""
    name = {"horizon": "--horizon", "y": "column 'co2'"}.get(argument.name)
    if name is None or not isinstance(argument, Setting):
        return name
    return f"{name} {argument.value}"


@pytest.mark.parametrize("helper", sorted(REFUSED))
def test_an_error_of_every_check_carries_its_parts(helper):
    call, value, hint = REFUSED[helper]
    error = refusal(call)
    assert (error.parameter, error.value, error.hint) == ("k", value, hint)
    assert str(error).startswith("k must ")
    assert str(error).endswith(hint or ".")


def test_the_checks_are_all_tried():
    checks = {name for name, _ in inspect.getmembers(errors, inspect.isfunction)}
    assert {name for name in checks if name.startswith("check_")} == set(REFUSED)


@pytest.mark.parametrize(
    "call",
    [
        lambda: errors.check_array("k", [[1], [1, 2]]),
        lambda: errors.check_array("k", np.ma.masked_array([1.0], mask=[True])),
        lambda: errors.check_array("k", [1.0], shape=(2,)),
        lambda: errors.check_array("k", [np.nan]),
        lambda: errors.check_array("k", [1e300], dtype="float32"),
        lambda: errors.check_int("k", "1"),
        lambda: errors.check_float("k", np.inf),
    ],
)
def test_every_refusal_of_a_check_has_an_argument_and_a_value(call):
    error = refusal(call)
    assert error.parameter == "k"
    assert error.value is not None


def test_a_missing_package_says_how_to_get_it_as_its_hint():
    error = refusal(lambda: errors.import_extra("nonesuch", "cli", "plotting"))
    assert (error.parameter, error.value) == (None, None)
    assert error.hint.startswith("Run: pip install ")


def test_an_error_of_plain_text_has_no_parts():
    error = DataError("{nothing} was read")
    assert (error.parameter, error.value, error.hint) == (None, None, "")
    assert str(error) == error.message == "{nothing} was read"
    assert str(DataError()) == DataError().message == ""
    assert str(error.with_hint("Read it.")) == "{nothing} was read Read it."


def test_a_sentence_keeps_the_value_that_was_described():
    error = InvalidArgumentError(sentence("k", "an integer", describe("a"), "Drop it."))
    assert (error.parameter, error.value, error.hint) == ("k", "a", "Drop it.")
    error = InvalidArgumentError(sentence("x", "3 axes", "shape (1,)", must="have", value=[0]))
    assert (str(error), error.value) == ("x must have 3 axes; got shape (1,).", [0])
    assert InvalidArgumentError(sentence("k", "an integer", 0.5)).value == 0.5


def test_another_hint_takes_the_place_of_the_first():
    error = DataError(sentence("k", "an integer", 0.5, "Drop it."))
    other = error.with_hint("Round it.")
    assert type(other) is DataError
    assert str(other) == "k must be an integer; got 0.5. Round it."
    assert (other.parameter, other.value, other.hint) == ("k", 0.5, "Round it.")


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_of_an_error_keep_its_parts(again):
    hint = Message("Use a shorter {horizon}.")
    error = DivergedError(sentence(Argument("y", "a"), "short", describe([1, 2]), hint))
    error.history = [1.0]
    other = again(error)
    assert type(other) is DivergedError
    assert str(other) == str(error) == "y['a'] must be short; got [1, 2]. Use a shorter horizon."
    assert (other.parameter, other.value, other.hint) == ("y", [1, 2], "Use a shorter horizon.")
    assert other.history == [1.0]
    assert other.message.render(options) == (
        "column 'co2' must be short; got [1, 2]. Use a shorter --horizon."
    )


def test_an_error_comes_home_from_a_worker_whatever_the_value_was():
    error = pickle.loads(pickle.dumps(refusal(lambda: errors.check_int("k", lambda: 0))))
    assert error.parameter == "k"
    assert error.value.startswith("<function ")


def test_a_field_that_is_not_given_is_the_argument_of_that_name():
    message = Message("Use {horizon} of {n:.1f}.", n=2)
    assert message == "Use horizon of 2.0."
    assert message.render(options) == "Use --horizon of 2.0."


def test_settings_and_entries_are_said_as_python_does():
    assert str(Setting("dayfirst", False)) == "dayfirst=False"
    assert str(Argument("y", "a")) == "y['a']"
    assert str(Argument("y", 0)) == "y[0]"
    assert Message("{h} wins", h=Setting("horizon", 3)).render(options) == "--horizon 3 wins"


def test_what_the_data_say_is_never_taken_for_an_argument():
    cell = describe("{horizon} horizon y['a']")
    message = sentence("y", "a number", cell, Message("Drop {cell}.", cell=cell))
    assert message.render(options) == (
        f"column 'co2' must be a number; got {cell}. Drop {cell}."
    )  # fmt: skip


def test_a_hint_that_is_of_no_use_to_a_program_is_omitted():
    way = Message("{setting} lets it go lower.", setting=Setting("nonnegative", False))
    note = Message("{y} is cut at 0.", hint=way)
    assert note == "y is cut at 0. nonnegative=False lets it go lower."
    assert note.render(options) == "column 'co2' is cut at 0."
    # Outside of a hint the name of the library stays.
    assert Message("{window} is short.").render(options) == "window is short."


def test_a_message_may_stand_in_a_message():
    inner = Message("{horizon} steps", hint=Message("Fewer {horizon}."))
    assert Message("Not {inner}", inner=inner).render(options) == (
        "Not --horizon steps Fewer --horizon."
    )
