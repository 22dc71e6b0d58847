"""The table of ``print(net)``."""

import pytest
from network_cases import CASES, keeps_steps

from throughtime.layers import (
    GRU,
    LSTM,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
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
