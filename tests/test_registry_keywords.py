"""Keywords of other libraries, and functions that cannot be called."""

import inspect
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidTypeError, check_function, foreign
from throughtime.layers import LAYERS
from throughtime.layers.base import OTHER_NAMES as OF_LAYERS
from throughtime.losses import LOSSES, Custom
from throughtime.losses.base import OTHER_NAMES as OF_LOSSES
from throughtime.optimizers import OPTIMIZERS
from throughtime.optimizers.rules import OTHER_NAMES as OF_OPTIMIZERS
from throughtime.optimizers.schedules import OTHER_NAMES as OF_SCHEDULES
from throughtime.optimizers.schedules import SCHEDULES
from throughtime.registry import translate
from throughtime.training.metrics.base import METRICS
from throughtime.training.metrics.base import OTHER_NAMES as OF_METRICS
from throughtime.training.options import OTHER_NAMES

X = np.zeros((4, 3, 2))
Y = np.zeros((4, 1))


def net():
    return tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=2)


def sentence(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("option", "way"),
    [
        ("learning_rate", "use optimizer=tt.optimizers.Adam(0.001)."),
        ("lr", "use optimizer=tt.optimizers.Adam(0.001)."),
        ("validation_split", "it is called validation here."),
        ("validation_data", "it is called validation here."),
        ("batch", "it is called batch_size here."),
        ("x_val", "use validation=(x, y)."),
        ("class_weights", "it is called class_weight here."),
        ("x_train", "it is called x here."),
        ("loss_fn", "it is called loss here."),
        ("criterion", "it is called loss here."),
        ("max_epochs", "it is called epochs here."),
        ("n_epochs", "it is called epochs here."),
        ("weight_decay", "it is called l2 here."),
        ("patience", "use callbacks=[tt.EarlyStopping(patience=10)]."),
        ("n_jobs", "use tt.set_num_threads(2)."),
        ("workers", "use tt.set_num_threads(2) to compute, prefetch=2 to read batches ahead."),
        ("steps_per_epoch", "use batches=lambda: itertools.islice(generator(), 30)."),
        ("validation_steps", "use validation=lambda: itertools.islice(generator(), 30)."),
        (
            "initial_epoch",
            "use checkpoint=path, resume=True, which knows the epochs that are done.",
        ),
        ("attention_mask", "it is called mask here."),
        ("epoch", "did you mean 'epochs'?"),
    ],
)
def test_train_says_what_a_keyword_is_called_here(option, way):
    model = net()
    before = model.params.flat.copy()
    message = sentence(TypeError, tt.train, model, X, Y, **{option: 0.5})
    assert message == f"train has no argument {option!r}; {way}"
    np.testing.assert_array_equal(model.params.flat, before)


@pytest.mark.parametrize("call", [tt.train, tt.evaluate, tt.check_gradients, tt.inspect.trace])
def test_one_table_serves_all_functions_that_take_data(call):
    message = sentence(InvalidTypeError, call, net(), X, Y, criterion="mse")
    assert message == f"{call.__name__} has no argument 'criterion'; it is called loss here."
    needed = "x and y, or batches" if call in (tt.train, tt.evaluate) else "net, x, y"
    assert sentence(InvalidTypeError, call, net(), X) == (
        f"{call.__name__} needs {needed}; got no y."
    )


def test_too_many_arguments_without_a_name():
    assert sentence(InvalidTypeError, tt.train, net(), X, Y, "mse") == (
        "train takes 3 arguments without a name (net, x, y); got 4. Give the others by name."
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            partial(tt.optimizers.SGD, learning_rate=0.1),
            "SGD has no argument 'learning_rate'; it is called lr here.",
        ),
        (
            partial(tt.optimizers.Adam, betas=(0.9, 0.99)),
            "Adam has no argument 'betas'; use beta1=0.9, beta2=0.999.",
        ),
        (
            partial(tt.optimizers.Adam, weight_decay=0.1),
            "Adam has no argument 'weight_decay'; use l2= of tt.train, or tt.optimizers.AdamW.",
        ),
        (
            partial(tt.optimizers.RMSProp, alpha=0.9),
            "RMSProp has no argument 'alpha'; it is called rho here.",
        ),
        (
            partial(tt.optimizers.SGD, foo=1),
            "SGD has no argument 'foo'; it takes lr, momentum, nesterov, dampening.",
        ),
        (
            partial(tt.schedules.Cosine, 0.1, T_max=5),
            "Cosine has no argument 'T_max'; it is called length here.",
        ),
        (
            partial(tt.losses.Huber, beta=1.0),
            "Huber has no argument 'beta'; it is called delta here.",
        ),
        (
            partial(tt.EarlyStopping, restore_best_weights=True),
            "EarlyStopping has no argument 'restore_best_weights'; it is called restore_best here.",
        ),
        (
            partial(tt.Checkpoint, filepath="run.ckpt"),
            "Checkpoint has no argument 'filepath'; it is called path here.",
        ),
        (
            partial(tt.Checkpoint, "run.ckpt", save_best_only=True),
            (
                "Checkpoint has no argument 'save_best_only'; use"
                " callbacks=[tt.EarlyStopping(monitor='val_loss')] of tt.train, which gives the"
                " best weights back."
            ),
        ),
        (
            partial(tt.layers.GRU, 4, stateful=True),
            (
                "GRU has no argument 'stateful'; use carry_state=True and reset= of tt.train, or"
                " net.stream() to predict."
            ),
        ),
        (partial(tt.layers.GRU), "GRU needs units; got no units."),
        (
            partial(tt.layers.LayerNorm, 8),
            "LayerNorm takes no argument without a name; got 1. Give the others by name.",
        ),
        (
            partial(tt.Input, (None, 8)),
            "n_features must be an integer >= 1; got (None, 8).",
        ),
        (
            partial(tt.Input, shape=(None, 8)),
            "Input has no argument 'shape'; it is called n_features here.",
        ),
        (
            partial(tt.Input, 3, 7),
            "Input takes 1 argument without a name (n_features); got 2. Give the others by name.",
        ),
        (
            partial(tt.layers.LSTM, hidden_size=4),
            "LSTM has no argument 'hidden_size'; it is called units here.",
        ),
        (
            partial(tt.layers.Embedding, 9, input_dim=4),
            "Embedding has no argument 'input_dim'; it is called n_tokens here.",
        ),
        (
            partial(tt.layers.Dense, 1, input_dim=4),
            "Dense has no argument 'input_dim'; use n_features= of tt.Network.",
        ),
        (
            partial(tt.layers.LSTM, 4, num_layers=2),
            "LSTM has no argument 'num_layers'; use one layer for each in the list of tt.Network.",
        ),
        (
            partial(tt.Network, [], input_shape=(6, 3)),
            "Network has no argument 'input_shape'; it is called n_features here.",
        ),
        (
            partial(tt.forecasting.Forecaster, horizn=3),
            "Forecaster has no argument 'horizn'; did you mean 'horizon'?",
        ),
        (
            partial(tt.layers.Dense, 1, activaton="tanh"),
            "Dense has no argument 'activaton'; did you mean 'activation'?",
        ),
    ],
)
def test_constructors_say_it_too(make, message):
    assert sentence(InvalidTypeError, make) == message


def classes(registry):
    return [registry[name] for name in registry]


@pytest.mark.parametrize(
    ("words", "callees"),
    [
        (OTHER_NAMES, [tt.train]),
        (OF_OPTIMIZERS, classes(OPTIMIZERS)),
        (OF_SCHEDULES, classes(SCHEDULES)),
        (OF_LOSSES, classes(LOSSES)),
        (OF_LAYERS, classes(LAYERS)),
        (OF_METRICS, classes(METRICS)),
    ],
)
def test_every_word_leads_to_an_argument_that_is_there(words, callees):
    taken = {name for callee in callees for name in inspect.signature(callee).parameters}
    assert {ours for ours in words if ours.isidentifier()} <= taken
    theirs = {word for foreign_words in words.values() for word in foreign_words}
    assert not theirs & set(inspect.signature(callees[0]).parameters)


def test_the_signature_stays():
    assert list(inspect.signature(tt.train).parameters)[:4] == ["net", "x", "y", "batches"]
    assert next(iter(inspect.signature(tt.optimizers.Adam).parameters)) == "lr"
    assert tt.train.__doc__.startswith("Train a network in place.")


def test_functions_of_any_arguments_are_left_alone():
    @translate({"a": ("b",)})
    def free(*args, **options):
        return args, options

    @translate({"a": ("b",)})
    def endless(*args, a=1):
        return args, a

    assert free(1, b=2) == ((1,), {"b": 2})
    assert endless(1, 2, 3, a=4) == ((1, 2, 3), 4)
    assert sentence(InvalidTypeError, endless, b=1).endswith("it is called a here.")


@dataclass
class OfTorch:
    """Stands in for an object of another framework, whose repr has several lines."""

    def __call__(self, a):
        raise AssertionError("called with NumPy arrays")

    def __repr__(self):
        return "Adam(\n    lr: 0.1\n)"


OfTorch.__module__ = "torch.optim.adam"
OfTorch.__name__ = "Adam"


class Derived(OfTorch):
    """A user's class that inherits from one of another framework."""


@pytest.mark.parametrize("make", [OfTorch, Derived])
def test_an_optimizer_of_another_framework(make):
    message = sentence(InvalidTypeError, tt.train, net(), X, Y, optimizer=make())
    assert "got Adam( lr: 0.1 ). It is of torch, and works on its tensors." in message
    assert message.endswith("Write 'adam'." if make is OfTorch else "Use one of these.")


def mse_loss(prediction, target):
    raise AssertionError("called with NumPy arrays")


mse_loss.__module__ = "torch.nn.functional"


def test_losses_metrics_and_callbacks_of_another_framework():
    message = sentence(InvalidTypeError, tt.train, net(), X, Y, loss=mse_loss)
    assert message.endswith("It is of torch, and works on its tensors. Write 'mse'.")
    message = sentence(InvalidTypeError, tt.evaluate, net(), X, Y, metrics=[mse_loss])
    assert message.endswith("It is of torch, and works on its tensors. Write 'mse'.")
    message = sentence(InvalidTypeError, tt.train, net(), X, Y, callbacks=[OfTorch()])
    assert message.endswith("It is of torch; tt.EarlyStopping and tt.Checkpoint are ours.")
    message = sentence(InvalidTypeError, tt.train, net(), X, Y, callbacks=[tt.Checkpoint("a")])
    assert message == (
        "callbacks must hold Callback objects or functions of one argument, the run; got"
        " Checkpoint(path='a', every=1). Give a checkpoint as checkpoint=, and resume=True to go on"
        " from it."
    )
    assert foreign(np.mean) == ""
    message = sentence(InvalidTypeError, Custom, mse_loss)
    assert message.endswith("It works on tensors of torch; write a function of NumPy arrays.")


@pytest.mark.parametrize("callback", [lambda: None, lambda run, epoch: None])
def test_a_callback_is_tried_before_any_work(callback):
    model = net()
    before = model.params.flat.copy()
    message = sentence(InvalidTypeError, tt.train, model, X, Y, callbacks=[callback])
    assert message.startswith("a callback must be a function f(run); got <lambda>(")
    np.testing.assert_array_equal(model.params.flat, before)
    tt.train(model, X, Y, callbacks=[lambda run, *more: None], epochs=1)


def test_a_method_of_a_callback_with_other_arguments():
    class Mine(tt.Callback):
        def on_epoch_end(self, epoch, logs):
            raise AssertionError("called")

    message = sentence(InvalidTypeError, tt.train, net(), X, Y, callbacks=[Mine()])
    assert message == (
        "on_epoch_end of a callback must be a function f(run); got on_epoch_end(epoch, logs),"
        " which takes other arguments."
    )


def test_a_function_that_takes_the_target_first():
    def bias(y_true, y_pred):
        raise AssertionError("called with its arguments exchanged")

    message = sentence(InvalidTypeError, tt.train, net(), X, Y, metrics=[bias])
    assert message == (
        "metric must be a function f(y_pred, target); got bias(y_true, y_pred), which takes the"
        " target first. Write lambda y_pred, target: f(target, y_pred)."
    )
    message = sentence(InvalidTypeError, tt.train, net(), X, Y, loss=bias)
    assert message.endswith("Write lambda y, target: f(target, y).")


def test_what_does_not_tell_its_signature_is_accepted():
    check_function("f", min, ("y", "target"))
    assert "got 3." in sentence(InvalidTypeError, check_function, "f", 3, ("y",))


@pytest.mark.parametrize("name", ["x", "y", "sample_weight"])
@pytest.mark.parametrize("make", [iter, lambda a: map(np.asarray, a), lambda a: (b for b in a)])
def test_what_can_only_be_run_through_is_no_data(name, make):
    data = {"x": X, "y": Y, "sample_weight": np.ones(4)}
    data[name] = make(list(data[name]))
    message = sentence(InvalidTypeError, tt.train, net(), **data)
    assert message.startswith(f"{name} must be an array or a list; got <")
    assert message.endswith(f" Collect its items first: list({name}).")


def test_a_loader_of_batches_is_no_data():
    class Loader:
        def __len__(self):
            return 2

        def __iter__(self):
            yield X, Y

        def __repr__(self):
            return "Loader"

    assert sentence(InvalidTypeError, net().predict, Loader()) == (
        'x must be an array or a list; got Loader. Of batches write [net.predict(batch["x"],'
        ' batch.get("lengths")) for batch in loader]; or collect its items first.'
    )
    for call in (tt.train, tt.evaluate, tt.find_lr):
        assert sentence(InvalidTypeError, call, net(), Loader()) == (
            f"x must be given to {call.__name__} together with y; got Loader and no y. Give batches"
            " by name: batches=loader, or batches=function for a generator."
        )


def test_an_error_inside_a_translated_function_is_its_own():
    @translate({"a": ("b",)})
    def failing(a):
        raise TypeError("its own")

    assert sentence(TypeError, failing, 1) == "its own"
    with pytest.raises(InvalidTypeError) as caught:
        failing(b=1)
    assert caught.value.__suppress_context__


def test_names_in_any_case_and_those_of_other_libraries():
    model = tt.Network([tt.layers.GRU(2), tt.layers.Dense(3, activation="Softmax")], n_features=2)
    options = {"loss": "sparse_categorical_crossentropy", "optimizer": "Adam", "epochs": 1}
    history = tt.train(model, X, np.array([0, 1, 2, 0]), metrics=["acc"], **options)
    assert "accuracy" in history
    assert tt.losses.get("MSE") == tt.losses.MSE()
    assert METRICS.get("mean_absolute_error") == METRICS.get("mae")
    assert OPTIMIZERS.get("RMSprop") == tt.optimizers.RMSProp()
