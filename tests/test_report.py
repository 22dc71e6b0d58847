"""The report: one page that needs nothing else."""

import dataclasses
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from throughtime import __version__
from throughtime.errors import MissingDependencyError
from throughtime.forecasting import BacktestReport, Fold, Forecast, Score
from throughtime.plotting import ForecastView
from throughtime.report import ForecastStory, LayerRow, forecast_page, words
from throughtime.report.story import outlook, quality

T, H = 90, 12
DAYS = np.datetime64("2024-01-01", "us") + np.arange(T + H).astype("timedelta64[D]")
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "use"}


def backtest(mae=0.4, rmse=0.5, rival=1.9, beaten=True, folds=()):
    scores = (
        Score("forecast", mae, rmse, 0.0011, 0.28, {0.8: 0.75, 0.95: 1.0}),
        Score("persistence", 2.31, 2.8, 0.006, 1.6),
        Score("seasonal naive", rival, 2.1, 0.005, np.nan),
        Score("smoothing alone", 0.5, 0.6, 0.0013, 0.34),
    )
    beats = {"persistence": True, "seasonal naive": beaten}
    return BacktestReport(scores, beats, ("One sentence.", "Another one."), folds, 7, H)


def forecast_from(origin, change=0.0):
    mean = 10 + change * np.linspace(0, 1, H)
    bounds = {c: (mean - 2 * c, mean + 2 * c) for c in (0.8, 0.95)}
    return Forecast(np.arange(1, H + 1), mean, bounds, mean - 0.5, origin)


def story(name="sales", change=5.0, report="default", series=1, times=DAYS, **changes):
    values = 10 + np.sin(np.arange(T, dtype=float))
    values[-1] = 10.0
    origin = T - H
    fold = Fold(None, origin, values[origin:], forecast_from(origin), {}, 1.0)
    report = backtest(folds=(fold,)) if report == "default" else report
    folds = (fold,) if report is not None else ()
    views = tuple(
        ForecastView(
            f"{name} {i}" if series > 1 else name,
            times[:T],
            values,
            times[T:],
            forecast_from(T, change),
            folds,
        )
        for i in range(series)
    )
    whole = ForecastStory(
        target=name,
        source="data.csv",
        frequency="D",
        views=views,
        backtest=report,
        findings=("90 rows; columns 'day', 'sales'",),
        notes=("The season is 7 steps.",),
        layers=(LayerRow("GRU", "steps x 32", 3_500), LayerRow("Dense", "1", 33)),
        settings={"cell": "gru", "window": "30"},
        curves={"network 1": ([1.0, 0.5], [1.1, 0.7])},
        command="throughtime forecast data.csv --target sales --horizon 12",
    )
    return dataclasses.replace(whole, **changes)


class Outline(HTMLParser):
    """Checks that every element is closed where it must be, and collects what is needed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.tables, self.links, self.text = [], [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.links += [attributes[k] for k in ("src", "href", "xlink:href") if k in attributes]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        if tag not in VOID:
            self.handle_starttag(tag, attributes)
            self.open.pop()
        else:
            self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)
        if any(tag in ("td", "th") for tag in self.open):
            self.tables[-1][-1][-1] += data.strip()


def plain(page):
    text = " ".join(" ".join(Outline(page).text).split())
    return text.replace("\u00a0", " ")


def test_page_is_whole_and_asks_no_server():
    page = forecast_page(story())
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert all(link.startswith("#") for link in outline.links)
    assert "<script" not in page
    assert "@import" not in page
    # The names of XML namespaces are addresses in form only.
    addresses = set(re.findall(r"https?://[^\"'\s<>]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in page
    assert "prefers-color-scheme: dark" in page


def test_page_says_what_was_forecast_and_how_well():
    text = plain(forecast_page(story()))
    assert "sales: the next 12 days" in text
    assert (
        "sales was 10.00 on 2024-03-30; the forecast for 2024-04-11 is 15.00"
        " (95 % interval 13.10 to 16.90)."
    ) in text
    assert (
        "A first model, trained without the last 12 days, forecast them with a mean absolute error"
        " of 0.4, 79 % less than the 1.9 of the best naive method, seasonal naive (repeats the last"
        " season)."
    ) in text
    assert "Better than every naive forecast on the hold-out." in text
    for part in (
        "90 rows; columns 'day', 'sales'",
        "The season is 7 steps.",
        "One sentence.",
        "throughtime predict model.safetensors data.csv --out next",
        'model = tt.forecasting.Forecaster.load("model.safetensors")',
        "throughtime forecast data.csv --target sales --horizon 12",
        f"Made by throughtime {__version__} from data.csv.",
    ):
        assert part in text


def test_a_network_that_changed_nothing_is_not_said_to_correct():
    mean = np.array([1.0, 2.0])
    fold = Fold(None, 5, mean, Forecast(np.arange(1, 3), mean, {}, mean.copy(), 5), {}, 1.0)
    unchanged = backtest(folds=(fold,))
    said = "Exponential smoothing; no network corrects it."
    assert words.explained("forecast", unchanged) == said
    assert words.explained("drift", unchanged) == words.EXPLAINED["drift"]


def test_tables_hold_the_numbers():
    errors, numbers, layers = Outline(forecast_page(story())).tables
    assert [row[:2] for row in errors[1:]] == [
        ["this forecastExponential smoothing, corrected by networks.", "0.400"],
        ["persistenceRepeats the last value.", "2.310"],
        ["seasonal naiveRepeats the last season.", "1.900"],
        ["smoothing aloneExponential smoothing without networks.", "0.500"],
    ]
    assert [row[-1] for row in errors[1:]] == ["0.280", "1.600", "-", "0.340"]
    assert numbers[0] == ["time", "mean", "80\u00a0% from", "to", "95\u00a0% from", "to"]
    assert numbers[1] == ["2024-03-31", "10.00", "8.40", "11.60", "8.10", "11.90"]
    assert len(numbers) == 1 + H
    assert layers[1:] == [
        ["GRU", "steps x 32", "3,500"],
        ["Dense", "1", "33"],
        ["total", "", "3,533"],
    ]


def test_a_forecast_that_does_not_beat_the_naive_one_says_so():
    page = forecast_page(story(report=backtest(mae=2.0, beaten=False)))
    text = plain(page)
    assert "Not better than seasonal naive on the hold-out." in text
    assert "error of 2, not less than the 1.9 of the best naive method, seasonal naive" in text
    assert 'class="verdict warn"' in page


def test_without_a_holdout_the_page_says_that_nothing_is_known():
    text = plain(forecast_page(story(report=None)))
    assert (
        "The data were too short to hold a part out, so nothing says how good this forecast is."
    ) in text
    assert "How good it is" not in text


def test_what_stands_in_the_data_is_text_and_never_markup():
    name = '<script>alert("x")</script>'
    page = forecast_page(story(name=name, series=2, warning=name, command=name, findings=(name,)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    Outline(page)


def test_several_series_share_the_page():
    many = story(series=8)
    text = plain(forecast_page(many))
    assert "sales of 8 series: the next 12 days" in text
    assert "One model forecasts 8 series, 12 days each." in text
    assert "The first 6 of 8 series; forecast.csv holds them all." in text
    assert "forecast = forecasts['sales 0']" in text


def test_a_long_table_is_cut_and_says_so():
    text = plain(forecast_page(story(series=40)))
    assert "The first 400 of 480 rows; forecast.csv holds them all." in text


def test_a_page_without_losses_and_intervals():
    bare = Forecast(np.arange(1, H + 1), np.full(H, 10.0), {}, np.full(H, 10.0), T)
    whole = story(report=None, curves={}, warning="Training was ended early by Ctrl-C.")
    views = (dataclasses.replace(whole.views[0], forecast=bare),)
    text = plain(forecast_page(dataclasses.replace(whole, views=views)))
    assert "How it learned" not in text
    assert "Training was ended early by Ctrl-C." in text


def test_the_same_story_gives_the_same_bytes():
    assert forecast_page(story()) == forecast_page(story())


def test_outlook_without_dates_counts_steps():
    numbers = story(times=np.arange(T + H), frequency=None)
    assert outlook(numbers).startswith(
        "sales was 10.00 at step 89; the forecast for step 101 is 15.00"
    )
    assert numbers.title == "sales: the next 12 steps"
    assert quality(numbers).startswith("A first model, trained without the last 12 steps, forecast")
    itself = quality(story(tested_itself=True))
    assert itself.startswith("This model has not learned from the last 12 days; it forecast them")


def test_judgements():
    better = backtest()
    assert words.judgement(better) == (
        "Better than every naive forecast: mean absolute error 0.4 against 1.9 of the best,"
        " seasonal naive (79 % less)."
    )
    close = backtest(beaten=False)
    assert words.judgement(close) == (
        "Not clearly better than seasonal naive: mean absolute error 0.4 against 1.9 of seasonal"
        " naive, but not in both errors."
    )
    worse = backtest(mae=2.0, beaten=False)
    assert words.judgement(worse) == (
        "Does not beat seasonal naive: mean absolute error 2 against 1.9 of seasonal naive."
    )
    assert words.short_judgement(close) == "Not clearly better than seasonal naive on the hold-out."


def test_smoothing_that_does_better_alone_is_named():
    assert words.smoothing_remark(backtest()) == ""
    remark = (
        "Here exponential smoothing alone, without networks, did better: mean absolute error 0.5"
        " against 0.6."
    )
    worse = backtest(mae=0.6)
    assert words.smoothing_remark(worse) == remark
    page = forecast_page(story(report=worse))
    text = plain(page)
    assert remark in text
    # It stands where the eye falls first, and not in green.
    assert (
        "Better than every naive forecast on the hold-out, but exponential smoothing alone, without"
        " networks, was better still."
    ) in text
    assert "+20 % error against smoothing alone" in text
    assert f"{remark} throughtime forecast --use smoothing forecasts with it." in text
    assert 'class="verdict warn"' in page
    assert 'class="verdict good"' in forecast_page(story())


def test_what_cannot_be_beaten_is_as_good():
    zero = (0.0, 0.0, 0.0, np.nan)
    methods = ("forecast", "persistence", "drift", "smoothing alone")
    scores = tuple(Score(method, *zero) for method in methods)
    report = BacktestReport(scores, {"persistence": False, "drift": False}, (), (), 1, H)
    assert words.improvement(report) == 0.0
    assert words.short_judgement(report) == (
        "As good as persistence and drift on the hold-out, and no better."
    )
    assert words.judgement(report) == (
        "As good as persistence and drift, and no better: mean absolute error 0."
    )
    assert words.is_good(report)
    page = forecast_page(story(report=report))
    assert "equal error against persistence" in plain(page)
    assert 'class="verdict good"' in page


def test_series_in_different_units_are_judged_by_scaled_errors():
    folds = tuple(
        Fold(name, T - H, np.zeros(H), forecast_from(T - H), {}, 1.0) for name in ("a", "b")
    )
    scores = (
        Score("forecast", 5.0, 5.0, 0.1, 0.5),
        Score("persistence", 4.0, 4.0, 0.1, 1.0),
        Score("smoothing alone", 4.0, 4.0, 0.1, 0.8),
    )
    report = BacktestReport(scores, {"persistence": True}, (), folds, 1, H)
    assert words.judgement(report) == (
        "Better than every naive forecast: mean scaled error 0.5 against 1 of the best, persistence"
        " (50 % less)."
    )
    assert words.is_good(report)


def test_a_perfect_naive_forecast_is_not_divided_by():
    assert words.improvement(backtest(rival=0.0, beaten=False)) == -np.inf
    assert "worse" in plain(forecast_page(story(report=backtest(rival=0.0, beaten=False))))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (np.nan, "-"),
        (-12.5, "-12.5"),
        (1e15, "1.000e+15"),
        (3e-9, "3.000e-09"),
        (99999.6, "100,000"),
    ],
)
def test_number(value, text):
    assert words.number(value) == text


def test_very_small_numbers_are_no_rows_of_zeros():
    assert words.column([1.2e-9, 3.45e-8, 0.0, math.nan]) == [
        "1.200e-09",
        "3.450e-08",
        "0.000e+00",
        "-",
    ]
    decimals = words.decimals_for(np.array([1e-9, 2e-9]), 1e-10)
    assert words.fixed(1.5e-9, decimals) == "1.500e-09"
    assert words.fixed(1.5, 2) == "1.50"


def test_decimals_of_a_column_without_spread():
    assert words.decimals_for(np.zeros(3), 0.0) == 3
    assert words.decimals_for(np.full(3, 1234.0), 0.0) == 0
    assert words.decimals_for(np.full(3, 1e-12), 0.0) == 15
    assert words.decimals_for(np.full(3, 200.0), 1e-9) == 4


@pytest.mark.parametrize(
    ("frequency", "count", "text"),
    [
        ("15min", 96, "96 steps"),
        ("QE", 1, "1 quarter"),
        ("B", 2, "2 business days"),
        ("?", 1, "1 step"),
    ],
)
def test_periods(frequency, count, text):
    assert words.periods(frequency, count) == text


def test_without_jinja2_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingDependencyError) as caught:
        forecast_page(story())
    assert str(caught.value) == (
        "Writing the report needs the package 'jinja2', which is not installed."
        " Run: pip install 'throughtime[cli]' (in a clone: pip install '.[cli]')"
    )
