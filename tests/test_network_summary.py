"""The table of layers: ``print(net)``, and in notebooks."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import pytest
from network_cases import CASES, keeps_steps

import throughtime as tt
from throughtime.layers import (
    GRU,
    LSTM,
    Add,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
    Layer,
    MaxPool1D,
    MeanPool,
    MeanPool1D,
    RepeatVector,
)
from throughtime.network import Network


def test_a_network_from_tokens_to_steps():
    net = Network(
        [
            Embedding(10, 4),
            LSTM(8, bidirectional=True, return_sequences=True),
            MeanPool(),
            RepeatVector(5),
            GRU(200, activation="relu", return_sequences=True),
            Dense(3, activation="softmax", l2=0.1),
        ],
        dtype="float64",
    )
    assert str(net).splitlines() == [
        "layer                                                output        parameters",
        "-----------------------------------------------------------------------------",
        "input                                                (N, T) tokens",
        "0 Embedding(10, 4)                                   (N, T, 4)             40",
        "1 LSTM(8, return_sequences=True, bidirectional=True) (N, T, 16)           832",
        "2 MeanPool()                                         (N, 16)                0",
        "3 RepeatVector(5)                                    (N, 5, 16)             0",
        "4 GRU(200, activation='relu', return_sequences=True) (N, 5, 200)      130,400",
        "5 Dense(3, activation='softmax', l2=0.1)             (N, 5, 3)            603",
        "-----------------------------------------------------------------------------",
        "131,875 parameters, float64, 1.1 MB",
    ]


def test_steps_that_depend_on_those_of_the_input():
    net = Network(
        [Conv1D(8, 3, padding="causal"), MaxPool1D(2), Conv1D(4, 2), Flatten(5), RepeatVector(7),
         MeanPool1D(2, stride=1)],
        n_features=3,
    )  # fmt: skip
    assert str(net).splitlines()[2:-2] == [
        "input                            (N, T, 3)",
        "0 Conv1D(8, 3, padding='causal') (N, T, 8)          80",
        "1 MaxPool1D(2)                   (N, T', 8)          0",
        "2 Conv1D(4, 2)                   (N, T', 4)         68",
        "3 Flatten(5)                     (N, 20)             0",
        "4 RepeatVector(7)                (N, 7, 20)          0",
        "5 MeanPool1D(2, stride=1)        (N, 6, 20)          0",
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_counts_add_up_and_shapes_are_those_of_the_output(case):
    net = case.network()
    lines = str(net).splitlines()
    rows = lines[3:-2]
    assert len(rows) == len(net.layers)
    counts = [int(row.split()[-1].replace(",", "")) for row in rows]
    assert sum(counts) == net.params.size
    assert lines[-1].startswith(f"{net.params.size:,} parameters, float64, ")
    shape = "(N, T, " if keeps_steps(net) else "(N, "
    assert f"{shape}{net.n_outputs})" in rows[-1] or net.topology.forms[-1].kind == "sequence"
    assert not any(line != line.rstrip() for line in lines)


@dataclass(frozen=True)
class Odd(Layer):
    option: str = "<b>&"

    @property
    def kind(self):
        return "Odd<script>"


def test_in_notebooks_networks_and_layers_are_html_with_escaped_words():
    net = Network([Odd(), GRU(2), Odd(option="'<'")], 3)
    text = net._repr_html_()
    root = ET.fromstring(text)
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert rows == [
        ["layer", "output", "parameters"],
        ["input", "(N, T, 3)", ""],
        ["0 Odd<script>()", "(N, T, 3)", "0"],
        ["1 GRU(2)", "(N, 2)", "38"],
        ["2 Odd<script>(option=\"'<'\")", "(N, 2)", "0"],
    ]
    assert root.find("caption").text == str(net).splitlines()[-1]
    layer = ET.fromstring(Odd(option="<i>")._repr_html_())
    assert (layer.tag, layer.text) == ("code", "Odd<script>(option='<i>')")


def test_a_graph_says_who_feeds_whom():
    source, target = tt.Input(tokens=True, name="source"), tt.Input(4, name="goal")
    static = tt.Input(5, time=False)
    embedding = Embedding(10, 4)
    _, state = GRU(8, return_state=True, name="enc")(embedding(source))
    decoder = GRU(8, return_sequences=True, name="dec")
    h = decoder(target, initial_state=state)
    g = decoder(target, initial_state=Dense(8)(static))
    net = Network(inputs=[source, target, static], outputs={"a": Dense(1)(h), "b": Add()([h, g])})
    shown = [
        "layer                                     from               output        parameters",
        "-------------------------------------------------------------------------------------",
        "input source                                                 (N, T) tokens",
        "input goal                                                   (N, T2, 4)",
        "input 2                                                      (N, 5)",
        "0 Embedding(10, 4)                        source             (N, T, 4)             40",
        "enc GRU(8, return_state=True)             0                  (N, 8)               320",
        "dec GRU(8, return_sequences=True)         goal, state of enc (N, T2, 8)           320",
        "3 Dense(8)                                input 2            (N, 8)                48",
        "dec GRU(8, return_sequences=True), call 2 goal, state from 3 (N, T2, 8)        shared",
        "4 Dense(1)                                dec                (N, T2, 1)             9",
        "5 Add()                                   dec, dec (call 2)  (N, T2, 8)             0",
        "output a                                  4                  (N, T2, 1)",
        "output b                                  5                  (N, T2, 8)",
        "-------------------------------------------------------------------------------------",
        "737 parameters, float32, 2.9 kB",
    ]
    assert str(net).splitlines() == shown
    root = ET.fromstring(net._repr_html_())
    rows = [[cell.text or "" for cell in row] for row in root.iter("tr")]
    assert [" ".join(row).split() for row in rows] == [
        line.split() for line in shown[:1] + shown[2:-2]
    ]


def test_an_input_is_told_from_a_layer_of_its_name():
    x, other = tt.Input(2, name="x"), tt.Input(2)
    outputs = [Dense(1, name="x")(x), Dense(2)(other)]
    net = Network(inputs=[x, other], outputs=outputs)
    assert [line.rstrip() for line in str(net).splitlines()[2:-2]] == [
        "input x            (N, T, 2)",
        "input 1            (N, T2, 2)",
        "x Dense(1) input x (N, T, 1)           3",
        "1 Dense(2) input 1 (N, T2, 2)          6",
        "output 0   x       (N, T, 1)",
        "output 1   1       (N, T2, 2)",
    ]


def test_a_graph_of_one_input_and_one_output_need_not_name_them():
    x = tt.Input(2)
    assert str(Network(inputs=x, outputs=Dense(1)(x))).splitlines()[2:-2] == [
        "input            (N, T, 2)",
        "0 Dense(1) input (N, T, 1)          3",
        "output     0     (N, T, 1)",
    ]
    named = Network(inputs={"x": x}, outputs={"y": Dense(1)(x)})
    assert str(named).splitlines()[2:-2] == [
        "input x         (N, T, 2)",
        "0 Dense(1) x    (N, T, 1)          3",
        "output y   0    (N, T, 1)",
    ]


def test_in_notebooks_the_names_of_parameters_are_completed():
    net = Network([GRU(2), Dense(1)], 3)
    assert net.params._ipython_key_completions_() == list(net.params)
