"""Batches from any source have the bits of the same data in memory, whatever form they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from source_cases import (
    CASES,
    LAST,
    Case,
    Everywhere,
    N,
    X,
    assert_same,
    in_memory,
    steps,
    trained,
    vector,
)

import throughtime as tt

BATCHES = CASES["vector"].batches()
PAIRS = [(one["x"], one["y"]) for one in BATCHES]


@pytest.mark.parametrize("name", CASES)
def test_batches_have_the_bits_of_the_data_in_memory(name):
    case = CASES[name]
    wanted = in_memory(case)
    for prefetch in (0, 2):
        assert_same(trained(case, batches=case.batches(), prefetch=prefetch), wanted)


@pytest.mark.parametrize("name", CASES)
def test_validation_in_batches_has_the_bits_of_that_in_memory(name):
    case = CASES[name]
    # Validation in memory takes 16 sequences at once: four times as many as training.
    wanted = in_memory(case, validation=case.data)
    assert_same(trained(case, batches=case.batches(), validation=case.batches(16)), wanted)
    other = in_memory(case, validation=lambda: iter(case.batches(3)))[1]
    for column, values in wanted[1].items():
        if column != "seconds":
            np.testing.assert_allclose(other[column], values, rtol=1e-5, err_msg=column)


@pytest.mark.parametrize("name", CASES)
def test_batches_are_evaluated_as_data_in_memory(name):
    case = CASES[name]
    kept = ("loss", "loss_weights", "metrics", "class_weight")
    options = {key: value for key, value in case.options.items() if key in kept}
    wanted = tt.evaluate(case.net(), **case.data, **options)
    for size in (16, 3):
        found = tt.evaluate(case.net(), batches=case.batches(size), **options)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-12 if size > N else 1e-5)


class Loader(Everywhere):
    """A loader that knows how many batches it has, and is told the epoch."""

    def __init__(self, batches: list[Any]) -> None:
        super().__init__(batches)
        self.told: list[int] = []

    def __len__(self) -> int:
        return len(self.batches)

    def set_epoch(self, epoch: int) -> None:
        self.told.append(epoch)


class Old:
    """A class that is run through by ``__getitem__`` is none with ``__iter__``; this one has it."""

    def __iter__(self) -> Any:
        return Steps()


class Steps:
    """An iterator that is no generator."""

    def __init__(self) -> None:
        self.at = 0

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Any:
        if self.at == len(PAIRS):
            raise StopIteration
        self.at += 1
        return PAIRS[self.at - 1]


class Tensor:
    """An array of another library."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values

    def __len__(self) -> int:
        return len(self.values)


def of_epoch(epoch: int) -> Iterator[Any]:
    assert epoch in (1, 2)
    return iter(PAIRS)


def generator() -> Iterator[Any]:
    yield from PAIRS


class Maker:
    """An object that is called."""

    def __call__(self) -> Any:
        return generator()


FORMS: dict[str, Any] = {
    "list of tuples": PAIRS,
    "tuple of tuples": tuple(PAIRS),
    "lists": [list(pair) for pair in PAIRS],
    "triples": [(*pair, None) for pair in PAIRS],
    "dicts with nothing": [{**one, "mask": None, "weight": None, "reset": None} for one in BATCHES],
    "class": Everywhere(PAIRS),
    "loader": Loader(PAIRS),
    "iterator class": Old(),
    "iterator class itself": Old,
    "generator function": generator,
    "function of a list": lambda: PAIRS,
    "function of the epoch": of_epoch,
    "function with a default": lambda pairs=PAIRS: pairs,
    "callable object": Maker(),
    "tensors": [tuple(map(Tensor, pair)) for pair in PAIRS],
    "nested lists": [(x.tolist(), y.tolist()) for x, y in PAIRS],
    "views": [(x[:], y[:]) for x, y in PAIRS],
    "float32": [(x.astype(np.float32), y) for x, y in PAIRS],
    "columns first": [tuple(map(np.asfortranarray, pair)) for pair in PAIRS],
    "ragged": [(list(x), y) for x, y in PAIRS],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_bits(form):
    case = CASES["vector"]
    source = FORMS[form]
    # A list of lists may be (x, y) with ragged data, so it is no validation in batches.
    pair = form in ("tuple of tuples", "lists")
    options = {"metrics": ["mae"], "validation": (lambda: source) if pair else source}
    found = trained(case, batches=source, **options)
    assert_same(found, in_memory(case, metrics=["mae"], validation=PAIRS))


def test_a_source_is_told_the_epoch_and_a_validation_source_too():
    source, other = Loader(PAIRS), Loader(PAIRS)
    trained(CASES["vector"], batches=source, validation=other, epochs=3)
    assert source.told == other.told == [1, 2, 3]
    tt.evaluate(vector(), batches=other)
    assert other.told[3:] == [1]


def test_what_a_source_gives_may_depend_on_the_epoch():
    def drawn(epoch: int) -> list[Any]:
        order = np.random.default_rng(epoch).permutation(N)
        return [(X[rows], LAST[rows]) for rows in (order[:6], order[6:])]

    net, history = vector(dtype="float64"), None
    history = tt.train(net, batches=drawn, epochs=3, optimizer="sgd")
    other, losses = vector(dtype="float64"), []
    for epoch in (1, 2, 3):  # SGD has no memory, so three runs of one epoch make the same steps
        losses += tt.train(other, batches=drawn(epoch), epochs=1, optimizer="sgd")["loss"]
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    assert history["loss"] == losses


def test_an_epoch_may_have_another_number_of_batches():
    seen = []
    tt.train(
        vector(),
        batches=lambda epoch: PAIRS * epoch,
        epochs=3,
        callbacks=[lambda run: seen.append((run.batch, run.batches))],
    )
    assert seen == [(3, 3), (6, 6), (9, 9)]


def test_callbacks_know_the_number_of_batches_after_the_first_epoch():
    seen = []
    options = {"epochs": 2, "callbacks": [lambda run: None, tt.Callback()]}
    options["callbacks"][1].on_batch_end = lambda run: seen.append(run.batches)
    tt.train(vector(), batches=lambda: iter(PAIRS), **options)
    assert seen == [None] * 3 + [3] * 3


class Length(Everywhere):
    """A loader whose length is a lie, or an error."""

    def __init__(self, batches: list[Any], length: Any) -> None:
        super().__init__(batches)
        self.length = length

    def __len__(self) -> int:
        if isinstance(self.length, Exception):
            raise self.length
        return self.length


@pytest.mark.parametrize(
    "length", [0, 1, 100, -1, 2.5, None, 10**30, RuntimeError("unknown"), TypeError(), OSError()],
    ids=str,
)  # fmt: skip
def test_a_length_that_is_wrong_or_unknown_changes_nothing(length):
    source = Length(PAIRS, length)
    wanted = in_memory(CASES["vector"], validation=PAIRS)
    assert_same(trained(CASES["vector"], batches=source, validation=source), wanted)


# -- sources that write into what they gave ----------------------------------------------------

STATES = [(np.full((N, 4), 0.1), np.linspace(-1, 1, 4 * N).reshape(N, 4)), None]
REFILLED = Case(
    lambda: steps(dtype="float64"),
    {**CASES["weights of steps"].data, "mask": CASES["holes"].data["mask"]},
)


def halves() -> list[dict[str, Any]]:
    found = []
    for rows in (slice(0, 5), slice(5, 10)):
        data = REFILLED.rows(rows.start, rows.stop)
        del data["lengths"]
        h, c = STATES[0]
        found.append({**data, "h": h[rows], "c": c[rows]})
    return found


def refilling(wrap: Callable[[np.ndarray], Any], names: tuple[str, ...]) -> Any:
    """A function whose batches share memory, which is spoiled after the last one."""

    def give() -> Iterator[Any]:
        buffers = {name: np.array(value) for name, value in halves()[0].items()}
        for batch in halves():
            for name, value in batch.items():
                buffers[name][...] = value
            given = {
                name: wrap(buffer) if name in names else buffer.copy()
                for name, buffer in buffers.items()
            }
            states = [(given.pop("h"), given.pop("c")), None]
            yield {**given, "initial_state": states}
        for buffer in buffers.values():
            buffer[...] = 7.0 if buffer.dtype.kind == "f" else 0

    return give


WRAPS = {"array": np.asarray, "view": lambda a: a[:], "tensor": Tensor, "buffer": memoryview}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_a_source_may_write_into_what_it_gave(wrap):
    names = ("x", "y", "sample_weight", "mask", "h", "c")
    wanted = trained(REFILLED, batches=refilling(wrap, ()), prefetch=0)
    for prefetch in (0, 1, 2, 4):
        for own in ((name,) for name in names):
            assert_same(trained(REFILLED, batches=refilling(wrap, own), prefetch=prefetch), wanted)


def test_initial_states_come_with_the_batches():
    data = {**REFILLED.data, "initial_state": STATES}
    del data["lengths"]
    net = steps(dtype="float64")
    history = tt.train(net, **data, batch_size=5, shuffle=False, epochs=2, seed=4)
    found = trained(REFILLED, batches=refilling(np.asarray, ("h", "c")))
    assert_same(found, (net.params.flat, history))
    without = tt.train(steps(dtype="float64"), **{**data, "initial_state": None}, epochs=1)
    assert without["loss"][0] != history["loss"][0]


# -- the end of a run --------------------------------------------------------------------------


def endless() -> Iterator[Any]:
    while True:
        yield from PAIRS


class StopAfter(tt.Callback):
    def __init__(self, batch: int) -> None:
        self.after = batch

    def on_batch_end(self, run: Any) -> None:
        if run.batch == self.after:
            run.stop("enough")


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_source_without_end_is_left_when_a_callback_stops(prefetch):
    net, other = vector(), vector()
    history = tt.train(net, batches=endless, callbacks=[StopAfter(5)], prefetch=prefetch)
    assert (history.stopped, history.epochs) == ("enough", [])
    five = [*PAIRS, *PAIRS[:2]]
    tt.train(other, batches=five, epochs=1)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


@pytest.mark.parametrize("source", [PAIRS, generator, Loader(PAIRS)], ids=["list", "made", "told"])
def test_a_run_that_stops_after_the_last_batch_has_its_epoch(source):
    history = tt.train(vector(), batches=source, callbacks=[StopAfter(3)])
    assert (history.stopped, history.epochs) == ("enough", [1])
    history = tt.train(vector(), batches=source, callbacks=[StopAfter(2)])
    assert (history.stopped, history.epochs) == ("enough", [])


def test_an_epoch_that_is_longer_than_the_one_before_is_not_whole_before_its_end():
    def give(epoch: int) -> list[Any]:
        return PAIRS[: 1 + epoch]

    class Stop(tt.Callback):
        def on_batch_end(self, run: Any) -> None:
            if (run.epoch, run.batch) == (2, 2):
                run.stop("enough")

    history = tt.train(vector(), batches=give, callbacks=[Stop()])
    assert (history.stopped, history.epochs) == ("enough", [1])


def test_a_generator_is_closed_when_training_ends():
    closed = []

    def give() -> Iterator[Any]:
        try:
            yield from endless()
        finally:
            closed.append(True)

    for prefetch in (0, 1, 3):
        tt.train(vector(), batches=give, callbacks=[StopAfter(2)], prefetch=prefetch)
    assert closed == [True] * 3


def test_batches_are_read_in_the_thread_only_as_far_ahead_as_asked():
    given, used = [], []

    def give() -> Iterator[Any]:
        for number in range(12):
            given.append(number)
            yield PAIRS[0]

    def note(run: Any) -> None:
        used.append(len(given))

    class Watch(tt.Callback):
        def on_batch_end(self, run: Any) -> None:
            note(run)

    for prefetch in (0, 1, 2):
        given.clear()
        used.clear()
        tt.train(vector(), batches=give, epochs=1, callbacks=[Watch()], prefetch=prefetch)
        # One is in use, `prefetch` wait, and one is being handed over.
        ahead = [count - place for place, count in enumerate(used, start=1)]
        assert max(ahead) <= (prefetch + 1 if prefetch else 0)
