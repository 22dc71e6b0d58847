"""Arguments that ``train`` refuses before any work, in one sentence each."""

import errno
import os

import numpy as np
import pytest

import throughtime as tt
from throughtime.layers import GRU, Dense, MeanPool
from throughtime.training import Checkpoint, EarlyStopping, train

X = np.random.default_rng(0).normal(size=(10, 6, 2))
Y = np.cumsum(X[..., :1], axis=1)


def net(classes=None):
    if classes:
        return tt.Network([GRU(4), Dense(classes, activation="softmax")], n_features=2)
    return tt.Network([GRU(4, return_sequences=True), Dense(1)], n_features=2)


def refused(kind, *args, **options):
    model = args[0] if args and isinstance(args[0], tt.Network) else net()
    data = args[1:] if args and isinstance(args[0], tt.Network) else args
    before = model.params.flat.copy()
    with pytest.raises(kind) as caught:
        train(model, *(data or (X, Y)), **options)
    np.testing.assert_array_equal(model.params.flat, before)
    return str(caught.value)


OPTIONS = [
    ({"epochs": 0}, "epochs must be an integer >= 1; got 0."),
    ({"epochs": 2.5}, "epochs must be an integer >= 1; got 2.5."),
    ({"batch_size": 0}, "batch_size must be an integer >= 1; got 0."),
    ({"clip_norm": 0.0}, "clip_norm must be a finite number > 0; got 0.0."),
    ({"clip_value": -1}, "clip_value must be a finite number > 0; got -1."),
    (
        {"clip_norm": 1.0, "clip_value": 2.0},
        (
            "clip_norm and clip_value must not be given together; got 1.0 and 2.0."
            " clip_norm keeps the direction of the gradient."
        ),
    ),
    ({"l1": -0.1}, "l1 must be a finite number >= 0; got -0.1."),
    ({"l2": np.nan}, "l2 must be a finite number >= 0; got nan."),
    (
        {"tbptt": 5},
        "tbptt must be a pair (k1, k2): an update every k1 steps, back through k2; got 5.",
    ),
    ({"tbptt": (0, 5)}, "tbptt[0], k1, must be an integer >= 1; got 0."),
    (
        {"tbptt": (5, 4)},
        "tbptt[1], k2, must be an integer >= 5; got 4. It must not be less than k1.",
    ),
    ({"shuffle": 1}, "shuffle must be True or False; got 1."),
    ({"bucket": None}, "bucket must be True or False; got None."),
    ({"keep_outputs": "yes"}, "keep_outputs must be True or False; got 'yes'."),
    (
        {"verbose": 2},
        (
            "verbose must be True or False; got 2. True prints a line an epoch, False nothing; left"
            " out, there is a progress bar."
        ),
    ),
    (
        {"checkpoint": "w-{epoch:02d}.keras"},
        (
            "checkpoint must be the name of one file, which each save replaces; got"
            " 'w-{epoch:02d}.keras'. Files of all epochs come from a callback:"
            " lambda run: run.net.save(f'net-{run.epoch}.safetensors')."
        ),
    ),
    ({"seed": -1}, "seed must be an integer >= 0; got -1."),
    ({"seed": None}, "seed must be an integer >= 0; got None."),
    (
        {"metrics": "mae"},
        "metrics must be a list of metrics; got 'mae'. Put a single one into brackets.",
    ),
    (
        {"metrics": ["mae", "mae"]},
        (
            "metrics must have names that differ, and differ from the other columns of the history;"
            " got 'mae' twice."
        ),
    ),
    (
        {"callbacks": EarlyStopping()},
        (
            "callbacks must be a list of callbacks; got EarlyStopping(monitor=None, patience=10,"
            " min_delta=0.0, r.... Put a single one into brackets."
        ),
    ),
    (
        {"callbacks": [EarlyStopping]},
        (
            "callbacks must hold Callback objects or functions of one argument, the run; got <class"
            " 'throughtime.training.callbacks.EarlyStopping'>. Write it with brackets, to make an"
            " object."
        ),
    ),
    (
        {"callbacks": [3]},
        "callbacks must hold Callback objects or functions of one argument, the run; got 3.",
    ),
    (
        {"callbacks": [EarlyStopping(), EarlyStopping()]},
        "callbacks must hold at most one EarlyStopping; got more.",
    ),
    (
        {"callbacks": [EarlyStopping("val_loss")]},
        "monitor must be one of 'loss'; got 'val_loss'. Pass validation=0.2 or a validation set.",
    ),
    (
        {"callbacks": [EarlyStopping("mae")], "validation": 0.5},
        "monitor must be one of 'loss', 'val_loss'; got 'mae'.",
    ),
    (
        {"resume": True},
        "checkpoint must name the file to continue from when resume=True; got None.",
    ),
    ({"checkpoint": 3}, "path must be a string or a path; got 3."),
    (
        {"checkpoint": "a\0b"},
        "path must be a path without null characters and lone surrogates; got 'a\\x00b'.",
    ),
    (
        {"checkpoint": "a" * 300},
        (
            f"checkpoint must be a path that this system can open; got '{'a' * 300}':"
            f" {os.strerror(errno.ENAMETOOLONG)}."
        ),
    ),
    (
        {"callbacks": np.array(3.0)},
        (
            "callbacks must be a list of callbacks; got an array of shape () and dtype float64."
            " Put a single one into brackets."
        ),
    ),
    (
        {"checkpoint": "nowhere/run.ckpt"},
        "checkpoint must be in a folder that exists; got 'nowhere/run.ckpt'.",
    ),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_bad_options(options, message):
    assert refused(tt.errors.ThroughtimeError, **options) == message


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_an_error_names_its_argument_for_programs(options, message):
    with pytest.raises(tt.errors.ThroughtimeError) as caught:
        train(net(), X, Y, **options)
    assert caught.value.parameter is not None
    assert message.startswith(caught.value.parameter.partition("[")[0]) or "clip_value" in options
    assert message.endswith(caught.value.hint)


ENDS = [
    ("bce", [GRU(4), Dense(1)], "from 0 to 1", "layer 1 (Dense)", "identity", 1, "sigmoid"),
    (
        "bce",
        [GRU(4), Dense(1, activation="relu")],
        "from 0 to 1",
        "layer 1 (Dense)",
        "relu",
        1,
        "sigmoid",
    ),
    ("bce", [GRU(1)], "from 0 to 1", "layer 0 (GRU)", "tanh", 1, "sigmoid"),
    (
        "cce",
        [GRU(4), Dense(3, activation="sigmoid")],
        "that sum to 1 at every step",
        "layer 1 (Dense)",
        "sigmoid",
        3,
        "softmax",
    ),
    (
        "cce",
        [GRU(4, return_sequences=True), Dense(2), MeanPool()],
        "that are probabilities",
        "layer 1 (Dense)",
        "identity",
        2,
        "softmax",
    ),
    ("poisson", [GRU(4), Dense(2)], ">= 0", "layer 1 (Dense)", "identity", 2, "exp"),
    ("msle", [GRU(4), Dense(2)], ">= -1", "layer 1 (Dense)", "identity", 2, "softplus"),
]


@pytest.mark.parametrize(("loss", "layers", "words", "where", "has", "outputs", "ending"), ENDS)
def test_an_activation_that_the_loss_is_not_defined_for(
    loss, layers, words, where, has, outputs, ending
):
    model = tt.Network(layers, n_features=2)
    target = np.zeros((10, outputs))
    target[:, 0] = 1.0
    message = refused(tt.errors.InvalidArgumentError, model, X, target, loss=loss)
    assert message == (
        f"loss {tt.losses.get(loss).name!r} needs outputs {words}; {where} has"
        f" activation={has!r}, which gives others."
        f" End the network with Dense({outputs}, activation={ending!r})."
    )


@pytest.mark.parametrize(
    ("loss", "layers"),
    [
        ("bce", [GRU(4), Dense(2, activation="hard_sigmoid")]),
        ("bce", [GRU(2, activation="sigmoid")]),
        ("bce", [GRU(4), Dense(2, activation="softmax")]),
        ("cce", [GRU(4, return_sequences=True), Dense(2, activation="softmax"), MeanPool()]),
        ("cce", [GRU(4), Dense(2, activation=tt.activations.Softmax(temperature=2.0))]),
        ("poisson", [GRU(4), Dense(2, activation="relu")]),
        ("msle", [GRU(4), Dense(2, activation="tanh")]),
        ("mse", [GRU(4), Dense(2)]),
    ],
)
def test_an_activation_that_fits_the_loss(loss, layers):
    model = tt.Network(layers, n_features=2)
    history = train(model, X, np.tile([1.0, 0.0], (10, 1)), loss=loss, epochs=1)
    assert np.isfinite(history["loss"]).all()


def test_unknown_names_suggest_the_nearest():
    assert "Did you mean 'mse'?" in refused(tt.errors.InvalidArgumentError, loss="msee")
    assert "Did you mean 'adam'?" in refused(tt.errors.InvalidArgumentError, optimizer="adm")
    metrics = refused(tt.errors.InvalidArgumentError, metrics=["acuracy"])
    assert "Did you mean 'accuracy'?" in metrics


def test_a_checkpoint_in_a_folders_place(tmp_path):
    message = refused(tt.errors.InvalidArgumentError, checkpoint=tmp_path)
    assert message == f"checkpoint must be a file; got the folder {str(tmp_path)!r}."


def test_checkpoint_every():
    with pytest.raises(tt.errors.InvalidArgumentError) as caught:
        Checkpoint("run.ckpt", every=0)
    assert str(caught.value) == "every must be an integer >= 1; got 0."


def test_not_a_network():
    with pytest.raises(tt.errors.InvalidTypeError) as caught:
        train("net", X, Y)
    assert str(caught.value) == "net must be a Network; got 'net'."


def test_a_network_that_is_broken_already():
    model = net()
    model.params["1.b"] = np.inf
    message = refused(tt.errors.DataError, model, X, Y)
    assert message == (
        "net must have finite weights to start from; got inf in '1.b' at index (0,)."
        " net.reset_parameters() draws new ones."
    )


DATA = [
    ((X[:, :, 0], Y), {}, "x must have 3 axes (N, T, F); got shape (10, 6)."),
    ((X[:, :, :1], Y), {}, "x must have 2 features a step, the last axis; got shape (10, 6, 1)."),
    ((X, Y[:9]), {}, "y must hold one target for each of the 10 sequences; got 9 of them."),
    ((X, 3.0), {}, "y must hold one target for each of the 10 sequences; got 3.0."),
    (
        (
            X,
            Y,
        ),
        {"lengths": [7] * 10},
        "lengths must be from 0 to 6, the steps of x; got 7 in row 0.",
    ),
    (
        (X, Y),
        {"lengths": [0] * 10},
        "lengths or mask must leave something to learn from; got zero for every step.",
    ),
    (
        (X, Y),
        {"sample_weight": np.zeros(10)},
        "sample_weight must leave something to learn from; got zero for every step.",
    ),
    (
        (X, Y),
        {"sample_weight": np.full(10, -1.0)},
        "sample_weight must hold finite numbers >= 0; got -1 at index (0,).",
    ),
    (
        (X, Y),
        {"sample_weight": np.ones(4)},
        "sample_weight must be of shape (10,) or (10, 6); got shape (4,).",
    ),
    (
        ([row[:4] for row in X], [row[:3] for row in Y]),
        {},
        "y[0] must have 4 steps, as x[0] has; got 3.",
    ),
    (
        ([row[:4] for row in X], [row[:4] for row in Y][:9]),
        {},
        "y must hold one array for each of the 10 sequences; got 9.",
    ),
    ((X, [0.0] * 10), {}, "y[0] must have 6 steps, as x[0] has; got a number."),
    (
        (X, Y),
        {"validation": 1.5},
        (
            "validation must be a number in (0, 1); got 1.5."
            " Give a fraction of the data, a tuple (x, y) or a dict with 'x' and 'y'."
        ),
    ),
    (
        (X, Y),
        {"validation": True},
        (
            "validation must be a number in (0, 1); got True."
            " Give a fraction of the data, a tuple (x, y) or a dict with 'x' and 'y'."
        ),
    ),
    (
        (X[:1], Y[:1]),
        {"validation": 0.5},
        "validation must leave at least one sequence to train on; got 0.5 of 1.",
    ),
    (
        (X, Y),
        {"validation": (X,)},
        (
            "validation must be a fraction, a tuple (x, y) or (x, y, lengths), or a dict; got 1"
            " entry. A dict takes a mask and weights too."
        ),
    ),
    (
        (X, Y),
        {"validation": {"x": X}},
        "validation must hold 'x' and 'y'; got 'x'.",
    ),
    (
        (X, Y),
        {"validation": {"x": X, "y": Y, "weight": None}},
        (
            "a key of validation must be one of 'x', 'y', 'lengths', 'mask', 'sample_weight',"
            " 'initial_state', 'reset'; got 'weight'. Did you mean 'sample_weight'?"
        ),
    ),
    (
        (X, Y),
        {"validation": (X, Y[:3])},
        "validation: y must hold one target for each of the 10 sequences; got 3 of them.",
    ),
]


@pytest.mark.parametrize(("data", "options", "message"), DATA)
def test_bad_data(data, options, message):
    assert refused(tt.errors.ThroughtimeError, *data, **options).startswith(message)


def test_a_network_that_cannot_be_cut_into_chunks():
    model = tt.Network([GRU(2, bidirectional=True, return_sequences=True), Dense(1)], n_features=2)
    message = refused(tt.errors.InvalidArgumentError, model, X, Y, tbptt=(2, 2))
    assert message.startswith("tbptt must be None for this network: layer 0 (GRU) ")


def test_a_random_part_without_weight():
    weight = np.zeros(10)
    weight[3] = 1.0
    message = refused(tt.errors.DataError, validation=0.2, sample_weight=weight)
    assert message == (
        "validation must leave something to learn from in the validation part; got a random"
        " subset in which every step is masked or has weight zero."
    )


def test_targets_outside_the_loss():
    labels = np.arange(10)
    message = refused(
        tt.errors.ThroughtimeError, net(3), X, labels, loss="categorical_crossentropy"
    )
    assert message.startswith("y must ")
    assert "2" in message


def test_a_missing_value_is_found_before_any_work():
    x = X.copy()
    x[3, 2, 1] = np.nan
    assert refused(tt.errors.DataError, x, Y) == (
        "x must be finite; got nan at index (3, 2, 1). Fill missing values, or mask their steps."
    )


def test_early_stopping_options():
    with pytest.raises(
        tt.errors.ThroughtimeError, match=r"^patience must be an integer >= 1; got 0"
    ):
        EarlyStopping(patience=0)
    with pytest.raises(
        tt.errors.ThroughtimeError, match=r"^min_delta must be a finite number >= 0"
    ):
        EarlyStopping(min_delta=-1.0)
    with pytest.raises(tt.errors.ThroughtimeError, match=r"^mode must be one of 'auto', 'min'"):
        EarlyStopping(mode="up")
    with pytest.raises(tt.errors.ThroughtimeError, match=r"^monitor must be the name of a column"):
        EarlyStopping(monitor=3)
