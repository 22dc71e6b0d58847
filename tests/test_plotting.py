"""Figures of forecasts and losses, and how a figure becomes PNG or SVG."""

import pickle
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from throughtime.errors import MissingDependencyError
from throughtime.forecasting import Fold, Forecast
from throughtime.plotting import (
    DARK,
    LIGHT,
    MAX_PANELS,
    NARROW,
    ForecastView,
    forecast_figure,
    loss_figure,
    save_png,
    to_svg,
)

T, H = 90, 12
DAYS = np.datetime64("2024-01-01", "us") + np.arange(T + H).astype("timedelta64[D]")


def forecast_from(origin, intervals=(0.8, 0.95)):
    mean = 10 + np.sin(np.arange(origin, origin + H))
    bounds = {c: (mean - 2 * c, mean + 2 * c) for c in intervals}
    return Forecast(np.arange(1, H + 1), mean, bounds, mean, origin)


def view(name="sales", times=DAYS, holdout=True, gap=False):
    values = 10 + np.sin(np.arange(T, dtype=float))
    if gap:
        values[40:50] = np.nan
        values[-1] = np.nan
    folds = ()
    if holdout:
        origin = T - H
        folds = (Fold(None, origin, values[origin:], forecast_from(origin), {}, 1.0),)
    return ForecastView(name, times[:T], values, times[T:], forecast_from(T), folds)


def labels(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_dollars_in_names_are_dollars():
    name = r"price $\frac{ in $"
    with forecast_figure([view(name), view()], title=f"{name}: the next 12 days") as figure:
        svg = to_svg(figure, LIGHT, "dollars", "forecast")
    assert svg.count(name) == 2


def test_dollars_in_the_name_of_a_network_are_dollars():
    curves = {r"$\frac{ and $": ([3.0, 2.0], None), "b": ([3.0, 2.0], None)}
    with loss_figure(curves) as figure:
        assert r"$\frac{ and $, training" in to_svg(figure, LIGHT, "dollars", "loss")


def test_a_forecast_shows_history_holdout_forecast_and_intervals():
    with forecast_figure([view()], title="sales: the next 12 days") as figure:
        assert labels(figure) == [
            "observed",
            "forecast of the hold-out",
            "forecast",
            "80 % interval",
            "95 % interval",
        ]
        (ax,) = figure.axes
        observed, held, forecast = ax.get_lines()
        assert len(held.get_xdata()) == H + 1
        # The line starts at the last observation, so that it does not break at the seam.
        assert len(forecast.get_xdata()) == H + 1
        assert forecast.get_ydata()[0] == observed.get_ydata()[-1]
        assert ax.get_xlim()[0] < observed.get_xdata(orig=False)[0]


def test_without_holdout_nothing_is_said_of_it():
    with forecast_figure([view(holdout=False)]) as figure:
        assert "forecast of the hold-out" not in labels(figure)


def test_the_seam_is_at_the_last_value_that_is_known():
    shown = view(gap=True, holdout=False)
    with forecast_figure([shown]) as figure:
        forecast = figure.axes[0].get_lines()[-1]
        assert forecast.get_ydata()[0] == shown.values[T - 2]


def test_a_forecast_of_the_hold_out_starts_at_the_last_value_before_it():
    shown = view()
    shown.values[T - H - 1] = np.nan
    with forecast_figure([shown]) as figure:
        (line,) = [
            one
            for one in figure.axes[0].get_lines()
            if one.get_label() == "forecast of the hold-out"
        ]
        assert len(line.get_xdata()) == H + 1
        assert line.get_xdata()[0] == shown.time[T - H - 2]
        assert line.get_ydata()[0] == shown.values[T - H - 2]
    shown.values[: T - H] = np.nan
    with forecast_figure([shown]) as figure:
        assert len(figure.axes[0].get_lines()[1].get_xdata()) == H


@pytest.mark.parametrize("count", [6, 9])
def test_the_title_says_that_some_series_are_not_shown(count):
    with forecast_figure([view(f"store {i}") for i in range(count)], title="sales") as figure:
        assert figure.get_suptitle() == ("sales" if count == 6 else "sales (the first 6 are shown)")
        assert figure.get_label().startswith("sales. store 0: ")


def test_a_history_that_is_unknown_leaves_the_forecast_alone():
    shown = view(holdout=False)
    shown.values[:] = np.nan
    with forecast_figure([shown]) as figure:
        assert len(figure.axes[0].get_lines()[-1].get_xdata()) == H


def test_a_long_history_is_shown_from_where_it_matters():
    times = np.arange(5000)
    values = np.ones(4990)
    long = ForecastView("x", times[:4990], values, times[4990:], forecast_from(4990))
    assert long.first_shown() == 4990 - 60
    assert view().first_shown() == T - 60


def test_numbers_serve_as_time():
    with forecast_figure([view(times=np.arange(1700, 1700 + T + H))]) as figure:
        assert figure.axes[0].get_lines()[0].get_xdata()[-1] == 1700 + T - 1


@pytest.mark.parametrize("year", ["0001", "9990"])
def test_times_beyond_the_dates_of_matplotlib_are_years(year):
    times = (np.datetime64(year, "M") + np.arange(T + H)).astype("datetime64[us]")
    with forecast_figure([view(times=times, holdout=True)]) as figure:
        to_svg(figure, LIGHT, "far", "forecast")
        (first, *_) = figure.axes[0].get_lines()
    shown = first.get_xdata()
    assert shown.dtype == np.float64
    last = float(year) + (T - 1) / 12
    assert shown[-1] == pytest.approx(last, abs=0.01)


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (2, 2), (3, 3), (9, MAX_PANELS)])
def test_one_panel_a_series(count, panels):
    with forecast_figure([view(f"store {i}") for i in range(count)]) as figure:
        shown = [ax for ax in figure.axes if ax.get_visible()]
        assert len(shown) == panels
        titles = [ax.get_title(loc="left") for ax in shown]
        assert titles == ([f"store {i}" for i in range(panels)] if count > 1 else [""])


def test_png_is_written_the_same_twice(tmp_path):
    contents = []
    for name in ("one.png", "two.png"):
        with forecast_figure([view()], title="sales") as figure:
            save_png(figure, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"\x89PNG")


def test_a_notebook_shows_a_figure_that_belongs_to_no_window():
    with loss_figure({"network": ([1.0, 0.5], [])}) as figure:
        pass
    again = pickle.loads(pickle.dumps(figure))
    for shown in (figure, again):
        image, metadata = shown._repr_png_()
        assert image.startswith(b"\x89PNG")
        assert metadata == {
            "width": 922, "height": 403,
            "alt": "loss over 2 epochs: training from 1 to 0.5.",
        }  # fmt: skip


def test_small_numbers_at_an_axis_keep_their_digits():
    with loss_figure({"network": ([0.1, 0.004, 0.0005], [])}) as figure:
        svg = to_svg(figure, LIGHT, "loss", "The loss over the epochs")
    assert ">0.001<" in svg
    assert not re.search(r'="[^"]*\d\.\d{3}', svg)


def test_svg_stands_inside_a_page():
    with forecast_figure([view()], size=NARROW) as figure:
        svg = to_svg(figure, LIGHT, "fig", 'History of "a & b"')
    root = ET.fromstring(svg)
    assert root.get("aria-label") == 'History of "a & b"'
    assert root.get("viewBox")
    # It is as wide as its place, and brings no style that would apply to the whole page.
    assert root.get("width") is None
    assert "<style" not in svg
    assert "<metadata" not in svg
    # Text stays text in the page's own font.
    assert "hold-out" in svg
    assert "DejaVu" not in svg


def test_svg_ids_belong_to_one_picture():
    with forecast_figure([view()]) as figure:
        one, two = (to_svg(figure, LIGHT, name, "x") for name in ("one", "two"))
    for svg, name in ((one, "one"), (two, "two")):
        ids = re.findall(r'\bid="([^"]+)"', svg)
        assert len(ids) == len(set(ids))
        assert all(found.startswith(f"{name}-") for found in ids)
        assert set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg))
        for pair in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg):
            assert "".join(pair) in ids


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_svg_colours_follow_the_page(palette):
    with forecast_figure([view()], palette=palette) as figure:
        svg = to_svg(figure, palette, "fig", "x")
    for role in ("surface", "history", "forecast", "backtest", "grid", "muted", "ink"):
        assert f"var(--{role}, {getattr(palette, role)})" in svg
    # No colour is left that the page could not change; black is a text's default.
    assert set(re.findall(r"(?<!, )#[0-9a-f]{6}\b", svg)) == set()


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_colours_of_a_palette_differ(palette):
    colours = [colour for _, colour in palette.items()]
    assert len(set(colours)) == len(colours)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize(
    ("role", "ratio"),
    [("ink", 7), ("muted", 4.5), ("history", 4.5), ("forecast", 3), ("backtest", 3)],
)
def test_contrast_is_enough_to_read(palette, role, ratio):
    light, dark = sorted((luminance(getattr(palette, role)), luminance(palette.surface)))[::-1]
    assert (light + 0.05) / (dark + 0.05) >= ratio


def test_losses_of_one_network():
    with loss_figure({"loss": ([1.0, 0.5, 0.2], [1.1, 0.6, 0.4])}) as figure:
        assert labels(figure) == ["training", "validation"]
        assert figure.axes[0].get_yscale() == "log"


def test_losses_of_two_networks():
    curves = {"network 1": ([1.0, 0.9], None), "network 2": ([1.0, 0.95], None)}
    with loss_figure(curves) as figure:
        assert labels(figure) == ["network 1, training", "network 2, training"]
        assert figure.axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("losses", [[1.0, -2.0], [0.0, 5.0], [np.nan, 3.0], [1.0], []])
def test_losses_that_have_no_logarithm(losses):
    with loss_figure({"loss": (losses, None)}) as figure:
        assert figure.axes[0].get_yscale() == "linear"


def test_without_matplotlib_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    for figure in (forecast_figure([view()]), loss_figure({"loss": ([1.0], None)})):
        with pytest.raises(MissingDependencyError) as caught, figure:
            pass
        assert str(caught.value) == (
            "Drawing a picture needs the package 'matplotlib', which is not installed."
            " Run: pip install 'throughtime[cli]' (in a clone: pip install '.[cli]')"
        )


def test_the_label_of_a_short_hold_out_stands_before_its_band():
    for held, size, side in (
        (H, (9.6, 4.2), "left"),
        (2, (9.6, 4.2), "right"),
        (H, NARROW, "left"),
    ):
        whole = view(holdout=False)
        known = forecast_from(T - held)
        short = Forecast(
            known.steps[:held], known.mean[:held], {}, known.anchor[:held], known.origin
        )
        fold = Fold(None, T - held, whole.values[T - held :], short, {}, 1.0)
        shown = ForecastView(
            "sales", whole.time, whole.values, whole.future, whole.forecast, (fold,)
        )
        with forecast_figure([shown], size=size) as figure:
            (label,) = [text for text in figure.axes[0].texts if text.get_text() == "hold-out"]
            assert label.get_horizontalalignment() == side


def test_every_figure_brings_its_words(tmp_path):
    with forecast_figure([view("store <1>")], title="sales") as figure:
        words = figure.get_label()
        assert words == (
            "sales. store <1>: 90 values from 2024-01-01 to 2024-03-30; a forecast from 10.9 for"
            " 2024-03-31 to 10.5 for 2024-04-11, with intervals of 80 %, 95 %; a forecast of the"
            " hold-out over what came."
        )
        assert 'aria-label="sales. store &lt;1&gt;: 90 values' in to_svg(figure, LIGHT, "a")
        save_png(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["Description"] == words
    with forecast_figure([view(f"store {i}") for i in range(9)]) as figure:
        assert figure.get_label().count("store") == MAX_PANELS
        assert figure.get_label().endswith(" 3 more series are not shown.")
    with loss_figure({"a": ([2.0, 1.0], [3.0, 2.0]), "b": ([1.0], None)}) as figure:
        assert figure.get_label() == (
            "a: loss over 2 epochs: training from 2 to 1, validation from 3 to 2."
            " b: loss over 1 epoch: training from 1 to 1."
        )


def test_days_on_an_axis_are_written_with_their_month():
    hours = np.datetime64("2024-03-02T00", "us") + np.arange(T + H) * np.timedelta64(1, "h")
    with forecast_figure([view(times=hours)]) as figure:
        figure.canvas.draw()
        labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
        offset = figure.axes[0].xaxis.get_major_formatter().get_offset()
    assert offset == "2024"
    assert all(re.fullmatch(r"\d\d Mar|", label) for label in labels)
    assert any(labels)
