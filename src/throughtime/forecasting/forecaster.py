"""The public forecaster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from throughtime.forecasting.results import BacktestReport, Forecast, Progress

Series = np.ndarray | Sequence[Any]
Group = Series | Sequence[Series] | Mapping[Any, Series]


class Forecaster:
    """Forecast one or many series with one recurrent network.

    **Strategy: direct, in one pass.** The network reads a window of the past and then runs on
    through all future steps; no forecast is ever fed back as an input, so errors do not
    accumulate, and the first row of the answer is the step right after the history.

    What it does: exponential smoothing (level, damped trend, season; its few numbers chosen on
    the data before the hold-out) gives an anchor; the network learns the correction to the anchor
    from the deviations inside the window, a hybrid after Smyl (2020); a weight from 0 to 1, found on
    a validation block at the end of the training data, says how much of the correction to
    trust. On a random walk that weight falls to 0 and the forecast is near persistence.

    Parameters
    ----------
    horizon : int
        The longest step ahead, H.
    cell : {"gru", "lstm", "rnn"}
    hidden_size, num_layers : int
    window : int, optional
        How many past steps the network reads; without it, chosen from season, horizon and length.
    season : "auto", None, int or float, or a sequence of them
        The period in steps. "auto" takes what the data and ``frequency`` suggest.
    frequency : str, optional
        A hint as pandas writes it: "h", "D", "B", "W", "MS", "QE" ...
    transform : {"auto", "none", "log"}
        "auto" decides on validation data whether logarithms forecast better.
    epochs, batch_size, lr, patience, members
        Training of each of the ``members`` networks, whose mean is taken.
    future_covariates : bool
        Whether covariates are known in the future (calendar, prices). Then predict needs
        ``X_future``. With False only their past is read.
    coverages : tuple of float
        Nominal coverages of the intervals.
    nonnegative : "auto" or bool
        Cut forecasts and intervals at 0; "auto" does so where no value was ever below 0.
    seed : int
    callbacks : sequence
        Passed on to :func:`throughtime.train`.
    progress : callable, optional
        Called with a :class:`Progress` after each epoch and stage.

    Attributes
    ----------
    season_, transform_, window_ : what was chosen
    weight_ : float
        How much of the network's correction is used, 0 to 1.
    notes_ : tuple of str
        Plain sentences on choices and on the data (gaps filled, constant series ...).
    metadata : dict
        JSON-ready notes of the caller's own, {} at first; ``save`` keeps them in the file and ``load``
        brings them back (the command line keeps column names, time stamps and frequency here).
    """

    def __init__(
        self,
        horizon: int,
        *,
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        window: int | None = None,
        season: Any = "auto",
        frequency: str | None = None,
        transform: str = "auto",
        epochs: int | None = None,
        batch_size: int = 64,
        lr: float = 5e-3,
        patience: int = 10,
        members: int = 2,
        future_covariates: bool = True,
        coverages: Sequence[float] = (0.8, 0.95),
        nonnegative: bool | str = "auto",
        seed: int = 0,
        callbacks: Sequence[Any] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> None: ...

    def fit(self, y: Group, X: Group | None = None) -> Forecaster:
        """Learn from one series (T,), a list of series, or a mapping of names to series.

        X has the same container form, each (T, F) or (T,). NaN in y are missing values; so are
        NaN in X. Leading and trailing NaN of y are cut off (trailing rows of X beyond the last y
        are then what ``X_future`` should hold).
        """

    def predict(
        self,
        fh: int | Sequence[int] | None = None,
        X_future: Group | None = None,
        *,
        y: Group | None = None,
        X: Group | None = None,
    ) -> Forecast | list[Forecast] | dict[Any, Forecast]:
        """Forecast; without ``fh`` all H steps, an int h means 1..h, a list those steps.

        With ``y`` (and ``X``) the forecast continues that history, without training. The answer has the
        container form of the data: a Forecast, a list, or a dict.
        """

    def predict_interval(self, fh: Any = None, coverage: float = 0.9, X_future: Group | None = None, *,
                         y: Group | None = None, X: Group | None = None) -> Any:
        """Lower and upper bound, (H,) each, for one coverage (list or dict of pairs for many series)."""

    def update(self, y: Group, X: Group | None = None) -> Forecaster:
        """Append newly arrived values to the history, without training."""

    def backtest(
        self, y: Group, X: Group | None = None, *, holdout: int | None = None, folds: int = 1
    ) -> BacktestReport:
        """Hold out the last ``holdout`` steps (H by default), fit on what is before, forecast them.

        The fit sees nothing of the hold-out; with ``folds > 1`` the network is fitted once,
        before the first origin, and forecasts from ``folds`` evenly spaced origins inside the
        hold-out, from new history without training. This object itself then holds the
        fit made before the hold-out; call ``fit`` for the final model.
        """

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: settings, network, history. ``Forecaster.load`` reads it."""

    @classmethod
    def load(cls, path: str | Path) -> Forecaster:
        """Read a file written by :meth:`save`."""

    def to_config(self) -> dict[str, Any]:
        """JSON-ready settings and choices."""
