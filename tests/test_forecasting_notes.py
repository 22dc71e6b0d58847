"""Sentences that say what fitting found."""

import numpy as np

from throughtime.forecasting import notes
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.base_network import Share
from throughtime.forecasting.holidays import Holidays
from throughtime.forecasting.series import Observed
from throughtime.forecasting.terms import Covariate, Season, Term


def series(name: str | None, covariates: int) -> Observed:
    return Observed(name, np.arange(30.0), np.zeros((30, covariates)))


def adjustment(*terms: Term) -> Adjustment:
    effects = np.zeros(sum(len(term.widths) for term in terms))
    return Adjustment(False, terms, effects, 0.0, np.zeros(3), np.ones(3))


def test_what_a_regression_explains() -> None:
    def said(count: int, *terms: Term) -> str:
        (note,) = notes.on_adjustments({None: adjustment(*terms)}, [series(None, count)])
        return note

    rest = "explains a part of the values; what it leaves is smoothed."
    lags = Covariate(0, (1, 2, 3))
    assert said(1, Covariate(0), lags) == f"A regression on the covariate {rest}"
    assert said(3, Covariate(0), lags) == f"A regression on 1 of 3 covariates {rest}"
    both = said(2, Covariate(0), Covariate(1), Season(365.25, (1, 2)))
    assert both == f"A regression on all 2 covariates and a season of 365.25 steps {rest}"
    assert said(2, Season(8766.0, (1,))) == f"A regression on a season of 8766 steps {rest}"
    assert said(0, Holidays("DE")) == f"A regression on holidays {rest}"


def test_covariates_that_no_regression_uses_are_named() -> None:
    assert notes.on_adjustments({}, [series(None, 0)]) == []
    (note,) = notes.on_adjustments({}, [series(None, 2)])
    assert note == (
        "A regression on the covariates did not forecast the history better, so smoothing does"
        " without."
    )


def test_the_regressions_of_several_series_are_counted() -> None:
    found = {"a": adjustment(Covariate(0)), "c": adjustment(Covariate(0))}
    (note,) = notes.on_adjustments(found, [series(name, 1) for name in "abc"])
    rest = "explains a part of 2 of 3 series; what it leaves is smoothed."
    assert note == f"A regression on covariates {rest}"
    found = {"a": adjustment(Holidays("DE")), "c": adjustment(Season(365.25, (1,)))}
    (note,) = notes.on_adjustments(found, [series(name, 1) for name in "abc"])
    assert note == f"A regression on long seasons or holidays {rest}"


def test_why_base_networks_are_not_used() -> None:
    begin = "The base networks, which learned from other series, are not used:"
    (note,) = notes.on_base([Share()])
    assert note == f"{begin} the series is too short, or smoothing fits every value."
    (note,) = notes.on_base([Share(origins=12)])
    assert note == f"{begin} at earlier origins of this series they did not help enough."
