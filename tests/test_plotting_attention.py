"""Heat maps of attention."""

import numpy as np
import pytest
from PIL import Image

from throughtime.errors import InvalidTypeError, ShapeError
from throughtime.plotting import plot_attention

WEIGHTS = np.array([[[0.1, 0.9, 0.0], [0.5, 0.3, 0.2]], [[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]]])


def test_each_head_is_a_panel_with_a_row_for_each_query(tmp_path):
    path = tmp_path / "attention.png"
    figure = plot_attention(WEIGHTS, ["what", "who"], ["$a$", "b", "c"], title="two", path=path)
    one, two, bar = figure.axes
    for ax, head in ((one, WEIGHTS[0]), (two, WEIGHTS[1])):
        np.testing.assert_array_equal(ax.collections[0].get_array().reshape(2, 3), head)
        assert ax.yaxis_inverted()
        assert [text.get_text() for text in ax.get_xticklabels()] == ["$a$", "b", "c"]
        assert not any(text.get_parse_math() for text in ax.get_xticklabels())
    assert [text.get_text() for text in one.get_yticklabels()] == ["what", "who"]
    assert (one.get_xlabel(), two.get_xlabel(), one.get_title("left")) == (
        "head 1",
        "head 2",
        "two",
    )
    assert bar.get_ylim() == (0, 1)
    assert figure.get_label() == (
        "two: the weights of 2 queries over 3 steps as a heat map, for each of 2 heads; the largest"
        " is 1, of query what for step $a$ in head 2."
    )
    with Image.open(path) as image:
        assert image.size[0] > 500


def test_one_head_and_no_names():
    figure = plot_attention(WEIGHTS[0])
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["1", "2", "3"]
    assert figure.axes[0].get_xlabel() == ""
    assert figure.get_label().startswith("attention: the weights of 2 queries over 3 steps")


def test_of_many_steps_some_are_named():
    figure = plot_attention(np.full((1, 100), 0.01))
    names = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert names == [str(k) for k in range(1, 101, 3)]


SHAPE = "weights must be of shape (T_q, T_v) or (heads, T_q, T_v), none of them 0"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (np.ones(3),),
            ShapeError,
            f"{SHAPE}; got shape (3,).",
        ),
        (
            (np.ones((2, 0)),),
            ShapeError,
            f"{SHAPE}; got shape (2, 0).",
        ),
        ((WEIGHTS, ["a"]), ShapeError, "queries must have 2 names; got 1."),
        ((WEIGHTS, None, "abc"), InvalidTypeError, "steps must be a list of names; got 'abc'."),
        ((WEIGHTS, 3), InvalidTypeError, "queries must be a list of names; got 3."),
    ],
)
def test_what_cannot_be_drawn(arguments, error, message):
    with pytest.raises(error) as caught:
        plot_attention(*arguments)
    assert str(caught.value) == message


def test_a_title_is_a_text():
    with pytest.raises(InvalidTypeError) as caught:
        plot_attention(WEIGHTS, title=3)
    assert str(caught.value) == "title must be a string; got 3."
