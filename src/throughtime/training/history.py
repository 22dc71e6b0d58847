"""The history of a training run: a row for every epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_choice,
    describe,
    sentence,
)
from throughtime.messages import html
from throughtime.network.containers import Container
from throughtime.network.other_names import answer
from throughtime.serialization.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The first columns of a table; the metrics follow.
LEADING = ("loss", "val_loss")
#: The last columns of a table; they describe the updates, not the network.
TRAILING = ("penalty", "lr", "grad_norm", "seconds")
#: Number of epochs of a long run that are printed from its start, and from its end.
SHOWN = 3


class History(Mapping[str, list[float]]):
    """The history of a training run: ``history["loss"][k]`` is the loss of epoch ``k + 1``.

    The columns are

    - ``loss``: the exact mean over the training data, of each batch with the weights before its
      update; and ``val_loss``, if there is a validation set;
    - every metric, such as ``accuracy``, and ``val_accuracy`` for the validation set;
    - of several outputs, everything of each with its name before it: ``price_loss``,
      ``kind_accuracy``, ``val_price_loss``; ``loss`` is then their weighted sum;
    - ``penalty``, if there are L1 or L2 penalties: their mean over the batches;
    - ``lr``: the learning rate of the last update;
    - ``grad_norm``: the mean norm of the gradient over the updates, before clipping, without layers
      that ``lr_multiplier=0`` freezes;
    - ``seconds``: the time that the epoch took.

    Attributes
    ----------
    stopped : str
        Why training ended: ``"finished"``, ``"early stopping"``, ``"interrupted"``, ``"diverged"``
        or the reason that a callback gave.
    monitor : str
        The column that decides which epoch is best.
    best_epoch : int or None
        Number of the best epoch, from 1.
    restored : bool
        Whether the network has the weights of ``best_epoch`` instead of those of the last epoch.
    outputs : list of ndarray
        The network's outputs after every epoch, if ``keep_outputs`` is True; of several outputs, in
        their container.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[float]] = {}
        self.stopped = ""
        self.monitor = "loss"
        self.best_epoch: int | None = None
        self.restored = False
        self.outputs: list[Any] = []

    @property
    def epochs(self) -> list[int]:
        """The numbers of the finished epochs, from 1."""
        return list(range(1, len(self._columns.get("loss", ())) + 1))

    def __getitem__(self, name: str) -> list[float]:
        try:
            return self._columns[name]
        except KeyError:
            known = ", ".join(self) or "none yet"
            raise KeyError(f"no column {name!r}; there are {known}") from None

    def __iter__(self) -> Iterator[str]:
        middle = [c for c in self._columns if c not in LEADING + TRAILING]
        order = [*LEADING, *middle, *TRAILING]
        return iter([column for column in order if column in self._columns])

    def __len__(self) -> int:
        return len(self._columns)

    def append(self, row: Mapping[str, float]) -> None:
        """Add the values of one epoch."""
        for name, value in row.items():
            self._columns.setdefault(name, []).append(float(value))

    def last(self) -> dict[str, float]:
        """The values of the last epoch."""
        return {name: self._columns[name][-1] for name in self}

    def to_dict(self) -> dict[str, list[int] | list[float]]:
        """The columns as plain lists, with ``epoch`` as the first."""
        columns: dict[str, list[int] | list[float]] = {"epoch": self.epochs}
        columns.update({name: list(self[name]) for name in self})
        return columns

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file with a line for every epoch; the numbers are exact.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        lines = [",".join(["epoch", *self])]
        for epoch in self.epochs:
            values = [repr(self[name][epoch - 1]) for name in self]
            lines.append(",".join([str(epoch), *values]))
        replace_file(path, ("\n".join(lines) + "\n").encode())

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        columns: str | Sequence[str] = ("loss",),
        scale: str = "auto",
    ) -> Figure:
        """Draw the loss, and the validation loss if there is one, over the epochs.

        Parameters
        ----------
        path : str or path-like, optional
            PNG file to write the picture to.
        columns : str or sequence of str
            Columns to draw, each in its own panel: ``("loss", "accuracy")``. The ``val_`` column is
            drawn with it if there is one.
        scale : {"auto", "log", "linear"}
            Scale of the axes; ``"auto"`` is logarithmic if the values span a wide range.

        Returns
        -------
        matplotlib.figure.Figure
            The picture, which a notebook shows.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        InvalidArgumentError
            If no epoch is finished, there is no such column, or the scale is logarithmic and a
            value is not positive.
        """
        from throughtime.plotting import history_figure, save_png

        check_choice("scale", scale, ("auto", "log", "linear"))
        if not self._columns:
            raise InvalidArgumentError(
                sentence("history", "a finished epoch to be drawn", "none", must="hold")
            )
        drawn = {}
        if not isinstance(columns, str | Sequence):
            raise InvalidTypeError(sentence("columns", "a list of names", describe(columns)))
        for name in (columns,) if isinstance(columns, str) else columns:
            check_choice("a column", name, self)
            drawn[name] = (self[name], self.get(f"val_{name}"))
            lowest = min([*self[name], *self.get(f"val_{name}", [])])
            if scale == "log" and not lowest > 0:
                kind = "a loss" if name == "loss" else f"{name!r}"
                expected = f"'linear' or 'auto' where {kind} is not positive"
                raise InvalidArgumentError(sentence("scale", expected, f"{lowest:g}", value=scale))
        if not drawn:
            raise InvalidArgumentError(
                sentence("columns", "at least one column", "none", must="name")
            )
        with history_figure(drawn) as figure:
            for ax in figure.axes:
                if scale not in ("auto", ax.get_yscale()):
                    ax.set_yscale(scale)
            if path is not None:
                save_png(figure, path)
        return figure

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epoch finished)"
        lines = [f"History: {self._summary()}", table_head(list(self))]
        before = 0
        for epoch in self._shown():
            if epoch > before + 1:
                lines.append("   ...")
            lines.append(table_row(epoch, self._row(epoch)))
            before = epoch
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows, before = [], 0
        for epoch in self._shown():
            if epoch > before + 1:
                rows.append(["..."] * (len(self) + 1))
            values = self._row(epoch)
            rows.append([f"{epoch}", *(_cell(name, value) for name, value in values.items())])
            before = epoch
        title = f"History: {self._summary() if rows else 'no epoch finished'}"
        return html.table(["epoch", *(_title(name) for name in self)], rows, title=title)

    def _summary(self) -> str:
        """How many epochs there were, why they ended, and which one was best."""
        count = len(self.epochs)
        text = f"{count} epoch{'s' if count > 1 else ''}, {self.stopped or 'running'}"
        if self.best_epoch is not None:
            text += f"; best {self.monitor} in epoch {self.best_epoch}"
            text += ", whose weights were restored" if self.restored else ""
        return text

    def _shown(self) -> list[int]:
        """The epochs to print: all of a short run; the first, the last and the best otherwise."""
        epochs = self.epochs
        short = len(epochs) <= 2 * SHOWN + 1  # there is nothing to gain by "..." for one row
        shown = set(epochs if short else [*epochs[:SHOWN], *epochs[-SHOWN:]])
        if self.best_epoch is not None:
            shown.add(self.best_epoch)
        return sorted(shown)

    def _row(self, epoch: int) -> dict[str, float]:
        return {name: self[name][epoch - 1] for name in self}

    def to_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return arrays and JSON from which :meth:`from_state` builds the same history."""
        columns = {name: [_to_json(v) for v in values] for name, values in self._columns.items()}
        state: dict[str, Any] = {"columns": columns}
        box = _container(self.outputs[0]) if self.outputs else Container.single()
        if box.kind == "single":
            return {f"outputs.{k}": output for k, output in enumerate(self.outputs)}, state
        arrays = {
            f"outputs.{k}.{name}": output
            for k, outputs in enumerate(self.outputs)
            for name, output in zip(box.names, box.spread("outputs", outputs), strict=True)
        }
        return arrays, state | {"container": [box.kind, list(box.names)]}

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> History:
        """Return the history that :meth:`to_state` described."""
        history = cls()
        for name, values in state["columns"].items():
            history._columns[name] = [float(v) for v in values]
        if "container" not in state:
            history.outputs = [arrays[f"outputs.{k}"] for k in range(len(arrays))]
            return history
        kind, names = state["container"]
        box = Container(kind, tuple(names))
        history.outputs = [
            box.gather([arrays[f"outputs.{k}.{name}"] for name in names])
            for k in range(len(arrays) // len(names))
        ]
        return history


answer({"history": "history['loss'], a column of it"}, History)


def _container(outputs: Any) -> Container:
    """The container of the outputs of one epoch."""
    if isinstance(outputs, dict):
        return Container("dict", tuple(outputs))
    if isinstance(outputs, list):
        return Container("list", tuple(map(str, range(len(outputs)))))
    return Container.single()


def _to_json(value: float) -> float | str:
    # A metric can be undefined (precision without a positive), and JSON has no NaN.
    return value if math.isfinite(value) else str(value)


def table_head(columns: list[str]) -> str:
    """The first line of a table of epochs."""
    return " epoch" + "".join(f"  {_title(name):>{_width(name)}}" for name in columns)


def table_row(epoch: int, values: Mapping[str, float]) -> str:
    """One line of a table of epochs."""
    cells = "".join(f"  {_cell(name, value):>{_width(name)}}" for name, value in values.items())
    return f"{epoch:6d}{cells}"


def _cell(name: str, value: float) -> str:
    return f"{value:.2f}" if name == "seconds" else f"{value:.4g}"


def _title(name: str) -> str:
    return name.replace("_", " ")


def _width(name: str) -> int:
    return max(len(name), 9)
