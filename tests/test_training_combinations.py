"""Arguments of which one excludes another: each is refused by name, before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from source_cases import LAST, LENGTHS, SUMS, WEIGHTS, N, X, steps, vector

import throughtime as tt
from throughtime.errors import InvalidArgumentError, InvalidTypeError, ShapeError

BATCHES = [(X[:5], LAST[:5]), (X[5:], LAST[5:])]
OWN = "The batches have their own."
ORDER = "The source decides on the order."
STATE = [np.zeros((N, 4)), None]
#: A sentence about a single argument beside ``batches``.
BESIDE: dict[str, tuple[dict[str, Any], str]] = {
    "x": (
        {"x": X},
        (f"x must be None where batches is given; got an array of shape (10, 6, 2) and dtype"
        f" float64. {OWN}"),
    ),
    "y": (
        {"y": LAST},
        (f"y must be None where batches is given; got an array of shape (10, 1) and dtype float64."
        f" {OWN}"),
    ),
    "lengths": (
        {"lengths": LENGTHS},
        ("lengths must be None where batches is given; got an array of shape (10,) and dtype int64."
        " A batch that is a dict has its 'lengths'."),
    ),
    "mask": (
        {"mask": np.ones((10, 6), bool)},
        ("mask must be None where batches is given; got an array of shape (10, 6) and dtype bool."
        " A batch that is a dict has its 'mask'."),
    ),
    "sample_weight": (
        {"sample_weight": WEIGHTS},
        ("sample_weight must be None where batches is given; got an array of shape (10,) and dtype"
        " float64. A batch (x, y, weight) has its own, or a dict its 'weight'."),
    ),
    "reset": (
        {"reset": [True], "carry_state": True},
        ("reset must be None where batches is given; got [True]. A batch that is a dict has its"
        " 'reset'."),
    ),
    "renew": (
        {"renew": max},
        ("renew must be None where batches is given; got <built-in function max>. A source is asked"
        " for its batches in every epoch."),
    ),
    "shuffle": (
        {"shuffle": True}, f"shuffle must be False where batches is given; got True. {ORDER}",
    ),
    "bucket": ({"bucket": True}, f"bucket must be False where batches is given; got True. {ORDER}"),
    "keep_outputs": (
        {"keep_outputs": True},
        ("keep_outputs must be False where batches is given; got True. Outputs are kept for"
        " sequences that stay the same."),
    ),
    "batch_size": (
        {"batch_size": 32},
        ("batch_size must be left out where batches is given; got 32. The source decides on the"
        " size."),
    ),
    "all at once": (
        {"batch_size": None},
        ("batch_size must be left out where batches is given; got None. The source decides on the"
        " size."),
    ),
    "balanced": (
        {"class_weight": "balanced"},
        ("class_weight must be a dict {class: weight} where batches is given; got 'balanced'."
        " Count the classes, and give a dict."),
    ),
    "balanced outputs": (
        {"class_weight": {"kind": "balanced"}},
        ("class_weight must be a dict {class: weight} where batches is given; got"
        " {'kind': 'balanced'}. Count the classes, and give a dict."),
    ),
    "initial_state": (
        {"initial_state": 3},
        ("initial_state must be None where batches is given; got 3. A batch that is a dict has its"
        " 'initial_state'."),
    ),
}  # fmt: skip
#: What ``evaluate`` has too.
EVALUATED = ("x", "y", "lengths", "mask", "sample_weight", "reset", "batch_size", "all at once",
             "balanced", "balanced outputs", "initial_state")  # fmt: skip


def refused(kind: type[Exception], call: Any) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize("name", BESIDE)
def test_an_argument_of_data_in_memory_beside_batches(name):
    given, message = BESIDE[name]
    net = vector()
    before = net.params.flat.copy()
    calls = [lambda: tt.train(net, batches=BATCHES, **given)]
    if name in EVALUATED:
        calls.append(lambda: tt.evaluate(net, batches=BATCHES, **given))
    for call in calls:
        with pytest.raises(InvalidArgumentError) as caught:
            call()
        assert str(caught.value) == message
        assert caught.value.parameter == next(iter(given))
    np.testing.assert_array_equal(net.params.flat, before)


def test_what_says_nothing_new_is_accepted():
    for given in ({"shuffle": False}, {"bucket": False}, {"keep_outputs": False}, {"mask": None}):
        tt.train(vector(), batches=BATCHES, epochs=1, **given)
    tt.train(vector(), batches=BATCHES, epochs=1, accumulate=2, shards=2, class_weight=None)


@pytest.mark.parametrize(
    ("validation", "got"),
    [
        (0.2, "0.2"), (1, "1"), (True, "True"), (np.float32(0.5), "np.float32(0.5)"),
        ("0.2", "'0.2'"), (X, "an array of shape (10, 6, 2) and dtype float64"),
    ],
    ids=["fraction", "int", "bool", "float32", "text", "array"],
)  # fmt: skip
def test_a_validation_set_beside_batches_is_its_own(validation, got):
    message = refused(
        InvalidArgumentError, lambda: tt.train(vector(), batches=BATCHES, validation=validation)
    )
    assert message == (
        f"validation must be a set of its own where batches is given; got {got}."
        " Give batches, or (x, y); the loaders of throughtime.data have split(0.2)."
    )


def test_neither_data_nor_batches():
    for given, missing in (({}, "x and no y"), ({"x": X}, "y"), ({"y": LAST}, "x")):
        for function in (tt.train, tt.evaluate):
            message = refused(InvalidTypeError, lambda: function(vector(), **given))  # noqa: B023
            assert message == f"{function.__name__} needs x and y, or batches; got no {missing}."


# -- options of which one excludes another -----------------------------------------------------

TIME = "Its updates follow one another in time."
EXCLUDE: dict[str, tuple[dict[str, Any], str]] = {
    "executor without shards": (
        {"executor": max},
        ("shards must be given where executor is given; got None. The trained bits depend on it,"
        " and not on the workers: try shards=8."),
    ),
    "shards and tbptt": (
        {"shards": 4, "tbptt": (2, 2)}, f"shards must be None where tbptt is given; got 4. {TIME}",
    ),
    "accumulate and tbptt": (
        {"accumulate": 2, "tbptt": (2, 2)},
        f"accumulate must be 1 where tbptt is given; got 2. {TIME}",
    ),
    "executor and tbptt": (
        {"executor": max, "shards": 1, "tbptt": (2, 2)},
        f"executor must be None where tbptt is given; got <built-in function max>. {TIME}",
    ),
    "shuffled": (
        {"carry_state": True, "shuffle": True},
        ("shuffle must be False where carry_state=True; got True. The rows of a batch go on in the"
        " next one, so the order is that of the data."),
    ),
    "bucketed": (
        {"carry_state": True, "bucket": True},
        ("bucket must be False where carry_state=True; got True. The rows of a batch go on in the"
        " next one, so the order is that of the data."),
    ),
    "accumulated": (
        {"carry_state": True, "accumulate": 2},
        ("accumulate must be 1 where carry_state=True; got 2. The second batch begins where the"
        " first one ends."),
    ),
    "marks alone": (
        {"reset": [True] * N},
        ("reset must be None without carry_state=True; got"
        " [True, True, True, True, True, True, True, True, True, True]. Without it every sequence"
        " begins anew."),
    ),
    "a random part": (
        {"carry_state": True, "batch_size": 5, "validation": 0.5},
        ("validation must be a set of its own where carry_state=True; got 0.5. A random subset has"
        " gaps; give (x, y) or batches."),
    ),
    "a random part of float32": (
        {"carry_state": True, "batch_size": 5, "validation": np.float32(0.5)},
        ("validation must be a set of its own where carry_state=True; got np.float32(0.5). A random"
        " subset has gaps; give (x, y) or batches."),
    ),
    "states of the validation set": (
        {"carry_state": True, "validation": {"x": X, "y": LAST, "initial_state": STATE}},
        ("validation['initial_state'] must be None where carry_state=True; got a state. Its first"
        " batch begins from a state of zero."),
    ),
    "marks of the validation set": (
        {"validation": {"x": X, "y": LAST, "reset": [1] + [0] * 9}},
        ("validation['reset'] must be None without carry_state=True; got an array of shape (10,)"
        " and dtype bool. Without it every sequence begins anew."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCLUDE)
def test_options_that_exclude_one_another(name):
    given, message = EXCLUDE[name]
    net = vector()
    before = net.params.flat.copy()
    assert refused(InvalidArgumentError, lambda: tt.train(net, X, LAST, **given)) == message
    np.testing.assert_array_equal(net.params.flat, before)


def test_a_validation_pair_beside_batches_whose_states_go_on():
    call = lambda: tt.train(vector(), batches=BATCHES, carry_state=True, validation=(X, LAST))  # noqa: E731
    message = refused(InvalidArgumentError, call)
    assert message.startswith(
        "validation must be batches where batches is given and carry_state=True; got ("
    )
    assert message.endswith("Their rows say which sequence goes on in which.")


def test_marks_of_a_renewed_epoch_without_carrying():
    data = {"x": X, "y": LAST, "reset": np.ones(N, bool)}
    call = lambda: tt.train(vector(), X, LAST, renew=lambda epoch: data)  # noqa: E731
    assert refused(InvalidArgumentError, call) == (
        "renew['reset'] must be None without carry_state=True; got an array of shape (10,) and"
        " dtype bool. Without it every sequence begins anew."
    )
    tt.train(vector(), X, LAST, renew=lambda epoch: data, carry_state=True, batch_size=5, epochs=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"batch_size": 4},
            ("x must have a multiple of batch_size=4 sequences where carry_state=True; got 10."
             " Leave out the last rows, or choose another batch_size."),
        ),
        (
            {"batch_size": 5, "validation": (X[:7], LAST[:7])},
            ("validation must have a multiple of batch_size=5 sequences where carry_state=True; got"
             " 7. Leave out the last rows, or choose another batch_size."),
        ),
        ({"batch_size": 5, "reset": [True]}, "reset must be of shape (10,); got shape (1,)."),
        (
            {"batch_size": 5, "initial_state": STATE},
            "initial_state[0]: h must be of shape (5, 4); got shape (10, 4).",
        ),
    ],
    ids=["x", "validation", "reset", "initial_state"],
)  # fmt: skip
def test_rows_that_do_not_fit_one_another(given, message):
    assert refused(ShapeError, lambda: tt.train(vector(), X, LAST, carry_state=True, **given)) == (
        message
    )
    if "validation" not in given:
        call = lambda: tt.evaluate(vector(), X, LAST, carry_state=True, **given)  # noqa: E731
        assert refused(ShapeError, call) == message


def test_marks_are_true_or_false():
    for marks, got in (([0.5] * N, "float64"), ([2] * N, "int64")):
        options = {"carry_state": True, "batch_size": 5, "reset": marks}
        with pytest.raises(tt.errors.DataError) as caught:
            tt.train(steps(), X, SUMS, **options)
        assert str(caught.value) == (
            f"reset must hold True and False; got an array of dtype {got}. True marks a row that"
            " begins anew."
        )


def test_numbers_of_parts_and_of_batches_ahead():
    for given, message in [
        ({"shards": 0}, "shards must be an integer >= 1; got 0."),
        ({"accumulate": 0}, "accumulate must be an integer >= 1; got 0."),
        ({"prefetch": -1}, "prefetch must be an integer >= 0; got -1."),
    ]:
        assert refused(InvalidArgumentError, lambda: tt.train(vector(), X, LAST, **given)) == (  # noqa: B023
            message
        )
    for given, message in [
        ({"shards": 2.5}, "shards must be an integer >= 1; got 2.5."),
        ({"accumulate": None}, "accumulate must be an integer >= 1; got None."),
        ({"prefetch": True}, "prefetch must be an integer >= 0; got True."),
        ({"carry_state": None}, "carry_state must be True or False; got None."),
    ]:
        assert refused(InvalidTypeError, lambda: tt.train(vector(), X, LAST, **given)) == message  # noqa: B023


def test_nobody_guesses_how_many_series_go_on_side_by_side():
    for call, default in ((tt.train, 32), (tt.evaluate, 256)):
        with pytest.raises(InvalidArgumentError) as caught:
            call(vector(), X, LAST, carry_state=True)
        assert str(caught.value) == (
            f"batch_size must be given where carry_state=True; got none (the default is {default})."
            " It is the number of series that go on side by side."
        )
