"""Settings of a forecaster in words."""

from types import SimpleNamespace

import pytest

import throughtime as tt
from throughtime.cli import describe, main


@pytest.mark.parametrize(
    ("shares", "weight", "said"),
    [
        ({}, 0.5, "none"),
        ({None: 0.6}, 0.5, "shipped, 60 % of their correction"),
        ({"a": 1.0, "b": 0.5}, 0.0, "shipped, 75 % of their correction on average"),
        ({None: 0.0}, 0.5, "shipped, not used"),
        ({None: 0.6}, 1.0, "shipped, replaced by the network"),
    ],
)
def test_how_far_base_networks_are_used(shares, weight, said):
    model = SimpleNamespace(shares_=shares, weight_=weight, base_model="shipped")
    assert describe._base(model) == said


def test_info_says_who_feeds_whom_in_a_graph(tmp_path, capsys):
    a, b = tt.Input(3, name="a"), tt.Input(3, name="b")
    encoder = tt.layers.GRU(2, name="encoder")
    y = tt.layers.Dense(1)(tt.layers.Concatenate()([encoder(a), encoder(b)]))
    net = tt.Network(inputs=[a, b], outputs=y)
    net.save(tmp_path / "net.safetensors")
    assert main(["info", str(tmp_path / "net.safetensors")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["net.safetensors,", "a", "network", "(file", "version", "3)"] in lines
    for line in (
        "layer from output parameters", "input a (N, T, 3)", "encoder GRU(2) a (N, 2) 38",
        "encoder GRU(2), call 2 b (N, 2) shared",
        "1 Concatenate() encoder, encoder (call 2) (N, 4) 0", "total 43",
    ):  # fmt: skip
        assert line.split() in lines, line
