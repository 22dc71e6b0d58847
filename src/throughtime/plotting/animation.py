"""A fit that moves: the network's output after one epoch after the other, as GIF or as a page."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    ShapeError,
    check_array,
    check_float,
    check_int,
    describe,
)
from throughtime.plotting.style import LIGHT, Palette, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    """Write an animation of a fit.

    Parameters
    ----------
    x, y : array of shape (T,)
        The data: positions and values.
    outputs : sequence of arrays (T,)
        The curve after each epoch: ``[y[0, :, 0] for y in history.outputs]``.
    path : str or path-like
        What it ends in decides: ``.gif`` is a moving picture (it needs matplotlib), ``.html`` a
        page that plays, with a slider over the epochs, and needs nothing.
    epochs : sequence of int, optional
        The epoch of each curve; by default 1, 2 ...
    frames : int
        How many curves are shown at most: close ones at the beginning, where much happens.
    seconds : float
        How long it takes.

    Raises
    ------
    InvalidArgumentError, ShapeError
        If an argument does not fit.
    MissingDependencyError
        If a GIF is asked for and matplotlib is not installed.
    """
    target = Path(os.fspath(path))
    kind = target.suffix.lower()
    if kind not in (".gif", ".html"):
        raise InvalidArgumentError(f"path must end in .gif or .html; got {str(target)!r}.")
    check_int("frames", frames, 2)
    check_float("seconds", seconds, 0.0, inclusive="neither")
    x = check_array("x", x, shape=("T",))
    y = check_array("y", y, shape=(len(x),), finite=False)
    curves, numbers = _checked(outputs, epochs, len(x))
    chosen = _chosen(len(curves), frames)
    shown, names = curves[chosen], numbers[chosen]
    if kind == ".html":
        _write_page(target, x, y, shown, names, seconds, title, palette)
    else:
        _write_gif(target, x, y, shown, names, seconds, title, size, palette)


def _checked(
    outputs: Sequence[Any], epochs: Sequence[int] | None, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    if len(outputs) == 0:
        raise InvalidArgumentError(
            "outputs must hold at least one curve; got none. Train with keep_outputs=True."
        )
    curves = [
        check_array(f"outputs[{i}]", curve, shape=(steps,)) for i, curve in enumerate(outputs)
    ]
    numbers = list(range(1, len(curves) + 1)) if epochs is None else list(epochs)
    if len(numbers) != len(curves):
        raise ShapeError(
            f"epochs must have {len(curves)} numbers, one a curve; got {describe(epochs)}."
        )
    return np.stack(curves), np.array(numbers)


def _chosen(count: int, frames: int) -> np.ndarray:
    """Which of ``count`` curves to show: all of the first ones, then fewer and fewer."""
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
        ax.set_title(title)
        ax.set_xlabel(" ")  # its place is kept for every frame
        ax.set_ylim(*_limits(y, curves))
        # Two seconds to look at the end of it.
        rest = round(2.0 * len(curves) / seconds)
        last = len(curves) - 1

        def draw(frame: int) -> Any:
            here = min(frame, last)
            line.set_ydata(curves[here])
            ax.set_xlabel(f"epoch {epochs[here]}")
            return [line]

        moving = FuncAnimation(_still(figure), draw, frames=len(curves) + rest)
        moving.save(target, writer=PillowWriter(fps=max(1, round(len(curves) / seconds))), dpi=80)


def _still(figure: Figure) -> Figure:
    """The figure with its layout computed once, so that nothing jumps from frame to frame."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _limits(y: np.ndarray, curves: np.ndarray) -> tuple[float, float]:
    """The range of the data and of the last curve; early curves may leave it."""
    both = np.concatenate([y[np.isfinite(y)], curves[-1]])
    margin = 0.15 * max(float(np.ptp(both)), 1e-12)
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
    from html import escape

    from throughtime.plotting.style import DARK

    data = {
        "x": _short(x),
        "y": [None if not np.isfinite(v) else v for v in _short(y)],
        "curves": [_short(curve) for curve in curves],
        "epochs": [int(epoch) for epoch in epochs],
        "limits": _limits(y, curves),
        "seconds": seconds,
    }
    # "</" would end the script element, whatever stands around it.
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    page = PLAYER.read_text("utf-8")
    for name, colours in (("light", palette), ("dark", DARK)):
        css = ";".join(f"--{role}:{colour}" for role, colour in colours.items())
        page = page.replace(f"/*{name}*/", css)
    page = page.replace("{{title}}", escape(title)).replace("{{data}}", text)
    target.write_text(page, "utf-8")


def _short(values: np.ndarray) -> list[float]:
    """Five digits, finer than a screen."""
    return [float(f"{value:.5g}") for value in values]
