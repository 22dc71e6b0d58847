"""``tt.TrainStep``: loops of one's own have the bits of ``tt.train``; what an error leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from source_cases import CASES, LAST, SUMS, WEIGHTS, X, steps, vector

import throughtime as tt
from throughtime.errors import DataError, DivergedError, InvalidArgumentError, InvalidTypeError
from throughtime.network.signals import each

#: The options of ``train`` that a step takes.
OWN = ("loss", "loss_weights", "optimizer", "clip_norm", "clip_value", "l1", "l2", "seed")
#: Cases that a step can do: it has no class weights and no chunks of time.
NAMES = [name for name, case in CASES.items() if not {"tbptt", "class_weight"} & set(case.options)]
MORE: dict[str, Any] = {
    "plain": dict,
    "momentum, clipped": lambda: {
        "optimizer": tt.optimizers.SGD(0.01, momentum=0.9), "clip_value": None, "clip_norm": 0.1,
        "l1": 0.01, "l2": 0.1,
    },
    "a schedule of epochs": lambda: {
        "optimizer": tt.optimizers.RMSProp(tt.optimizers.schedules.Exponential(0.01, 0.5))
    },
    "a schedule of steps": lambda: {
        "optimizer": tt.optimizers.AdamW(tt.optimizers.schedules.Linear(0.01, 5, per="step"))
    },
}  # fmt: skip


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("name", NAMES)
def test_a_loop_has_the_bits_of_train(name, more):
    case = CASES[name]
    net, other = case.net(), case.net()
    batches = case.batches()
    options = {"seed": 4, **case.options}
    history = tt.train(net, batches=batches, epochs=3, **{**options, **MORE[more]()})
    own = {**options, **MORE[more]()}
    step = tt.TrainStep(other, **{key: own[key] for key in OWN if key in own})
    for epoch in (1, 2, 3):
        step.begin_epoch(epoch)
        results = [step(**batch) for batch in batches]
        norms = [one.grad_norm for one in results]
        assert np.mean(norms) == pytest.approx(history["grad_norm"][epoch - 1], rel=1e-12)
        assert results[-1].lr == history["lr"][epoch - 1]
        assert step.batch == len(batches)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_dropout_does_not_depend_on_padding():
    net, other = (
        steps(recurrent_dropout=0.5, dropout=0.3),
        steps(recurrent_dropout=0.5, dropout=0.3),
    )
    short = {"x": X, "y": SUMS, "mask": np.arange(6) < np.arange(10)[:, None] % 4}
    tt.train(net, batches=[short], epochs=1, seed=4)
    result = tt.TrainStep(other, seed=4)(**short)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    assert result.y.shape == (10, 6, 1)
    assert not result.y[:, 3:].any()
    assert result.y[2, :2].all()


def test_what_a_step_returns():
    net = steps(dtype="float64")
    step = tt.TrainStep(net, "sgd", l2=0.1, seed=2)
    outputs, tape = net.forward(X)
    before = net.params.flat.copy()
    result = step(X, SUMS)
    np.testing.assert_array_equal(result.y, outputs)
    assert result.loss == pytest.approx(np.mean((outputs - SUMS) ** 2), rel=1e-12)
    weights = before[net.weight_mask()]
    assert result.penalty == pytest.approx(0.05 * np.sum(weights**2), rel=1e-12)
    assert result.lr == step.optimizer.current_lr
    moved = (before - net.params.flat) / result.lr
    assert result.grad_norm == pytest.approx(np.linalg.norm(moved), rel=1e-9)
    for ours, theirs in zip(result.final_state[0], tape.final_state[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    kept = result.y.copy()
    step(2 * X, SUMS)
    np.testing.assert_array_equal(result.y, kept)  # later steps do not write into it


def test_words_about_a_step_are_short():
    step = tt.TrainStep(vector(), tt.optimizers.SGD(0.5), "mse", l2=0.1)
    result = step(X[:4], LAST[:4])
    assert repr(result) == (
        f"StepResult(loss={result.loss:.6g}, penalty={result.penalty:.6g},"
        f" grad_norm={result.grad_norm:.6g}, lr=0.5)"
    )
    assert repr(step) == (
        f"<TrainStep of {step.net!r}; {step.optimizer!r}, loss mse; step 1 of epoch 1>"
    )


def test_several_outputs_come_in_their_container():
    case = CASES["inputs and outputs"]
    step = tt.TrainStep(case.net(), loss=case.options["loss"], loss_weights={"kind": 0.3})
    result = step(**case.data)
    assert {name: y.shape for name, y in result.y.items()} == {"price": (10, 1), "kind": (10, 3)}
    scores = tt.evaluate(
        case.net(), **case.data, loss=case.options["loss"], loss_weights={"kind": 0.3}
    )
    assert result.loss == pytest.approx(scores["loss"], rel=1e-12)


def test_the_optimiser_is_not_reset():
    adam = tt.optimizers.Adam(0.01)
    net, other = vector(), vector()
    first, second = tt.TrainStep(net, adam), tt.TrainStep(other, tt.optimizers.Adam(0.01))
    for _ in range(3):
        first(X, LAST)
        second(X, LAST)
    again = tt.TrainStep(net, adam)  # another step with the same optimiser goes on
    anew = tt.TrainStep(other, tt.optimizers.Adam(0.01))
    again(X, LAST)
    moved = other.params.flat.copy()
    second(X, LAST)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    other.params.flat[...] = moved
    anew(X, LAST)
    assert (net.params.flat != other.params.flat).any()


def test_dropout_goes_by_epoch_batch_and_seed():
    def losses(seed: int, epoch: int) -> list[float]:
        net = vector(dropout=0.5)
        step = tt.TrainStep(net, tt.optimizers.SGD(1e-12), seed=seed)
        step.begin_epoch(epoch)
        return [round(step(X, LAST).loss, 6) for _ in range(2)]

    one = losses(0, 1)
    assert one == losses(0, 1)
    assert len({*one, *losses(1, 1), *losses(0, 2)}) == 6


def test_weights_changed_between_two_steps_are_trained_on():
    net, other = vector(), vector()
    step = tt.TrainStep(net, "sgd")
    step(X, LAST)
    net.params.flat[...] = other.params.flat
    step(X, LAST)
    tt.TrainStep(other, "sgd")(X, LAST)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


def test_nothing_to_learn_from_moves_nothing():
    net = vector()
    step = tt.TrainStep(net, tt.optimizers.SGD(0.1, momentum=0.9))
    step(X, LAST)
    before = net.params.flat.copy()
    result = step(X, LAST, sample_weight=np.zeros(10))
    np.testing.assert_array_equal(net.params.flat, before)
    assert (result.loss, result.grad_norm) == (0.0, 0.0)


def test_frozen_layers_stay():
    case = CASES["frozen"]
    net = case.net()
    before = net.params.flat.copy()
    step = tt.TrainStep(net)
    step(**case.data)
    still = net.params.flat == before
    assert still[net.lr_multipliers() == 0].all()
    assert not still[net.lr_multipliers() != 0].any()


def test_layers_may_be_frozen_and_freed_between_two_steps():
    net = vector()
    step = tt.TrainStep(net)
    for change, still in ((net.freeze, True), (net.unfreeze, False)):
        change(0)
        before = net.params["0.W_h"].copy(), net.params["1.W"].copy()
        step(X, LAST)
        assert (net.params["0.W_h"] == before[0]).all() == still
        assert (net.params["1.W"] != before[1]).any()


# -- errors ------------------------------------------------------------------------------------

BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "x": (
        {"x": X[..., :1]}, tt.errors.ShapeError,
        "x must have 2 features a step, the last axis; got shape (10, 6, 1).",
    ),
    "y": (
        {"y": LAST[:9]}, tt.errors.ShapeError,
        "y must hold one target for each of the 10 sequences; got 9 of them.",
    ),
    "NaN": (
        {"x": np.where(np.arange(2) == 1, np.nan, X)}, DataError,
        ("x must be finite; got nan at index (0, 0, 1). Fill missing values, or mask their"
         " steps."),
    ),
    "weight": (
        {"sample_weight": -WEIGHTS}, DataError,
        f"sample_weight must hold finite numbers >= 0; got {-WEIGHTS[0]:g} at index (0,).",
    ),
    "state": (
        {"initial_state": [np.zeros((9, 4))]}, tt.errors.ShapeError,
        "initial_state[0]: h must be of shape (10, 4); got shape (9, 4).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_an_error_leaves_everything_as_it_was(name):
    change, kind, message = BAD[name]
    net, other = vector(dropout=0.2), vector(dropout=0.2)
    step, right = tt.TrainStep(net), tt.TrainStep(other)
    step(X, LAST)
    right(X, LAST)
    with pytest.raises(kind) as caught:
        step(**{"x": X, "y": LAST, **change})
    assert str(caught.value) == message
    np.testing.assert_array_equal(net.params.flat, other.params.flat)
    step(X, LAST)
    right(X, LAST)
    np.testing.assert_array_equal(net.params.flat, other.params.flat)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"clip_norm": 0.0}, InvalidArgumentError,
            "clip_norm must be a finite number > 0; got 0.0.",
        ),
        ({"l2": -1}, InvalidArgumentError, "l2 must be a finite number >= 0; got -1."),
        ({"seed": -1}, InvalidArgumentError, "seed must be an integer >= 0; got -1."),
        (
            {"clip_norm": 1.0, "clip_value": 1.0}, InvalidArgumentError,
            ("clip_norm and clip_value must not be given together; got 1.0 and 1.0. clip_norm keeps"
             " the direction of the gradient."),
        ),
    ],
    ids=["clip_norm", "l2", "seed", "both"],
)  # fmt: skip
def test_options_that_do_not_fit(options, kind, message):
    with pytest.raises(kind) as caught:
        tt.TrainStep(vector(), **options)
    assert str(caught.value) == message


def test_other_arguments_that_do_not_fit():
    with pytest.raises(InvalidTypeError, match=r"^net must be a Network; got 3\.$"):
        tt.TrainStep(3)
    step = tt.TrainStep(vector())
    for epoch, kind in ((0, InvalidArgumentError), (1.5, InvalidTypeError)):
        with pytest.raises(kind) as caught:
            step.begin_epoch(epoch)
        assert str(caught.value) == f"epoch must be an integer >= 1; got {epoch}."
    with pytest.raises(InvalidTypeError, match="learning_rate"):
        tt.TrainStep(vector(), learning_rate=0.1)
    x, y = X[:4], SUMS[:4]
    for call, message in (
        (lambda: step((x, y)), "step needs x, y; got no y."),
        (
            lambda: step(x, y, [1, 2, 3, 1]),
            "step takes 2 arguments without a name (x, y); got 3. Give the others by name.",
        ),
        (
            lambda: step(x, y, reset=[True] * 4),
            "step has no argument 'reset'; use initial_state, zero in the rows that begin anew.",
        ),
        (
            lambda: step({"x": x, "y": y}, y),
            "x must be the input alone; got a dict with 'x', 'y'. Write step(**batch).",
        ),
    ):
        with pytest.raises(InvalidTypeError) as caught:
            call()
        assert str(caught.value) == message


@pytest.mark.parametrize("where", ["forward", "update"])
def test_divergence_restores_the_last_finite_weights(where):
    net = vector(activation="relu")
    step = tt.TrainStep(net, tt.optimizers.SGD(1e-3))
    step(X, LAST)
    good = net.params.flat.copy()
    if where == "forward":
        with pytest.raises(DivergedError) as caught:
            step(X * 1e30, LAST * 1e30)
        np.testing.assert_array_equal(net.params.flat, step.good)
    else:
        huge = tt.TrainStep(net, tt.optimizers.SGD(3e38))
        with pytest.raises(DivergedError) as caught:
            huge(X, LAST * 1e3)
        np.testing.assert_array_equal(net.params.flat, good)
    said = str(caught.value)
    assert said.startswith(f"training diverged in step {2 if where == 'forward' else 1}: ")
    assert "; the last weights with a finite loss are restored. Try " in said
    assert np.isfinite(net.params.flat).all()
    step(X, LAST)  # and it goes on


def test_states_are_handed_on_by_hand():
    halves = [(X[:, :3], SUMS[:, :3]), (X[:, 3:], SUMS[:, 3:])]
    net = steps(dtype="float64")
    step = tt.TrainStep(net, tt.optimizers.SGD(1e-300))  # weights that stay
    state, outputs = None, []
    for x, y in halves:
        result = step(x, y, initial_state=state)
        state = result.final_state
        outputs.append(result.y)
    whole, tape = net.forward(X)
    np.testing.assert_allclose(np.concatenate(outputs, axis=1), whole, rtol=1e-12)
    for ours, theirs in zip(each(state[0]), each(tape.final_state[0]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_an_optimiser_whose_moments_overflow_is_reset():
    """Otherwise an infinite mean square would stop its weights for good."""
    net = vector()
    step = tt.TrainStep(net, tt.optimizers.Adam(0.01))
    step.begin_epoch(3)
    step(X, LAST)
    before = net.params.flat.copy()
    with pytest.raises(DivergedError) as caught:
        step(X, LAST * 1e30)
    back = "; the last weights with a finite loss are restored, and the optimizer is reset. Try "
    assert back in str(caught.value)
    np.testing.assert_array_equal(net.params.flat, before)
    assert (step.optimizer.steps, step.optimizer.epoch) == (0, 2)
    step(X, LAST)
    assert (net.params.flat != before).any()
