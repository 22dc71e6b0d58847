"""How the forecast command trains: once without the tail, once with everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from throughtime.cli.source import covariates_ahead, covariates_until_now, empty_ahead, group
from throughtime.cli.wording import in_options, in_words
from throughtime.errors import DataError, InvalidArgumentError
from throughtime.forecasting import Forecaster, Stage
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.cli.console import Screen
    from throughtime.cli.forecast import Options
    from throughtime.cli.interrupt import StopButton
    from throughtime.cli.source import History
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import BacktestReport, Progress


class Training:
    """The two fits: one without the tail, to measure the error, and one with everything.

    Attributes
    ----------
    notes : list of str
        Sentences about what was done differently from what the reader may expect.
    curves : dict
        Training and validation losses of every network of the last fit.
    ahead : object
        Covariates of the future, in the form that ``predict`` takes, or None.
    tested_itself : bool
        Whether the model to forecast with is the one that was tested, for want of a better.
    warning : str
        What Ctrl-C has left, where it was pressed.
    """

    def __init__(
        self,
        options: Options,
        table: Table,
        parts: list[History],
        screen: Screen,
        button: StopButton,
    ) -> None:
        self.options = options
        self.many = table.id is not None
        self.target = table.target
        self.frequency = table.frequency.alias if table.frequency else None
        self.parts = parts
        self.screen = screen
        self.button = button
        self.notes: list[str] = []
        self.curves: dict[str, tuple[list[float], list[float]]] = {}
        self.tested_itself = False
        self.warning = ""
        self._bar: Any = None
        self._check_season()
        self._choose_covariates(len(table.covariates))

    def run(self) -> tuple[Forecaster, BacktestReport | None]:
        """The model to forecast with, and how good it was where nothing was given away.

        Raises
        ------
        DataError
            If there is too little to learn from.
        """
        try:
            return self._run()
        except DataError as error:
            raise DataError(in_words(str(error), self.target)) from None

    def _run(self) -> tuple[Forecaster, BacktestReport | None]:
        with self.screen.progress() as self._bar:
            tested, backtest = self._backtest()
            if tested is not None and backtest is not None and self.button.pressed:
                return self._caught_up(tested, backtest, "as far as it had got"), backtest
            self.curves.clear()
            model = self._forecaster().fit(
                self._values(), covariates_until_now(self.parts, self.many)
            )
            if tested is not None and backtest is not None and self.button.pressed:
                # The network of the backtest was trained to its end, this one was not.
                return self._caught_up(tested, backtest, "trained to its end"), backtest
            if self.button.pressed:
                self.warning = (
                    "Training was ended early by Ctrl-C; the best weights until then are used."
                )
            self._note_seasons(model)
            return model, backtest

    def _check_season(self) -> None:
        """Refuse a season of which the data cannot hold two."""
        longest = max(len(part.values) for part in self.parts)
        for season in self._seasons():
            if 2 * season > longest:
                raise InvalidArgumentError(
                    f"--season must be seen twice to be learned, so be at most {longest // 2} here;"
                    f" got {season:g}. The {'longest series' if self.many else 'series'} has"
                    f" {longest} steps."
                )

    def _seasons(self) -> list[float]:
        season = self.options.season
        if season is None or season == "auto":
            return []
        return list(season) if isinstance(season, list) else [season]

    def _note_seasons(self, model: Forecaster) -> None:
        """Say which of the seasons that were asked for the model does not have."""
        used = {smoothing.period for smoothing in model.fitted.smoothing.values()}
        for season in self._seasons():
            if not any(abs(season - period) < 1e-9 for period in used):
                self.notes.append(
                    f"The season of {season:g} steps is not used: too little of it was seen, or"
                    " another forecast better."
                )

    def _choose_covariates(self, count: int) -> None:
        """Use covariates of the future where the table has them for every step ahead."""
        horizon = self.options.horizon
        rows = min(part.rows_ahead for part in self.parts)
        self.in_future = count > 0 and rows >= horizon
        self.ahead = None
        if self.in_future:
            self.ahead = covariates_ahead(self.parts, self.many, horizon)
            self.notes.append("Covariates of the steps ahead are in the table and are used.")
            self.notes += empty_ahead(self.parts, horizon)
        elif count:
            self.notes.append(
                "The past of the covariates is used; for their future the table would need rows"
                f" for all {horizon} steps ahead, with the target left empty; it has {rows}."
            )

    def _forecaster(self) -> Forecaster:
        options = self.options
        return Forecaster(
            options.horizon,
            cell=options.cell,
            hidden_size=options.hidden_size,
            num_layers=options.layers,
            network=options.network,
            window=options.window,
            season=options.season,
            frequency=self.frequency,
            epochs=options.epochs,
            future_covariates=self.in_future,
            coverages=options.intervals,
            seed=options.seed,
            callbacks=[self.button],
            progress=self._watch,
        )

    def _values(self) -> Any:
        return group([(part.name, part.dated) for part in self.parts], self.many)

    def _backtest(self) -> tuple[Forecaster | None, BacktestReport | None]:
        if self.options.holdout == 0:
            return None, None
        model = self._forecaster()
        try:
            report = model.backtest(
                self._values(),
                covariates_until_now(self.parts, self.many),
                holdout=self.options.holdout,
            )
        except DataError as error:
            # What is too short without its tail may be long enough with it; if not, fit says so.
            held = self.options.holdout
            if held is not None and error.parameter == "holdout":
                raise
            if held is not None:
                reason = re.sub(r" Use a shorter [^.]*\.$", " Hold fewer steps out.", str(error))
                raise DataError(
                    f"--holdout {held} leaves too little to learn from: {reason}"
                ) from None
            reason = in_options(in_words(str(error), self.target))
            self.notes.append(
                f"No part could be held out, so the error of the forecast is not known: {reason}"
            )
            return None, None
        return model, report

    def _caught_up(self, model: Forecaster, report: BacktestReport, how: str) -> Forecaster:
        """``model``, which has not seen the hold-out, with it in its history."""
        held = max(len(part.values) for part in self.parts) - min(f.origin for f in report.folds)
        self.tested_itself = True
        self.warning = (
            "Training was ended early by Ctrl-C: this forecast is made by the first model,"
            f" {how}, which has not learned from the last {words.stretch(self.frequency, held)}."
        )
        starts = {fold.series: fold.origin for fold in reversed(report.folds)}
        values, covariates = [], []
        for part in self.parts:
            # A series that is too short for the hold-out has not been read at all.
            rows = slice(starts.get(part.name if self.many else None, 0), part.until_now)
            values.append((part.name, part.values[rows]))
            covariates.append((part.name, part.covariates[rows]))
        extra = group(covariates, self.many) if self.parts[0].covariates.shape[1] else None
        return model.update(group(values, self.many), extra)

    def _watch(self, step: Progress) -> None:
        """Follow the work on the screen, and keep the losses."""
        self._bar.show(step)
        if step.loss is None:
            return
        if step.stage is Stage.TRAINING_ON_ALL_DATA:
            # Without a validation loss to show; the first curves of a network are those that tell.
            return
        train, validation = self.curves.setdefault(f"network {step.member}", ([], []))
        train.append(step.loss)
        if step.val_loss is not None:
            validation.append(step.val_loss)
