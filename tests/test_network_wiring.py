"""What fits together in a graph (kinds, features, steps, states), and the words for the rest."""

import copy
import pickle

import numpy as np
import pytest

import throughtime as tt
from throughtime.errors import InvalidArgumentError
from throughtime.layers import (
    GRU,
    LSTM,
    Add,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
    LastStep,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    RepeatVector,
    SliceFeatures,
)
from throughtime.layers.forms import Form, Steps

SEQ = {"return_sequences": True}


def pair(**options):
    return tt.Input(2, name="a", **options), tt.Input(2, name="b", **options)


def chain(*layers, form=None):
    a = y = tt.Input(**(form or {"n_features": 2}))
    for layer in layers:
        y = layer(y)
    return a, y


def branches(*ways):
    """Each way is called on the input, and all meet in an Add."""
    a = tt.Input(2)
    return a, Add()([way(a) for way in ways])


def meet(one, two):
    return [one, two], Add()([one, two])


def started(layer, features, *, steps=False):
    """A layer that starts from vectors of ``features`` each."""
    a = tt.Input(2, name="a")
    given = [tt.Input(n, time=steps, name=f"v{n}{k}") for k, n in enumerate(features)]
    return [a, *given], layer(a, initial_state=tuple(given))


def handed(one, two):
    a = tt.Input(2)
    h, state = one(a)
    return a, [h, two(a, initial_state=state)]


def shared(layer, *forms):
    ends = [tt.Input(*form, name=f"x{k}") for k, form in enumerate(forms)]
    return ends, [layer(one) for one in ends]


RETURN = {"return_state": True}
WRONG = {
    "a vector for a sequence": (
        lambda: chain(GRU(2), GRU(3)),
        ("layer 1 (GRU) needs a sequence, and layer 0 (GRU) gives a vector. Set"
        " return_sequences=True in layer 0, or put a RepeatVector between."),
    ),
    "a vector from far": (
        lambda: chain(GRU(2, name="x"), Dense(2), GRU(2, name="y")),
        ("layer 'y' (GRU) needs a sequence, and layer 1 (Dense) gives a vector. Set"
        " return_sequences=True in layer x, or put a RepeatVector between."),
    ),
    "a vector of a merge": (
        lambda: (a := tt.Input(2), GRU(2)(Add()([LastStep()(a), MeanPool()(a)]))),
        ("layer 3 (GRU) needs a sequence, and layer 2 (Add) gives a vector. Put a RepeatVector"
        " between."),
    ),
    "a vector as input": (
        lambda: chain(GRU(2), form={"n_features": 2, "time": False}),
        ("layer 0 (GRU) needs a sequence, and the input gives a vector. A RepeatVector makes a"
        " sequence of a vector."),
    ),
    "a sequence for a vector": (
        lambda: chain(GRU(2, **SEQ), RepeatVector(2)),
        ("layer 1 (RepeatVector) needs a vector, and layer 0 (GRU) gives a sequence. Let the"
        " recurrent layer before it have return_sequences=False, or put a pooling layer between."),
    ),
    "a sequence as input": (
        lambda: chain(RepeatVector(2)),
        ("layer 0 (RepeatVector) needs a vector, and the input gives a sequence. Write"
         " tt.Input(..., time=False), or put a recurrent or pooling layer between."),
    ),
    "features as tokens": (
        lambda: chain(Embedding(3, 2)),
        ("layer 0 (Embedding) needs tokens, and the input gives a sequence. Write"
        " tt.Input(tokens=True)."),
    ),
    "tokens as features": (
        lambda: chain(GRU(2), form={"tokens": True}),
        "layer 0 (GRU) needs a sequence, and the input gives tokens. Put an Embedding between.",
    ),
    "tokens in a merge": (
        lambda: (a := tt.Input(tokens=True), Add()([a, a])),
        "layer 0 (Add) needs a sequence, and the input gives tokens. Put an Embedding between.",
    ),
    "one of several inputs": (
        lambda: ([a := tt.Input(2), b := tt.Input(2, time=False)], [GRU(2)(a), GRU(2)(b)]),
        ("layer 1 (GRU) needs a sequence, and input '1' gives a vector. A RepeatVector makes a"
        " sequence of a vector."),
    ),
    "features": (
        lambda: branches(Dense(2), Dense(3)),
        "layer 2 (Add): its inputs must have equally many features, and have 2 and 3.",
    ),
    "no features left": (
        lambda: chain(SliceFeatures(3)),
        "layer 0 (SliceFeatures): there are no features 3: among 2.",
    ),
    "fewer steps": (
        lambda: branches(MaxPool1D(2), Dense(2)),
        ("layer 2 (Add) needs inputs with the same steps: those of layer 0 (MaxPool1D) are T', and"
        " those of layer 1 (Dense) are T."),
    ),
    "other rules": (
        lambda: branches(MaxPool1D(2), MaxPool1D(2, stride=1)),
        ("layer 2 (Add) needs inputs with the same steps: those of layer 0 (MaxPool1D) are T', and"
        " those of layer 1 (MaxPool1D) are T'."),
    ),
    "known steps": (
        lambda: meet(tt.Input(2, name="a", steps=5), tt.Input(2, name="b", steps=6)),
        ("layer 0 (Add) needs inputs with the same steps: those of input 'a' are 5, and those of"
        " input 'b' are 6."),
    ),
    "steps known and unknown": (
        lambda: meet(tt.Input(2, name="a", steps=5), tt.Input(2, name="b")),
        ("layer 0 (Add) needs inputs with the same steps: those of input 'a' are 5, and those of"
        " input 'b' are T2. If an input always has so many, write tt.Input(..., steps=5)."),
    ),
    "steps of another input": (
        lambda: ([a := tt.Input(2, name="a"), b := tt.Input(2, name="b")],
                 Add()([MaxPool1D(2)(a), b])),
        ("layer 1 (Add) needs inputs with the same steps: those of layer 0 (MaxPool1D) are T', and"
        " those of input 'b' are T."),
    ),
    "state of other units": (
        lambda: handed(GRU(3, **RETURN), GRU(4)),
        ("layer 0 (GRU) hands its state to layer 1 (GRU), which must have the same units, states"
        " and directions. Make them equal."),
    ),
    "state of another cell": (
        lambda: handed(GRU(3, **RETURN, name="enc"), LSTM(3, name="dec")),
        ("layer 'enc' (GRU) hands its state to layer 'dec' (LSTM), which must have the same units,"
        " states and directions. Make them equal."),
    ),
    "state of two directions": (
        lambda: handed(GRU(3, bidirectional=True, **RETURN), GRU(3)),
        ("layer 0 (GRU) hands its state to layer 1 (GRU), which must have the same units, states"
        " and directions. Make them equal."),
    ),
    "too few vectors": (
        lambda: started(LSTM(3), (3,)),
        "layer 0 (LSTM) needs an initial_state of vectors (h, c) of 3 features each; got (N, 3).",
    ),
    "vectors of other features": (
        lambda: started(LSTM(3), (3, 4)),
        ("layer 0 (LSTM) needs an initial_state of vectors (h, c) of 3 features each; got (N, 3)"
        " and (N, 4)."),
    ),
    "vectors of a projection": (
        lambda: started(LSTM(3, proj_size=2), (3, 3)),
        ("layer 0 (LSTM) needs an initial_state of vectors (h, c) of (2, 3) features; got (N, 3)"
        " and (N, 3)."),
    ),
    "sequences as a state": (
        lambda: started(GRU(3), (3,), steps=True),
        "layer 0 (GRU) needs an initial_state of vectors (h) of 3 features each; got (N, T2, 3).",
    ),
    "vectors for two directions": (
        lambda: started(GRU(3, bidirectional=True), (3,)),
        ("layer 0 (GRU) needs an initial_state of vectors (h) of 3 features each; got (N, 3). A"
        " bidirectional layer takes a state only."),
    ),
    "shared between features": (
        lambda: shared(GRU(3), (2,), (4,)),
        ("layer 0 (GRU) shares its parameters between inputs of the forms (N, T, 2) and (N, T2, 4),"
        " which need different shapes. Make one layer for each."),
    ),
    "shared by name": (
        lambda: shared(Dense(3, name="head"), (2,), (2,), (4,)),
        ("layer 'head' (Dense) shares its parameters between inputs of the forms (N, T, 2) and"
        " (N, T3, 4), which need different shapes. Make one layer for each."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused_at_construction(name):
    build, message = WRONG[name]
    inputs, outputs = build()
    with pytest.raises(InvalidArgumentError) as caught:
        tt.Network(inputs=inputs, outputs=outputs)
    assert str(caught.value) == message


def axes(net):
    return [form.steps and form.steps.axis for form in net.topology.input_forms]


def test_each_input_has_steps_of_its_own_until_a_layer_takes_two_together():
    a, b = pair()
    c, v = tt.Input(2, name="c"), tt.Input(2, time=False, name="v")
    net = tt.Network(inputs=[a, b, c, v], outputs=[GRU(2)(a), GRU(2)(b), GRU(2)(c), Dense(2)(v)])
    assert axes(net) == [0, 1, 2, None]
    net = tt.Network(inputs=[v, a, b, c], outputs=[Add()([c, b]), GRU(2)(a), Dense(1)(v)])
    assert axes(net) == [None, 1, 2, 2]
    outputs = [Add()([MaxPool1D(2)(c), MaxPool1D(2)(b)]), Concatenate()([a, v, c])]
    net = tt.Network(inputs=[c, a, v, b], outputs=outputs)
    assert axes(net) == [0, 0, None, 0]
    for one in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), net.copy()):
        assert axes(one) == axes(net)
        assert one.topology.forms == net.topology.forms


def test_rules_that_give_the_same_steps_meet():
    a, y = branches(Conv1D(2, 3), MeanPool1D(3, stride=1), lambda a: Conv1D(2, 2)(Conv1D(2, 2)(a)))
    net = tt.Network(inputs=a, outputs=y)
    assert net.topology.forms[-1] == Form("sequence", 2, Steps(changed=True))
    assert net.output_shape((2, 7, 2)) == (2, 5, 2)


def test_known_steps_are_carried_through():
    a, b = pair(steps=6)
    h = Add()([MaxPool1D(2)(a), MeanPool1D(2)(b), RepeatVector(3)(LastStep()(a))])
    net = tt.Network(inputs=[a, b], outputs=Flatten(3)(h))
    assert [str(form) for form in net.topology.forms] == [
        "(N, 3, 2)", "(N, 3, 2)", "(N, 2)", "(N, 3, 2)", "(N, 3, 2)", "(N, 6)",
    ]  # fmt: skip
    assert net.output_shape([(4, 6, 2), (4, 6, 2)]) == (4, 6)


def test_a_layer_says_that_its_known_steps_do_not_fit():
    a = tt.Input(2, steps=6)
    with pytest.raises(tt.errors.ShapeError) as caught:
        tt.Network(inputs=a, outputs=Flatten(5)(a))
    assert str(caught.value) == (
        "layer 0 (Flatten) needs exactly 5 steps in every sequence; got 6 in x[0]. Write"
        " Flatten(6), or a pooling layer, which takes sequences of any length."
    )


def test_calls_and_layers_are_found_by_number_and_by_name():
    a = tt.Input(2, name="a")
    layer = GRU(2, name="core", **SEQ)
    net = tt.Network(inputs=a, outputs=Dense(1)(layer(layer(a))))
    topology = net.topology
    assert [topology.named(i) for i in range(3)] == [
        "layer 'core' (GRU)", "layer 'core' (GRU, call 2)", "layer 1 (Dense)",
    ]  # fmt: skip
    assert [topology.find(key) for key in ("core", "1", 0, 1, 2, 3, "x")] == [
        0, 2, 0, 1, 2, None, None,
    ]  # fmt: skip
    assert [topology.label(s) for s in range(4)] == ["a", "core", "core (call 2)", "1"]
    assert topology.layer_of("core.W_h") == 0
    assert topology.layer_of("1.b") == 2
    given = np.ones((3, 2))
    x = np.zeros((3, 4, 2))
    first = net.predict(x, initial_state={"core": given})
    assert np.array_equal(first, net.predict(x, initial_state=[given, None, None]))
    assert not np.array_equal(first, net.predict(x, initial_state={1: given}))
