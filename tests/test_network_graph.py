"""How layers fit together: the form of every signal, and layers that were written for 0.1."""

import copy
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest

from throughtime.errors import InvalidArgumentError, ShapeError
from throughtime.layers import (
    GRU,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
    LastStep,
    Layer,
    MaxPool1D,
    RepeatVector,
)
from throughtime.layers.base import Result
from throughtime.layers.forms import Form, Steps
from throughtime.network import Network


def forms(layers, features=2):
    return Network(layers, features).topology.forms


def test_forms_say_how_many_steps_there_are():
    layers = [
        Conv1D(4, 3, padding="causal"),
        GRU(3, return_sequences=True),
        MaxPool1D(2),
        Dense(5),
        LastStep(),
        RepeatVector(6),
        MaxPool1D(4, stride=2),
    ]
    assert forms(layers) == [
        Form("sequence", 4, Steps()),
        Form("sequence", 3, Steps()),
        Form("sequence", 3, Steps(changed=True)),
        Form("sequence", 5, Steps(changed=True)),
        Form("vector", 5),
        Form("sequence", 5, Steps(6)),
        Form("sequence", 5, Steps(2)),
    ]


def test_tokens_and_vectors_have_forms_too():
    net = Network([Embedding(5, 2), Flatten(3)])
    assert net.topology.input_form == Form("tokens", 1, Steps())
    assert net.topology.forms == [Form("sequence", 2, Steps()), Form("vector", 6)]
    net = Network([Dense(3), RepeatVector(2)], 4)
    assert net.topology.input_form == Form("vector", 4)


# Layers as users wrote them for version 0.1: forms without steps, and steps as numbers.


@dataclass(frozen=True)
class Halves(Layer):
    """Every other step."""

    takes = ("sequence",)

    def output_steps(self, steps):
        return -2 if steps < 0 else (steps + 1) // 2

    def forward(self, p, x, mask, state, call):
        return Result(x[:, ::2], None if mask is None else mask[:, ::2])


@dataclass(frozen=True)
class Wider(Layer):
    """Twice as many features, and a form without steps."""

    takes = ("sequence",)

    def output_form(self, form):
        return Form("sequence", 2 * form.features)

    def forward(self, p, x, mask, state, call):
        return Result(np.concatenate([x, x], axis=2), mask)


@dataclass(frozen=True)
class Repeat(Layer):
    """Three steps of a vector."""

    takes = ("vector",)

    def output_form(self, form):
        return Form("sequence", form.features)

    def output_steps(self, steps):
        return 3

    def forward(self, p, x, mask, state, call):
        return Result(np.repeat(x[:, None], 3, axis=1), None)


@dataclass(frozen=True)
class Thirds(MaxPool1D):
    """A subclass that asks its base."""

    def output_steps(self, steps):
        return super().output_steps(steps)


def old(layers, features=2):
    with pytest.warns(DeprecationWarning, match=r"output_steps goes with version 0\.3"):
        return Network(layers, features)


def test_a_layer_that_tells_its_steps_as_a_number_works():
    net = old([Halves(), Wider(), GRU(3), Repeat(), Dense(1)])
    assert [form.steps for form in net.topology.forms] == [
        Steps(changed=True), Steps(changed=True), None, Steps(3), Steps(3),
    ]  # fmt: skip
    assert str(net).splitlines()[3:7] == [
        "0 Halves() (N, T', 2)          0",
        "1 Wider()  (N, T', 4)          0",
        "2 GRU(3)   (N, 3)             75",
        "3 Repeat() (N, 3, 3)           0",
    ]
    assert net.output_shape((4, 7, 2)) == net.predict(np.zeros((4, 7, 2))).shape == (4, 3, 1)
    net = old([Halves(), Wider()])
    assert net.output_shape((4, 7, 2)) == net.predict(np.zeros((4, 7, 2))).shape == (4, 4, 4)


@pytest.mark.filterwarnings("ignore:.*output_steps goes:DeprecationWarning")
def test_a_subclass_may_ask_its_base_for_the_number():
    net = Network([Thirds(3)], 2)
    assert net.topology.forms == [Form("sequence", 2, Steps(changed=True))]
    assert net.output_shape((1, 10, 2)) == (1, 3, 2)
    with pytest.raises(ShapeError, match="needs at least 3 steps"):
        net.output_shape((1, 2, 2))


@pytest.mark.parametrize(
    ("layer", "steps", "after"),
    [
        (MaxPool1D(2), 7, 3),
        (MaxPool1D(2), -1, -2),
        (MaxPool1D(2), 0, 0),
        (Dense(2), -1, -1),
        (Dense(2), -2, -2),
        (Dense(2), None, None),
        (RepeatVector(4), None, 4),
        (LastStep(), 4, None),
    ],
    ids=str,
)
def test_output_steps_answers_and_says_what_replaces_it(layer, steps, after):
    with pytest.warns(DeprecationWarning, match=r"the steps are in layer\.output_form\(form\)"):
        assert layer.output_steps(steps) == after


def test_a_layer_of_todays_kind_does_not_warn():
    @dataclass(frozen=True)
    class Same(Layer):
        def output_form(self, form):
            return replace(form, features=1)

    assert forms([Same()]) == [Form("sequence", 1, Steps())]


def test_copies_keep_one_tuple_of_layers():
    net = Network([GRU(2), Dense(1)], 3)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.layers is other.topology.layers
        assert other.topology.forms == net.topology.forms


def test_two_layers_of_a_list_have_names_of_their_own():
    layer = Dense(2, name="twin")
    with pytest.raises(InvalidArgumentError) as caught:
        Network([layer, layer], 3)
    assert str(caught.value) == (
        "two layers are called 'twin'. Give them names of their own: each has its own parameters,"
        " also one object that is listed twice."
    )
