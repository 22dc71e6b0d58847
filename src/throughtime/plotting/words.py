"""Descriptions of figures, for those who cannot see them.

A figure keeps its description as its label: ``figure.get_label()``. A notebook and
:func:`throughtime.plotting.to_svg` use it as the alternative text, and
:func:`throughtime.plotting.save_png` writes it into the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.series import format_times

if TYPE_CHECKING:
    from throughtime.plotting.forecast_view import ForecastView

#: The longest list of names; of a longer one some are counted instead.
MOST_NAMES = 5


def fit_words(
    x: np.ndarray, y: np.ndarray, names: Iterable[str], *, xlabel: str, title: str, seen: Any
) -> str:
    """Describe a fit: the data, the curves, and where the training data end.

    >>> fit_words(np.arange(3.0), np.zeros(3), ["RNN"], xlabel="", title="", seen=1.0)
    'Data as 3 dots, x from 0 to 2; a curve over them: RNN. Not trained on: x beyond 1.'
    """
    names, axis = list(names), xlabel or "x"
    dots = f"Data as {np.isfinite(y).sum()} dots"
    curves = f"{len(names)} curves" if len(names) > 1 else "a curve"
    parts = [f"{dots}, {axis} {_ends(x)}" if np.isfinite(y).any() else f"{axis} {_ends(x)}"]
    if names:
        parts.append(f"{curves} over them: {_listed(names)}")
    text = "; ".join(parts) + "."
    if seen is not None:
        text += f" Not trained on: {axis} beyond {_times(seen)[0]}."
    return f"{title}. {text}" if title else text


def states_words(h: np.ndarray, saturated: np.ndarray, limit: float, title: str) -> str:
    """Describe hidden states.

    >>> states_words(np.zeros((4, 2)), np.array([0.0, 0.0, 0.5, 0.5]), 0.97, "hidden states")
    'hidden states: 2 units over 4 steps as a heat map, and below it the share of units beyond \
±0.97, from 0 % at the first step to 50 % at the last one, 25 % on average.'
    """
    shares = saturated[0], saturated[-1], saturated.mean()
    first, last, mean = (f"{100 * share:.0f} %" for share in shares)
    return (
        f"{title}: {h.shape[1]} units over {len(h)} steps as a heat map, and below it the share of"
        f" units beyond ±{limit:g}, from {first} at the first step to {last} at the last one,"
        f" {mean} on average."
    )


def attention_words(
    heads: np.ndarray, queries: Sequence[str], steps: Sequence[str], title: str
) -> str:
    """Describe the weights of attention, (heads, T_q, T_v).

    >>> attention_words(np.array([[[0.1, 0.9], [0.5, 0.5]]]), ["a", "b"], ["1", "2"], "attention")
    'attention: the weights of 2 queries over 2 steps as a heat map; the largest is 0.9, of query \
a for step 2.'
    """
    h, i, j = (int(k) for k in np.unravel_index(int(heads.argmax()), heads.shape))
    many = f", for each of {len(heads)} heads" if len(heads) > 1 else ""
    where = f" in head {h + 1}" if len(heads) > 1 else ""
    return (
        f"{title}: the weights of {heads.shape[1]} queries over {heads.shape[2]} steps as a heat"
        f" map{many}; the largest is {_short(heads[h, i, j])}, of query {queries[i]} for step"
        f" {steps[j]}{where}."
    )


def forecast_words(views: Sequence[ForecastView], shown: int, title: str | None) -> str:
    """Describe forecasts, with one sentence for each series that has a panel."""
    sentences = [f"{title}."] if title else []
    for view in views[:shown]:
        observed = view.values[np.isfinite(view.values)]
        mean, future = view.forecast.mean, _times(view.future)
        parts = [f"{view.name}: {len(observed)} values"]
        if len(view.time):
            parts[0] += f" {_ends(view.time)}"
        coverages = [f"{100 * coverage:g} %" for coverage in sorted(view.forecast.intervals)]
        intervals = f", with intervals of {_listed(coverages)}" if coverages else ""
        parts.append(
            f"a forecast from {_short(mean[0])} for {future[0]} to {_short(mean[-1])} for"
            f" {future[-1]}{intervals}"
        )
        if view.folds:
            parts.append("a forecast of the hold-out over what came")
        sentences.append("; ".join(parts) + ".")
    if len(views) > shown:
        sentences.append(f"{len(views) - shown} more series are not shown.")
    return " ".join(sentences)


def animation_words(y: np.ndarray, epochs: Sequence[int]) -> str:
    """Describe the animation of a fit.

    >>> animation_words(np.zeros(3), range(1, 7))
    "Data as 3 dots, and the network's output as a line: after epochs 1, 2, 3, 4, 1 more, 6."
    """
    numbers = _listed([str(epoch) for epoch in epochs])
    dots = np.isfinite(y).sum()
    return f"Data as {dots} dots, and the network's output as a line: after epochs {numbers}."


def losses_words(panels: Mapping[str, Mapping[str, Sequence[float] | np.ndarray]]) -> str:
    """Describe curves over epochs: where each one starts and ends.

    >>> losses_words({"loss": {"training": [1.0, 0.25], "validation": [1.5, 0.5]}})
    'loss over 2 epochs: training from 1 to 0.25, validation from 1.5 to 0.5.'
    """
    sentences = []
    for name, curves in panels.items():
        epochs = max((len(values) for values in curves.values()), default=0)
        ends = [
            f"{kind} from {_short(values[0])} to {_short(values[-1])}"
            for kind, values in curves.items()
            if len(values)
        ]
        told = f": {', '.join(ends)}" if ends else ""
        sentences.append(f"{name} over {epochs} {'epoch' if epochs == 1 else 'epochs'}{told}.")
    return " ".join(sentences)


def rates_words(rates: np.ndarray, smoothed: np.ndarray, lr: float | None) -> str:
    """Describe the losses of a test of rising learning rates.

    >>> rates_words(np.array([1e-3, 1e-2, 1e-1]), np.array([1.0, 0.5, 2.0]), 0.01)
    'loss at 3 learning rates from 0.001 to 0.1: smoothed 1 at first, 0.5 at lowest, at a rate of \
0.01; suggestion: 0.01.'
    """
    lowest = int(np.argmin(smoothed))
    return (
        f"loss at {len(rates)} learning rates from {_short(rates[0])} to {_short(rates[-1])}:"
        f" smoothed {_short(smoothed[0])} at first, {_short(smoothed[lowest])} at lowest, at a rate"
        f" of {_short(rates[lowest])}; suggestion: {'none' if lr is None else _short(lr)}."
    )


def _short(value: float) -> str:
    return f"{float(value):.3g}"


def _times(values: Any) -> list[str]:
    array = np.atleast_1d(np.asarray(values))
    if array.dtype.kind == "M":
        return format_times(array.astype("datetime64[us]"))
    return [f"{value:.6g}" for value in array.tolist()]


def _ends(values: np.ndarray) -> str:
    """``from 0 to 6``."""
    first, last = _times(np.stack([values.min(), values.max()]))
    return f"from {first} to {last}"


def _listed(names: Sequence[str]) -> str:
    """The names; of many, the first ones and the last one."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    kept = MOST_NAMES - 1
    return f"{', '.join(names[:kept])}, {len(names) - kept - 1} more, {names[-1]}"
