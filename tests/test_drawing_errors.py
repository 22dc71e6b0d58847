"""What drawings refuse, with the whole sentence."""

import pytest
from drawing_cases import network

from throughtime.errors import InvalidArgumentError, InvalidTypeError
from throughtime.layers import RNN, Dense, MeanPool
from throughtime.network import Network
from throughtime.plotting import draw, draw_modes

NET = Network([RNN(4, return_sequences=True), MeanPool(), Dense(1)], 2)
REFUSED = [
    (
        {"net": "rnn"},
        InvalidTypeError,
        "net must be a Network; got 'rnn'.",
    ),
    (
        {"steps": 0},
        InvalidArgumentError,
        (
            "steps must be an integer from 1 to 6; got 0. The last one drawn stands for T, whatever"
            " T is; more would be too small to read."
        ),
    ),
    (
        {"net": network("bidirectional"), "steps": 5},
        InvalidArgumentError,
        (
            "steps must be an integer from 1 to 4; got 5. The last one drawn stands for T, whatever"
            " T is; more would be too small to read."
        ),
    ),
    (
        {"steps": 2.5},
        InvalidTypeError,
        (
            "steps must be an integer from 1 to 6; got 2.5. The last one drawn stands for T,"
            " whatever T is; more would be too small to read."
        ),
    ),
    (
        {"node": 1},
        InvalidTypeError,
        "node must be a pair (layer, t); got 1.",
    ),
    (
        {"node": (9, 1)},
        InvalidArgumentError,
        "the layer of node must be an integer from 0 to 2; got 9.",
    ),
    (
        {"node": (0, 5)},
        InvalidArgumentError,
        (
            "the step of node must be an integer from 1 to 4; got 5. Steps count from 1 to the"
            " argument steps."
        ),
    ),
    (
        {"node": (0, None)},
        InvalidTypeError,
        (
            "the step of node must be an integer from 1 to 4; got None. Steps count from 1 to the"
            " argument steps."
        ),
    ),
    (
        {"node": (0, 1), "steps": 0},
        InvalidArgumentError,
        "steps must be an integer >= 1; got 0.",
    ),
    (
        {"node": (1, 1)},
        InvalidArgumentError,
        (
            "the layer of node must be a recurrent or a Dense layer; got 1 (MeanPool). Those of"
            " this network are 0, 2."
        ),
    ),
    (
        {"node": (2, 1)},
        InvalidArgumentError,
        (
            "the step of node must be None: layer 2 (Dense) works on a vector, which has no time"
            " steps; got 1. Write node=(2, None)."
        ),
    ),
    (
        {"view": "folded", "gradients": True},
        InvalidArgumentError,
        "view must be 'unfolded' where gradients are drawn; got 'folded'.",
    ),
    (
        {"view": "folded", "node": (0, 1)},
        InvalidArgumentError,
        "view must be 'unfolded' where a node is drawn; got 'folded'.",
    ),
    (
        {"view": "flat"},
        InvalidArgumentError,
        "view must be one of 'unfolded', 'folded'; got 'flat'.",
    ),
    (
        {"theme": "drak"},
        InvalidArgumentError,
        "theme must be one of 'auto', 'light', 'dark'; got 'drak'. Did you mean 'dark'?",
    ),
    (
        {"gradients": 1},
        InvalidTypeError,
        "gradients must be True or False; got 1.",
    ),
    (
        {"net": Network([Dense(1)] * 61, 1)},
        InvalidArgumentError,
        (
            "net must have at most 60 layers to be drawn; got 61. Draw one layer with"
            " node=(layer, t), or print(net)."
        ),
    ),
]


@pytest.mark.parametrize(("arguments", "error", "sentence"), REFUSED)
def test_refusals(arguments, error, sentence):
    with pytest.raises(error) as caught:
        draw(**({"net": NET} | arguments))
    assert str(caught.value) == sentence


def test_modes_refuse_a_theme_that_is_none():
    with pytest.raises(InvalidArgumentError) as caught:
        draw_modes(theme=None)
    assert str(caught.value) == "theme must be one of 'auto', 'light', 'dark'; got None."


@pytest.mark.parametrize("name", ["net.png", "net", ".svg"])
def test_only_svg_is_saved(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError) as caught:
        draw(NET).save(name)
    assert str(caught.value) == (
        f"path must be a name that ends in .svg; got {name!r}. A browser or Inkscape makes a PNG"
        " or a PDF of it."
    )
    assert not list(tmp_path.iterdir())


def test_a_path_is_a_path():
    with pytest.raises(InvalidTypeError, match=r"^path must be the name of a file; got 3\.$"):
        draw(NET).save(3)
