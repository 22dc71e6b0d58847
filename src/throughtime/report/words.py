"""Numbers, times and results in plain words, the same on the terminal and on the page.

>>> number(1234567.0), number(371.0234), number(0.00123456)
('1,234,567', '371', '0.001235')
>>> periods("W", 104), periods("MS", 1), periods(None, 3)
('104 weeks', '1 month', '3 steps')
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from throughtime.forecasting import BacktestReport

UNITS = {
    "s": "second",
    "min": "minute",
    "h": "hour",
    "D": "day",
    "B": "business day",
    "W": "week",
    "MS": "month",
    "ME": "month",
    "BMS": "month",
    "BME": "month",
    "QS": "quarter",
    "QE": "quarter",
    "YS": "year",
    "YE": "year",
}

METHODS = {"forecast": "this forecast"}
#: What a backtest calls the forecast without the correction of networks.
ALONE = "smoothing alone"
#: What made the forecast of demand that is mostly zero.
CROSTON = "croston"

EXPLAINED = {
    "forecast": "Exponential smoothing, corrected by networks.",
    "persistence": "Repeats the last value.",
    "seasonal naive": "Repeats the last season.",
    "drift": "Continues the straight line from the first to the last value.",
    CROSTON: "The mean of demand that is mostly zero, by Croston's method and TSB.",
    ALONE: "Exponential smoothing without networks.",
}


#: With more decimals than this a number is mostly zeros.
_MOST_DECIMALS = 9


def number(value: float, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits, thousands separated, no useless zeros."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -5 or magnitude > 11:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals_for(values: np.ndarray, spread: float) -> int:
    """How many decimals a column of ``values`` needs to show differences of size ``spread``.

    Never so many that a number has more than seven digits: what is smaller is noise.
    """
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    if not math.isfinite(spread) or spread <= 0:
        spread = largest / 100
    most = max(0, 6 - math.floor(math.log10(largest)))
    return min(most, max(0, 1 - math.floor(math.log10(spread))))


def fixed(value: float, decimals: int) -> str:
    """``value`` with so many decimals, or with a power of ten where that would be mostly zeros.

    >>> fixed(1234.5678, 2), fixed(1.2345e-9, 12)
    ('1,234.57', '1.235e-09')
    """
    return f"{value:,.{decimals}f}" if decimals <= _MOST_DECIMALS else f"{value:.3e}"


def column(values: Sequence[float], digits: int = 3) -> list[str]:
    """Numbers for one column: with as many decimals as the smallest needs for ``digits`` digits.

    >>> column([0.4123, 2.31, 12.0, math.nan])
    ['0.412', '2.310', '12.000', '-']
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    smallest = math.floor(math.log10(min(sizes))) if sizes else 0
    decimals = max(0, digits - 1 - smallest)
    return [fixed(value, decimals) if math.isfinite(value) else "-" for value in values]


def percent(share: float) -> str:
    """``share`` as a percentage, with one decimal only where it is not zero.

    >>> percent(0.8), percent(0.975), percent(1 / 3)
    ('80 %', '97.5 %', '33.3 %')
    """
    return f"{round(100 * share, 1):g} %"


def unit(frequency: str | None) -> tuple[int, str | None]:
    """The count and the name of the unit in a frequency as pandas writes it.

    >>> unit("15min"), unit("W-SUN"), unit("custom")
    ((15, 'minute'), (1, 'week'), (1, None))
    """
    match = re.fullmatch(r"(\d*)([A-Za-z]+)(-[A-Z]{3})?", frequency or "")
    if match is None:
        return 1, None
    return int(match[1] or 1), UNITS.get(match[2])


def plural(count: int, word: str) -> str:
    """``count`` and ``word``, in the plural unless the count is 1."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def periods(frequency: str | None, count: int) -> str:
    """``count`` steps, as weeks, months ... where the frequency is known."""
    factor, name = unit(frequency)
    if name is None or factor != 1:
        return plural(count, "step")
    return plural(count, name)


def stretch(frequency: str | None, count: int) -> str:
    """A stretch of time, to stand after "the last" or "the next".

    >>> stretch("W", 104), stretch("h", 1)
    ('104 weeks', 'hour')
    """
    return periods(frequency, count).removeprefix("1 ")


def origins(backtest: BacktestReport, frequency: str | None) -> str:
    """A sentence on the origins of a hold-out; empty where there is one."""
    count = len(backtest.origins)
    if count == 1:
        return ""
    ahead = periods(frequency, backtest.horizon)
    how = (
        "fitted anew at each"
        if backtest.refitted
        else "fitted once, before the first, and not trained again"
    )
    return f"Forecast from {count} origins, {ahead} ahead each; the model was {how}."


def method_name(method: str) -> str:
    """What tables call a method of a backtest."""
    return METHODS.get(method, method)


def rivals(backtest: BacktestReport) -> list[str]:
    """The naive methods that the forecast is compared with."""
    return [score.method for score in backtest.scores if score.method in backtest.beats]


def judged_by(backtest: BacktestReport) -> str:
    """The measure that compares methods: "mae", or "mase" for series in different units.

    It is "rmsse" where demand is mostly zero: zero has the smallest "mae" there.
    """
    if backtest.mostly_zero and all(math.isfinite(score.rmsse) for score in backtest.scores):
        return "rmsse"
    many = len({fold.series for fold in backtest.folds}) > 1
    scaled = all(math.isfinite(score.mase) for score in backtest.scores)
    return "mase" if many and scaled else "mae"


def error_name(backtest: BacktestReport) -> str:
    """The name of the measure that :func:`judged_by` gives."""
    return {
        "mae": "mean absolute error",
        "mase": "mean scaled error",
        "rmsse": "root mean squared scaled error",
    }[judged_by(backtest)]


def error(backtest: BacktestReport, method: str) -> float:
    """The error of ``method`` in the measure of :func:`judged_by`."""
    return float(getattr(backtest[method], judged_by(backtest)))


def best_rival(backtest: BacktestReport) -> str:
    """The naive method with the smallest error."""
    return min(rivals(backtest), key=lambda method: error(backtest, method))


def improvement(backtest: BacktestReport) -> float:
    """By what share the error of the forecast is below that of the best naive method."""
    mine, naive = error(backtest, "forecast"), error(backtest, best_rival(backtest))
    if naive > 0:
        return 1.0 - mine / naive
    return 0.0 if mine == 0 else -math.inf


def beats_all(backtest: BacktestReport) -> bool:
    """Whether no naive method is as good as the forecast."""
    return all(backtest.beats.values())


def smoothing_is_better(backtest: BacktestReport) -> bool:
    """Whether exponential smoothing alone had a smaller error than with the network."""
    if all(score.method != ALONE for score in backtest.scores):
        return False
    return error(backtest, ALONE) < error(backtest, "forecast")


def is_good(backtest: BacktestReport) -> bool:
    """Whether the forecast beats everything simpler, or is perfect."""
    perfect = error(backtest, "forecast") == 0
    return perfect or (beats_all(backtest) and not smoothing_is_better(backtest))


def naive_itself(backtest: BacktestReport) -> str:
    """The naive method that made every forecast; empty if there is none."""
    made = made_by(backtest)
    return made[0] if len(made) == 1 and made[0] in backtest.beats else ""


def explained(method: str, backtest: BacktestReport) -> str:
    """What a method of a backtest does, in a sentence."""
    if method != "forecast":
        return EXPLAINED.get(method, "")
    itself = naive_itself(backtest)
    if itself:
        return f"The same as {itself}, which did best before the hold-out."
    naive = [made for made in made_by(backtest) if made in (*backtest.beats, CROSTON)]
    if made_by(backtest) == [CROSTON]:
        return EXPLAINED[CROSTON]
    usual = EXPLAINED["forecast"]
    if not _is_corrected(backtest):
        usual = "Exponential smoothing; no network corrects it."
    return f"{usual} For some series: {_listed(naive)}." if naive else usual


def made_by(backtest: BacktestReport) -> list[str]:
    """The methods that made the forecasts, in order; empty where that is not known."""
    return sorted({fold.forecast.method for fold in backtest.folds} - {""})


def _is_corrected(backtest: BacktestReport) -> bool:
    """Whether networks changed a forecast."""
    forecasts = [f.forecast for f in backtest.folds if f.forecast.method not in EXPLAINED]
    return not forecasts or any(
        not np.array_equal(one.mean, one.anchor, equal_nan=True) for one in forecasts
    )


def smoothing_remark(backtest: BacktestReport, way_out: str = "") -> str:
    """A sentence that exponential smoothing alone did better; empty where it did not.

    ``way_out`` is a second sentence that says what to do.
    """
    if not smoothing_is_better(backtest):
        return ""
    without = ", without networks," if _is_corrected(backtest) else ""
    return (
        f"Here exponential smoothing alone{without} did better:"
        f" {error_name(backtest)} {number(error(backtest, ALONE), 3)} against"
        f" {number(error(backtest, 'forecast'), 3)}. {way_out}"
    ).rstrip()


def unbeaten(backtest: BacktestReport) -> list[str]:
    """The naive methods that the forecast does not beat."""
    return [method for method in rivals(backtest) if not backtest.beats[method]]


def _equals(backtest: BacktestReport) -> list[str]:
    """The naive methods that are exactly as good as the forecast."""
    mine = error(backtest, "forecast")
    return [method for method in unbeaten(backtest) if error(backtest, method) == mine]


def short_judgement(backtest: BacktestReport) -> str:
    """The verdict in one short sentence."""
    lost, better = unbeaten(backtest), improvement(backtest)
    itself = naive_itself(backtest)
    if itself:
        return f"This forecast is {itself}, which did best before the hold-out."
    if not lost:
        if smoothing_is_better(backtest):
            return (
                "Better than every naive forecast on the hold-out, but exponential smoothing alone,"
                " without networks, was better still."
            )
        return "Better than every naive forecast on the hold-out."
    if lost == _equals(backtest):
        return f"As good as {_listed(lost)} on the hold-out, and no better."
    if better > 0:
        return f"Not clearly better than {_listed(lost)} on the hold-out."
    return f"Not better than {_listed(lost)} on the hold-out."


def judgement(backtest: BacktestReport) -> str:
    """The verdict in one sentence with its numbers."""
    rival, lost, better = best_rival(backtest), unbeaten(backtest), improvement(backtest)
    name, mine = error_name(backtest), number(error(backtest, "forecast"), 3)
    compared = f"{name} {mine} against {number(error(backtest, rival), 3)}"
    itself = naive_itself(backtest)
    if itself == rival:
        return f"This forecast is {itself}, with a {name} of {mine}."
    if itself:
        return f"This forecast is {itself}: {compared} of {rival}."
    if not lost:
        return (
            f"Better than every naive forecast: {compared} of the best, {rival}"
            f" ({100 * better:.0f} % less)."
        )
    if lost == _equals(backtest):
        return f"As good as {_listed(lost)}, and no better: {name} {mine}."
    if better > 0:
        return (
            f"Not clearly better than {_listed(lost)}: {compared} of {rival}, but not in both"
            " errors."
        )
    return f"Does not beat {_listed(lost)}: {compared} of {rival}."


def _listed(names: Sequence[str]) -> str:
    """Names with commas between, and "and" before the last."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
