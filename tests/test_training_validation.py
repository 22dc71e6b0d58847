"""The validation set: which of its forms is which, and that none is ignored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from source_cases import CASES, LAST, LENGTHS, Everywhere, N, X, trained, vector
from training_graphs import LOSSES, forked, forked_data

import throughtime as tt
from throughtime.errors import DataError, InvalidArgumentError, InvalidTypeError
from throughtime.training.heads import check_heads
from throughtime.training.samples import Samples
from throughtime.training.sources import Source, is_source
from throughtime.training.validation import separate_validation

PAIR = (X, LAST)
CASE = CASES["vector"]


def kind_of(validation: Any) -> str:
    net = vector()
    found = separate_validation(net, check_heads(net, "mse"), validation, 0)
    return "none" if found is None else type(found).__name__


@pytest.mark.parametrize(
    ("validation", "kind"),
    [
        (PAIR, "Samples"),
        ([X, LAST], "Samples"),
        ((list(X), LAST), "Samples"),
        ([list(X), list(LAST)], "Samples"),
        ((X, LAST, LENGTHS), "Samples"),
        ({"x": X, "y": LAST, "sample_weight": np.ones(N)}, "Samples"),
        ([PAIR], "Source"),
        ([PAIR, PAIR, PAIR], "Source"),
        ([{"x": X, "y": LAST}], "Source"),
        (Everywhere([PAIR]), "Source"),
        (lambda: [PAIR], "Source"),
        (lambda epoch: [PAIR], "Source"),
        (None, "none"),
        (0.25, "none"),
        ("0.25", "none"),
    ],
    ids=[str(number) for number in range(15)],
)
def test_what_each_form_is(validation, kind):
    assert kind_of(validation) == kind
    assert is_source(validation) == (kind == "Source")


def test_a_pair_of_dicts_is_no_list_of_batches():
    x, y = forked_data(8)
    options = {"loss": LOSSES, "epochs": 1}
    wanted = tt.train(forked(), x, y, validation=(x, y), **options)
    assert tt.train(forked(), x, y, validation=[x, y], **options)["val_loss"] == wanted["val_loss"]
    batches = tt.train(forked(), x, y, validation=[(x, y)], **options)
    assert batches["val_loss"] == wanted["val_loss"]


def test_every_form_has_the_same_scores():
    wanted = trained(CASE, **CASE.data, validation=PAIR)[1]["val_loss"]
    for form in ([X, LAST], {"x": X, "y": LAST}, [PAIR], lambda: [PAIR], Everywhere([PAIR])):
        assert trained(CASE, **CASE.data, validation=form)[1]["val_loss"] == wanted


def test_a_validation_source_chooses_the_best_epoch_and_stops():
    def worse(epoch: int) -> list[Any]:
        return [(X, LAST + 10.0 * abs(epoch - 2))]

    net = vector()
    stop = tt.EarlyStopping(patience=2, restore_best=True)
    history = tt.train(net, *PAIR, validation=worse, epochs=30, callbacks=[stop])
    scores = history["val_loss"]
    assert history.best_epoch == int(np.argmin(scores)) + 1 == 2
    assert len(scores) == 4
    again = vector()
    tt.train(again, *PAIR, epochs=2)
    np.testing.assert_array_equal(net.params.flat, again.params.flat)


def test_validation_data_do_not_move_the_weights():
    for validation in (PAIR, [PAIR], {"x": 2 * X, "y": LAST}):
        found = trained(CASE, **CASE.data, validation=validation)
        np.testing.assert_array_equal(found[0], trained(CASE, **CASE.data)[0])


def test_a_fraction_is_drawn_from_the_seed():
    one = trained(CASE, **CASE.data, validation=0.3)[1]["val_loss"]
    assert trained(CASE, **CASE.data, validation=0.3)[1]["val_loss"] == one
    assert trained(CASE, **CASE.data, validation=0.3, seed=5)[1]["val_loss"] != one


@pytest.mark.parametrize(
    ("validation", "kind", "message"),
    [
        (
            0.99, InvalidArgumentError,
            "validation must leave at least one sequence to train on; got 0.99 of 10.",
        ),
        (
            1.5, InvalidArgumentError,
            ("validation must be a number in (0, 1); got 1.5. Give a fraction of the data, a tuple"
             " (x, y) or a dict with 'x' and 'y'."),
        ),
        (
            "0.2", InvalidTypeError,
            ("validation must be a number in (0, 1); got '0.2'. Give a fraction of the data, a"
             " tuple (x, y) or a dict with 'x' and 'y'."),
        ),
        (
            (X,), InvalidTypeError,
            ("validation must be a fraction, a tuple (x, y) or (x, y, lengths), or a dict; got 1"
             " entry. A dict takes a mask and weights too."),
        ),
        (
            [], InvalidTypeError,
            ("validation must be a fraction, a tuple (x, y) or (x, y, lengths), or a dict; got 0"
             " entries. A dict takes a mask and weights too."),
        ),
        (
            {"x": X}, InvalidArgumentError,
            "validation must hold 'x' and 'y'; got 'x'.",
        ),
        (
            {"x": X, "y": LAST, "weight": 1}, InvalidArgumentError,
            ("a key of validation must be one of 'x', 'y', 'lengths', 'mask', 'sample_weight',"
             " 'initial_state', 'reset'; got 'weight'. Did you mean"
             " 'sample_weight'?"),
        ),
        (
            (X, LAST[:3]), tt.errors.ShapeError,
            "validation: y must hold one target for each of the 10 sequences; got 3 of them.",
        ),
        (
            {"x": X, "y": LAST, "sample_weight": np.zeros(N)}, DataError,
            ("validation: sample_weight must leave something to learn from; got zero for every"
             " step."),
        ),
    ],
    ids=["too much", "above one", "text", "one entry", "nothing", "no y", "key", "rows", "empty"],
)  # fmt: skip
def test_what_is_refused(validation, kind, message):
    net = vector()
    before = net.params.flat.copy()
    with pytest.raises(kind) as caught:
        tt.train(net, X, LAST, validation=validation)
    assert str(caught.value) == message
    np.testing.assert_array_equal(net.params.flat, before)


@pytest.mark.parametrize("weighted", ["training", "validation"])
def test_a_random_part_in_which_nothing_counts(weighted):
    order = np.random.default_rng([1, 0]).permutation(N)
    weight = np.zeros(N)
    weight[order[3:] if weighted == "validation" else order[:3]] = 1.0
    with pytest.raises(DataError) as caught:
        tt.train(vector(), X, LAST, sample_weight=weight, validation=0.3)
    assert str(caught.value) == (
        f"validation must leave something to learn from in the {weighted} part; got a random subset"
        " in which every step is masked or has weight zero."
    )


def test_initial_states_of_a_validation_set_are_used():
    data = {"x": X, "y": LAST}
    states = [np.ones((N, 4)), None]
    net = vector()
    history = tt.train(net, X, LAST, validation={**data, "initial_state": states}, epochs=1)
    wanted = tt.evaluate(net, X, LAST, initial_state=states)["loss"]
    assert history["val_loss"] == [pytest.approx(wanted, rel=1e-12)]
    assert tt.evaluate(net, X, LAST)["loss"] != wanted


def test_the_types_that_are_returned():
    net = vector()
    heads = check_heads(net, "mse")
    assert isinstance(separate_validation(net, heads, PAIR, 0), Samples)
    source = separate_validation(net, heads, [PAIR], 3, marks=True)
    assert isinstance(source, Source)
    assert (source.name, source.prefetch, source.marks) == ("validation", 3, True)
