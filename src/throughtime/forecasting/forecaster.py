"""The public class: it checks arguments and calls the functions of this package."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    InvalidTypeError,
    check_bool,
    check_choice,
    check_float,
    check_int,
    describe,
    sentence,
)
from throughtime.forecasting import backtest, base_network, fitting, predicting, storage
from throughtime.forecasting.calibration import check_coverage, check_coverages
from throughtime.forecasting.found import Found
from throughtime.forecasting.holidays import check_code
from throughtime.forecasting.reading import extend, read_ahead, read_group
from throughtime.forecasting.results import BacktestReport, Forecast, Progress
from throughtime.forecasting.seasonality import check_season, cycles
from throughtime.forecasting.series import Group
from throughtime.forecasting.settings import Settings, check_use
from throughtime.layers import RECURRENT
from throughtime.parallel import check_executor, kept
from throughtime.registry import translate
from throughtime.training.callbacks import check_callbacks

#: One series (T,), or a list or mapping of series; covariates (T, F) in the same form.
Data = Sequence[Any] | Mapping[Any, Any] | np.ndarray


@translate(
    {
        "horizon": ("h", "fh", "steps", "forecast_horizon", "output_chunk_length"),
        "window": ("lookback", "lags", "input_size", "input_chunk_length"),
        "season": ("sp", "seasonality", "season_length", "seasonal_periods"),
        "frequency": ("freq",),
        "hidden_size": ("units", "hidden_dim"),
        "num_layers": ("n_layers", "n_rnn_layers"),
        "epochs": ("n_epochs", "max_epochs", "max_steps"),
        "lr": ("learning_rate",),
        "seed": ("random_state", "random_seed"),
    }
)
class Forecaster(Found):
    """Forecast one or many series by smoothing that recurrent networks correct.

    A regression removes what covariates and long seasons explain; it is added again at the end.
    Exponential smoothing (level, trend, season), averaged over its settings by how well they
    forecast the history, gives an anchor. Base networks, which have learned from other series,
    correct it as far as they did better at earlier origins. A network that is trained on these data
    takes their place as far as its gain on a validation block at the end of the history is certain:
    on a random walk hardly at all. It learns from the deviations inside a window, an idea of Smyl
    (2020). Where a naive forecast did clearly better inside the history, it is delivered instead;
    demand that is mostly zero is forecast by its mean.

    **Strategy: direct, in one pass.** A network reads the past and then runs on through all future
    steps. No forecast is fed back as an input, so errors do not accumulate. The first row of a
    forecast is the step right after the history.

    Intervals have the width of the errors at origins inside the history, and of those of other
    series (:mod:`.widths`): for series exchangeable with these they hold what they promise, over
    series; a backtest measures it on yours. Choices, scales and calibrations use only the data
    passed to ``fit`` and what comes with the package.

    Parameters
    ----------
    horizon : int
        Number of steps ahead, H.
    cell : {"gru", "lstm", "rnn", "mingru", "minlstm", "indrnn", "lru"}
        The recurrent cell.
    hidden_size, num_layers : int
        Hidden units in each layer, and number of recurrent layers.
    window : int, optional
        Number of past steps that the network reads; by default chosen from season, horizon and
        length.
    season : "auto", None, float or sequence of float
        Period in steps, not necessarily whole. "auto" tries the usual periods of ``frequency``, or
        if there are none, a period found in the data, and keeps it if it forecasts better than
        none.
    frequency : str, optional
        Distance between steps, as pandas writes it: "h", "15min", "D", "B", "W", "MS", "QE", "YE".
    transform : {"auto", "none", "log"}
        Transformation of the values. "auto" takes logarithms if they forecast better and all
        values are positive.
    epochs : int, optional
        Largest number of epochs; 40 by default.
    batch_size, lr, patience : int, float, int
        Windows in an update; first learning rate, which falls along a cosine; epochs without
        improvement on the validation block after which training ends.
    members : int
        Number of networks, from different seeds, whose mean correction is used.
    network : {"auto", "never"}
        Whether a network is trained; "never" is a short form of ``use="smoothing"``.
    base_model : {"shipped", "none"} or path
        The base networks, which correct smoothing by what they saw in a thousand other series:
        those that come with the package, none, or those of a file of ``make base-model``. Each
        series takes the share of the correction that its own history speaks for.
    use : {"best", "network", "smoothing", "naive"}
        The forecast that is delivered. "network": exponential smoothing with the correction
        of networks, as far as that is trusted. "smoothing": without the correction. "naive": the
        naive forecast that was best inside the history. "best": for each series that of "network",
        unless a naive forecast was clearly better inside the history; see
        :mod:`throughtime.forecasting.choosing`. With "best" and "smoothing", demand that is mostly
        zero is forecast by its mean; see :mod:`throughtime.forecasting.intermittent`.
    future_covariates : bool
        Whether covariates are known ahead of time (calendar, plans, prices). If so, ``predict``
        needs ``X_future``; if not, only their past is read.
    holidays : str, optional
        Code of a country, "DE", or of a part of one, "DE-BY". Its holidays and the days around them
        are in the regression where they forecast the history better; with times only, and steps of
        a day or less. Needs the package ``holidays``.
    coverages : tuple of float
        Nominal coverages of the intervals.
    nonnegative : "auto" or bool
        Whether forecasts and intervals are cut at 0; "auto" cuts them if no value was below 0.
    seed : int
        Seed for the initial weights and the order of batches.
    callbacks : sequence
        Callbacks of :func:`throughtime.train` for the training of every network.
    progress : callable, optional
        Function that is called with a :class:`Progress` after every epoch.
    executor : executor or callable, optional
        Who works on the series where there are many: an object with the interface of
        :class:`concurrent.futures.Executor`, which stays yours, or a function without arguments
        that makes one, for each call of a method. By default the threads of this process. What is
        computed does not depend on it. It is not saved, and may be set later:
        ``model.executor = pool``.

    Attributes
    ----------
    season_ : float or None
        The chosen season; with several series, that of most of them.
    transform_ : str
        The chosen transformation, "log" or "none"; with several series, that of most of them.
    window_ : int
        Number of past steps that the network reads.
    weight_ : float
        How far the network that was trained on these data is used, 0 to 1: it takes the place of
        this share of the base networks' correction. It follows from how certain the gain is on the
        validation block, where fewer than three independent stretches of H steps give 0.
    shares_ : dict of float
        Share of the base networks' correction of each series, 0 to 1, by name (None for a single
        series); empty where they were not asked for.
    choices_ : dict of Choice
        What is delivered for each series, by name (None for a single series), and why.
    networks_ : list of Network
        The trained networks.
    notes_ : tuple of str
        Sentences on the data and on what was chosen.
    metadata : dict
        JSON-ready values of the user, which are saved in the file.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        If an argument is wrong; the message says which, and what is allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from throughtime.forecasting import Forecaster
    >>> model = Forecaster(3, season=None).fit(np.arange(1.0, 31.0))
    >>> model.predict().mean.round(6)
    array([31., 32., 33.])
    """

    #: Those of pickles of 0.2 and before, which had no choice and no base networks.
    use: str = "network"
    base_model: str = base_network.NONE
    holidays: str | None = None
    #: That of every pickle: an executor cannot be in one.
    executor: Any = None

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
        lr: float = 0.01,
        patience: int = 10,
        members: int = 2,
        network: str = "auto",
        base_model: str | os.PathLike[str] = base_network.SHIPPED,
        use: str = "best",
        future_covariates: bool = True,
        holidays: str | None = None,
        coverages: Sequence[float] = (0.8, 0.95),
        nonnegative: bool | str = "auto",
        seed: int = 0,
        callbacks: Sequence[Any] = (),
        progress: Callable[[Progress], None] | None = None,
        executor: Any = None,
    ) -> None:
        self.horizon = check_int("horizon", horizon, 1)
        self.cell = check_choice("cell", cell, RECURRENT)
        self.hidden_size = check_int("hidden_size", hidden_size, 1)
        self.num_layers = check_int("num_layers", num_layers, 1)
        self.window = None if window is None else check_int("window", window, 1)
        self.season = season
        check_season(season)
        self.frequency = frequency
        if frequency is not None:
            cycles(frequency)
        self.transform = check_choice("transform", transform, ("auto", "none", "log"))
        self.epochs = None if epochs is None else check_int("epochs", epochs, 1)
        self.batch_size = check_int("batch_size", batch_size, 1)
        self.lr = check_float("lr", lr, 0.0, inclusive="neither")
        self.patience = check_int("patience", patience, 1)
        self.members = check_int("members", members, 1)
        self.base_model = base_network.check_source(base_model)
        self.network = check_choice("network", network, ("auto", "never"))
        self.use = check_use(use, self.network)
        self.future_covariates = check_bool("future_covariates", future_covariates)
        self.holidays = check_code("holidays", holidays)
        self.coverages = check_coverages("coverages", coverages)
        auto = isinstance(nonnegative, str) and nonnegative == "auto"
        self.nonnegative = nonnegative if auto else check_bool("nonnegative", nonnegative)
        self.seed = check_int("seed", seed, 0)
        self.callbacks = tuple(check_callbacks(callbacks))
        if progress is not None and not callable(progress):
            raise InvalidTypeError(sentence("progress", "a function", describe(progress)))
        self.progress = progress
        check_executor(executor)
        self.executor = executor
        self.metadata: dict[str, Any] = {}

    # -- learning -----------------------------------------------------------------------------

    def fit(self, y: Data, X: Data | None = None, *, static: Data | None = None) -> Forecaster:
        """Learn from one series or many.

        Parameters
        ----------
        y : array of shape (T,), or a list or mapping of such arrays
            Values at equal steps; NaN are missing values. The network reads that a value is
            missing, and nothing in its place. Missing values are never learned from or scored.
        X : array of shape (T, F) or (T,), or a list or mapping as ``y``, optional
            Covariates of the same steps; NaN count as the mean.
        static : list or mapping of arrays of shape (K,), as ``y``, optional
            Numbers that tell the series apart and do not change with time, as one of 0 and 1 for
            each category. Only with several series.

        Raises
        ------
        DataError, ShapeError
            If there is text or an infinity, if all values are missing, or if there are too few.
        """
        group = read_group(y, X, static=static)
        with self._work() as settings:
            self._fitted = fitting.fit(settings, group)
        return self

    def update(self, y: Data, X: Data | None = None) -> Forecaster:
        """Append new values to the history; nothing is trained.

        Parameters
        ----------
        y, X :
            The steps right after the history, in the container form of ``fit``.
        """
        self.fitted.group = extend(self.fitted.group, y, X)
        return self

    def backtest(
        self,
        y: Data,
        X: Data | None = None,
        *,
        static: Data | None = None,
        holdout: int | None = None,
        folds: int | None = None,
        refit: bool = False,
    ) -> BacktestReport:
        """Hold out the tail, fit on what is before it, forecast it, and compare with naive methods.

        The fit sees nothing of the hold-out. The network is fitted once, before the first origin;
        from later origins it forecasts with the values that have come since, without training,
        unless ``refit``. Afterwards this object holds the first fit; call ``fit`` for a model of
        all data.

        Parameters
        ----------
        y, X, static :
            As in ``fit``.
        holdout : int, optional
            Number of steps at the end of every series; H by default. A series without a number
            before them is not scored, and the verdict says so.
        folds : int, optional
            Number of origins, evenly spaced; by default as many as cover the hold-out.
        refit : bool
            Whether to fit anew at every origin, with all values before it.
        """
        check_bool("refit", refit)
        group = read_group(y, X, static=static)
        with self._work() as settings:
            report, self._fitted = backtest.run(settings, group, holdout, folds, refit)
        return report

    # -- forecasting --------------------------------------------------------------------------

    def predict(
        self,
        fh: int | Sequence[int] | None = None,
        X_future: Data | None = None,
        *,
        y: Data | None = None,
        X: Data | None = None,
    ) -> Any:
        """Forecast the steps after the history.

        Parameters
        ----------
        fh : int or sequence of int, optional
            Steps to forecast. An int h means the steps 1 to h; by default all H.
        X_future : array of shape (h, F), or a list or mapping of such, optional
            Covariates of at least the steps 1 to h, if they are known ahead of time.
        y, X : optional
            Another history to forecast from, as in ``fit``; nothing is trained.

        Returns
        -------
        Forecast, or list or dict of Forecast
            In the container form of the history.
        """
        group = self._read(y, X)
        return group.wrap(self._forecasts(group, self._steps(fh), X_future, self.coverages))

    def predict_interval(
        self,
        fh: int | Sequence[int] | None = None,
        coverage: float = 0.9,
        X_future: Data | None = None,
        *,
        y: Data | None = None,
        X: Data | None = None,
    ) -> Any:
        """Lower and upper bound for one coverage: a pair of arrays (h,) for every series."""
        share = check_coverage("coverage", coverage)
        group = self._read(y, X)
        found = self._forecasts(group, self._steps(fh), X_future, (share,))
        return group.wrap([forecast.intervals[share] for forecast in found])

    def _forecasts(
        self, group: Group, steps: np.ndarray, ahead: Any, coverages: Sequence[float]
    ) -> list[Forecast]:
        fitted = self.fitted
        width, far = len(fitted.centre), int(steps.max())
        rows = read_ahead(group, ahead, width, far, self.future_covariates)
        with self._work() as settings:
            return predicting.forecast_all(settings, fitted, group.series, rows, steps, coverages)

    def _read(self, y: Data | None, X: Data | None) -> Group:
        """The history to forecast from, with the covariates that the model knows."""
        if y is not None:
            return self.fitted.with_static(read_group(y, X, len(self.fitted.centre)))
        if X is not None:
            raise InvalidArgumentError(
                sentence(
                    "X",
                    "with y",
                    "X alone",
                    "Covariates of the steps ahead are X_future.",
                    must="come",
                )
            )
        return self.fitted.group

    def _steps(self, fh: Any) -> np.ndarray:
        """``fh`` as an array of steps."""
        if fh is None:
            return np.arange(1, self.horizon + 1)
        if not (isinstance(fh, list | tuple | range) or getattr(fh, "ndim", 0) == 1):
            return np.arange(1, check_int("fh", fh, 1, self.horizon) + 1)
        steps = [check_int("fh", h, 1, self.horizon) for h in fh]
        if not steps:
            raise InvalidArgumentError(sentence("fh", "at least one step", "nothing", must="name"))
        return np.array(steps)

    def _settings(self) -> Settings:
        """The settings as they are now."""
        fields = dataclasses.fields(Settings)
        return Settings(**{field.name: getattr(self, field.name) for field in fields})

    @contextmanager
    def _work(self) -> Iterator[Settings]:
        """The settings as they are now, with an executor that is kept until the work is done."""
        with kept(self.executor) as executor:
            yield dataclasses.replace(self._settings(), executor=executor)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "executor"}

    def __repr__(self) -> str:
        state = "not fitted" if self._fitted is None else f"{len(self._fitted.group.series)} series"
        return f"<Forecaster of {self.horizon} steps, {self.cell}, {state}>"

    # -- files --------------------------------------------------------------------------------

    def to_config(self) -> dict[str, Any]:
        """JSON-ready settings, without callbacks and progress."""
        return self._settings().to_config()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write settings, networks and history to one safetensors file."""
        storage.save(path, self._settings(), self.metadata, self.fitted)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Forecaster:
        """Read a file that :meth:`save` wrote; it forecasts the same bits.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, or holds no forecaster.
        """
        with storage.opened(path) as saved:
            forecaster = cls(**saved.settings)
            forecaster.metadata = saved.metadata
            forecaster._fitted = saved.fitted(forecaster.horizon)
        return forecaster
