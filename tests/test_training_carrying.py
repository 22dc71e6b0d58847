"""States that go on from batch to batch: the rows of a batch continue those of the one before."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from source_cases import X
from training_graphs import LOSSES, stepwise, stepwise_data

import throughtime as tt
from throughtime.errors import InvalidArgumentError, ModelFileError, ShapeError
from throughtime.layers import (
    GRU,
    LRU,
    LSTM,
    RNN,
    Dense,
    Dropout,
    Embedding,
    MeanPool,
    MultiHeadAttention,
    TimeReverse,
)

ROWS, CHUNKS, STEPS = 4, 3, 5
RNG = np.random.default_rng(0)
LONG = RNG.normal(size=(ROWS, CHUNKS * STEPS, 2))
SUMS = np.cumsum(LONG[..., :1], axis=1)
LENGTHS = np.array([[5, 2, 0, 3], [1, 5, 5, 5], [5, 5, 2, 4]])


def pieces(array: np.ndarray) -> list[np.ndarray]:
    return np.split(array, CHUNKS, axis=1)


def stacked(array: np.ndarray) -> np.ndarray:
    """The pieces below one another, so that a batch of ROWS is a piece of time."""
    return np.concatenate(pieces(array))


DATA = {"x": stacked(LONG), "y": stacked(SUMS)}
PIECES = list(zip(pieces(LONG), pieces(SUMS), strict=True))
CARRIED = {"batch_size": ROWS, "carry_state": True, "epochs": 3, "seed": 3, "verbose": False}


def network(*layers: Any, **options: Any) -> tt.Network:
    options = {"n_features": 2, "dtype": "float64", "seed": 1, **options}
    return tt.Network([*layers, Dense(1)], **options)


NETWORKS: dict[str, Any] = {
    "rnn": lambda: network(RNN(3, return_sequences=True)),
    "gru": lambda: network(GRU(3, return_sequences=True), dtype="float32"),
    "lstm": lambda: network(LSTM(3, return_sequences=True)),
    "lru": lambda: network(LRU(4, return_sequences=True)),
    "two": lambda: network(LSTM(3, return_sequences=True), GRU(2, return_sequences=True)),
    "options": lambda: network(
        LSTM(3, return_sequences=True, zoneout=0.2, peepholes=True, layer_norm=True, proj_size=2)
    ),
    "dropout": lambda: network(
        GRU(3, return_sequences=True, dropout=0.3, recurrent_dropout=0.2), Dropout(0.1)
    ),
}


def scheduled() -> dict[str, Any]:
    return {"optimizer": tt.optimizers.Adam(tt.optimizers.schedules.Exponential(0.01, 0.5))}


#: The options of each loop: an optimiser keeps its moments.
OPTIONS: dict[str, Any] = {
    "plain": dict,
    "clipped": lambda: {"clip_norm": 0.05, "l2": 0.1},
    "a schedule": scheduled,
}


def by_hand(net: tt.Network, first: Any = None, zeroed: Any = None, **options: Any) -> list[float]:
    """The losses of three epochs in a loop that hands the states on."""
    step = tt.TrainStep(net, seed=3, **options)
    losses = []
    for epoch in (1, 2, 3):
        step.begin_epoch(epoch)
        state, own = first, []
        for number, (x, y) in enumerate(PIECES):
            if zeroed is not None and state is not None:
                state = [cleared(one, zeroed[number]) for one in state]
            result = step(x, y, initial_state=state)
            state = result.final_state
            own.append(result.loss)
        losses.append(float(np.mean(own)))
    return losses


def cleared(state: Any, rows: np.ndarray) -> Any:
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(cleared(one, rows) for one in state)
    return np.where(rows[:, None], 0.0, state).astype(state.dtype)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_the_bits_of_a_loop_that_hands_the_states_on(name, options):
    net, other = NETWORKS[name](), NETWORKS[name]()
    history = tt.train(net, **DATA, **CARRIED, **OPTIONS[options]())
    losses = by_hand(other, **OPTIONS[options]())
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-12)
    without = NETWORKS[name]()
    tt.train(without, **DATA, **{**CARRIED, "carry_state": False, "shuffle": False})
    assert (net.params.flat != without.params.flat).any()


@pytest.mark.parametrize("chunks", [(2, 2), (2, 4), (5, 5)])
def test_truncated_backpropagation_inside_a_batch(chunks):
    double = np.concatenate([LONG, LONG[:, ::-1]], axis=1)
    target = np.cumsum(double[..., :1], axis=1)
    halves = [np.concatenate(np.split(a, 2, axis=1)) for a in (double, target)]
    net, other = NETWORKS["lstm"](), NETWORKS["lstm"]()
    tt.train(net, *halves, tbptt=chunks, optimizer="sgd", **CARRIED)
    step = tt.training.step.TrainStep(other, "sgd", seed=3)
    state = None
    for epoch in (1, 2, 3):
        state = None
        step.begin_epoch(epoch)
        for x, y in zip(*(np.split(a, 2, axis=1) for a in (double, target)), strict=True):
            last = state
            for found in tt.training.truncation.truncated(
                other, x, y, "mse", chunks, initial_state=state, training=True
            ):
                other.params.flat[...] -= step.optimizer.current_lr * other.grads.flat
                other.grads.flat[...] = 0.0
                last = found.final_state
            state = last
    np.testing.assert_allclose(net.params.flat, other.params.flat, rtol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_batches_from_a_source(name):
    net, other = NETWORKS[name](), NETWORKS[name]()
    history = tt.train(net, **DATA, **CARRIED)
    options = {**CARRIED, "batch_size": 32}
    del options["batch_size"]
    again = tt.train(other, batches=PIECES, **options)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    assert again["loss"] == history["loss"]


MARKS = RNG.random((CHUNKS, ROWS)) < 0.5
MARKS[1] = [True, False, True, False]


def test_marked_rows_begin_anew():
    net, other, third = (NETWORKS["two"]() for _ in range(3))
    tt.train(net, **DATA, reset=MARKS.reshape(-1), **CARRIED)
    by_hand(other, zeroed=MARKS)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    batches = [{"x": x, "y": y, "reset": own} for (x, y), own in zip(PIECES, MARKS, strict=True)]
    options = {key: value for key, value in CARRIED.items() if key != "batch_size"}
    tt.train(third, batches=batches, **options)
    np.testing.assert_array_equal(net.params.flat, third.params.flat)
    numbers = NETWORKS["two"]()
    tt.train(numbers, **DATA, reset=MARKS.reshape(-1).astype(int), **CARRIED)
    np.testing.assert_array_equal(net.params.flat, numbers.params.flat)


def test_every_row_anew_is_training_without_carrying():
    net, other = NETWORKS["lstm"](), NETWORKS["lstm"]()
    tt.train(net, **DATA, reset=np.ones(ROWS * CHUNKS, bool), **CARRIED)
    tt.train(other, **DATA, **{**CARRIED, "carry_state": False, "shuffle": False})
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    third = NETWORKS["lstm"]()
    batches = [{"x": x, "y": y, "reset": True} for x, y in PIECES]
    options = {key: value for key, value in CARRIED.items() if key != "batch_size"}
    tt.train(third, batches=batches, **options)
    np.testing.assert_array_equal(net.params.flat, third.params.flat)


def test_rows_that_would_not_begin_anew():
    """Where a sequence does not begin with zero, a mark would have it begin as none else does."""
    layers = [tt.layers.GRU(3, return_sequences=True, learn_initial_state=True), tt.layers.Dense(1)]
    learned = tt.Network(layers, n_features=2)
    sentence = (
        "reset must be None for this network: layer 0 (GRU) learns its initial state, and rows that"
        " are marked begin with zero."
    )
    batches = [{"x": x, "y": y, "reset": own} for (x, y), own in zip(PIECES, MARKS, strict=True)]
    with pytest.raises(InvalidArgumentError, match=f"^batch 1 of epoch 1: {re.escape(sentence)}$"):
        tt.train(learned, batches=batches, carry_state=True)
    with pytest.raises(InvalidArgumentError, match=f"^{re.escape(sentence)}$"):
        tt.train(learned, **DATA, reset=MARKS.reshape(-1), **CARRIED)
    x, static = tt.Input(2, name="x"), tt.Input(3, name="static", time=False)
    h = tt.layers.GRU(3, return_sequences=True)(x, initial_state=static)
    graph = tt.Network(inputs=[x, static], outputs=tt.layers.Dense(1)(h))
    reason = "takes its initial state from another layer, and rows that are marked begin with zero."
    with pytest.raises(InvalidArgumentError, match=re.escape(reason)):
        tt.train(
            graph, {"x": DATA["x"], "static": np.ones((len(DATA["x"]), 3))}, DATA["y"],
            reset=MARKS.reshape(-1), **CARRIED,
        )  # fmt: skip


def test_the_first_batch_of_every_epoch_begins_with_the_initial_state():
    first = [tuple(RNG.normal(size=(ROWS, 3)) for _ in range(2)), RNG.normal(size=(ROWS, 2)), None]
    net, other, third = (NETWORKS["two"]() for _ in range(3))
    tt.train(net, **DATA, initial_state=first, **CARRIED)
    by_hand(other, first=first)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    options = {key: value for key, value in CARRIED.items() if key != "batch_size"}
    tt.train(third, batches=PIECES, initial_state={0: first[0], 1: first[1]}, **options)
    np.testing.assert_array_equal(net.params.flat, third.params.flat)


@pytest.mark.parametrize("name", ["gru", "lstm", "two", "dropout"])
def test_validation_and_evaluation_go_on_as_the_long_sequence_does(name):
    net = NETWORKS[name]()
    history = tt.train(
        net, **DATA, validation=(DATA["x"], DATA["y"]), metrics=["mae"], keep_outputs=True,
        **CARRIED,
    )  # fmt: skip
    whole = tt.evaluate(net, LONG, SUMS, metrics=["mae"])
    batches = tt.evaluate(net, batches=PIECES, carry_state=True, metrics=["mae"])
    data = tt.evaluate(net, **DATA, batch_size=ROWS, carry_state=True, metrics=["mae"])
    source = NETWORKS[name]()
    other = tt.train(source, **DATA, validation=PIECES, metrics=["mae"], **CARRIED)
    np.testing.assert_array_equal(net.params.flat, source.params.flat)
    close = {"rtol": 1e-6 if net.dtype == np.float32 else 1e-12}
    for column in ("loss", "mae"):
        last = history[f"val_{column}"][-1]
        np.testing.assert_allclose(last, whole[column], **close)
        np.testing.assert_allclose(other[f"val_{column}"][-1], last, **close)
        np.testing.assert_allclose(batches[column], whole[column], **close)
        np.testing.assert_allclose(data[column], whole[column], **close)
    wanted, _ = net.forward(LONG)
    np.testing.assert_allclose(history.outputs[-1], stacked(wanted), rtol=1e-5, atol=1e-7)


def test_evaluation_has_marks_and_a_first_state():
    net = NETWORKS["gru"]()
    first = [RNG.normal(size=(ROWS, 3)).astype("f4"), None]
    found = tt.evaluate(net, **DATA, batch_size=ROWS, carry_state=True, initial_state=first,
                        reset=MARKS.reshape(-1))  # fmt: skip
    state, losses = first, []
    for (x, y), marks in zip(PIECES, MARKS, strict=True):
        # The states that are given are those of the rows that go on.
        state = [cleared(one, marks) for one in state]
        outputs, tape = net.forward(x, initial_state=state)
        losses.append(np.mean((outputs - y) ** 2))
        state = tape.final_state
    np.testing.assert_allclose(found["loss"], np.mean(losses), rtol=1e-6)


def test_a_row_that_is_shorter_goes_on_from_its_last_step():
    net, other = NETWORKS["lstm"](), NETWORKS["lstm"]()
    tt.train(net, **DATA, lengths=LENGTHS.reshape(-1), **CARRIED)
    step = tt.TrainStep(other, seed=3)
    for epoch in (1, 2, 3):
        step.begin_epoch(epoch)
        state: Any = None
        for (x, y), lengths in zip(PIECES, LENGTHS, strict=True):
            before, result = state, step(x, y, lengths=lengths, initial_state=state)
            state = result.final_state
            for row in np.flatnonzero(lengths == 0):  # nothing of it was read
                for new, old in zip(state[0], before[0] if before else (0.0, 0.0), strict=True):
                    np.testing.assert_array_equal(new[row], old[row] if before else 0.0)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_a_batch_in_which_nothing_counts_still_hands_its_states_on():
    weight = np.ones((CHUNKS, ROWS))
    weight[1] = 0.0
    net, other = NETWORKS["lstm"](), NETWORKS["lstm"]()
    tt.train(net, **DATA, sample_weight=weight.reshape(-1), **{**CARRIED, "epochs": 1})
    step = tt.TrainStep(other, seed=3)
    state = step(*PIECES[0]).final_state
    _, tape = other.forward(PIECES[1][0], initial_state=state)
    step.batch += 1
    step(*PIECES[2], initial_state=tape.final_state)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_shards_hand_on_the_states_of_their_own_rows():
    one, two, whole = (network(LSTM(3, return_sequences=True)) for _ in range(3))
    options = {**CARRIED, "optimizer": "sgd"}
    tt.train(whole, **DATA, **options)
    tt.train(one, **DATA, shards=1, **options)
    np.testing.assert_array_equal(one.params.flat, whole.params.flat)
    tt.train(two, **DATA, shards=3, reset=None, **options)
    np.testing.assert_allclose(two.params.flat, whole.params.flat, rtol=1e-9)
    marked, cut = (network(LSTM(3, return_sequences=True)) for _ in range(2))
    tt.train(marked, **DATA, reset=MARKS.reshape(-1), **options)
    tt.train(cut, **DATA, reset=MARKS.reshape(-1), shards=3, **options)
    np.testing.assert_allclose(cut.params.flat, marked.params.flat, rtol=1e-9)


def test_several_inputs_and_outputs_and_tokens():
    x, y = stepwise_data(ROWS * CHUNKS, STEPS)
    net, other = stepwise(), stepwise()
    tt.train(net, x, y, loss=LOSSES, **CARRIED)
    step = tt.TrainStep(other, loss=LOSSES, seed=3)
    for epoch in (1, 2, 3):
        step.begin_epoch(epoch)
        state = None
        for first in range(0, ROWS * CHUNKS, ROWS):
            rows = slice(first, first + ROWS)
            part = ({k: v[rows] for k, v in one.items()} for one in (x, y))
            state = step(*part, initial_state=state).final_state
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    text = RNG.integers(0, 4, (ROWS, CHUNKS * STEPS + 1))
    layers = [Embedding(4, 3), GRU(3, return_sequences=True), Dense(4, activation="softmax")]
    data = stacked(text[:, :-1]), stacked(text[:, 1:])
    net, other = tt.Network(layers, seed=1), tt.Network(layers, seed=1)
    cross = "categorical_crossentropy"
    tt.train(net, *data, loss=cross, **CARRIED)
    step = tt.TrainStep(other, loss=cross, seed=3)
    for epoch in (1, 2, 3):
        step.begin_epoch(epoch)
        state = None
        for first in range(0, ROWS * CHUNKS, ROWS):
            part = (one[first : first + ROWS] for one in data)
            state = step(*part, initial_state=state).final_state
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(tmp_path):
    whole, net = NETWORKS["dropout"](), NETWORKS["dropout"]()
    tt.train(whole, **DATA, **CARRIED)
    again = {"checkpoint": tmp_path / "run", "resume": True}
    tt.train(net, **DATA, **{**CARRIED, "epochs": 1}, **again)
    net = NETWORKS["dropout"]()
    tt.train(net, **DATA, **CARRIED, **again)
    np.testing.assert_array_equal(net.params.flat, whole.params.flat)


def test_a_run_that_begins_with_another_state_is_another_run(tmp_path):
    states = [np.full((ROWS, 3), 0.5), None]
    run = {**CARRIED, "checkpoint": tmp_path / "run.ckpt"}
    tt.train(NETWORKS["gru"](), **DATA, **run, initial_state=states)
    for other in ([np.full((ROWS, 3), 0.4), None], None):
        with pytest.raises(ModelFileError, match="belongs to a run with other initial_state"):
            tt.train(NETWORKS["gru"](), **DATA, **run, initial_state=other, resume=True)


def test_one_batch_may_be_smaller_than_batch_size():
    net, other = NETWORKS["gru"](), NETWORKS["gru"]()
    one = {"x": LONG, "y": SUMS, "carry_state": True, "epochs": 2, "verbose": False}
    tt.train(net, **one, batch_size=ROWS + 3)
    tt.train(other, **one, batch_size=ROWS)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


# -- what is refused ---------------------------------------------------------------------------

REFUSED = {
    "both ways": (
        lambda: network(GRU(3, bidirectional=True)),
        ("layer 0 (GRU) cannot be cut into chunks of time, because it reads each sequence from its"
         " end, which a stream has not seen yet."),
    ),
    "reversed": (
        lambda: network(TimeReverse(), GRU(3)),
        ("layer 0 (TimeReverse) cannot be cut into chunks of time, because it"),
    ),
    "attention": (
        lambda: network(MultiHeadAttention(2, head_units=2), GRU(3)),
        "layer 0 (MultiHeadAttention) cannot be cut into chunks of time, because",
    ),
    "pooled": (
        lambda: network(MeanPool()),
        "layer 0 (MeanPool) cannot be cut into chunks of time, because it looks at all steps at",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_needs_the_whole_sequence(name):
    make, reason = REFUSED[name]
    x, y = X[:, :, :2], X[:, 0, :1]
    for call in (
        lambda: tt.train(make(), x, y, carry_state=True),
        lambda: tt.train(make(), batches=[(x, y)], carry_state=True),
        lambda: tt.evaluate(make(), x, y, carry_state=True),
        lambda: tt.evaluate(make(), batches=[(x, y)], carry_state=True),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            call()
        wanted = f"carry_state must be False for this network: {reason}"
        assert str(caught.value).startswith(wanted)


def test_a_batch_with_other_rows_or_with_states_of_its_own():
    options = {key: value for key, value in CARRIED.items() if key != "batch_size"}
    (x, y), *_ = PIECES
    with pytest.raises(ShapeError) as caught:
        tt.train(NETWORKS["gru"](), batches=[PIECES[0], (x[:3], y[:3])], **options)
    said = "x must have 4 rows where carry_state=True, as the batch before; got 3."
    hint = "Its rows continue those of the batch before."
    assert str(caught.value) == f"batch 2 of epoch 1: {said} {hint}"
    with pytest.raises(ShapeError) as caught:
        tt.evaluate(NETWORKS["gru"](), batches=[PIECES[0], (x[:3], y[:3])], carry_state=True)
    assert str(caught.value) == f"{said} {hint}"
    own = {"x": x, "y": y, "initial_state": [np.zeros((4, 3)), None]}
    with pytest.raises(InvalidArgumentError) as caught:
        tt.train(NETWORKS["gru"](), batches=[own], **options)
    assert str(caught.value) == (
        "batch 1 of epoch 1: initial_state must be None in a batch where carry_state=True; got a"
        " state. Mark the rows that begin anew with 'reset'."
    )
    with pytest.raises(ShapeError) as caught:
        tt.train(NETWORKS["gru"](), batches=PIECES, initial_state=[np.zeros((3, 3))], **options)
    assert str(caught.value) == (
        "batch 1 of epoch 1: initial_state[0]: h must be of shape (4, 3); got shape (3, 3)."
    )
