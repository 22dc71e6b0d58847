"""The record of a run: as a mapping, a table, a file, a picture."""

import csv
import math

import pytest

from throughtime.errors import InvalidArgumentError
from throughtime.training import History


def example(epochs=3, **columns):
    history = History()
    for k in range(epochs):
        row = {"loss": 1.0 / (k + 1), "lr": 0.1, "grad_norm": 2.0, "seconds": 0.25}
        history.append(row | {name: values[k] for name, values in columns.items()})
    return history


def test_columns_and_epochs():
    history = example(val_loss=[3.0, 2.0, 1.0], accuracy=[0.1, 0.2, 0.3])
    assert list(history) == ["loss", "val_loss", "accuracy", "lr", "grad_norm", "seconds"]
    assert history.epochs == [1, 2, 3]
    assert history["val_loss"] == [3.0, 2.0, 1.0]
    assert history.last()["accuracy"] == 0.3
    assert "val_accuracy" not in history
    assert len(history) == 6


def test_an_unknown_column_says_which_there_are():
    with pytest.raises(KeyError, match="no column 'acc'; there are loss, lr, grad_norm, seconds"):
        example()["acc"]
    with pytest.raises(KeyError, match="no column 'loss'; there are none yet"):
        History()["loss"]


def test_the_columns_have_no_attribute_of_their_own():
    with pytest.raises(AttributeError) as caught:
        History().history  # noqa: B018  # to look it up is the test
    assert str(caught.value) == (
        "'History' object has no attribute 'history'; write history['loss'], a column of it."
    )


def test_to_dict():
    history = example(2)
    assert history.to_dict() == {
        "epoch": [1, 2],
        "loss": [1.0, 0.5],
        "lr": [0.1, 0.1],
        "grad_norm": [2.0, 2.0],
        "seconds": [0.25, 0.25],
    }
    history.to_dict()["loss"].append(0.0)
    assert history["loss"] == [1.0, 0.5]


def test_csv_reads_back_the_same(tmp_path):
    history = example(val_loss=[1 / 3, math.nan, 1e-300])
    history.to_csv(tmp_path / "h.csv")
    with (tmp_path / "h.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert repr([float(row["val_loss"]) for row in rows]) == repr(history["val_loss"])


def test_a_short_table():
    history = example(val_loss=[3.0, 1.0, 2.0])
    history.stopped, history.monitor, history.best_epoch = "finished", "val_loss", 2
    assert repr(history).splitlines() == [
        "History: 3 epochs, finished; best val_loss in epoch 2",
        " epoch       loss   val loss         lr  grad norm    seconds",
        "     1          1          3        0.1          2       0.25",
        "     2        0.5          1        0.1          2       0.25",
        "     3     0.3333          2        0.1          2       0.25",
    ]


def test_a_long_table_shows_both_ends_and_the_best():
    history = example(20)
    history.stopped, history.best_epoch, history.restored = "early stopping", 9, True
    lines = repr(history).splitlines()
    assert lines[0] == (
        "History: 20 epochs, early stopping; best loss in epoch 9, whose weights were restored"
    )
    assert [line.split()[0] for line in lines[2:]] == [
        "1", "2", "3", "...", "9", "...", "18", "19", "20",
    ]  # fmt: skip


def test_a_table_of_seven_is_short():
    assert "..." not in repr(example(7))
    assert "..." in repr(example(8))


def test_a_table_of_nothing():
    assert repr(History()) == "History(no epoch finished)"
    assert repr(example(1)).startswith("History: 1 epoch, running\n")


def test_picture_on_a_logarithmic_axis(tmp_path):
    figure = example(val_loss=[3.0, 0.2, 0.01]).plot(tmp_path / "loss.png")
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    assert [list(line.get_ydata()) for line in ax.get_lines()] == [
        [1.0, 0.5, 1 / 3],
        [3.0, 0.2, 0.01],
    ]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_scale_of_the_picture_can_be_chosen():
    assert example().plot(scale="log").axes[0].get_yscale() == "log"
    assert example().plot(scale="linear").axes[0].get_yscale() == "linear"


def test_a_negative_loss_has_no_logarithm():
    history = example(val_loss=[1.0, -0.5, -1.0])
    assert history.plot().axes[0].get_yscale() == "linear"
    with pytest.raises(InvalidArgumentError) as caught:
        history.plot(scale="log")
    assert str(caught.value) == (
        "scale must be 'linear' or 'auto' where a loss is not positive; got -1."
    )


def test_a_loss_of_zero_has_no_logarithm():
    history = example(val_loss=[1.0, 0.5, 0.0])
    with pytest.raises(InvalidArgumentError, match=r"where a loss is not positive; got 0\.$"):
        history.plot(scale="log")


def test_nothing_to_draw():
    with pytest.raises(InvalidArgumentError) as caught:
        History().plot()
    assert str(caught.value) == "history must hold a finished epoch to be drawn; got none."


def test_state_keeps_every_bit():
    history = example(val_loss=[0.1 + 0.2, math.nan, -math.inf])
    arrays, state = history.to_state()
    again = History.from_state(arrays, state)
    assert repr(again.to_dict()) == repr(history.to_dict())
