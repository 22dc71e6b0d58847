"""Train and draw in one call; apply a trained network to new data and draw in one call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime.errors import InvalidArgumentError, check_int, import_extra
from throughtime.plotting.fits import plot_fit
from throughtime.training import History, train
from throughtime.training.options import check_network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from throughtime.network import Network
    from throughtime.training import Run


class Trained(NamedTuple):
    """What :func:`train_and_plot` returns.

    Attributes
    ----------
    history : History
    fit : Figure
        The output every so many epochs, over the targets.
    loss : Figure
        The loss over the epochs, on a logarithmic axis.
    """

    history: History
    fit: Figure
    loss: Figure


class Applied(NamedTuple):
    """What :func:`apply_and_plot` returns: the output, and its picture."""

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
    """Train a network, and draw its fit every so many epochs and its loss.

    Parameters
    ----------
    net : Network
        With one output at every step; changed in place.
    x : array of shape (N, T, F)
    y : array of shape (N, T, 1)
    every : int
        Epochs between two curves in the picture.
    row : int
        Which sequence is drawn.
    position : array of shape (T,) or (T, 1), optional
        Where the steps stand on the axis; by default the input where it is one rising feature,
        else 1 to T.
    folder : str or path-like, optional
        An existing folder, into which ``fit.png`` and ``loss.png`` are written.
    **options :
        Those of :func:`throughtime.train`: ``loss``, ``optimizer``, ``epochs`` ...

    Returns
    -------
    Trained

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed; before any training.
    ShapeError, DataError, InvalidArgumentError, InvalidTypeError
        If an argument does not fit.

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
    import_extra("matplotlib", "cli", "Drawing a picture")
    net = check_network(net)
    check_int("every", every, 1)
    x, y = np.asarray(x), np.asarray(y)
    if y.ndim != 3 or y.shape[2] != 1:
        raise InvalidArgumentError(
            f"y must be of shape (N, T, 1), one value a step, to be drawn; got shape {y.shape}."
        )
    check_int("row", row, 0, len(y) - 1)
    place = _position(x, row, position)
    target = None if folder is None else _existing(folder)
    curves: dict[str, np.ndarray] = {}

    def watch(run: Run) -> None:
        if run.epoch % every == 0:
            curves[f"epoch {run.epoch}"] = run.net.predict(x[row : row + 1])[0, :, 0]

    called = [*options.pop("callbacks", ()), watch]
    history = train(net, x, y, callbacks=called, **options)
    last = f"epoch {history.epochs[-1]}"
    curves[last] = net.predict(x[row : row + 1])[0, :, 0]
    fit = plot_fit(
        place, y[row, :, 0], _few(curves), path=None if target is None else target / "fit.png"
    )
    loss = history.plot(None if target is None else target / "loss.png", scale=_scale(history))
    return Trained(history, fit, loss)


def apply_and_plot(
    net: Network,
    x: Any,
    y: Any = None,
    *,
    row: int = 0,
    position: Any = None,
    seen: float | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Applied:
    """Apply a trained network to new data, of any length and spacing, and draw the output.

    Parameters
    ----------
    net : Network
        With one output at every step.
    x : array of shape (N, T, F)
    y : array of shape (N, T, 1), optional
        What the output should be, drawn as dots.
    row, position :
        As in :func:`train_and_plot`.
    seen : float, optional
        Where on the axis the data end that the network was trained on; what lies behind is shaded.
    path : str or path-like, optional
        Also write the picture to this PNG file.

    Returns
    -------
    Applied
        ``y``, the output (N, T, 1), and the ``figure``.
    """
    import_extra("matplotlib", "cli", "Drawing a picture")
    net, x = check_network(net), np.asarray(x)
    output = net.predict(x)
    if output.ndim != 3 or output.shape[2] != 1:
        raise InvalidArgumentError(
            "net must have one output at every step, to be drawn; it gives an output of shape"
            f" {output.shape}."
        )
    check_int("row", row, 0, len(output) - 1)
    place = _position(x, row, position)
    aim = np.full(len(place), np.nan) if y is None else np.asarray(y)[row, :, 0]
    curve = {"network": output[row, :, 0]}
    return Applied(output, plot_fit(place, aim, curve, seen=seen, path=path))


def _position(x: np.ndarray, row: int, position: Any) -> np.ndarray:
    if position is not None:
        return np.asarray(position).reshape(-1)
    one = x[row, :, 0] if x.ndim == 3 and x.shape[2] == 1 else np.zeros(2)
    return one if (np.diff(one) > 0).all() else np.arange(1, x.shape[1] + 1)


def _few(curves: dict[str, np.ndarray], most: int = 10) -> dict[str, np.ndarray]:
    """At most so many curves, the last one among them: a legend of more is no help."""
    names = list(curves)
    step = -(-len(names) // most)
    return {name: curves[name] for name in names[::-1][::step][::-1]}


def _scale(history: History) -> str:
    losses = [*history["loss"], *history.get("val_loss", [])]
    return "log" if min(losses) > 0 else "linear"


def _existing(folder: str | os.PathLike[str]) -> Path:
    path = Path(folder)
    if not path.is_dir():
        raise InvalidArgumentError(f"folder must be a folder that exists; got {str(path)!r}.")
    return path
