"""Bad sources: what is said, with the batch; the weights so far are kept, and no thread is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from source_cases import CASES, LAST, TOKENS, WEIGHTS, X, vector

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError, ShapeError

GOOD = next((one["x"], one["y"]) for one in CASES["vector"].batches())
x, y = GOOD
HOLE = x.copy()
HOLE[2, 3, 1] = np.nan
FORM = "(x, y), (x, y, weight) or a dict with x, y, lengths, mask, weight"
SOURCE = "a list of batches, a class with __iter__, a loader or a function that makes one"
ONCE = "An iterator can be run through once only: pass the function that makes it"


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def six(options: dict[str, Any]) -> np.ndarray:
    """The weights after six good batches."""
    net = vector()
    tt.train(net, batches=[GOOD] * 6, epochs=1, **options)
    return net.params.flat


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "features": (
        (x[..., :1], y), ShapeError,
        "x must have 2 features a step, the last axis; got shape (4, 6, 1).",
    ),
    "axes": (
        (x[0], y), ShapeError,
        ("x must have 3 axes (N, T, F); got shape (6, 2). Write x[None] for a single sequence"
         " (T, F). Write x[..., None] for a single feature."),
    ),
    "NaN": (
        (HOLE, y), DataError,
        "x must be finite; got nan at index (2, 3, 1). Fill missing values, or mask their steps.",
    ),
    "rows": (
        (x, y[:3]), ShapeError,
        "y must hold one target for each of the 4 sequences; got 3 of them.",
    ),
    "no rows": (
        (x[:0], y[:0]), DataError, "x must have at least one sequence; got shape (0, 6, 2).",
    ),
    "weights": (
        (x, y, -WEIGHTS[:4]), DataError,
        f"sample_weight must hold finite numbers >= 0; got {-WEIGHTS[0]:g} at index (0,).",
    ),
    "one entry": ((x,), InvalidTypeError, f"a batch must be {FORM}; got 1 entry."),
    "four entries": ((x, y, y, y), InvalidTypeError, f"a batch must be {FORM}; got 4 entries."),
    "array": (
        x, InvalidTypeError,
        f"a batch must be {FORM}; got an array of shape (4, 6, 2) and dtype float64.",
    ),
    "None": (None, InvalidTypeError, f"a batch must be {FORM}; got None."),
    "text": ("xy", InvalidTypeError, f"a batch must be {FORM}; got 'xy'."),
    "nothing": ({}, InvalidArgumentError, "a batch must hold 'x' and 'y'; got nothing."),
    "no y": ({"x": x}, InvalidArgumentError, "a batch must hold 'x' and 'y'; got 'x'."),
    "unknown key": (
        {"x": x, "y": y, "wieght": WEIGHTS[:4]}, InvalidArgumentError,
        ("a key of a batch must be one of 'x', 'y', 'lengths', 'mask', 'weight', 'sample_weight',"
        " 'initial_state', 'reset'; got 'wieght'. Did you mean 'weight'?"),
    ),
    "key of another library": (
        {"inputs": x, "y": y}, InvalidArgumentError,
        ("a key of a batch must be one of 'x', 'y', 'lengths', 'mask', 'weight', 'sample_weight',"
        " 'initial_state', 'reset'; got 'inputs'. It is called 'x' here."),
    ),
    "two weights": (
        {"x": x, "y": y, "weight": WEIGHTS[:4], "sample_weight": WEIGHTS[:4]},
        InvalidArgumentError,
        "a batch must hold 'weight' once; got 'weight' and 'sample_weight'.",
    ),
    "lengths": (
        {"x": x, "y": y, "lengths": [9, 1, 1, 1]}, InvalidArgumentError,
        "lengths must be from 0 to 6, the steps of x; got 9 in row 0.",
    ),
    "state": (
        {"x": x, "y": y, "initial_state": [np.zeros((3, 4))]}, ShapeError,
        "initial_state[0]: h must be of shape (4, 4); got shape (3, 4).",
    ),
    "marks": (
        {"x": x, "y": y, "reset": [True] * 4}, InvalidArgumentError,
        ("reset must be None without carry_state=True; got [True, True, True, True]."
        " Without it every sequence begins anew."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_batch_is_named_and_the_weights_so_far_are_kept(name):
    item, kind, message = BAD[name]
    for prefetch in (0, 1, 2):
        net = vector()
        with pytest.raises(kind) as caught:
            tt.train(net, batches=[*[GOOD] * 6, item, GOOD], epochs=2, prefetch=prefetch)
        assert type(caught.value) is kind
        assert str(caught.value) == f"batch 7 of epoch 1: {message}"
        assert caught.value.parameter == "batches"
        np.testing.assert_array_equal(net.params.flat, six({}))
    with pytest.raises(kind) as caught:
        tt.train(net, batches=[GOOD], validation=lambda: iter([GOOD, GOOD, item]))
    assert str(caught.value) == f"validation, batch 3 of epoch 1: {message}"
    with pytest.raises(kind) as caught:
        tt.evaluate(net, batches=[GOOD, item])
    assert str(caught.value) == f"batch 2: {message}"


def test_an_error_in_a_later_epoch_has_its_number():
    def give(epoch: int) -> list[Any]:
        return [GOOD, (HOLE, y) if epoch == 3 else GOOD]

    net = vector()
    with pytest.raises(DataError, match=r"^batch 2 of epoch 3: x must be finite; got nan at index"):
        tt.train(net, batches=give, epochs=5)


def test_an_error_with_accumulate_and_carry_state_has_its_number():
    with pytest.raises(DataError, match=r"^batch 7 of epoch 1: x must be finite"):
        tt.train(vector(), batches=[*[GOOD] * 6, (HOLE, y)], accumulate=4)
    with pytest.raises(ShapeError) as caught:
        tt.train(vector(), batches=[*[GOOD] * 6, (x[:3], y[:3])], carry_state=True)
    assert str(caught.value) == (
        "batch 7 of epoch 1: x must have 4 rows where carry_state=True, as the batch before; got 3."
        " Its rows continue those of the batch before."
    )


def test_an_error_of_carried_states_at_the_start_of_a_later_epoch_has_its_number():
    def give(epoch: int) -> list[Any]:
        own = [None, None] if epoch == 2 else None
        return [{"x": x, "y": y, "initial_state": own}, GOOD]

    with pytest.raises(InvalidArgumentError, match=r"^batch 1 of epoch 2: initial_state must be"):
        tt.train(vector(), batches=give, carry_state=True, epochs=3)


# -- exceptions of the source itself -----------------------------------------------------------


def failing(error: BaseException, after: int = 6) -> Callable[[], Iterator[Any]]:
    def give() -> Iterator[Any]:
        for _ in range(after):
            yield GOOD
        raise error

    return give


@pytest.mark.parametrize(
    "error", [KeyError("here"), OSError(5, "disk"), DataError("mine")], ids=repr
)
@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_an_exception_of_the_source_stays_what_it_is(error, prefetch):
    net, own = vector(), type(error)(*error.args)
    with pytest.raises(type(error)) as caught:
        tt.train(net, batches=failing(own), epochs=2, prefetch=prefetch)
    assert caught.value is own
    note = "batches raised this at batch 7 of epoch 1; the weights so far are kept."
    assert own.__notes__ == [note]
    np.testing.assert_array_equal(net.params.flat, six({}))


def test_the_notes_of_other_calls():
    for first, note, call in [
        (KeyError("a"), "batches raised this at batch 2.",
         lambda give: tt.evaluate(vector(), batches=give)),
        (KeyError("b"),
         "validation raised this at batch 2 of epoch 1; the weights so far are kept.",
         lambda give: tt.train(vector(), batches=[GOOD], validation=give)),
    ]:  # fmt: skip
        with pytest.raises(KeyError) as caught:
            call(failing(first, after=1))
        assert caught.value.__notes__ == [note]


def test_a_stop_iteration_of_a_generator_is_an_error():
    with pytest.raises(RuntimeError, match="generator raised StopIteration") as caught:
        tt.train(vector(), batches=failing(StopIteration()))
    note = "batches raised this at batch 7 of epoch 1; the weights so far are kept."
    assert caught.value.__notes__ == [note]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_exit_of_the_source_goes_through(kind, prefetch):
    with pytest.raises(kind):
        tt.train(vector(), batches=failing(kind()), prefetch=prefetch)


class Fails:
    """A loader that fails before its first batch, at one of its doors."""

    def __init__(self, door: str) -> None:
        self.door = door

    def set_epoch(self, epoch: int) -> None:
        if self.door == "set_epoch" and epoch == 2:
            raise OSError("gone")

    def __iter__(self) -> Any:
        if self.door == "iter":
            raise OSError("gone")
        return iter([GOOD])


def fails() -> Any:
    raise OSError("gone")


@pytest.mark.parametrize(
    ("source", "epoch"), [(Fails("set_epoch"), 2), (Fails("iter"), 1), (fails, 1)],
    ids=["set_epoch", "iter", "function"],
)  # fmt: skip
def test_a_source_that_cannot_begin(source, epoch):
    with pytest.raises(OSError, match="gone") as caught:
        tt.train(vector(), batches=source)
    assert caught.value.__notes__ == [f"batches raised this at the start of epoch {epoch}."]


# -- sources that give nothing, or are none ----------------------------------------------------


class Same:
    """Its iterator is always the same one."""

    def __init__(self) -> None:
        self.iterator = iter([GOOD])

    def __iter__(self) -> Any:
        return self.iterator


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_without_a_batch(prefetch):
    for source in ([], list):
        with pytest.raises(DataError) as caught:
            tt.train(vector(), batches=source, prefetch=prefetch)
        assert str(caught.value) == "batches must give at least one batch; got none."
    with pytest.raises(DataError) as caught:
        tt.evaluate(vector(), batches=[], prefetch=prefetch)
    assert str(caught.value) == "batches must give at least one batch; got none."
    with pytest.raises(DataError) as caught:
        tt.train(vector(), batches=[GOOD], validation=list, prefetch=prefetch)
    assert str(caught.value) == "validation must give at least one batch; got none."
    own = iter([GOOD])
    for source in (Same(), lambda: own):
        net = vector()
        with pytest.raises(DataError) as caught:
            tt.train(net, batches=source, prefetch=prefetch)
        assert str(caught.value) == (
            f"batches must give at least one batch; got none in epoch 2. {ONCE}."
        )
        other = vector()
        tt.train(other, batches=[GOOD], epochs=1)
        np.testing.assert_array_equal(net.params.flat, other.params.flat)


@pytest.mark.parametrize(
    ("source", "got"),
    [
        (5, "5"),
        (True, "True"),
        ("files", "'files'"),
        (b"files", "b'files'"),
        ({}, "{}"),
        (x, "an array of shape (4, 6, 2) and dtype float64"),
        (len, "<built-in function len>"),
    ],
    ids=["number", "bool", "text", "bytes", "dict", "array", "builtin"],
)
def test_what_is_no_source(source, got):
    for call in (
        lambda: tt.train(vector(), batches=source),
        lambda: tt.evaluate(vector(), batches=source),
    ):
        with pytest.raises(InvalidTypeError) as caught:
            call()
        assert str(caught.value) == f"batches must be {SOURCE}; got {got}. A batch is {FORM}."


@pytest.mark.parametrize("source", [lambda a, b: [GOOD], lambda *, epoch: [GOOD]])
def test_a_function_that_cannot_be_called(source):
    with pytest.raises(InvalidTypeError, match="a function that makes one; got <function <lambda>"):
        tt.train(vector(), batches=source)


def test_an_iterator_is_refused_before_it_is_touched():
    for make in (lambda: iter([GOOD]), lambda: (pair for pair in [GOOD]), lambda: map(id, [1])):
        own = make()
        with pytest.raises(InvalidTypeError) as caught:
            tt.train(vector(), batches=own)
        assert str(caught.value).startswith(f"batches must be {SOURCE}; got <")
        assert str(caught.value).endswith(f"{ONCE}, batches=lambda: ...")
        with pytest.raises(InvalidTypeError, match=r"^validation must be .* validation=lambda: "):
            tt.train(vector(), batches=[GOOD], validation=own)
        assert len(list(own)) == 1


def test_a_function_that_returns_no_iterator():
    for value, got in ((None, "None"), (5, "5")):
        with pytest.raises(InvalidTypeError) as caught:
            tt.train(vector(), batches=lambda value=value: value)
        assert str(caught.value) == (
            f"the function batches must return an iterator of batches; got {got}."
        )


def test_a_pair_in_place_of_batches():
    with pytest.raises(InvalidTypeError) as caught:
        tt.train(vector(), batches=(X, LAST))
    assert str(caught.value) == (
        f"batch 1 of epoch 1: a batch must be {FORM}; got an array of shape (10, 6, 2) and dtype"
        " float64."
    )


def test_batches_in_which_nothing_counts():
    nothing = {"x": x, "y": y, "weight": np.zeros(4)}
    before = vector().params.flat
    net = vector()
    with pytest.raises(DataError) as caught:
        tt.train(net, batches=[nothing, nothing])
    assert str(caught.value) == (
        "batches must leave something to learn from; got zero for every step of the epoch."
    )
    np.testing.assert_array_equal(net.params.flat, before)
    with pytest.raises(DataError, match=r"^validation must leave something to learn from"):
        tt.train(net, batches=[GOOD], validation=[nothing])
    one, other = vector(), vector()
    tt.train(one, batches=[nothing, GOOD, nothing], epochs=2)
    tt.train(other, batches=[GOOD], epochs=2)
    np.testing.assert_array_equal(one.params.flat, other.params.flat)


def test_class_weights_of_a_source_are_checked_at_its_first_batch():
    layers = [tt.layers.Embedding(5, 3), tt.layers.GRU(3), tt.layers.Dense(3, activation="softmax")]
    net = tt.Network(layers)
    batch = (TOKENS, np.zeros(len(TOKENS), int))
    with pytest.raises(InvalidArgumentError) as caught:
        tt.train(net, batches=[batch], loss="categorical_crossentropy", class_weight={3: 1.0})
    assert str(caught.value) == (
        "batch 1 of epoch 1: a key of class_weight must be an integer from 0 to 2; got 3."
    )


def test_a_batch_that_overflows_is_named():
    huge = (x * 1e30, y * 1e30)
    net = vector(activation="relu")
    with pytest.raises(tt.errors.DivergedError, match=r"^training diverged in epoch 1, batch 3: "):
        tt.train(net, batches=lambda: iter([GOOD, GOOD, huge]))
    assert np.isfinite(net.params.flat).all()


class Raises(tt.Callback):
    def on_batch_end(self, run: Any) -> None:
        if run.batch == 2:
            raise OSError("full")


def test_an_error_of_a_callback_leaves_the_source():
    """The fixture above looks for threads."""
    closed = []

    def give() -> Iterator[Any]:
        try:
            while True:
                yield GOOD
        finally:
            closed.append(True)

    for prefetch in (0, 3):
        with pytest.raises(OSError, match="full"):
            tt.train(vector(), batches=give, callbacks=[Raises()], prefetch=prefetch)
    assert closed == [True, True]


def test_an_error_in_validation_leaves_the_source_of_training_too():
    closed = []

    def give() -> Iterator[Any]:
        try:
            yield GOOD
        finally:
            closed.append(True)

    with pytest.raises(DataError, match=r"^validation, batch 2 of epoch 1: x must be finite"):
        tt.train(vector(), batches=give, validation=[GOOD, (HOLE, y)])
    assert closed == [True]


def test_lengths_in_the_place_of_weights():
    """As the loaders of others give them; weights of numbers that cannot be lengths are weights."""
    lengths = np.arange(1, X.shape[1] + 1)[: len(X)]
    lengths[-1] = X.shape[1]
    rows = len(lengths)
    with pytest.raises(InvalidArgumentError) as caught:
        tt.train(vector(), batches=[(X[:rows], LAST[:rows], lengths)], epochs=1)
    steps = X.shape[1]
    assert str(caught.value) == (
        "batch 1 of epoch 1: a batch must have weights as its third entry; got integers up to"
        f" {steps}, the number of steps of x, which look like lengths. Write"
        " {'x': x, 'y': y, 'lengths': lengths}, or make the weights floats."
    )
    for weight in (lengths.astype(float), np.full(rows, steps), lengths % 2):
        tt.train(vector(), batches=[(X[:rows], LAST[:rows], weight)], epochs=1)
