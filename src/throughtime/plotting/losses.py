"""The figures of training: losses and metrics after every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from throughtime.drawing.palette import LIGHT, Palette
from throughtime.plotting.style import WIDE, canvas
from throughtime.plotting.words import losses_words, rates_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = Sequence[float] | np.ndarray
LINE_STYLES = ("-", "--", ":", "-.")


@contextmanager
def loss_figure(
    curves: Mapping[str, tuple[Curve, Curve | None]],
    *,
    size: tuple[float, float] = WIDE,
    palette: Palette = LIGHT,
) -> Iterator[Figure]:
    """Draw the training and validation losses of networks over epochs.

    Parameters
    ----------
    curves : mapping
        Name of a network -> its training losses and its validation losses, or None instead of the
        latter.
    size : tuple of float
        Width and height in inches.
    palette : Palette
        The colours.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    with canvas(size, palette=palette) as (figure, (ax,)):
        _draw(ax, curves, palette)
        columns = 4 if size[0] > 6 else 2
        legend = figure.legend(loc="outside lower left", ncols=columns, borderpad=0.2)
        for text in legend.get_texts():
            text.set_parse_math(False)  # names are not formulas
        told = {name: _by_kind(*pair) for name, pair in curves.items()}
        many = len(told) > 1
        figure.set_label(losses_words({f"{n}: loss" if many else "loss": told[n] for n in told}))
        yield figure


@contextmanager
def history_figure(
    columns: Mapping[str, tuple[Curve, Curve | None]],
    *,
    size: tuple[float, float] = WIDE,
    palette: Palette = LIGHT,
) -> Iterator[Figure]:
    """Draw columns of one history over its epochs, one panel for each column.

    Parameters
    ----------
    columns : mapping
        Name of a column -> its values on the training data and on the validation data, or None
        instead of the latter.
    size : tuple of float
        Width and height in inches.
    palette : Palette
        The colours.
    """
    with canvas(size, (1, len(columns)), palette) as (figure, axes):
        for ax, (name, curves) in zip(axes, columns.items(), strict=True):
            _draw(ax, {name: curves}, palette)
            ax.set_title(name.replace("_", " "), fontsize=10, parse_math=False)
        handles = max((ax.get_legend_handles_labels()[0] for ax in axes), key=len)
        figure.legend(handles=handles, loc="outside lower left", ncols=2, borderpad=0.2)
        figure.set_label(losses_words({name: _by_kind(*pair) for name, pair in columns.items()}))
        yield figure


@contextmanager
def rates_figure(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    lr: float | None,
    *,
    size: tuple[float, float] = WIDE,
    palette: Palette = LIGHT,
) -> Iterator[Figure]:
    """Draw the losses of a test of rising learning rates, and the rate that it suggests.

    Parameters
    ----------
    rates, losses, smoothed : ndarray of shape (S,)
        The learning rates, the loss of the batch at each, and the losses without their noise.
    lr : float or None
        The suggestion.
    size : tuple of float
        Width and height in inches.
    palette : Palette
        The colours.
    """
    with canvas(size, palette=palette) as (figure, (ax,)):
        ax.plot(rates, losses, ".", color=palette.history, ms=3.5, alpha=0.5, label="batches")
        ax.plot(rates, smoothed, "-", color=palette.history, lw=1.6, label="smoothed")
        if lr is not None:
            ax.axvline(lr, color=palette.forecast, lw=1.2, label=f"suggestion, {lr:.2g}")
        ax.set_xscale("log")
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss")
        # The losses of an explosion would leave no room for the fall.
        low, high = float(smoothed.min()), float(smoothed.max())
        most = np.quantile(losses, [0.02, 0.98]).clip(2 * low - high, 2 * high - low)
        low, high = min(low, most[0]), max(high, most[1])
        room = 0.05 * (high - low) or 1.0
        ax.set_ylim(low - room, high + room)
        figure.legend(loc="outside lower left", ncols=3, borderpad=0.2)
        figure.set_label(rates_words(rates, smoothed, lr))
        yield figure


def _by_kind(train: Curve, validation: Curve | None) -> dict[str, Curve]:
    """The curves by their names in the legend."""
    return {"training": train} | ({} if validation is None else {"validation": validation})


def _draw(ax: Axes, curves: Mapping[str, tuple[Curve, Curve | None]], palette: Palette) -> None:
    from matplotlib import ticker

    everything: list[float] = []
    for number, (name, (train, validation)) in enumerate(curves.items()):
        style = LINE_STYLES[number % len(LINE_STYLES)]
        prefix = f"{name}, " if len(curves) > 1 else ""
        for kind, losses in _by_kind(train, validation).items():
            colour = palette.history if kind == "training" else palette.forecast
            epochs = np.arange(1, len(losses) + 1)
            ax.plot(epochs, losses, style, color=colour, lw=1.6, label=prefix + kind)
            everything.extend(losses)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(nbins=8, integer=True))
    positive = [value for value in everything if np.isfinite(value) and value > 0]
    # A log-likelihood may be negative, which a logarithmic axis cannot show.
    if len(positive) == len(everything) and positive and max(positive) > 4 * min(positive):
        ax.set_yscale("log")
        # Over many decades more than one label for each power would overlap.
        within = (1.0, 2.0, 5.0) if max(positive) < 1e3 * min(positive) else (1.0,)
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=within))
        ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        ax.yaxis.set_minor_locator(ticker.NullLocator())
