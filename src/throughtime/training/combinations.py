"""Arguments of training of which one excludes another, or says nothing without another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from throughtime.data.batches import count_batches
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    describe,
    sentence,
)
from throughtime.training.class_weights import is_balanced
from throughtime.training.mapped import Mapped
from throughtime.training.options import BATCH_SIZE, TrainingOptions
from throughtime.training.samples import Samples
from throughtime.training.sources import Source, check_marks, check_reset, is_source
from throughtime.training.truncation import check_continuing

if TYPE_CHECKING:
    from throughtime.network import Network

#: What an argument of data in memory must be where batches come from a source, and the way out.
WITHOUT_DATA = {
    "x": (None, "The batches have their own."),
    "y": (None, "The batches have their own."),
    "lengths": (None, "A batch that is a dict has its 'lengths'."),
    "mask": (None, "A batch that is a dict has its 'mask'."),
    "sample_weight": (None, "A batch (x, y, weight) has its own, or a dict its 'weight'."),
    "reset": (None, "A batch that is a dict has its 'reset'."),
    "renew": (None, "A source is asked for its batches in every epoch."),
    "shuffle": (False, "The source decides on the order."),
    "bucket": (False, "The source decides on the order."),
    "keep_outputs": (False, "Outputs are kept for sequences that stay the same."),
}


def check_given(function: str, x: Any, y: Any) -> None:
    """Refuse a call of ``function`` that has neither data nor batches.

    Raises
    ------
    InvalidTypeError
    """
    missing = [name for name, value in (("x", x), ("y", y)) if value is None]
    loader = is_source(x) and not hasattr(x, "__array__")
    if missing == ["y"] and (loader or isinstance(x, Mapping)):
        hint = "Give batches by name: batches=loader, or batches=function for a generator."
        if isinstance(x, Mapping):
            hint = f"A batch in a dict: tt.{function}(net, **batch)."
        raise InvalidTypeError(
            sentence("x", f"given to {function} together with y", f"{describe(x)} and no y", hint)
        )
    if missing:
        raise InvalidTypeError(
            f"{function} needs x and y, or batches; got no {' and no '.join(missing)}."
        )


def check_side_by_side(given: int | None, default: int, carry_state: bool) -> None:
    """Refuse a batch size that nobody chose, where states go on from batch to batch.

    Raises
    ------
    InvalidArgumentError
    """
    if carry_state and given is default:
        hint = "It is the number of series that go on side by side."
        expected = "given where carry_state=True"
        raise InvalidArgumentError(
            sentence("batch_size", expected, f"none (the default is {default})", hint)
        )


def check_without_data(arguments: Mapping[str, Any], batch_size: int = BATCH_SIZE) -> None:
    """Refuse arguments that apply to data in memory, where ``batches`` is given.

    ``batch_size`` is its default.

    Raises
    ------
    InvalidArgumentError
        The message names the argument.
    """
    for name, (wanted, hint) in WITHOUT_DATA.items():
        value = arguments.get(name)
        if value is not None and value is not wanted and not (wanted is False and not value):
            _refuse(name, wanted, value, hint)
    if arguments["batch_size"] is not batch_size:
        hint = "The source decides on the size."
        _refuse("batch_size", "left out", arguments["batch_size"], hint)
    validation = arguments.get("validation")
    own = isinstance(validation, tuple | list | Mapping) or is_source(validation)
    if validation is not None and not own:
        hint = "Give batches, or (x, y); the loaders of throughtime.data have split(0.2)."
        _refuse("validation", "a set of its own", validation, hint)
    if is_balanced(arguments.get("class_weight")):
        hint = "Count the classes, and give a dict."
        _refuse("class_weight", "a dict {class: weight}", arguments["class_weight"], hint)
    if arguments.get("initial_state") is not None and not arguments.get("carry_state"):
        hint = "A batch that is a dict has its 'initial_state'."
        _refuse("initial_state", None, arguments["initial_state"], hint)


def _refuse(name: str, wanted: Any, value: Any, hint: str) -> None:
    expected = f"{wanted} where batches is given"
    raise InvalidArgumentError(sentence(name, expected, describe(value), hint, value=value))


def check_combinations(net: Network, options: TrainingOptions, executor: Any) -> None:
    """Refuse options of which one excludes another.

    Raises
    ------
    InvalidArgumentError
    """
    if executor is not None and options.shards is None:
        hint = "The trained bits depend on it, and not on the workers: try shards=8."
        raise InvalidArgumentError(
            sentence("shards", "given where executor is given", "None", hint)
        )
    parts = {"shards": options.shards, "accumulate": options.accumulate}
    for name, value in parts.items():
        if options.tbptt is not None and value not in (None, 1):
            expected = f"{None if name == 'shards' else 1} where tbptt is given"
            hint = "Its updates follow one another in time."
            raise InvalidArgumentError(sentence(name, expected, str(value), hint, value=value))
    if options.tbptt is not None and executor is not None:
        hint = "Its updates follow one another in time."
        raise InvalidArgumentError(
            sentence("executor", "None where tbptt is given", describe(executor), hint)
        )
    if not options.carry_state:
        return
    check_continuing(net, "carry_state", "False")
    for name in ("shuffle", "bucket"):
        if getattr(options, name):
            hint = "The rows of a batch go on in the next one, so the order is that of the data."
            raise InvalidArgumentError(
                sentence(name, "False where carry_state=True", "True", hint, value=True)
            )
    if options.accumulate > 1:
        hint = "The second batch begins where the first one ends."
        expected, got = "1 where carry_state=True", str(options.accumulate)
        raise InvalidArgumentError(
            sentence("accumulate", expected, got, hint, value=options.accumulate)
        )


def check_validation(
    options: TrainingOptions,
    held_out: Samples | Mapped | Source | None,
    arguments: Mapping[str, Any],
) -> None:
    """Refuse a validation set that cannot be run as the training data are.

    Raises
    ------
    ShapeError, InvalidArgumentError
    """
    given = arguments["validation"]
    if isinstance(held_out, Samples | Mapped):
        check_marks("validation['reset']", held_out.reset, options.carry_state)
    if not options.carry_state or given is None or isinstance(held_out, Source):
        return
    if held_out is None:
        hint = "A random subset has gaps; give (x, y) or batches."
        expected = "a set of its own where carry_state=True"
        raise InvalidArgumentError(sentence("validation", expected, describe(given), hint))
    if arguments["batches"] is not None:
        hint = "Their rows say which sequence goes on in which."
        expected = "batches where batches is given and carry_state=True"
        raise InvalidArgumentError(sentence("validation", expected, describe(given), hint))
    if held_out.states is not None:
        hint = "Its first batch begins from a state of zero."
        raise InvalidArgumentError(
            sentence("validation['initial_state']", "None where carry_state=True", "a state", hint)
        )
    check_whole("validation", len(held_out), options.batch_size)


def marked(
    net: Network,
    data: Samples | Mapped,
    carry_state: bool,
    batch_size: int | None,
    initial_state: Any,
    reset: Any,
) -> Samples | Mapped:
    """``data`` with the marks of the rows that begin anew, where states go on.

    Raises
    ------
    ShapeError, InvalidArgumentError
        If states cannot go on from batch to batch, or there are marks and they do not.
    """
    if not carry_state:
        check_marks("reset", reset, carry_state)
        return data
    check_continuing(net, "carry_state", "False")
    check_whole("x", len(data), batch_size)
    net.check_states(initial_state, len(data) if batch_size is None else batch_size)
    return data if reset is None else replace(data, reset=check_reset(net, reset, len(data)))


def check_whole(name: str, rows: int, batch_size: int | None) -> None:
    """Refuse a last batch with fewer rows, where states go on."""
    if batch_size is not None and rows % batch_size and count_batches(rows, batch_size) > 1:
        hint = "Leave out the last rows, or choose another batch_size."
        expected = f"a multiple of batch_size={batch_size} sequences where carry_state=True"
        raise ShapeError(sentence(name, expected, f"{rows}", hint, must="have"))
