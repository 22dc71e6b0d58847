"""An animation of a fit: the network's output after each epoch, as a GIF or as a page."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.drawing.palette import DARK, LIGHT, Palette
from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    ShapeError,
    check_array,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.plotting.style import canvas
from throughtime.plotting.words import animation_words
from throughtime.serialization.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Frames a second that programs can show of a GIF.
MOST_PER_SECOND = 50
PLAYER = Path(__file__).with_name("player.html")


def animate_fit(
    x: Any,
    y: Any,
    outputs: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    epochs: Sequence[int] | None = None,
    frames: int = 60,
    seconds: float = 6.0,
    title: str = "The fit, epoch by epoch",
    size: tuple[float, float] = (7.2, 3.8),
    palette: Palette = LIGHT,
) -> None:
    """Write an animation of a fit, epoch by epoch.

    Parameters
    ----------
    x, y : array of shape (T,)
        Positions and values of the data.
    outputs : sequence of arrays (T,)
        The curve after each epoch: ``[y[0, :, 0] for y in history.outputs]``.
    path : str or path-like
        Name of the file. ``.gif`` makes a moving picture, which needs matplotlib; ``.html`` makes a
        page with a slider over the epochs, which needs nothing.
    epochs : sequence of int, optional
        The epoch of each curve; 1, 2 ... by default.
    frames : int
        Largest number of curves to show. Most of them are from the first epochs, where the fit
        changes most.
    seconds : float
        Duration, at least half a second.
    title : str
        Text above the picture.
    size : tuple of float
        Width and height of a GIF in inches, at 80 dots an inch.
    palette : Palette
        The colours; a page uses the dark ones for readers who prefer a dark background.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError, ShapeError, DataError
        If an argument is invalid, or the folder does not exist.
    MissingDependencyError
        If ``path`` is a GIF and matplotlib is not installed.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(sentence("path", "the name of a file", describe(path)))
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in (".gif", ".html"):
        raise InvalidArgumentError(
            sentence("path", "in .gif or .html", repr(str(target)), must="end")
        )
    check_int("frames", frames, 2)
    check_float("seconds", seconds, 0.5)
    if not isinstance(title, str):
        raise InvalidTypeError(sentence("title", "a string", describe(title)))
    x = check_array("x", x, shape=("T",))
    if not len(x):
        raise ShapeError(sentence("x", "at least one position", "none", must="hold"))
    y = check_array("y", y, shape=(len(x),), finite=False)
    curves, numbers = _checked(outputs, epochs, len(x))
    chosen = _chosen(len(curves), frames)
    shown, names = curves[chosen], numbers[chosen]
    if kind == ".html":
        _write_page(target, x, y, shown, names, seconds, title, palette)
    else:
        _write_gif(target, x, y, shown, names, seconds, title, size, palette)


def _checked(outputs: Any, epochs: Any, steps: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(outputs, Sequence | np.ndarray):
        raise InvalidTypeError(sentence("outputs", "a list of arrays (T,)", describe(outputs)))
    if len(outputs) == 0:
        raise InvalidArgumentError(
            sentence(
                "outputs",
                "at least one curve",
                "none",
                "Train with keep_outputs=True.",
                must="hold",
            )
        )
    curves = [
        check_array(f"outputs[{i}]", curve, shape=(steps,)) for i, curve in enumerate(outputs)
    ]
    numbers = np.arange(1, len(curves) + 1)
    if epochs is not None:
        numbers = check_array("epochs", epochs, shape=(len(curves),))
        if (numbers != np.floor(numbers)).any() or (np.diff(numbers) <= 0).any():
            raise InvalidArgumentError(sentence("epochs", "rising integers", "others"))
    return np.stack(curves), numbers.astype(int)


def _chosen(count: int, frames: int) -> np.ndarray:
    """The indices of the curves to show: all of the first ones, then fewer and fewer."""
    if count <= frames:
        return np.arange(count)
    return np.unique(np.round(np.geomspace(1, count, frames)).astype(int) - 1)


def _write_gif(
    target: Path,
    x: np.ndarray,
    y: np.ndarray,
    curves: np.ndarray,
    epochs: np.ndarray,
    seconds: float,
    title: str,
    size: tuple[float, float],
    palette: Palette,
) -> None:
    with canvas(size, palette=palette) as (figure, (ax,)):
        from matplotlib.animation import FuncAnimation, PillowWriter

        ax.plot(x, y, ".", ms=4.5, color=palette.naive, mew=0)
        (line,) = ax.plot(x, curves[0], color=palette.forecast, lw=1.9)
        ax.set_title(title, parse_math=False)
        ax.set_xlabel(" ")  # reserves its place in every frame
        ax.set_ylim(*_limits(y, curves))
        per_second = min(MOST_PER_SECOND, max(1, round(len(curves) / seconds)))
        last = len(curves) - 1

        def draw(frame: int) -> Any:
            here = min(frame, last)
            line.set_ydata(curves[here])
            ax.set_xlabel(f"epoch {epochs[here]}")
            return [line]

        # The last frame stays for two seconds.
        moving = FuncAnimation(_still(figure), draw, frames=len(curves) + 2 * per_second)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "fit.gif"
            moving.save(file, writer=PillowWriter(fps=per_second), dpi=80)
            replace_file(target, file.read_bytes())


def _still(figure: Figure) -> Figure:
    """The figure with its layout computed once, so that nothing moves between frames."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _limits(y: np.ndarray, curves: np.ndarray) -> tuple[float, float]:
    """The range of the data and of the last curve; earlier curves may exceed it."""
    both = np.concatenate([y[np.isfinite(y)], curves[-1]])
    spread = float(np.ptp(both)) or abs(float(both[0])) or 1.0  # a constant: its absolute value
    margin = 0.15 * spread
    return float(both.min()) - margin, float(both.max()) + margin


def _write_page(
    target: Path,
    x: np.ndarray,
    y: np.ndarray,
    curves: np.ndarray,
    epochs: np.ndarray,
    seconds: float,
    title: str,
    palette: Palette,
) -> None:
    data = {
        "x": _short(x),
        "y": [None if not np.isfinite(v) else v for v in _short(y)],
        "curves": [_short(curve) for curve in curves],
        "epochs": epochs.tolist(),
        "limits": _limits(y, curves),
        "seconds": seconds,
    }
    light, dark = (
        ";".join(f"--{role}:{colour}" for role, colour in colours.items())
        for colours in (palette, DARK)
    )
    parts = {
        "/*light*/": light,
        "/*dark*/": dark,
        "{{title}}": escape(title),
        "{{words}}": escape(animation_words(y, epochs.tolist())),
        # "</" would end the script element, even inside a string.
        "{{data}}": json.dumps(data, separators=(",", ":")).replace("</", "<\\/"),
    }
    # One pass: text that is filled in is not searched for holes.
    holes = re.compile("|".join(map(re.escape, parts)))
    page = holes.sub(lambda hole: parts[hole[0]], PLAYER.read_text("utf-8"))
    replace_file(target, page.encode())


def _short(values: np.ndarray) -> list[float]:
    """The values, rounded to a ten-thousandth of their range, which is finer than a screen."""
    spread = float(np.nanmax(values) - np.nanmin(values)) if np.isfinite(values).any() else 0.0
    if spread == 0.0:
        return [float(value) for value in values]
    digits = 4 - math.floor(math.log10(spread))
    return [round(float(value), digits) for value in values]
