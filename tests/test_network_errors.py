"""What a network refuses: layers that do not fit, wrong arguments, junk descriptions."""

import numpy as np
import pytest
from network_cases import Case

from throughtime.errors import (
    DataError,
    InvalidArgumentError,
    InvalidTypeError,
    ModelFileError,
    ShapeError,
    ThroughtimeError,
)
from throughtime.layers import (
    GRU,
    LSTM,
    RNN,
    Dense,
    Dropout,
    Embedding,
    LastStep,
    MeanPool,
    RepeatVector,
)
from throughtime.network import Network
from throughtime.network.other_names import OTHER_NAMES

SEQ = {"return_sequences": True}


def refused(error, action, *args, **options):
    with pytest.raises(error) as caught:
        action(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?", ")"))
    return message


# -- layers that do not fit -------------------------------------------------------------------

MISFITS = {
    "no layer": ([], 2, InvalidTypeError, "layers must be a list of at least one layer; got []."),
    "no list": (3, 2, InvalidTypeError, "layers must be a list of at least one layer; got 3."),
    "no layers": ([RNN(2), "gru"], 2, InvalidTypeError, "layers[1] must be a layer; got 'gru'."),
    "no features": (
        [RNN(2)], None, InvalidArgumentError,
        "n_features must be given: the number of features of a step.",
    ),
    "zero features": (
        [RNN(2)], 0, InvalidArgumentError, "n_features must be an integer >= 1; got 0.",
    ),
    "features of tokens": (
        [Embedding(5, 2)], 3, InvalidArgumentError,
        "n_features must be left out where the first layer is an Embedding; got 3.",
    ),
    "vector to recurrent": (
        [RNN(2), GRU(3)], 2, InvalidArgumentError,
        ("layer 1 (GRU) needs a sequence, and layer 0 (RNN) gives a vector."
        " Set return_sequences=True in layer 0, or put a RepeatVector between."),
    ),
    "vector to recurrent, far": (
        [RNN(2, **SEQ), LSTM(2), Dense(3), GRU(3)], 2, InvalidArgumentError,
        ("layer 3 (GRU) needs a sequence, and layer 2 (Dense) gives a vector."
        " Set return_sequences=True in layer 1, or put a RepeatVector between."),
    ),
    "pooled twice": (
        [RNN(2, **SEQ), MeanPool(), LastStep()], 2, InvalidArgumentError,
        ("layer 2 (LastStep) needs a sequence, and layer 1 (MeanPool) gives a vector."
        " Put a RepeatVector between."),
    ),
    "sequence repeated": (
        [RNN(2, **SEQ), RepeatVector(3)], 2, InvalidArgumentError,
        ("layer 1 (RepeatVector) needs a vector, and layer 0 (RNN) gives a sequence."
        " Let the recurrent layer before it have return_sequences=False, or put a pooling layer"
        " between."),
    ),
    "tokens late": (
        [Dense(2), Embedding(5, 2)], 2, InvalidArgumentError,
        ("layer 1 (Embedding) needs tokens, and layer 0 (Dense) gives a sequence."
        " An Embedding must be the first layer."),
    ),
    "decoder of another size": (
        [GRU(4, return_state=True), RepeatVector(2), GRU(3)], 2, InvalidArgumentError,
        ("layer 0 (GRU) hands its state to layer 2 (GRU), which must have the same units, states"
        " and directions. Make them equal, or set return_state=False in layer 0."),
    ),
    "decoder of another kind": (
        [GRU(4, return_state=True), RepeatVector(2), LSTM(4)], 2, InvalidArgumentError,
        ("layer 0 (GRU) hands its state to layer 2 (LSTM), which must have the same units, states"
        " and directions. Make them equal, or set return_state=False in layer 0."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_layers_that_do_not_fit_are_refused(name):
    layers, features, error, words = MISFITS[name]
    assert refused(error, Network, layers, features) == words


@pytest.mark.parametrize("dtype", ["float16", "int32", "foo", None, 3])
def test_other_dtypes_are_refused(dtype):
    message = refused(InvalidArgumentError, Network, [RNN(2)], 2, dtype)
    assert message == f"dtype must be 'float32' or 'float64'; got {dtype!r}."


def test_other_seeds_are_refused():
    assert refused(InvalidArgumentError, Network, [RNN(2)], 2, seed=-1) == (
        "seed must be an integer >= 0; got -1."
    )


# -- arguments of a pass ----------------------------------------------------------------------


def test_inputs_that_do_not_fit_are_refused():
    net = Network([LSTM(3), Dense(1)], 2)
    x = np.zeros((4, 5, 2))
    assert refused(ShapeError, net.forward, x[0]) == (
        "x must have 3 axes (N, T, F); got shape (5, 2)."
        " Write x[None] for a single sequence (T, F). Write x[..., None] for a single feature."
    )
    assert refused(ShapeError, net.predict, x[..., :1]) == (
        "x must have 2 features a step, the last axis; got shape (4, 5, 1)."
    )
    assert refused(DataError, net.predict, np.full((1, 2, 2), np.nan)) == (
        "x must be finite; got nan at index (0, 0, 0). Fill missing values, or mask their steps."
    )
    assert refused(InvalidArgumentError, net.predict, x, [5, 6, 1, 1]).startswith(
        "lengths must be from 0 to 5, the steps of x; got 6 in row 1."
    )
    assert refused(InvalidArgumentError, net.predict, x, batch_size=0) == (
        "batch_size must be an integer >= 1; got 0."
    )
    vectors = Network([RepeatVector(3), GRU(2)], 2)
    assert refused(InvalidArgumentError, vectors.predict, x[:, 0], [1, 1, 1, 1]) == (
        "lengths and mask must be left out: the first layer takes vectors (N, F)."
    )
    assert refused(ShapeError, vectors.predict, x).startswith("x must be of shape (N, 2); got")


@pytest.mark.parametrize("bad", [[[0, 5]], [[-1, 0]], [[0.5, 1.0]], [[1e300, 0]]], ids=repr)
def test_tokens_outside_the_vocabulary_are_refused(bad):
    net = Network([Embedding(5, 2)])
    array = np.array(bad)
    assert refused(InvalidArgumentError, net.predict, array) == (
        "x must hold integers from 0 to 4, the tokens of its Embedding; got values from"
        f" {array.min()} to {array.max()}."
    )


def test_tokens_may_be_ragged_and_hide_anything_where_masked():
    net = Network([Embedding(5, 2), RNN(3)])
    ragged = net.predict([[1, 4, 2], [3]])
    padded = net.predict(np.array([[1, 4, 2], [3, 99, -7]]), lengths=[3, 1])
    np.testing.assert_array_equal(ragged, padded)
    as_pad_gives_them = np.array([[[1], [4], [2]], [[3], [0], [0]]])
    np.testing.assert_array_equal(net.predict(as_pad_gives_them, lengths=[3, 1]), padded)
    assert refused(ShapeError, net.predict, np.zeros((1, 2, 3))) == (
        "x must hold tokens of shape (N, T); got shape (1, 2, 3)."
        " It goes to an Embedding, which takes integers."
    )


STATES = {
    "text": ("abc", InvalidTypeError, ("initial_state must be a list with one entry a layer, or a"
             " dict {layer: state}; got 'abc'.")),
    "too many": ([None] * 3, InvalidArgumentError, ("a layer of initial_state must be an integer"
                 " from 0 to 1; got 2.")),
    "of Dense": ([None, 3], InvalidArgumentError, ("initial_state[1] must be None: Dense has no"
                 " state; got 3.")),
    "twice": (dict.fromkeys((0, "0"), (np.zeros((4, 3)),) * 2), InvalidArgumentError,
              "initial_state must hold one state of a layer; got two of layer 0 (LSTM)."),
    "h alone": ([np.zeros((4, 3))], ShapeError, None),
    "rows": ([(np.zeros((4, 3)), np.zeros((3, 3)))], ShapeError,
             "initial_state[0]: c must be of shape (4, 3); got shape (3, 3)."),
    "number": ([5], InvalidTypeError, None),
    "text inside": ([("a", "b")], DataError, None),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_states_that_do_not_fit_are_refused(name):
    state, error, words = STATES[name]
    net = Network([LSTM(3), Dense(1)], 2)
    message = refused(error, net.forward, np.zeros((4, 5, 2)), initial_state=state)
    assert "initial_state" in message
    assert words is None or message == words


def test_states_of_two_directions_are_a_pair():
    net = Network([GRU(3, bidirectional=True)], 2)
    h = np.zeros((4, 3))
    assert refused(InvalidTypeError, net.forward, np.zeros((4, 5, 2)), initial_state=[h]) == (
        "initial_state[0] must be the pair of states (forward, backward) of a bidirectional layer;"
        " got ndarray."
    )
    net.forward(np.zeros((4, 5, 2)), initial_state=[(h, (h,))])


def test_random_numbers_come_from_a_generator():
    net = Network([Dropout(0.5)], 2)
    assert refused(InvalidTypeError, net.forward, np.zeros((1, 1, 2)), training=True, rng=3) == (
        "rng must be a numpy.random.Generator; got 3. Write numpy.random.default_rng(seed)."
    )


def test_backward_refuses_what_does_not_fit():
    net = Network([GRU(3), Dense(1)], 2)
    y, tape = net.forward(np.zeros((4, 5, 2)))
    assert refused(ShapeError, net.backward, tape, y[:3]) == (
        "dy must be of shape (4, 1); got shape (3, 1)."
    )
    assert refused(ShapeError, net.backward, tape, y, [np.zeros((2, 3))]).startswith(
        "d_final_state[0]: h must be of shape (4, 3); got shape (2, 3)."
    )
    x, mask = net.check_input(np.zeros((4, 5, 2)))
    call = Case("", net.layers)
    _, light = call.run(net, x, mask, [None, None], keep=False)
    assert refused(InvalidArgumentError, net.backward, light, y) == (
        "tape must come from net.forward; got one of a pass that kept nothing."
    )


# -- descriptions ---------------------------------------------------------------------------


def junk():
    good = Network([LSTM(2), Dense(1)], 2).to_config()
    yield from ([], None, "net", 3, {}, {"layers": 3})
    values = {
        "dtype": [None, "int8", 3],
        "seed": [None, -1, "0", 1.5],
        "n_features": [None, 0, "2", 2.5, [2]],
        "layers": [[], [3], [{}], [None], [{"name": "Sequential"}]],
    }
    for key, bad in values.items():
        yield from ({**good, key: value} for value in bad)
    yield {**good, "optimizer": None}
    for key, value in [("units", 0), ("units", "2"), ("units", True), ("dropout", 1.0), ("l2", -1),
                       ("bidirectional", 1), ("activation", None),
                       ("activation", {"name": "nope"}), ("activation", {"name": "tanh", "x": 1}),
                       ("initializer", {"name": "normal", "std": -1}), ("initializer", None),
                       ("initializer", {"name": "glorot_uniform", "gain": 1e400}),
                       ("lr_multiplier", None), ("lr_multiplier", "1"), ("name", "lstm"),
                       ("__class__", "os.system"), ("extra", 1)]:  # fmt: skip
        yield {**good, "layers": [{**good["layers"][0], key: value}, good["layers"][1]]}


@pytest.mark.parametrize("config", list(junk()), ids=lambda c: str(c)[-60:])
def test_junk_descriptions_are_refused(config):
    message = refused(ModelFileError, Network.from_config, config)
    assert message.startswith("the file ")


class Tensor:
    """Stands for a tensor of PyTorch that NumPy cannot read."""

    shape, ndim = (2, 5, 3), 3

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error

    def __len__(self):
        return 2


TENSORS = {
    "bfloat16": TypeError("Got unsupported ScalarType BFloat16"),
    "requires_grad": RuntimeError("Can't call numpy() on Tensor that requires grad."),
}


def places():
    """Everything that takes an array, as a function of it."""
    net = Network([GRU(2), Dense(1)], 3)
    x, tokens = np.zeros((2, 5, 3)), Network([Embedding(4, 2), GRU(2)])
    _, tape = net.forward(x)

    def set_flat(value):
        net.params.flat = value

    def set_state(value):
        net.stream(2).state = [(value,), ()]

    return {
        "x": net.predict,
        "forward": net.forward,
        "x in a list": lambda value: net.predict([value]),
        "vector": Network([RepeatVector(2), GRU(1)], 3).predict,
        "tokens": tokens.predict,
        "lengths": lambda value: net.predict(x, value),
        "mask": lambda value: net.predict(x, mask=value),
        "initial_state": lambda value: net.predict(x, initial_state=[(value,), None]),
        "dy": lambda value: net.backward(tape, value),
        "step": net.stream().step,
        "step of tokens": tokens.stream().step,
        "warm_up": net.stream(2).warm_up,
        "reset": net.stream(2).reset,
        "state": set_state,
        "params": lambda value: net.params.__setitem__("0.b", value),
        "flat": set_flat,
        "output_shape": net.output_shape,
    }


@pytest.mark.parametrize("error", TENSORS)
@pytest.mark.parametrize("place", places())
def test_what_numpy_cannot_read_is_refused_in_words(place, error):
    with pytest.raises(ThroughtimeError) as caught:
        places()[place](Tensor(TENSORS[error]))
    if place != "output_shape":
        assert "must be readable by NumPy; got " in str(caught.value)
        assert str(caught.value).endswith(f"It says: {str(TENSORS[error])!r}.")


@pytest.mark.parametrize(
    "value",
    [(i for i in [1, 2]), {"a": 1}, {1, 2}, "abc", len, object(), [[1, [2]], [3]], np.ones(3) + 1j],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("place", places())
def test_what_is_no_array_is_refused_in_words(place, value):
    with pytest.raises(ThroughtimeError) as caught:
        places()[place](value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_names_of_other_libraries_are_answered_with_ours(name):
    net = Network([GRU(2)], 3)
    with pytest.raises(AttributeError) as caught:
        getattr(net, name)
    assert str(caught.value) == (
        f"'Network' object has no attribute {name!r}; write {OTHER_NAMES[name]}."
    )
    assert not hasattr(net, name)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'; write "):
        setattr(net, name, True)


def test_other_names_and_calls():
    net = Network([GRU(2)], 3)
    with pytest.raises(AttributeError, match=r"^'Network' object has no attribute 'foo'$"):
        net.foo  # noqa: B018  # to look it up is the test
    assert refused(InvalidTypeError, net, np.zeros((1, 2, 3))) == (
        "a network is not called: write net.predict(x) for its output, or net.forward(x) for the"
        " output and the tape that net.backward needs."
    )
