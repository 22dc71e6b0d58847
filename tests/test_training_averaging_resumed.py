"""Averages of weights in checkpoints: a resumed run has the same bits; what is refused."""

import copy

import numpy as np
import pytest
from averaging_cases import data, network, refuses, run

from throughtime.errors import ModelFileError
from throughtime.serialization.container import read_container, write_container
from throughtime.training import EMA, SWA, Callback, Checkpoint, EarlyStopping, train


class Killed(BaseException):
    """Stands in for the end of the process."""


def killed_after(epoch):
    def kill(run):
        if run.epoch == epoch:
            raise Killed

    return kill


def never(run):
    """As many callbacks as there are in the run that is killed."""


AVERAGES = [
    lambda: EMA(0.9),
    lambda: SWA(0.5),
    lambda: SWA(0.3, every=2, per="step"),
]


@pytest.mark.parametrize("make", AVERAGES, ids=lambda make: repr(make()))
@pytest.mark.parametrize("stop", [1, 4, 7])
@pytest.mark.parametrize("restore", [True, False])
def test_a_resumed_run_has_the_same_bits(tmp_path, make, stop, restore):
    path = tmp_path / "run"
    early = EarlyStopping(patience=9, restore_best=restore)
    net, history = run(make(), copy.copy(early), never)
    with pytest.raises(Killed):
        run(make(), copy.copy(early), killed_after(stop), checkpoint=path)
    resumed = make()
    again, later = run(resumed, copy.copy(early), never, checkpoint=path, resume=True)
    assert np.array_equal(again.params.flat, net.params.flat)
    assert all(later[name] == history[name] for name in history if name != "seconds")
    # A run that is finished gives its network once more.
    finished, _ = run(make(), copy.copy(early), never, checkpoint=path, resume=True)
    assert np.array_equal(finished.params.flat, net.params.flat)


def test_a_run_that_goes_on_for_more_epochs_starts_its_average_again(tmp_path):
    path = tmp_path / "run"
    run(SWA(), checkpoint=path, epochs=8)
    average = SWA()
    longer, _ = run(average, checkpoint=path, epochs=16, resume=True)
    assert average.count == 4
    whole, _ = run(SWA(), epochs=16)
    assert np.array_equal(longer.params.flat, whole.params.flat)


def test_checkpoints_hold_arrays_of_any_callback(tmp_path):
    class Sum(Callback):
        def __init__(self):
            self.total = np.zeros(3, dtype=np.float32)

        def on_epoch_end(self, run):
            self.total += np.arange(3)

        def state_dict(self):
            return {"total": self.total, "unit": "epochs"}

        def load_state_dict(self, state):
            assert state.keys() == {"total", "unit"}
            self.total = state["total"]

    path = tmp_path / "run"
    run(Sum(), checkpoint=path, epochs=2)
    resumed = Sum()
    run(resumed, checkpoint=path, epochs=3, resume=True)
    assert resumed.total.tolist() == [0.0, 3.0, 6.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "count must be an integer >= 0; got -1."),
        ({"count": 0}, "count and weights must be given together."),
        ({"weights": None}, "count and weights must be given together."),
        ({"weights": np.ones(3, "float32")}, None),
        ({"weights": np.array([np.nan])}, None),
        ({"weights": [1.0]}, None),
    ],
)
def test_a_damaged_memory(change, message):
    average = EMA()
    average.update(network())
    state = average.state_dict() | change
    with pytest.raises(ModelFileError) as caught:
        EMA().load_state_dict(state)
    found = str(caught.value)
    assert found.startswith("the checkpoint's average is damaged: ")
    expected = message or "weights must be a finite flat vector of float64; got "
    assert expected in found


def test_another_memory(tmp_path):
    path = tmp_path / "run"
    run(EMA(0.9), checkpoint=path, epochs=1)
    with pytest.raises(ModelFileError) as caught:
        run(EMA(0.99), checkpoint=path, resume=True)
    assert str(caught.value) == (
        "the checkpoint holds the average EMA(decay=0.9), not EMA(decay=0.99). Give the same"
        " callbacks to continue."
    )
    with refuses(ModelFileError, "the checkpoint holds no average of weights; got 3."):
        EMA().load_state_dict(3)
    arrays, meta = read_container(path, "checkpoint", 1)
    arrays["callback.0.weights"] = np.ones(5)
    write_container(path, arrays, meta, "checkpoint", 1)
    with pytest.raises(ModelFileError, match="not a usable checkpoint file"):
        run(EMA(0.9), checkpoint=path, resume=True)


@pytest.mark.parametrize("make", AVERAGES, ids=lambda make: repr(make()))
def test_batches_from_a_source(tmp_path, make):
    """The source does not say how many batches it has."""

    def batches():
        x, y = data()
        return iter([(x[:5], y[:5]), (x[5:], y[5:])])

    def train_it(*callbacks, **options):
        net = network()
        train(
            net, batches=batches, validation=data(6, seed=1), epochs=6, callbacks=callbacks,
            verbose=False, **options,
        )  # fmt: skip
        return net

    whole = train_it(make(), never)
    path = tmp_path / "run"
    with pytest.raises(Killed):
        train_it(make(), killed_after(4), checkpoint=path)
    resumed = train_it(make(), never, checkpoint=path, resume=True)
    assert np.array_equal(resumed.params.flat, whole.params.flat)


def test_a_checkpoint_may_be_seldom(tmp_path):
    path = Checkpoint(tmp_path / "run", every=3)
    net, _ = run(EMA(0.9), never)
    with pytest.raises(Killed):
        run(EMA(0.9), killed_after(5), checkpoint=path)
    again, _ = run(EMA(0.9), never, checkpoint=path, resume=True)
    assert np.array_equal(again.params.flat, net.params.flat)
