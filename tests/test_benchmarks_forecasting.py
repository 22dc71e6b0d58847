"""The forecast benchmark: its arithmetic, its series, and the results that it stores."""

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bench():
    """The modules; imported here, because a copy of the tests alone has no benchmarks beside it."""
    names = [
        "bars",
        "classics",
        "collections",
        "demand",
        "methods",
        "panels",
        "report",
        "running",
        "scores",
        "showcases",
    ]
    parts = {name: importlib.import_module(f"benchmarks.forecasting.{name}") for name in names}
    return SimpleNamespace(**parts)


def series(bench, train, test, *, name="classics:a", period=1, frequency="yearly", alias="YS"):
    collection = name.partition(":")[0]
    arrays = (np.asarray(train, float), np.asarray(test, float))
    return bench.collections.Series(name, collection, frequency, alias, period, *arrays)


def forecast(bench, mean, half80, half95):
    """The same half width at each step."""
    mean = np.asarray(mean, float)
    bounds = {80: half80, 95: half95}
    found = {"mean": mean}
    for level, half in bounds.items():
        found |= {f"lo{level}": mean - half, f"hi{level}": mean + half}
    return found


def test_scores_of_a_series_by_hand(bench):
    one = series(bench, [1, 10, 3, 14], [5, 12], period=2)
    assert bench.scores.scale(one) == (2 + 4) / 2
    found = bench.scores.score(one, forecast(bench, [6, 8], 1, 2), 0.5)
    assert found.mase == pytest.approx((1 + 4) / 2 / 3)
    assert found.smape == pytest.approx(100 * (2 * 1 / 11 + 2 * 4 / 20) / 2)
    assert found.coverage == {80: 0.5, 95: 0.5}  # 5 is a bound of [5, 7]; 12 is above 9 and 10
    # S = width + 2/a times the distance to an interval that misses: 12 is 3 and 2 above it.
    assert found.msis[80] == pytest.approx((2 + (2 + 2 / 0.2 * 3)) / 2 / 3)
    assert found.msis[95] == pytest.approx((4 + (4 + 2 / 0.05 * 2)) / 2 / 3)
    assert found.seconds == 0.5


def test_an_interval_above_the_value_costs_as_much_as_one_below(bench):
    score = bench.scores.interval_score
    x = np.array([0.0])
    assert score(x, x + 1, x + 3, 80) == score(x, x - 3, x - 1, 80) == pytest.approx(2 + 10 * 1)


def test_a_history_shorter_than_its_season_is_scaled_by_single_steps(bench):
    one = series(bench, [1, 2, 4], [4], period=12)
    assert bench.scores.scale(one) == 1.5


def test_smape_of_two_zeros_is_zero(bench):
    assert bench.scores.smape(np.array([0.0, 1.0]), np.array([0.0, -1.0])) == 100.0


def test_ranks_share_ties(bench):
    mase = np.array([[1.0, 2.0], [1.0, 1.0], [3.0, 3.0]])
    np.testing.assert_allclose(bench.scores.ranks(mase), [(1.5 + 2) / 2, (1.5 + 1) / 2, 3])


def test_a_constant_ratio_has_no_spread(bench):
    base = np.array([0.5, 1.0, 7.0])
    found = bench.scores.ratio(0.9 * base, base, ["a", "b", "c"])
    assert (found.value, found.low, found.high) == pytest.approx((0.9, 0.9, 0.9))
    assert str(found) == "0.900 [0.900, 0.900]"


def test_the_bootstrap_interval_is_that_of_the_mean_of_logarithms(bench):
    rng = np.random.default_rng(3)
    logs = rng.normal(-0.05, 0.4, 800)
    found = bench.scores.ratio(np.exp(logs), np.ones(800), [str(k) for k in range(800)])
    half = 1.96 * logs.std() / np.sqrt(800)
    assert found.value == pytest.approx(np.exp(logs.mean()))
    # 1,000 draws know a quantile of 2.5 % to about a tenth of the standard error.
    assert np.log([found.low, found.high]) == pytest.approx(
        [logs.mean() - half, logs.mean() + half], abs=0.15 * half
    )


def test_hold_outs_of_one_series_are_one_draw(bench):
    rng = np.random.default_rng(4)
    logs = np.repeat(rng.normal(0.0, 0.3, 50), 4)  # four equal hold-outs of each of 50 series
    sources = [str(k // 4) for k in range(200)]
    alone = bench.scores.ratio(np.exp(logs[::4]), np.ones(50), sources[::4])
    repeated = bench.scores.ratio(np.exp(logs), np.ones(200), sources)
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high))


def test_an_exact_forecast_counts_as_a_hundredth(bench):
    found = bench.scores.ratio(np.array([0.0, 1.0]), np.array([1.0, 1.0]), ["a", "b"])
    assert found.value == pytest.approx(np.sqrt(0.01))
    equal = bench.scores.ratio(np.zeros(2), np.zeros(2), ["a", "b"])
    assert equal.value == 1.0


def test_the_half_is_the_last_bit_of_the_digest(bench):
    # printf m3:N0001 | md5sum; printf m1:YAF2 | md5sum
    digests = {
        "m3:N0001": "64635ade573ef4f5641c22b76d569042",
        "m1:YAF2": "3e9102a1c75510ac2d764d0d071edb51",
    }
    for name, digest in digests.items():
        assert bench.collections.is_odd(name) == (int(digest[-1], 16) % 2 == 1)


def test_noise_is_noise_and_the_same_in_each_run(bench):
    first, again = (bench.collections.load("odd", ["noise"]) for _ in range(2))
    assert len({one.id for one in first}) == 100
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.train, other.train)
    white, walk = first[0], first[50]
    assert (white.id, walk.id) == ("noise:white0", "noise:walk0")
    assert abs(np.corrcoef(white.train[1:], white.train[:-1])[0, 1]) < 0.3
    assert np.corrcoef(walk.train[1:], walk.train[:-1])[0, 1] > 0.7


def test_a_hold_out_before_the_last_has_the_same_source(bench):
    assert series(bench, [1, 2], [3], name="classics:a/b?c=d@e#2").source == "classics:a/b?c=d@e"


@pytest.fixture
def tables(bench, monkeypatch):
    days = ["2020-01-03", "2020-01-01", "2020-01-05", "2020-01-02"]
    found = {
        "p/ts": pd.DataFrame({"time": [1.0, 2.0, 3.0], "value": [np.nan, 2.0, 5.0]}),
        "p/wide": pd.DataFrame({"Year": [1, 2], "Jan": [1, 3], "Dec": [2, 4], "Sum": [9, 9]}),
        "p/long": pd.DataFrame({"who": ["a", "b", "a", "a"], "x": [3.0, 9.0, 5.0, 2.0], "d": days}),
    }
    monkeypatch.setattr(bench.classics, "_table", lambda package, item: found[f"{package}/{item}"])


@pytest.mark.parametrize(
    ("recipe", "values"),
    [
        ("p/ts", [2, 5]),
        ("p/wide/Sum", [9, 9]),
        ("p/wide/Jan..Dec", [1, 2, 3, 4]),
        ("p/long/x?who=a", [3, 5, 2]),
        ("p/long/x?who=a@d", [2, 3, 4, 5]),  # in order; the 4th of January is interpolated
    ],
)
def test_a_recipe_names_values(bench, tables, recipe, values):
    np.testing.assert_allclose(bench.classics.read(recipe, "D"), values)


def test_a_recipe_that_finds_nothing_is_named(bench, tables):
    with pytest.raises(LookupError, match=r"^p/long/x\?who=c has no numbers\.$"):
        bench.classics.read("p/long/x?who=c", "D")
    with pytest.raises(LookupError, match=r"^'ts' is not PACKAGE/ITEM"):
        bench.classics.read("ts", "D")


def test_recipes_are_distinct(bench):
    every = [recipe for section in bench.classics.SECTIONS for recipe in section.recipes]
    assert len(set(every)) == len(every) > 200


def test_hold_outs_of_a_classic_do_not_overlap(bench, monkeypatch):
    monkeypatch.setattr(
        bench.collections, "read", lambda recipe, alias: np.arange(400.0 if alias == "W" else 40.0)
    )
    found = bench.collections.load("odd", ["classics"])
    weekly = [one for one in found if one.source == "classics:throughtime/co2"]
    assert [one.id[-2:] for one in weekly] == ["o2", "#1", "#2", "#3"]
    assert [one.test[0] for one in weekly] == [387, 347, 307, 267]
    for one in weekly:
        assert len(one.test) == 13
        assert one.test[0] == one.train[-1] + 1


def test_seasonal_naive(bench):
    one = series(bench, [1, 2, 3, 5], [0] * 5, period=2)
    found = bench.methods.seasonal_naive(one)
    np.testing.assert_array_equal(found["mean"], [3, 5, 3, 5, 3])
    sigma = np.sqrt((2**2 + 3**2) / 2 * np.array([1, 1, 2, 2, 3]))
    np.testing.assert_allclose(found["hi95"] - found["mean"], 1.959964 * sigma, rtol=1e-6)
    np.testing.assert_allclose(found["mean"] - found["lo80"], 1.281552 * sigma, rtol=1e-6)


def test_seasons_are_those_seen_twice(bench):
    hourly = {"alias": "h", "period": 24}
    assert bench.methods.seasons(series(bench, range(400), [0], **hourly)) == [24, 168]
    assert bench.methods.seasons(series(bench, range(300), [0], **hourly)) == [24]
    assert bench.methods.seasons(series(bench, range(40), [0], **hourly)) == []


def test_a_peer_that_is_not_installed_is_named(bench):
    method = bench.methods.Method("Fast model", "no-such-package", bench.methods.seasonal_naive)
    with pytest.raises(SystemExit, match=r"^Fast model needs no-such-package\. Run make bench-f"):
        method.version()


@pytest.fixture
def failing(bench, monkeypatch):
    def forecast(one):
        raise ZeroDivisionError("no")

    method = bench.methods.Method("failing", None, forecast)
    monkeypatch.setitem(bench.methods.METHODS, "failing", method)
    return "failing"


def test_a_method_that_fails_has_the_seasonal_naive_forecast_and_the_reason(bench, failing):
    one = series(bench, [1, 2, 3, 5], [0, 0], period=2)
    result = bench.running.one((failing, one))
    assert result["mean"] == [3.0, 5.0]
    assert result["error"] == "ZeroDivisionError: no"


def test_stored_results_count_for_the_same_data_only(bench, tmp_path, monkeypatch):
    many = [series(bench, [k, 2, 4, 3], [5, 6], name=f"classics:{k}") for k in range(3)]
    settings = {"anew": False, "processes": 1}
    first = bench.running.run("snaive", many, tmp_path, **settings)
    path = bench.running.file_of(tmp_path, "snaive")
    assert [json.loads(line)["id"] for line in path.read_text().strip().splitlines()] == list(first)
    with path.open("a") as file:
        file.write('{"id": "classics:1", "dig')  # as a stopped run leaves it

    computed = []

    def compute(name, tasks, processes):
        computed.extend(one.id for _, one in tasks)
        return map(bench.running.one, tasks)

    monkeypatch.setattr(bench.running, "_computed", compute)
    assert bench.running.run("snaive", many, tmp_path, **settings) == first
    assert computed == []
    many[2] = replace(many[2], train=many[2].train + 1.0)
    again = bench.running.run("snaive", many, tmp_path, **settings)
    assert computed == ["classics:2"]
    assert again["classics:2"]["mean"] == [4.0, 4.0]
    bench.running.run("snaive", many, tmp_path, anew=True, processes=1)
    assert len(computed) == 4


def test_a_line_after_one_that_was_cut_off_is_read(bench, tmp_path, monkeypatch):
    one = series(bench, [1, 2, 4, 3], [5, 6])
    path = bench.running.file_of(tmp_path, "snaive")
    path.write_text('{"id": "classics:1", "dig')
    monkeypatch.setattr(
        bench.running, "_computed", lambda name, tasks, n: map(bench.running.one, tasks)
    )
    found = bench.running.run("snaive", [one], tmp_path, anew=False, processes=1)
    assert bench.running.stored(path) == {(one.id, bench.running.digest(one)): found[one.id]}


def test_the_mean_of_two_methods(bench):
    one = series(bench, [1, 2, 3, 5], [0, 0], period=2)
    first = bench.running.one(("snaive", one)) | {"seconds": 1.0}
    second = first | {"mean": [4.0, 7.0], "seconds": 2.0, "error": "one failed"}
    found = bench.running.mean(first, second)
    assert (found["mean"], found["seconds"]) == ([3.5, 6.0], 3.0)
    assert found["lo80"] == first["lo80"]
    assert found["error"] == "one failed"


@pytest.fixture
def board(bench):
    """120 monthly series of M3, and 4 of noise: ours has 0.8 of the errors of ets."""
    rng = np.random.default_rng(5)
    board = bench.scores.Board([], {"ours": [], "smoothing": [], "ets": []})
    groups = {"m3": 120, "noise": 4}
    for name in (f"{group}:{k}" for group, count in groups.items() for k in range(count)):
        y = rng.standard_normal(50)
        one = series(bench, y[:40], y[40:], name=name, period=12, frequency="monthly", alias="MS")
        board.series.append(one)
        for method, factor in {"ours": 0.8, "smoothing": 0.9, "ets": 1.0}.items():
            mean = one.test - factor
            found = forecast(bench, mean, 2.0 if method == "ets" else 0.7, 3.0)
            board.scores[method].append(bench.scores.score(one, found))
    return board


def test_bars_are_judged_by_what_was_measured(bench, board):
    parts = bench.report.by_collection(board), bench.report.by_frequency(board)
    bars = bench.bars.judge(parts[0]["m3"], *parts, "ets")
    assert {bar.name: bar.reached for bar in bars} == {
        "MASE on the competitions, by that of ets": True,
        "MASE on noise, by that of smoothing": True,
        "mean rank, monthly": True,
        "coverage, monthly": False,  # none in 80 %, all in 95 %
        "interval score of 80 %, monthly": True,
        "interval score of 95 %, monthly": True,
    }
    assert bars[0].got == "0.800 [0.800, 0.800]"
    few = {"monthly": parts[1]["monthly"].only([True] * 99 + [False] * 21)}
    assert len(bench.bars.judge(parts[0]["m3"], parts[0], few, "ets")) == 2


def test_the_report_keeps_noise_apart(bench, board):
    text = bench.report.markdown(board, "ets", ["Half of the competitions: odd."], draws=20)
    assert "### all: 120 series" in text
    assert "### monthly: 120 series" in text
    assert "### noise: 4 series" in text
    assert "| throughtime | 120 |" in text  # beside the published results of M3
    assert "| Theta | 3003 | 13.01 | 12.76 | 1.39 |" in text


def test_hold_outs_of_a_panel(bench):
    panel = replace(bench.panels.PANELS[0], horizon=6)
    values = {"long": np.arange(60.0), "short": np.arange(29.0), "still": np.ones(60)}
    found = bench.panels.hold_out(panel, values, 1)
    assert [one.id for one in found] == ["txhousing:long#1"]
    np.testing.assert_array_equal(found[0].test, np.arange(48, 54))
    assert found[0].train[-1] == 47


def test_least_squares_comes_to_the_noise_of_the_drawn_sales(bench):
    for seed in range(3):
        y, covariates = bench.showcases.sales(seed)
        assert covariates[-14:, 0].sum() >= 1
        # The mean absolute value of noise of 3 is 2.4; a mean of 14 varies by 0.5.
        assert bench.showcases.least_squares(y, covariates, 272) == pytest.approx(2.4, abs=1.2)


def test_showcases_say_what_was_reached(bench):
    naive = {"forecast": 2.0, "persistence": 2.1, "drift": 3.0, "smoothing alone": 1.0}
    covariates = {"forecast": 3.1, "persistence": 9.0, "least squares": 2.0}
    cases = [bench.showcases.Case("a", naive, 0.5), bench.showcases.Case("b", covariates, 0.0)]
    lines = bench.showcases.markdown(cases).splitlines()
    assert lines[4] == "| a | 2 | 2.1 | 3 | 1 |  | 0.50 | yes |"
    assert lines[5] == "| b | 3.1 | 9 |  |  | 2 | 0.00 | **no** |"


def test_methods_for_demand_are_those_that_they_are_called(bench):
    y = np.zeros(300)
    y[[9, 19]] = 4.0  # two demands: gains are 1 and 1/2 until there are ten
    demand = bench.demand
    found = {name: demand.methods()[name](y).mean for name in ("Croston", "SBA", "TSB", "zero")}
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 14)
    assert found["Croston"][0] == pytest.approx(0.4)
    assert found["SBA"][0] == pytest.approx(0.95 * 0.4)
    assert 0.0 < found["TSB"][0] < 1e-10  # the share of days with demand fades by 0.9 a day
    assert found["zero"][0] == 0.0
    rows = {name: np.array([[0.5, np.nan]]) for name in ("Croston", "zero")}
    rows |= {"ours": np.array([[0.3, 0.1], [0.4, 0.2]])}
    rows |= {"mean and quantiles of the history": np.array([[0.3, 0.1], [0.5, 0.2]])}
    text = demand.markdown(rows)
    assert f"| ours | {np.sqrt((0.09 + 0.16) / 2):.4f} | 0.1500 |" in text
    assert "| zero | 0.5000 |  |" in text
    assert "2 hold-outs of 14 days." in text
    assert text.rstrip().endswith("yes.")


def test_help_needs_no_peer():
    command = [sys.executable, "-m", "benchmarks.forecasting", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--half {odd,even,all}" in done.stdout


def test_a_base_that_does_not_run_is_refused():
    command = [sys.executable, "-m", "benchmarks.forecasting", "--methods", "ours"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("--base must be one of --methods; got ets\n")
