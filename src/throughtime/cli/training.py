"""How the forecast command trains: once without the hold-out, and once with everything."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from throughtime.cli.describe import settings_of
from throughtime.cli.options import arguments_for
from throughtime.cli.series import (
    covariates_ahead,
    covariates_until_now,
    group,
    note_on_empty_cells_ahead,
)
from throughtime.errors import DataError, InvalidArgumentError, sentence
from throughtime.forecasting import Forecaster, Stage
from throughtime.forecasting.notes import INTERRUPTED
from throughtime.forecasting.sharing import listening
from throughtime.report import words

if TYPE_CHECKING:
    from throughtime.cli.console import ProgressBar
    from throughtime.cli.interrupt import StopButton
    from throughtime.cli.requests import ForecastRequest
    from throughtime.cli.series import CutSeries
    from throughtime.cli.wording import Wording
    from throughtime.data.tables.files import Table
    from throughtime.forecasting import BacktestReport, Progress


class Training:
    """The two fits: one without the hold-out, to measure the error, and one with everything.

    Attributes
    ----------
    notes : list of str
        Sentences about what was done differently from what the reader may expect.
    curves : dict
        Training and validation losses of every network of the last fit.
    ahead : object
        Covariates of the future, in the form that ``predict`` takes, or None.
    tested_itself : bool
        Whether the model that forecasts is the tested one, because training ended early.
    warning : str
        What the reader must know where Ctrl-C ended training; empty otherwise.
    """

    def __init__(
        self,
        request: ForecastRequest,
        table: Table,
        parts: list[CutSeries],
        bar: ProgressBar,
        button: StopButton,
        wording: Wording,
        executor: Any = None,
    ) -> None:
        self.request = request
        self.many = table.id is not None
        self.frequency = table.frequency.alias if table.frequency else None
        self.parts = parts
        self.bar = bar
        self.button = button
        self.wording = wording
        self.executor = executor
        self.notes: list[str] = []
        self.curves: dict[str, tuple[list[float], list[float]]] = {}
        self.tested_itself = False
        self.warning = ""
        self._check_season()
        self._choose_covariates(len(table.covariates))

    def run(self) -> tuple[Forecaster, BacktestReport | None]:
        """The model to forecast with, and the backtest where there was one.

        Raises
        ------
        DataError
            If there is too little to learn from.
        """
        tested, backtest = self._backtest()
        if tested is not None and backtest is not None and self.button.pressed:
            return self._caught_up(tested, backtest), backtest
        curves, self.curves = self.curves, {}
        model = self._forecaster()
        past = covariates_until_now(self.parts, self.many)
        spare = nullcontext() if tested is None else self.button.dispensable()
        with spare, listening(self.bar.count):
            model.fit(self._values(), past)
        if tested is not None and backtest is not None and self.button.pressed:
            self.curves = curves
            return self._caught_up(tested, backtest), backtest
        if INTERRUPTED in model.fitted.notes:
            self.warning = (
                "Training was ended early by Ctrl-C; the best weights until then are used."
            )
        self._note_unused_seasons(model)
        if tested is not None:
            self._note_differences(tested, model)
        return model, backtest

    def _check_season(self) -> None:
        """Refuse a season that the data do not hold twice."""
        longest = max(len(part.values) for part in self.parts)
        for season in self._seasons():
            if 2 * season > longest:
                which = "longest series" if self.many else "series"
                raise InvalidArgumentError(
                    sentence(
                        "season",
                        f"at most {longest // 2}, because a season must be seen twice to be"
                        " learned",
                        f"{season:g}",
                        f"The {which} has {longest} steps.",
                        value=season,
                    )
                )

    def _seasons(self) -> list[float]:
        """The seasons that were asked for."""
        season = self.request.season
        if season is None or season == "auto":
            return []
        return list(season) if isinstance(season, list) else [season]

    def _note_unused_seasons(self, model: Forecaster) -> None:
        """Say which of the seasons that were asked for the model does not have."""
        used = {s.period for a in model.fitted.anchors.values() for s in a.settings}
        for season in self._seasons():
            if not any(abs(season - period) < 1e-9 for period in used):
                self.notes.append(
                    f"The season of {season:g} steps is not used: too little of it was seen, or"
                    " another forecast was better."
                )

    def _note_differences(self, tested: Forecaster, model: Forecaster) -> None:
        """Say where the model that was scored and the one that forecasts chose differently."""
        before, after = settings_of(tested), settings_of(model)
        names = ("season", "transform", "weight of the network", "delivered")
        changed = [
            f"{name} {before[name]}, then {after[name]}"
            for name in names
            if before[name] != after[name]
        ]
        if changed:
            self.notes.append(
                "The model that was scored has not seen the hold-out, the one that forecasts has,"
                f" and they chose differently: {'; '.join(changed)}. The errors are those of the"
                " first."
            )

    def _choose_covariates(self, count: int) -> None:
        """Use covariates of the future where the table has them for every step ahead."""
        horizon = self.request.horizon
        rows = min(part.rows_ahead for part in self.parts)
        self.in_future = count > 0 and rows >= horizon
        self.ahead = None
        if count and self.request.use == "naive":
            self.in_future = False
            self.notes.append("The covariates are not used: a naive forecast reads none.")
        elif self.in_future:
            self.ahead = covariates_ahead(self.parts, self.many, horizon)
            self.notes.append("Covariates of the steps ahead are in the table and are used.")
            self.notes += note_on_empty_cells_ahead(self.parts, horizon)
        elif count:
            self.notes.append(
                "Only the past of the covariates is used. To use their future, add rows for all"
                f" {horizon} steps ahead with an empty target; the table has {rows}."
            )

    def _forecaster(self) -> Forecaster:
        settings = arguments_for(Forecaster, self.request) | {
            "frequency": self.frequency,
            "future_covariates": self.in_future,
            "callbacks": [self.button],
            "progress": self._watch,
            "executor": self.executor,
        }
        return Forecaster(**settings)

    def _values(self) -> Any:
        return group([(part.name, part.dated) for part in self.parts], self.many)

    def _backtest(self) -> tuple[Forecaster | None, BacktestReport | None]:
        """The model that was fitted without the hold-out, and how good it was there."""
        held = self.request.holdout
        if held == 0:
            return None, None
        model = self._forecaster()
        try:
            with listening(self._count_in_backtest):
                report = model.backtest(
                    self._values(),
                    covariates_until_now(self.parts, self.many),
                    holdout=self._room_for_origins() if held is None else held,
                    folds=self.request.origins,
                    refit=self.request.refit,
                )
        except DataError as error:
            if held is None:
                # What is too short without its end may be long enough with it; if not, fit says so.
                reason = self.wording.say(error.message)
                self.notes.append(
                    "No part could be held out, so the error of the forecast is not known:"
                    f" {reason}"
                )
                return None, None
            if error.parameter == "holdout":
                raise
            reason = self.wording.say(error.message.with_hint("Hold fewer steps out."))
            raise DataError(f"--holdout {held} leaves too little to learn from: {reason}") from None
        return model, report

    def _room_for_origins(self) -> int | None:
        """Steps to hold out for the origins that were asked for.

        Their forecasts do not overlap, unless that took more than a third of the data.
        """
        origins, horizon = self.request.origins, self.request.horizon
        if origins is None:
            return None
        longest = max(len(part.values) for part in self.parts)
        return min(origins * horizon, max(horizon + origins - 1, longest // 3))

    def _caught_up(self, model: Forecaster, report: BacktestReport) -> Forecaster:
        """``model``, which has not seen the hold-out, with it in its history."""
        held = max(len(part.values) for part in self.parts) - min(f.origin for f in report.folds)
        self.tested_itself = True
        cut = INTERRUPTED in model.fitted.notes
        how = "as far as it had got" if cut else "trained to its end"
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

    def _count_in_backtest(self, doing: str, done: int, total: int) -> None:
        """Follow the work on single series, before the hold-out."""
        self.bar.count(f"backtest: {doing}", done, total)

    def _watch(self, step: Progress) -> None:
        """Follow the work on the screen, and keep the losses."""
        self.bar.show(step)
        # The later training on all data has no validation loss to show beside.
        if step.loss is None or step.stage is Stage.TRAINING_ON_ALL_DATA:
            return
        train, validation = self.curves.setdefault(f"network {step.member}", ([], []))
        if step.done == 1:
            # A model that is fitted anew at every origin shows its last training.
            train.clear()
            validation.clear()
        train.append(step.loss)
        if step.val_loss is not None:
            validation.append(step.val_loss)
