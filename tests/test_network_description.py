"""Graphs as words of JSON, and what a file may not say."""

import copy
import json

import numpy as np
import pytest
from graph_cases import CASES, DRAWN

import throughtime as tt
from throughtime.errors import ModelFileError
from throughtime.layers import GRU, LSTM, Add, Dense, Dropout
from throughtime.network.description import describe_plan, read_plan


def network():
    """Two inputs, a shared layer, a state, a state of vectors, and two outputs."""
    a, b = tt.Input(2, name="a"), tt.Input(2, name="b", steps=4)
    v = tt.Input(3, time=False, name="v")
    h, state = GRU(3, return_state=True, name="encoder")(a)
    decoder = GRU(3, return_sequences=True)
    one = decoder(b, initial_state=state)
    two = decoder(b, initial_state=v)
    ends = {"y": Dense(1)(Add()([one, two])), "h": h}
    return tt.Network(inputs=[a, b, v], outputs=ends, name="whole")


@pytest.mark.parametrize("case", [*CASES[::3], *DRAWN], ids=str)
def test_a_plan_is_the_same_after_json(case):
    plan = case.network().plan
    again = read_plan(json.loads(json.dumps(describe_plan(plan))))
    assert again == plan
    assert again.outputs == plan.outputs


def test_the_words_of_a_graph():
    config = network().to_config()
    layers = [unit.pop("layer")["name"] for unit in config["units"]]
    assert layers == ["GRU", "GRU", "Add", "Dense"]
    assert config == {
        "inputs": {
            "container": "list",
            "each": [
                {"name": "a", "kind": "sequence", "features": 2, "steps": None},
                {"name": "b", "kind": "sequence", "features": 2, "steps": 4},
                {"name": "v", "kind": "vector", "features": 3, "steps": None},
            ],
        },
        "units": [{"owner": "encoder"}, {"owner": "1"}, {"owner": "2"}, {"owner": "3"}],
        "calls": [
            {"unit": 0, "sources": [0], "state": None},
            {"unit": 1, "sources": [1], "state": 0},
            {"unit": 1, "sources": [1], "state": [2]},
            {"unit": 2, "sources": [4, 5], "state": None},
            {"unit": 3, "sources": [6], "state": None},
        ],
        "outputs": {"container": "dict", "names": ["y", "h"], "signals": [7, 3]},
        "stack": False,
        "dtype": "float32",
        "seed": 0,
        "name": "whole",
    }


def test_a_list_is_described_as_it_was():
    net = tt.Network([GRU(2), Dense(1)], n_features=3)
    assert net.to_config().keys() == {"layers", "n_features", "dtype", "seed"}
    again = tt.Network.from_config(net.to_config())
    assert again.plan == net.plan
    assert again.plan.stack


def changed(path, value):
    """The description of ``network`` with one value changed."""
    config = copy.deepcopy(network().to_config())
    *keys, last = path
    owner = config
    for key in keys:
        owner = owner[key]
    if value is LOST:
        del owner[last]
    else:
        owner[last] = value
    return config


LOST = object()
NO = "the file describes no valid network: "
WRONG = [
    (("extra",), 1, "the file gives a network an unknown entry 'extra'."),
    (("n_features",), 3, "the file gives a network an unknown entry 'n_features'."),
    (("units",), LOST, NO + "its graph is damaged."),
    (("stack",), LOST, NO + "its graph is damaged."),
    (("stack",), 1, NO + "stack must be True or False; got 1."),
    (("stack",), True, "the file describes a list of layers that is none."),
    (("inputs", "container"), "set", "the file puts 3 arrays into a container 'set'."),
    (("inputs", "container"), "single", "the file puts 3 arrays into a container 'single'."),
    (("outputs", "container"), "single", "the file puts 2 arrays into a container 'single'."),
    (("outputs", "container"), [], "the file puts 2 arrays into a container []."),
    (("inputs", "each", 1, "name"), "a", "the file gives two layers, inputs or outputs one name."),
    (("units", 1, "owner"), "encoder", "the file gives two layers, inputs or outputs one name."),
    (("outputs", "names"), ["y", "y"], "the file gives two layers, inputs or outputs one name."),
    (("outputs", "names"), ["y"], "the file describes a network without ends."),
    (("outputs", "signals"), [], "the file describes a network without ends."),
    (("outputs", "signals"), [7, 2], NO + "output must be an integer from 3 to 7; got 2."),
    (("outputs", "signals"), [7, 8], NO + "output must be an integer from 3 to 7; got 8."),
    (("inputs", "each", 0, "kind"), "text",
     "the file gives a network an unknown kind of input 'text'."),
    (("inputs", "each", 0, "features"), 0, NO + "features must be an integer >= 1; got 0."),
    (("inputs", "each", 1, "steps"), -1, NO + "steps must be an integer >= 1; got -1."),
    (("inputs", "each", 0, "name"), "a.b",
     NO + "name must be a text without dots and slashes, and not a number; got 'a.b'."),
    (("units", 0, "owner"), "a//b",
     NO + "name must be a text without dots and slashes, and not a number; got ''."),
    (("calls", 0, "unit"), 4, NO + "unit must be an integer from 0 to 3; got 4."),
    (("calls", 0, "sources"), [3], NO + "source must be an integer from 0 to 2; got 3."),
    (("calls", 0, "sources"), [True], NO + "source must be an integer from 0 to 2; got True."),
    (("calls", 0, "sources"), [0, 1], "the file gives the layer GRU 2 inputs."),
    (("calls", 3, "sources"), [4], "the file gives the layer Add 1 inputs."),
    (("calls", 1, "state"), 1, NO + "a state must be an integer from 0 to 0; got 1."),
    (("calls", 2, "state"), [4.0], NO + "a state must be an integer from 0 to 4; got 4.0."),
    (("calls", 3, "state"), 0, "the file gives a state to a layer that has none."),
    (("calls", 4, "unit"), 2, "the file gives the layer Add 1 inputs."),
    (("calls", 2, "state"), None, "the file describes an input that no layer takes."),
    (("frozen",), ["x"], NO + "a layer that is not there is frozen"),
    (("name",), "a/b",
     NO + "name must be a text without dots and slashes, and not a number; got 'a/b'."),
    (("calls", 2, "sources"), [0],
     NO + "layer 2 (Add) needs inputs with the same steps: those of layer 1 (GRU) are 4, and those"
     " of layer 1 (GRU, call 2) are T. If an input always has so many, write tt.Input(...,"
     " steps=4)."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "message"),
    WRONG,
    ids=[f"{i}: {'.'.join(map(str, w[0]))}" for i, w in enumerate(WRONG)],
)
def test_what_a_file_may_not_say(path, value, message):
    with pytest.raises(ModelFileError) as caught:
        tt.Network.from_config(changed(path, value))
    assert str(caught.value) == message


def test_a_layer_that_has_no_state_hands_none_on():
    config = network().to_config()
    config["units"][0]["layer"] = tt.Network([Dropout(0.1)], n_features=2).to_config()["layers"][0]
    with pytest.raises(ModelFileError) as caught:
        tt.Network.from_config(config)
    assert str(caught.value) == "the file takes the state of a layer that has none."


def test_a_list_that_is_a_graph_is_described_as_a_graph():
    """A network in a list has owners that are no numbers."""
    inner = tt.Network([LSTM(2, return_sequences=True)], n_features=2)
    config = tt.Network([inner, Dense(1)], n_features=2).to_config()
    assert config["stack"] is True
    assert [unit["owner"] for unit in config["units"]] == ["0/0", "1"]
    again = tt.Network.from_config(config)
    assert again.plan.stack
    assert np.array_equal(again.params.flat, tt.Network.from_config(config).params.flat)


@pytest.mark.parametrize("config", [None, 3, [], {}, {"calls": {}}, {"layers": None}], ids=str)
def test_what_describes_no_network(config):
    with pytest.raises(ModelFileError) as caught:
        tt.Network.from_config(config)
    assert str(caught.value) == f"the file describes no network; got {config}."
