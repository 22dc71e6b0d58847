"""Files of forecasters that were changed: they are refused, or forecast finite numbers."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from throughtime.data import Series
from throughtime.errors import ModelFileError
from throughtime.forecasting import Forecaster
from throughtime.forecasting.storage import VERSION
from throughtime.layers import RECURRENT
from throughtime.serialization import container

QUICK: dict[str, Any] = {"epochs": 3, "members": 1, "hidden_size": 3}
RNG = np.random.default_rng
#: What stands in the JSON text where Python has no such value, or none that JSON may say.
LITERALS = {"<inf>": "1e999", "<-inf>": "-1e999", "<huge>": "1" + "0" * 4200}
VALUES = [*LITERALS, -5, 0, 1, 0.5, 3.7, 1e300, -1e300, 2**62, True, None, "x", [], {}, [1]]
NUMBERS = [-5.0, 0.0, 1e-300, 1e30, -1e30, 1e38, 1e99, 1e300, -1e300]


def wave(steps: int = 60) -> np.ndarray:
    return 10.0 + 3.0 * np.sin(2 * np.pi * np.arange(steps) / 12) + RNG(0).normal(0, 0.3, steps)


def logistic(steps: int = 120) -> np.ndarray:
    values = [0.3]
    while len(values) < steps:
        values.append(3.9 * values[-1] * (1.0 - values[-1]))
    return np.array(values)


def models() -> dict[str, Forecaster]:
    """Forecasters whose files have every part that a file can have."""
    y, days = wave(), np.datetime64("2024-01-01") + np.arange(60)
    y[7] = np.nan
    extra = RNG(1).normal(size=(60, 1))
    options = QUICK | {"season": 12, "future_covariates": False}
    return {
        "many": Forecaster(3, **options).fit(
            {"a": y, "b": y + 20},
            {"a": extra, "b": extra},
            static={"a": [0.0, 1.0], "b": [1.0, 0.0]},
        ),
        "dated": Forecaster(3, **QUICK).fit(Series.from_arrays(y, days)),
        "adjusted": Forecaster(3, season=None, network="never").fit(y + 5 * extra[:, 0], extra),
        "learned": Forecaster(2, epochs=15, members=1, season=None, seed=1).fit(logistic()),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict, dict]]:
    """Arrays and description of each file."""
    path = tmp_path_factory.mktemp("files") / "model.safetensors"
    found = {}
    for name, model in models().items():
        model.save(path)
        found[name] = container.read_container(path, "forecaster", VERSION)
        single = [dataclasses.asdict(a.principal) for a in model.fitted.anchors.values()]
        arrays, meta = found[name]
        fewer = {key: array for key, array in arrays.items() if not key.startswith("anchors.")}
        found[f"{name} of 0.2"] = fewer, meta | {"smoothing": single}
    assert found["learned"][1]["weight"] > 0.0
    return found


def write(path: Path, arrays: dict[str, np.ndarray], meta: Any) -> None:
    """A file with a correct checksum, whatever it says."""
    body = {"kind": "forecaster", "version": VERSION, "meta": meta}
    text = json.dumps(body)
    for word, literal in LITERALS.items():
        text = text.replace(json.dumps(word), literal)
    sha256 = container._checksum(json.loads(text), arrays)
    entry = f'{text[:-1]}, "sha256": {json.dumps(sha256)}}}'
    path.write_bytes(save(arrays, metadata={container.ENTRY: entry}))


def places(value: Any, above: tuple = ()) -> Iterator[tuple]:
    """The way to everything inside ``value``."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        yield (*above, key)
        if isinstance(part, dict | list):
            yield from places(part, (*above, key))


def changed(meta: Any, place: tuple, value: Any) -> Any:
    """A copy of ``meta`` with ``value`` at ``place``."""
    copy = part = json.loads(json.dumps(meta))
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return copy


def loads_or_is_refused(path: Path) -> bool:
    """Whether the file is loaded; it then forecasts finite numbers. No other error may come out."""
    message = ""
    try:
        model = Forecaster.load(path)
    except ModelFileError as error:
        message = str(error)
    if message:
        assert message.startswith(f"{path} is not a usable forecaster file: ")
        assert "\n" not in message
        return False
    assert repr(model)
    answer = model.predict()
    forecasts = answer.values() if isinstance(answer, dict) else [answer]
    for forecast in forecasts:
        for values in (forecast.mean, forecast.anchor, *forecast.intervals.values()):
            assert np.isfinite(values).all()
    return True


@pytest.mark.parametrize("name", ["many", "dated", "learned", "many of 0.2"])
def test_a_changed_description(files: dict, tmp_path: Path, name: str) -> None:
    (arrays, meta), rng, path = files[name], RNG(5), tmp_path / "model.safetensors"
    every = list(places(meta))
    loaded = 0
    for place in every:
        for i in rng.choice(len(VALUES), 3, replace=False):
            write(path, arrays, changed(meta, place, VALUES[i]))
            loaded += loads_or_is_refused(path)
    assert 0 < loaded < len(every)  # most settings only matter to the next fit


@pytest.mark.parametrize("name", ["many", "dated", "learned"])
def test_changed_arrays(files: dict, tmp_path: Path, name: str) -> None:
    (arrays, meta), rng, path = files[name], RNG(6), tmp_path / "model.safetensors"
    for key, array in arrays.items():
        others = [array[:0], array[..., None], np.concatenate([array, array]), array.astype("u1")]
        for value in [] if array.dtype == bool or not array.size else NUMBERS:
            with np.errstate(over="ignore", invalid="ignore"):
                one, every = array.copy(), np.full_like(array, value)
                one.flat[rng.integers(array.size)] = every.flat[0]
            others += [one, every]
        for other in others:
            write(path, arrays | {key: other}, meta)
            loads_or_is_refused(path)
        write(path, {k: a for k, a in arrays.items() if k != key}, meta)
        assert not loads_or_is_refused(path)


@pytest.mark.parametrize(
    ("name", "place", "value", "words"),
    [
        ("many", ("weight",), 1e300, "weight must be a number in [0, 1]; got 1e+300."),
        ("many", ("weight",), -5, "weight must be a number in [0, 1]; got -5."),
        ("many", ("window",), 10**12, "window must be an integer from 1 to 60; got 1000000000000."),
        ("many", ("window",), 0, "window must be an integer from 1 to 60; got 0."),
        (
            "many of 0.2",
            ("smoothing", 1, "period"),
            1e300,
            "period of y['b'] must be a number in [1, 30]; got 1e+300.",
        ),
        (
            "many of 0.2",
            ("smoothing", 0, "period"),
            1e9,
            "period of y['a'] must be a number in [1, 30]; got 1000000000.0.",
        ),
        (
            "dated of 0.2",
            ("smoothing", 0, "alpha"),
            -0.5,
            "alpha of y must be a number in [0, 1]; got -0.5.",
        ),
        (
            "dated of 0.2",
            ("smoothing", 0, "trend"),
            "up",
            "trend of y must be one of 'none', 'drift', 'return', 'local', 'theta'; got 'up'.",
        ),
        ("dated of 0.2", ("smoothing", 0), {}, "the smoothing of y is damaged."),
        ("dated", ("calendars", 0, "position"), -1, "position must be an integer >= 0; got -1."),
        (
            "dated",
            ("calendars", 0, "position"),
            10**30,
            "the end of the calendar must be a finite number <= 4.61169e+18; got 8.64e+40.",
        ),
        (
            "dated",
            ("calendars", 0, "step", "day"),
            0,
            "day must be an integer from 1 to 31; got 0.",
        ),
        (
            "dated",
            ("calendars", 0, "step", "unit"),
            "year",
            "unit must be one of 'microsecond', 'month', 'business day', 'number'; got 'year'.",
        ),
        ("many", ("settings", "horizon"), 0, "horizon must be an integer >= 1; got 0."),
        ("many", ("settings", "horizon"), 10**9, "calibration.spread has another shape."),
        ("many", ("settings", "colour"), 1, "it holds an unknown setting 'colour'."),
        ("many", ("settings",), {}, "the setting 'horizon' is missing."),
        ("many", ("candidates",), [-5], "candidates must be a finite number >= 1; got -5."),
        ("many", ("names",), ["a", "a"], "its names are damaged."),
        ("many", ("names",), [["a"], "b"], "its names are damaged."),
        ("many", ("container",), "one", "its names are damaged."),
        ("many", ("notes",), "none", "notes must be a list; got 'none'."),
        ("many", ("notes",), [5], "a note must be a text or its pieces; got 5."),
        ("many", ("nonnegative",), 1, "nonnegative must be True or False; got 1."),
        (
            "many",
            ("networks", 0, "layers", 0, "activation"),
            {"name": "relu"},
            "network.0 is not of the form that a forecaster has.",
        ),
    ],
)
def test_what_is_wrong_is_said(
    files: dict, tmp_path: Path, name: str, place: tuple, value: Any, words: str
) -> None:
    (arrays, meta), path = files[name], tmp_path / "model.safetensors"
    write(path, arrays, changed(meta, place, value))
    message = f"{path} is not a usable forecaster file: {words}"
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}$"):
        Forecaster.load(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("covariates.width", 0.0, "covariates.width holds a number out of range."),
        ("calibration.spread", -5.0, "calibration.spread holds a number out of range."),
        ("calibration.quantiles", 1e200, "calibration.quantiles holds a number out of range."),
        ("series.0.y", 1e200, "series.0.y holds a number out of range."),
        ("anchors.settings", -1.0, "anchors.settings holds a number out of range."),
        ("anchors.count", 1, "anchors.index has another shape."),
        ("anchors.index", 10**6, "anchors.index holds a number out of range."),
        ("anchors.weight", -0.5, "anchors.weight holds a number out of range."),
        ("anchors.weight", 5.0, "the sum of the weights of y['a'] must be a number in [1, 1]; got"),
        ("network.0", 1e38, "network.0 holds weights of size 1e+38."),
    ],
)
def test_a_number_out_of_range(
    files: dict, tmp_path: Path, key: str, value: float, words: str
) -> None:
    (arrays, meta), path = files["many"], tmp_path / "model.safetensors"
    other = arrays[key].copy()
    other.flat[0] = value
    write(path, arrays | {key: other}, meta)
    message = f"{path} is not a usable forecaster file: {words}"
    with pytest.raises(ModelFileError, match=f"^{re.escape(message)}"):
        Forecaster.load(path)


def test_a_series_without_a_number_before_the_hold_out_is_kept(tmp_path: Path) -> None:
    model = Forecaster(3, season=None, **QUICK)
    model.backtest({"long": wave(), "new": [1.0, 2.0, 3.0]})
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors")
    added = {"long": wave()[-3:], "new": [1.0, 2.0, 3.0]}
    model.update(added)
    loaded.update(added)
    for name, forecast in loaded.predict().items():
        np.testing.assert_array_equal(forecast.mean, model.predict()[name].mean)


@pytest.mark.parametrize("cell", RECURRENT)
def test_a_network_of_every_cell_is_kept(cell: str, tmp_path: Path) -> None:
    model = Forecaster(3, cell=cell, base_model="none", **QUICK)
    model.fit([wave(), wave()[::-1] + 3])
    model.save(tmp_path / "model.safetensors")
    again = Forecaster.load(tmp_path / "model.safetensors")
    for got, want in zip(again.predict(3), model.predict(3), strict=True):
        np.testing.assert_array_equal(got.mean, want.mean)
    assert type(again.networks_[0].layers[0]) is RECURRENT[cell]
