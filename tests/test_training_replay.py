"""A resumed run gets the batches that the stopped run had, or says that it does not."""

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import ModelFileError
from throughtime.serialization.container import read_container, write_container
from throughtime.training.checkpoints import VERSION

EPOCHS, LAST = "batches.epochs", "batches.last"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 5, 2)).astype("float32")
Y = np.cumsum(X, axis=1)[..., :1]


def net():
    layers = [tt.layers.GRU(4, return_sequences=True, dropout=0.2), tt.layers.Dense(1)]
    return tt.Network(layers, n_features=2, seed=1)


def cut(order):
    return [(X[order[i : i + 6]], Y[order[i : i + 6]]) for i in range(0, 20, 6)]


class Drawn:
    """Another order in each epoch, from a generator that nobody sets back."""

    def __init__(self, seed=5):
        self.rng = np.random.default_rng(seed)
        self.opened = 0

    def __iter__(self):
        self.opened += 1
        return iter(cut(self.rng.permutation(20)))


class Told:
    """Another order in each epoch, whose number it is told."""

    def __init__(self):
        self.told = []

    def set_epoch(self, epoch):
        self.told.append(epoch)

    def __iter__(self):
        return iter(cut(np.random.default_rng(self.told[-1]).permutation(20)))


def by_epoch(epoch):
    return iter(cut(np.random.default_rng(epoch).permutation(20)))


def fit(source, epochs, **options):
    model = net()
    tt.train(model, batches=source, epochs=epochs, verbose=False, **options)
    return model.params.flat.copy()


@pytest.mark.parametrize(
    "make", [Drawn, Told, lambda: by_epoch, lambda: cut(np.arange(20))],
    ids=["drawn", "told", "function", "list"],
)  # fmt: skip
@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(make, prefetch, tmp_path):
    path = tmp_path / "run"
    whole = fit(make(), 5, prefetch=prefetch)
    fit(make(), 3, checkpoint=path, prefetch=prefetch)
    found = fit(make(), 5, checkpoint=path, resume=True, prefetch=prefetch)
    np.testing.assert_array_equal(found, whole)


def test_only_a_source_that_must_runs_through_all_epochs_again(tmp_path):
    told, drawn = tmp_path / "told", tmp_path / "drawn"
    fit(Told(), 3, checkpoint=told)
    source = Told()
    fit(source, 4, checkpoint=told, resume=True)
    assert source.told == [3, 4]
    fit(Drawn(), 3, checkpoint=drawn)
    source = Drawn()
    fit(source, 4, checkpoint=drawn, resume=True)
    assert source.opened == 4


def change(place, many=4):
    batches = cut(np.arange(20))[:many]
    if place < many:
        x, y = batches[place]
        batches[place] = x, y + np.float32(1e-6)
    return batches


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (change(0), "batch 1 of epoch 2"),
        (change(3), "batch 4 of epoch 2"),
        (change(9, many=3), "batch 4 of epoch 2"),
        ([*cut(np.arange(20)), (X, Y)], "batch 5 of epoch 2"),
    ],
)
def test_a_change_is_said(source, what, tmp_path):
    fit(cut(np.arange(20)), 2, checkpoint=tmp_path / "run")
    with pytest.warns(UserWarning, match="bits") as caught:
        fit(source, 3, checkpoint=tmp_path / "run", resume=True)
    assert str(caught[0].message) == (
        f"batches: {what} is not what the stopped run had, so the resumed run does not have the"
        " bits of one that was never stopped."
    )
    assert caught[0].filename == __file__


def test_a_source_without_a_seed_is_said_once(tmp_path):
    fit(Drawn(1), 3, checkpoint=tmp_path / "run")
    with pytest.warns(UserWarning, match=r"batches: batch 1 of epoch 1 is not") as caught:
        fit(Drawn(2), 4, checkpoint=tmp_path / "run", resume=True)
    assert len(caught) == 1


def test_a_later_batch_of_an_early_epoch(tmp_path):
    class Late(Drawn):
        def __iter__(self):
            first, *others = super().__iter__()
            return iter([first, *(others[::-1] if self.opened == 1 else others)])

    fit(Drawn(), 3, checkpoint=tmp_path / "run")
    with pytest.warns(UserWarning, match=r"batches: epoch 1 is not what"):
        fit(Late(), 4, checkpoint=tmp_path / "run", resume=True)


def test_a_validation_source_is_compared_too(tmp_path):
    kept = tt.EarlyStopping("val_loss", patience=9)
    options = {"callbacks": [kept], "checkpoint": tmp_path / "run"}
    whole = fit(Drawn(), 5, validation=Drawn(3), callbacks=[kept])
    best = kept.best
    fit(Drawn(), 3, validation=Drawn(3), **options)
    found = fit(Drawn(), 5, validation=Drawn(3), resume=True, **options)
    np.testing.assert_array_equal(found, whole)
    assert kept.best == best
    fit(Drawn(), 5, validation=Drawn(3), **options)
    with pytest.warns(UserWarning, match=r"validation: batch 1 of epoch 1 is not what") as caught:
        fit(Drawn(), 6, validation=Drawn(4), resume=True, **options)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop(EPOCHS),
        lambda arrays: arrays.pop(LAST),
        lambda arrays: arrays.update({EPOCHS: arrays[EPOCHS][:1]}),
        lambda arrays: arrays.update({LAST: arrays[LAST][:0]}),
        lambda arrays: arrays.update({LAST: arrays[LAST].astype("float64")}),
        lambda arrays: arrays.update({EPOCHS: arrays[EPOCHS].astype("float64")}),
    ],
)
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / "run"
    fit(cut(np.arange(20)), 2, checkpoint=path)
    arrays, meta = read_container(path, "checkpoint", VERSION)
    arrays = dict(arrays)
    damage(arrays)
    write_container(path, arrays, meta, "checkpoint", VERSION)
    with pytest.raises(ModelFileError, match="is not a usable checkpoint file"):
        fit(cut(np.arange(20)), 3, checkpoint=path, resume=True)
