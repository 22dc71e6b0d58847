"""Train a network and draw its fit, or apply a trained network and draw its output."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_int,
    describe,
    sentence,
)
from throughtime.network.signals import alike, each
from throughtime.plotting.fits import plot_fit
from throughtime.plotting.style import load_matplotlib, save_png
from throughtime.training import History, train
from throughtime.training.callbacks import check_callbacks
from throughtime.training.options import check_network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from throughtime.network import Network
    from throughtime.training import Run


class Trained(NamedTuple):
    """The result of :func:`train_and_plot`.

    Attributes
    ----------
    history : History
        The result of the training.
    fit : Figure
        The output after every ``every`` epochs, over the targets.
    loss : Figure
        The loss over the epochs, on a logarithmic axis if no loss is zero or negative.
    """

    history: History
    fit: Figure
    loss: Figure


class Applied(NamedTuple):
    """The result of :func:`apply_and_plot`: the output, and its figure."""

    y: np.ndarray
    figure: Figure


def train_and_plot(
    net: Network,
    x: Any,
    y: Any,
    *,
    every: int = 100,
    row: int = 0,
    position: Any = None,
    folder: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Trained:
    """Train a network, and draw its fit at intervals of epochs, and its loss.

    Parameters
    ----------
    net : Network
        Network with one output at every step; it is changed in place.
    x : array of shape (N, T, F), or list of arrays (T_i, F)
        Input sequences; of several inputs a dict or a list, as for
        :meth:`throughtime.Network.predict`.
    y : array of shape (N, T, 1), or list of arrays (T_i, 1)
        Targets.
    every : int
        Epochs between two curves of the figure.
    row : int
        Index of the sequence to draw.
    position : array of shape (T,) or (T, 1), optional
        Positions of the steps on the axis; by default the input if it is one rising feature, else
        1 to T.
    folder : str or path-like, optional
        An existing folder for ``fit.png`` and ``loss.png``, which are written at the end.
    **options :
        Options of :func:`throughtime.train`: ``loss``, ``optimizer``, ``epochs`` ...

    Returns
    -------
    Trained
        The history and the two figures.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed; before any training.
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument is invalid; before any training.
    KeyboardInterrupt
        After Ctrl-C in the first epoch. After Ctrl-C in a later epoch training ends, and the
        finished epochs are drawn.

    Examples
    --------
    >>> import throughtime as tt
    >>> x = np.linspace(-3, 3, 60).reshape(1, -1, 1)
    >>> layers = [tt.layers.RNN(8, return_sequences=True), tt.layers.Dense(1)]
    >>> net = tt.Network(layers, n_features=1)
    >>> trained = train_and_plot(net, x, np.sin(x), every=10, epochs=30)
    >>> len(trained.fit.axes[0].get_lines()), trained.history.stopped
    (4, 'finished')
    """
    load_matplotlib()
    check_int("every", every, 1)
    shown = _DrawnSequence(net, x, options.get("lengths"), options.get("mask"), row, position)
    target = shown.targets(y)
    into = None if folder is None else _existing(folder)
    callbacks = check_callbacks(options.pop("callbacks", ()))
    curves: dict[str, np.ndarray] = {}

    def watch(run: Run) -> None:
        if run.epoch % every == 0:
            curves[f"epoch {run.epoch}"] = shown.curve()

    history = train(net, x, y, callbacks=[*callbacks, watch], **options)
    if not history.epochs:
        raise KeyboardInterrupt  # Ctrl-C in the first epoch: there is nothing to draw
    kept = history.best_epoch if history.restored else history.epochs[-1]
    curves.pop(f"epoch {kept}", None)  # it becomes the last curve, which is the strongest
    curves[f"epoch {kept}"] = shown.curve()
    fit = plot_fit(shown.place, target, _few(curves), xlabel=shown.xlabel)
    loss = history.plot(scale=_scale(history))
    if into is not None:
        save_png(fit, into / "fit.png")
        save_png(loss, into / "loss.png")
    return Trained(history, fit, loss)


def apply_and_plot(
    net: Network,
    x: Any,
    y: Any = None,
    *,
    lengths: Any = None,
    mask: Any = None,
    row: int = 0,
    position: Any = None,
    seen: float | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Applied:
    """Apply a trained network to new data of any length and spacing, and draw the output.

    Parameters
    ----------
    net : Network
        Network with one output at every step.
    x, lengths, mask :
        Input, as for :meth:`throughtime.Network.predict`.
    y : array of shape (N, T, 1), optional
        Targets, which are drawn as dots.
    row, position :
        The sequence to draw and its positions, as for :func:`train_and_plot`.
    seen : float, optional
        Position where the training data end; what is beyond it is shaded.
    path : str or path-like, optional
        A PNG file to write the figure to as well.

    Returns
    -------
    Applied
        ``y``, the output (N, T, 1), and the ``figure``.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument is invalid.
    """
    load_matplotlib()
    shown = _DrawnSequence(net, x, lengths, mask, row, position)
    aim = np.full(len(shown.place), np.nan) if y is None else shown.targets(y)
    output = net.predict(x, lengths, mask=mask)
    curve = {"network": shown.curve()}
    figure = plot_fit(shown.place, aim, curve, seen=seen, xlabel=shown.xlabel, path=path)
    return Applied(output, figure)


class _DrawnSequence:
    """The sequence of ``x`` that is drawn, with its positions on the axis, checked."""

    def __init__(
        self, net: Network, x: Any, lengths: Any, mask: Any, row: int, position: Any
    ) -> None:
        self.net = check_network(net)
        topology, plan = net.topology, net.plan
        if len(plan.signals) > 1:
            names = ", ".join(map(repr, plan.outputs.names))
            raise InvalidArgumentError(
                f"net must have one output, to be drawn; this one has the outputs {names}."
            )
        arrays, real = self.net.check_input(x, lengths, mask)
        masks = each(real) if isinstance(arrays, tuple) else (real,)
        (shape,) = topology.output_shapes([a.shape for a in each(arrays)])
        steps = topology.output_forms[0].steps
        first = 0 if steps is None or steps.count is not None else steps.axis
        array = each(arrays)[first]  # the input whose steps the output has
        if len(shape) != 3 or shape[2] != 1 or shape[1] != array.shape[1]:
            raise InvalidArgumentError(
                "net must have one output at every step, to be drawn;"
                f" it gives an output of shape {shape}."
            )
        self.row = check_int("row", row, 0, len(array) - 1)
        rows = slice(row, row + 1)
        self.inputs = alike(tuple(a[rows] for a in each(arrays)))
        self.masks = alike(tuple(None if m is None else m[rows] for m in masks))
        self.x, self.mask = each(self.inputs)[first], each(self.masks)[first]
        self.place = self._place(position)

    def _place(self, position: Any) -> np.ndarray:
        steps = self.x.shape[1]
        self.xlabel = "x"
        if position is None:
            rises = self.x.ndim == 3 and self.x.shape[2] == 1 and self.mask is None
            if rises and (np.diff(self.x[0, :, 0]) > 0).all():
                return self.x[0, :, 0]
            self.xlabel = "step"
            return np.arange(1, steps + 1)
        place = np.asarray(position) if _is_date(position) else check_array("position", position)
        if place.size != steps:
            raise ShapeError(
                sentence("position", f"{steps} values, one a step", place.size, must="have")
            )
        return place.reshape(-1)

    def targets(self, y: Any) -> np.ndarray:
        """The targets of the sequence, (T,); NaN at masked steps."""
        if isinstance(y, Mapping):
            (y,) = self.net.plan.outputs.spread("y", y)
        try:
            found = y[self.row]
        except (TypeError, IndexError, KeyError):
            raise InvalidTypeError(sentence("y", "an array (N, T, 1)", describe(y))) from None
        own = check_array(f"y[{self.row}]", found, finite=False)
        if own.ndim != 2 or own.shape[1] != 1 or len(own) > len(self.place):
            raise ShapeError(
                f"y must be of shape (N, T, 1), one value a step, to be drawn; y[{self.row}] is of"
                f" shape {own.shape}."
            )
        whole = np.full(len(self.place), np.nan)
        whole[: len(own)] = own[:, 0]
        return whole if self.mask is None else np.where(self.mask[0], whole, np.nan)

    def curve(self) -> np.ndarray:
        """The network's present output, (T,); NaN at masked steps."""
        found = self.net.predict(self.inputs, mask=self.masks)
        y = self.net.plan.outputs.spread("y", found)[0][0, :, 0]
        return y if self.mask is None else np.where(self.mask[0], y, np.nan)


def _is_date(position: Any) -> bool:
    return isinstance(position, np.ndarray) and position.dtype.kind == "M"


def _few(curves: dict[str, np.ndarray], most: int = 10) -> dict[str, np.ndarray]:
    """At most ``most`` curves at equal distances, the last one among them."""
    names = list(curves)
    step = -(-len(names) // most)
    return {name: curves[name] for name in names[::-1][::step][::-1]}


def _scale(history: History) -> str:
    losses = [*history["loss"], *history.get("val_loss", [])]
    return "log" if min(losses) > 0 else "linear"


def _existing(folder: str | os.PathLike[str]) -> Path:
    if not isinstance(folder, str | os.PathLike) or not Path(folder).is_dir():
        raise InvalidArgumentError(sentence("folder", "a folder that exists", describe(folder)))
    return Path(folder)
