"""Comparisons: figures and strings side by side."""

import numpy as np
import pytest

from throughtime.errors import InvalidTypeError, ShapeError
from throughtime.report import Comparison, ComparisonRow, comparison, side_by_side


def test_every_figure_stands_in_its_column():
    table = Comparison("A task")
    table.add("error", published=0.04, ours=0.0123456, naive=1234.5, baseline="the mean")
    table.add("right", ours=0.99, higher_is_better=True)
    assert str(table).splitlines() == [
        "A task  published  throughtime  naive",
        "-" * len("error        0.04       0.0123  1,234  (the mean)"),
        "error        0.04       0.0123  1,234  (the mean)",
        "right           -         0.99      -",
    ]


def test_what_is_better_depends_on_the_measure():
    table = Comparison("A task")
    table.add("error", published=0.04, ours=0.04, naive=0.03)
    table.add("right", published=0.5, ours=0.6, naive=0.4, higher_is_better=True)
    table.add("alone", ours=1.0)
    assert [figure.beats_naive for figure in table.rows] == [False, True, True]
    assert [figure.beats_published for figure in table.rows] == [True, True, True]


def test_a_naive_answer_that_is_no_worse_is_said_so():
    table = Comparison("A task")
    table.add("error", ours=0.4, naive=0.3, baseline="the mean")
    table.add("right", ours=0.6, naive=0.6, higher_is_better=True)
    lines = str(table).splitlines()
    assert lines[2].endswith("0.3  (the mean) naive is no worse")
    assert lines[3].endswith("0.6  naive is no worse")


def test_a_figure_that_is_not_there():
    table = Comparison("A task")
    table.add("error", ours=1.0)
    with pytest.raises(KeyError, match="no figure 'eror'; there are 'error'"):
        table["eror"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Comparison(None), "title must be a string; got None."),
        (lambda: Comparison("a").add(3, ours=1), "measure must be a string; got 3."),
        (
            lambda: side_by_side([[[1, 2], [3]]], [[[1, 2], [3]]]),
            "actual must hold strings, or sequences of symbols; got [[1, 2], [3]].",
        ),
        (lambda: side_by_side(None, []), "actual must be a list of sequences; got None."),
        (
            lambda: side_by_side([1, 2], [1, 2]),
            "actual must hold strings, or sequences of symbols; got 1.",
        ),
    ],
)
def test_what_is_no_text_and_no_sequence(call, message):
    with pytest.raises(InvalidTypeError) as caught:
        call()
    assert str(caught.value) == message


def test_a_figure_must_be_a_number():
    with pytest.raises(InvalidTypeError, match=r"^ours must be"):
        Comparison("A task").add("error", ours="small")


def test_strings_are_compared_letter_by_letter():
    assert side_by_side(["ACGT", "AC"], ["AGGT", "AC"]).splitlines() == [
        "actual  predicted",
        "ACGT    AGGT",
        "         ^",
        "AC      AC",
        "5 of 6 symbols right; G predicted where C is right: 1",
    ]


def test_longer_symbols_are_set_apart():
    text = side_by_side(np.array([[10, 2]]), np.array([[10, 3]]))
    assert text.splitlines()[1:3] == ["10 2    10 3", "           ^"]


def test_only_the_first_pairs_are_written_and_all_are_counted():
    text = side_by_side(["0"] * 30, ["1"] * 30, most=2).splitlines()
    assert text[1:5] == ["0       1", "        ^", "0       1", "        ^"]
    assert text[5:] == [
        "... and 28 more",
        "0 of 30 symbols right; 1 predicted where 0 is right: 30",
    ]


def test_pairs_must_fit():
    with pytest.raises(ShapeError) as caught:
        side_by_side(["01"], ["0"])
    assert str(caught.value) == "predicted[0] must have 2 symbols, as actual has; got 1."
    with pytest.raises(ShapeError) as caught:
        side_by_side(["01"], [])
    assert str(caught.value) == "predicted must hold 1 sequences, as actual does; got 0."


def test_a_notebook_shows_a_table_with_everything_escaped():
    table = Comparison("<b>title</b>")
    table.add("<i>error</i>", ours=0.5, published=0.25, naive=0.25, baseline="<u>mean</u>")
    page = table._repr_html_()
    assert page.startswith("<table><thead><tr><th>&lt;b&gt;title&lt;/b&gt;</th><th>published</th>")
    assert "<td>&lt;i&gt;error&lt;/i&gt;</td><td>0.25</td><td>0.5</td><td>0.25</td>" in page
    assert "(&lt;u&gt;mean&lt;/u&gt;) naive is no worse" in page
    assert not any(tag in page for tag in ("<b>", "<i>", "<u>"))


def test_the_old_name_of_a_row_warns():
    with pytest.warns(DeprecationWarning, match="Row is called ComparisonRow; .* version 0.3"):
        assert comparison.Row is ComparisonRow
    with pytest.raises(AttributeError, match="no attribute 'Rows'"):
        comparison.Rows  # noqa: B018
