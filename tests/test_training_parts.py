"""A batch in several parts: equal bits wherever it was cut alike, and the gradient of the whole."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from source_cases import (
    CASES,
    LAST,
    SUMS,
    Case,
    Everywhere,
    X,
    assert_same,
    in_memory,
    steps,
    trained,
    vector,
)
from training_graphs import LOSSES, forked, forked_data, stepwise, stepwise_data

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.training.heads import check_heads
from throughtime.training.parts import compute_parts, part_rng, shares, total
from throughtime.training.samples import check_samples
from throughtime.training.step import TrainStep

WHOLE = [name for name, case in CASES.items() if "tbptt" not in case.options]


class Here:
    """An executor that computes at once, in this process, from what would have travelled."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("name", WHOLE)
def test_batches_that_are_cut_alike_have_the_same_bits(name):
    """The last update, of two sequences, is made from one part in all of them."""
    case = CASES[name]
    wanted = trained(case, **case.data, batch_size=8, shards=4, shuffle=False)
    for options in (
        {"batch_size": 2, "accumulate": 4},
        {"batch_size": 4, "accumulate": 2, "shards": 2},
    ):
        found = trained(case, **case.data, shuffle=False, **options)
        assert_same(found, wanted)
    assert_same(trained(case, batches=case.batches(2), accumulate=4), wanted)
    # All at once is one update: rows 0 to 2, 3 to 5, 6 to 8 and 9.
    wanted = trained(case, **case.data, batch_size=None, shards=4, shuffle=False)
    assert_same(trained(case, **case.data, batch_size=3, accumulate=4, shuffle=False), wanted)
    assert_same(trained(case, batches=case.batches(3), accumulate=9), wanted)
    assert_same(trained(case, batches=case.batches(3), accumulate=2**70), wanted)
    assert_same(trained(case, batches=case.batches(99), shards=4), wanted)


@pytest.mark.parametrize("name", WHOLE)
def test_the_order_may_be_shuffled_and_put_into_buckets(name):
    case = CASES[name]
    for more in ({}, {"bucket": True}, {"validation": 0.3}):
        wanted = trained(case, **case.data, batch_size=8, shards=4, **more)
        found = trained(case, **case.data, batch_size=2, accumulate=4, **more)
        assert_same(found, wanted)


@pytest.mark.parametrize("name", WHOLE)
def test_one_shard_is_no_shard(name):
    case = CASES[name]
    wanted = in_memory(case)
    assert_same(in_memory(case, shards=1), wanted)
    assert_same(in_memory(case, shards=1, accumulate=1), wanted)


@pytest.mark.parametrize("name", WHOLE)
def test_an_executor_changes_no_bit(name):
    case = CASES[name]
    for shards in (1, 3):
        found = in_memory(case, shards=shards, executor=Here())
        assert_same(found, in_memory(case, shards=shards))
    found = trained(case, batches=case.batches(), shards=3, executor=Here())
    # A last batch with fewer rows is cut evenly; in memory, into parts as large as those before.
    assert_same(found, trained(case, batches=case.batches(), shards=3))


class Loader(Everywhere):
    batch_size = 4


@pytest.mark.parametrize("name", WHOLE)
def test_a_loader_with_a_batch_size_has_the_bits_of_data_in_memory(name):
    case = CASES[name]
    for shards, accumulate in ((2, 1), (3, 1), (2, 2)):
        options = {"shards": shards, "accumulate": accumulate}
        found = trained(case, batches=Loader(case.batches()), **options)
        assert_same(found, in_memory(case, **options))


def test_more_shards_than_sequences():
    case = CASES["ragged"]
    wanted = in_memory(case, shards=4)
    for shards in (5, 100):
        assert_same(in_memory(case, shards=shards), wanted)


@pytest.mark.parametrize("name", ["frozen", "dropout", "tokens", "class weights", "weights"])
def test_other_numbers_of_shards_have_other_bits_but_the_same_gradient(name):
    """Dropout aside, which is drawn for each part."""
    case = CASES[name]
    one = in_memory(case, optimizer="sgd", epochs=1)
    cut = in_memory(case, optimizer="sgd", epochs=1, shards=3)
    assert (one[0] != cut[0]).any()
    if name != "dropout":
        np.testing.assert_allclose(one[0], cut[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(one[1]["loss"], cut[1]["loss"], rtol=1e-6)
        np.testing.assert_allclose(one[1]["grad_norm"], cut[1]["grad_norm"], rtol=1e-5)


def test_every_part_has_dropout_of_its_own():
    """And a batch in one part that of a batch without parts."""
    net = CASES["dropout"].net()
    parts = [(0, 1), (0, 2), (1, 2), (2, 3)]
    first = [part_rng(net, (3, 0, 1, 1), k, count).random() for k, count in parts]
    assert len(set(first)) == len(parts)
    assert first[0] == np.random.default_rng([3, 0, 1, 1]).random()


# -- the gradient itself -----------------------------------------------------------------------

MASK = np.arange(6) < np.array([6, 2, 4, 0, 6, 3, 5, 2, 3, 1])[:, None]
UNEVEN = np.array([0.0, 0.0, 0.0, 5.0, 0.1, 2.0, 0.0, 1.0, 3.0, 0.5])


def by_step() -> dict[str, Any]:
    x, y = stepwise_data(10, 6)
    return {"x": x, "y": y, "mask": {"left": MASK, "right": MASK}}


def uneven(seed: int = 0) -> dict[str, Any]:
    """Of the first three sequences only the price counts, and of some others only the kind."""
    x, y = forked_data(10, seed=seed)
    return {"x": x, "y": y, "sample_weight": {"kind": UNEVEN, "price": UNEVEN[::-1]}}


def reduced(reduction: str) -> dict[str, Any]:
    return {"price": tt.losses.MSE(reduction=reduction),
            "kind": tt.losses.CategoricalCrossentropy(reduction=reduction)}  # fmt: skip


GRADIENTS: dict[str, tuple[Case, Any]] = {
    "vector": (Case(lambda: vector(dtype="float64"), {"x": X, "y": LAST}), "mse"),
    "masked": (Case(lambda: steps(dtype="float64"), {"x": X, "y": SUMS, "mask": MASK}), "huber"),
    "weighted": (
        Case(lambda: vector(dtype="float64"), {"x": X, "y": LAST, "sample_weight": UNEVEN}), "mae",
    ),
    "summed": (
        Case(lambda: steps(dtype="float64"), {"x": X, "y": SUMS, "mask": MASK}),
        tt.losses.MSE(reduction="sum"),
    ),
    "outputs": (Case(stepwise, by_step()), LOSSES),
    "weights by output": (Case(forked, uneven()), LOSSES),
    "sums by output": (Case(forked, uneven()), reduced("sum")),
    "a sum and a mean": (
        Case(forked, uneven()),
        {"price": tt.losses.MSE(reduction="sum"), "kind": "categorical_crossentropy"},
    ),
}  # fmt: skip


def computed(net: tt.Network, heads: Any, parts: Any, factors: Any) -> tuple[Any, np.ndarray]:
    """The losses of all parts, and the sum of their gradients."""
    found, nodes = compute_parts(net, heads, parts, factors, (), (0, len(parts)), outputs=False)
    return found, total(nodes)


@pytest.mark.parametrize("cuts", [(5,), (3,), (1, 2, 3, 9), tuple(range(1, 10))], ids=str)
@pytest.mark.parametrize("name", GRADIENTS)
def test_the_parts_sum_to_the_gradient_of_the_whole(name, cuts):
    case, loss = GRADIENTS[name]
    net = case.net()
    weights = {"kind": 0.3, "price": 2.0} if len(net.plan.outputs.names) > 1 else None
    heads = check_heads(net, loss, weights)
    whole = check_samples(net, heads, **case.data)
    ends = (0, *cuts, 10)
    pieces = [whole.batch(slice(a, b)) for a, b in itertools.pairwise(ends)]
    factors, empty = shares(net, heads, pieces)
    assert not empty
    found, gradient = computed(net, heads, pieces, factors)
    (direct,), wanted = computed(net, heads, [whole], [(1.0,) * len(heads)])
    np.testing.assert_allclose(gradient, wanted, rtol=1e-9, atol=1e-13)
    for k, head in enumerate(heads):
        weight = sum(one.terms[k].weight for one in found)
        assert weight == pytest.approx(direct.terms[k].weight, rel=1e-12)
        summed = head.loss.reduction == "sum"
        value = sum(one.terms[k].value * (1 if summed else one.terms[k].weight) for one in found)
        assert value / (1 if summed else weight) == pytest.approx(direct.terms[k].value, rel=1e-12)


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_gradient_of_the_parts_is_the_slope_of_the_objective(name):
    """Against central differences of the loss that ``tt.evaluate`` gives, along two directions."""
    case, loss = GRADIENTS[name]
    net = case.net()
    weights = {"kind": 0.3, "price": 2.0} if len(net.plan.outputs.names) > 1 else None
    heads = check_heads(net, loss, weights)
    whole = check_samples(net, heads, **case.data)
    pieces = [whole.batch(slice(a, a + 3)) for a in range(0, 10, 3)]
    factors, _ = shares(net, heads, pieces)
    _, gradient = computed(net, heads, pieces, factors)
    start = net.params.flat.copy()
    for seed in (0, 1):
        direction = np.random.default_rng(seed).normal(size=start.size)
        h, values = 1e-6, []
        for sign in (1, -1):
            net.params.flat[...] = start + sign * h * direction
            values.append(tt.evaluate(net, **case.data, loss=loss, loss_weights=weights)["loss"])
        assert (values[0] - values[1]) / (2 * h) == pytest.approx(gradient @ direction, rel=1e-6)


def test_a_shard_in_which_nothing_counts_adds_nothing():
    weight = np.array([0.0] * 4 + [1.0] * 6)
    net, other, third = (vector(dtype="float64") for _ in range(3))
    options: dict[str, Any] = {"shuffle": False, "epochs": 2, "optimizer": "sgd"}
    tt.train(net, X, LAST, sample_weight=weight, batch_size=None, shards=5, **options)
    tt.train(other, X[4:], LAST[4:], batch_size=None, shards=3, **options)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    batches = [{"x": X[:4], "y": np.full((4, 1), np.nan), "weight": weight[:4]},
               {"x": X[4:], "y": LAST[4:]}]  # fmt: skip
    tt.train(third, batches=batches, accumulate=2, epochs=2, optimizer="sgd")
    np.testing.assert_allclose(third.params.flat, net.params.flat, rtol=1e-12)


def test_an_update_in_which_nothing_counts_moves_nothing():
    weight = np.array([1.0] * 4 + [0.0] * 6)
    net, other = vector(), vector()
    momentum = [tt.optimizers.SGD(0.01, momentum=0.9) for _ in range(2)]
    tt.train(net, X, LAST, sample_weight=weight, batch_size=4, shards=2, shuffle=False, epochs=3,
             optimizer=momentum[0], l2=0.1)  # fmt: skip
    tt.train(other, X[:4], LAST[:4], batch_size=4, shards=2, shuffle=False, epochs=3,
             optimizer=momentum[1], l2=0.1)  # fmt: skip
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_the_penalty_is_added_once():
    histories = [
        tt.train(
            vector(dtype="float64"), X, LAST, batch_size=None, l2=0.3, l1=0.1, epochs=1, **more
        )
        for more in ({}, {"shards": 5}, {"shards": 5, "executor": Here()})
    ]
    for history in histories[1:]:
        assert history["penalty"] == histories[0]["penalty"]
        assert history["loss"] == pytest.approx(histories[0]["loss"], rel=1e-12)


@pytest.mark.parametrize("executor", [None, Here()], ids=["here", "executor"])
def test_where_a_part_diverges_is_found(executor):
    x = X.copy()
    x[7] *= 1e30
    for options in ({"batch_size": None, "shards": 5}, {"batch_size": 2, "accumulate": 5}):
        shards = options.setdefault("shards", 1)
        net = vector(activation="relu")
        before = net.params.flat.copy()
        with pytest.raises(tt.errors.DivergedError) as caught:
            tt.train(net, x, LAST, shuffle=False, executor=executor, **options)
        said = str(caught.value)
        assert said.startswith("training diverged in epoch 1, batch 1 of 1: "), shards
        assert "the largest is " in said
        np.testing.assert_array_equal(net.params.flat, before)


def test_a_part_is_run_on_a_network_without_leftovers():
    """Garbage in the gradients of the network does not get into the sum."""
    nets = [vector(dtype="float64") for _ in range(2)]
    options = [{"shards": 3}, {"shards": 3}]
    for net, own, garbage in zip(nets, options, (0.0, np.nan), strict=True):
        net.grads.flat[...] = garbage
        tt.train(net, X, LAST, batch_size=None, epochs=1, **own)
    np.testing.assert_array_equal(nets[0].params.flat, nets[1].params.flat)


def test_a_step_that_is_given_parts():
    net, other = vector(dtype="float64"), vector(dtype="float64")
    heads = check_heads(net, "mse")
    parts = [check_samples(net, heads, X[i : i + 5], LAST[i : i + 5]) for i in (0, 5)]
    (update,) = TrainStep(net, "sgd").updates(parts)
    result = TrainStep(other, "sgd")(X, LAST)
    np.testing.assert_allclose(net.params.flat, other.params.flat, rtol=1e-12)
    assert update.norm == pytest.approx(result.grad_norm, rel=1e-12)
    assert len(update.final_states) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": 2}, "shards must be None where tbptt is given; got 2."),
        ({"accumulate": 2}, "accumulate must be 1 where tbptt is given; got 2."),
    ],
    ids=["shards", "accumulate"],
)
def test_chunks_of_time_are_not_cut_into_parts(options, message):
    with pytest.raises(InvalidArgumentError) as caught:
        tt.train(vector(), X, LAST, tbptt=(2, 2), **options)
    assert str(caught.value) == f"{message} Its updates follow one another in time."
