"""What a notebook shows of results: tables, with nothing in them that could be markup."""

import xml.etree.ElementTree as ET

import numpy as np

import throughtime as tt
from throughtime.gradcheck import GradientReport
from throughtime.messages.html import table

X = np.random.default_rng(0).normal(size=(8, 4, 2))


def rows_of(text):
    """The texts of all cells, row by row, of well-formed HTML."""
    root = ET.fromstring(f"<div>{text}</div>")
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def test_everything_is_escaped():
    text = table(["<a>"], [["&", '"']], title="<script>", note="1 < 2")
    assert rows_of(text) == [["<a>"], ["&", '"']]
    assert text.startswith("<div>&lt;script&gt;</div><table>")
    assert text.endswith("</table><div>1 &lt; 2</div>")
    assert table(["x"], []) == ("<table><thead><tr><th>x</th></tr></thead><tbody></tbody></table>")


def history(epochs):
    def markup(y, target):
        return 0.5

    markup.__name__ = "<b>"
    net = tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=2)
    return tt.train(net, X, X[:, 0, :1], epochs=epochs, metrics=[markup])


def test_a_history():
    text = history(12)._repr_html_()
    rows = rows_of(text)
    assert rows[0] == ["epoch", "loss", "<b>", "lr", "grad norm", "seconds"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "...", "10", "11", "12"]
    assert rows[1][2:4] == ["0.5", "0.001"]
    assert "History: 12 epochs, finished; best loss in epoch 12" in text
    assert tt.History()._repr_html_().startswith("<div>History: no epoch finished</div>")


def test_the_text_says_the_same():
    record = history(3)
    cells = [line.split() for line in repr(record).splitlines()[2:]]
    assert cells == rows_of(record._repr_html_())[1:]


def test_a_gradient_report():
    net = tt.Network([tt.layers.GRU(2), tt.layers.Dense(1)], n_features=2)
    report = tt.check_gradients(net, X, X[:, 0, :1], max_numbers=10)
    text = report._repr_html_()
    rows = rows_of(text)
    assert rows[0] == [
        "array", "shape", "checked", "error", "at", "backpropagation", "differences",
    ]  # fmt: skip
    assert [row[0] for row in rows[1:]] == [row.name for row in report.rows]
    assert "all gradients agree; largest relative error" in text
    wrong = GradientReport(report.rows, 1e-300, report.value)
    assert "NOT RIGHT: " in wrong._repr_html_()
    assert str(report).splitlines()[-1] in text
