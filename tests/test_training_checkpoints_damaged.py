"""Damaged checkpoints: whatever they say, they are refused in words, or the run ends finite."""

import random

import damage
import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import ModelFileError
from throughtime.optimizers import SGD, Adagrad, Adam, AdamW, RMSProp
from throughtime.optimizers.schedules import Plateau
from throughtime.serialization.container import read_container, write_container
from throughtime.training import EarlyStopping, train

X = np.random.default_rng(0).normal(size=(6, 4, 2))
Y = X.sum(axis=(1, 2))[:, None]

OPTIMIZERS = {
    "sgd": lambda: SGD(0.01, momentum=0.9),
    "adagrad": lambda: Adagrad(0.01, momentum=0.5),
    "rmsprop": lambda: RMSProp(0.01, centered=True, momentum=0.5),
    "adam": lambda: Adam(0.01, amsgrad=True),
    "adamw": lambda: AdamW(Plateau(0.01, patience=0)),
}


def network():
    return tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=2)


def run(path, name, epochs=2, resume=False):
    """A run with early stopping and a validation set, and its network."""
    net = network()
    history = train(
        net, X, Y, epochs=epochs, checkpoint=path, resume=resume, optimizer=OPTIMIZERS[name](),
        validation=0.4, callbacks=[EarlyStopping(patience=5)], keep_outputs=True, verbose=False,
    )  # fmt: skip
    return net, history


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_damaged_checkpoint_is_refused_or_the_run_stays_finite(name, tmp_path):
    path, rng = tmp_path / "run.ckpt", random.Random(7)
    run(path, name)
    whole, refusals = path.read_bytes(), []
    for _ in range(120):
        path.write_bytes(damage.damage(rng, whole))
        try:
            net, history = run(path, name, epochs=3, resume=True)
        except ModelFileError as error:
            refusals.append(str(error))
        else:
            assert np.isfinite(net.params.flat).all()
            assert repr(history).startswith("History: ")
            assert {len(column) for column in history.values()} == {3}
    assert len(refusals) > 80
    assert not any("\n" in refusal for refusal in refusals)


def taken(name):
    """An optimiser after two steps, and its state."""
    optimizer, params = OPTIMIZERS[name](), np.ones(4)
    for _ in range(2):
        optimizer.step(params, np.full(4, 0.5))
    optimizer.observe(1.0)
    return optimizer, optimizer.state_dict()


COUNTS = [-5, float("inf"), float("nan"), 1e300, 2**70, True, "3", [3], {"name": "tanh"}]


@pytest.mark.parametrize("value", COUNTS, ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_counters_of_an_optimizer_are_whole_numbers(name, value):
    optimizer, state = taken(name)
    counters = ["steps", "epoch"]
    counters += ["schedule.waited", "schedule.cooling"] if name == "adamw" else []
    for counter in counters:
        owner = "schedule" if counter.startswith("schedule.") else "optimizer"
        with pytest.raises(ModelFileError) as caught:
            optimizer.load_state_dict(state | {counter: value})
        own = counter.removeprefix("schedule.")
        words = f"the checkpoint's {owner} state {own!r} must be an integer >= 0; got "
        assert str(caught.value).startswith(words)
    assert optimizer.steps == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_moments_are_finite_and_squares_not_negative(name, value):
    optimizer, state = taken(name)
    for moment in optimizer.moments:
        if value == -1.0 and not moment.startswith("square"):
            continue
        changed = state[moment].copy()
        changed[3] = value
        with pytest.raises(ModelFileError) as caught:
            optimizer.load_state_dict(state | {moment: changed})
        wanted = "finite numbers >= 0" if moment.startswith("square") else "finite numbers"
        assert str(caught.value) == (
            f"the checkpoint's optimizer state {moment!r} must hold {wanted}."
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule.rate": -1.0}, "rate must be a number in [0, 0.01]; got -1.0."),
        ({"schedule.rate": 5.0}, "rate must be a number in [0, 0.01]; got 5.0."),
        ({"schedule.rate": np.inf}, "rate must be a number in [0, 0.01]; got inf."),
        ({"schedule.rate": "x"}, "rate must be a number in [0, 0.01]; got 'x'."),
        ({"schedule.best": np.nan}, "best must be a finite number; got nan."),
    ],
)
def test_the_memory_of_a_schedule(change, words):
    optimizer, state = taken("adamw")
    with pytest.raises(ModelFileError) as caught:
        optimizer.load_state_dict(state | change)
    assert str(caught.value) == f"the checkpoint's schedule state is damaged: {words}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"waited": -1}, "waited must be an integer >= 0; got -1."),
        ({"best": np.inf}, "best must be a finite number; got inf."),
        ({"best_epoch": 0}, "best_epoch must be an integer >= 1; got 0."),
        ({"best": None}, "best and best_epoch must be given together."),
    ],
)
def test_the_memory_of_early_stopping(change, words):
    rule = EarlyStopping()
    with pytest.raises(ModelFileError) as caught:
        rule.load_state_dict({"best": 1.0, "best_epoch": 2, "waited": 0} | change)
    assert str(caught.value) == f"the checkpoint's early stopping is damaged: {words}"
    assert rule.best is None


@pytest.mark.parametrize("change", [{"epoch": n} for n in (0, -3, 2.0, None, True, "2")], ids=str)
def test_the_epoch_of_a_checkpoint(change, tmp_path):
    path = tmp_path / "run.ckpt"
    run(path, "adam")
    arrays, meta = read_container(path, "checkpoint")
    write_container(path, arrays, meta | change, "checkpoint")
    with pytest.raises(ModelFileError, match=r"its parts do not fit \(Invalid"):
        run(path, "adam", epochs=3, resume=True)


def test_the_best_epoch_is_one_of_the_run(tmp_path):
    path = tmp_path / "run.ckpt"
    run(path, "adam")
    arrays, meta = read_container(path, "checkpoint")
    others = [
        (arrays, meta | {"best": meta["best"] | {"best_epoch": 7}}),
        ({key: array for key, array in arrays.items() if key != "best"}, meta),
    ]
    for parts in others:
        write_container(path, *parts, "checkpoint")
        with pytest.raises(ModelFileError, match="its parts do not fit"):
            run(path, "adam", epochs=3, resume=True)


def test_outputs_and_columns_of_another_run(tmp_path):
    path = tmp_path / "run.ckpt"
    run(path, "adam")
    arrays, meta = read_container(path, "checkpoint")
    fewer = {key: array for key, array in arrays.items() if key != "history.outputs.1"}
    more = {"columns": meta["history"]["columns"] | {"other": [1.0, 2.0]}}
    for parts in ((fewer, meta), (arrays, meta | {"history": more})):
        write_container(path, *parts, "checkpoint")
        with pytest.raises(ModelFileError, match="its parts do not fit"):
            run(path, "adam", epochs=3, resume=True)
