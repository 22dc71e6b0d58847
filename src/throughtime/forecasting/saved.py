"""The parts of a forecaster's file, each checked before it is used.

A file may pass every check of the container and still contain anything. A forecaster that has been
loaded must forecast finite numbers, so every number has its range. And no memory is taken for what
a file only claims: sizes are compared with those of its arrays first.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from throughtime.data.tables.frequency import Frequency
from throughtime.errors import check_bool, check_choice, check_float, check_int, describe
from throughtime.forecasting import base_network, notes
from throughtime.forecasting.adjustment import Adjustment
from throughtime.forecasting.averaging import Average
from throughtime.forecasting.base_network import Share
from throughtime.forecasting.baselines import NAIVE
from throughtime.forecasting.calendars import Calendar
from throughtime.forecasting.calibration import LEVELS, Calibration
from throughtime.forecasting.choosing import CROSTON, USUAL, Choice
from throughtime.forecasting.correcting import Base
from throughtime.forecasting.covariates import SMALLEST_WIDTH
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.inputs import N_INPUTS
from throughtime.forecasting.networks import fill
from throughtime.forecasting.reading import LARGEST
from throughtime.forecasting.series import FORMS, Group, Observed
from throughtime.forecasting.settings import Settings
from throughtime.forecasting.smoothing import N_COLUMNS, Smoothing
from throughtime.layers import RECURRENT, Dense
from throughtime.network import Network


class Saved:
    """The parts of a file.

    Parameters
    ----------
    arrays, meta : dict
        The contents of the container.

    Attributes
    ----------
    settings : dict
        Arguments of the forecaster, which checks them itself.
    metadata : dict
        Metadata of the forecaster.

    Raises
    ------
    Exception
        Of any kind, if a part is missing, is out of range, or does not fit the others.
    """

    def __init__(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        self._arrays, self._meta = arrays, meta
        self.settings = self._part("settings", dict)
        self.metadata = self._part("metadata", dict)
        unknown = sorted(self.settings.keys() - set(Settings.saved()))
        _expect(not unknown, f"it holds an unknown setting {describe(unknown[:1])[1:-1]}")
        _expect("horizon" in self.settings, "the setting 'horizon' is missing")
        if "use" not in self.settings:  # a file of 0.2 or before, which knows no choice
            never = self.settings.get("network") == "never"
            self.settings["use"] = "smoothing" if never else "network"
        self.settings.setdefault("base_model", base_network.NONE)

    def fitted(self, horizon: int) -> Fitted:
        """The parts put together; they must belong to ``horizon`` and to each other."""
        width = self._arrays["covariates.centre"].size
        group = self._group(width, horizon)
        inputs = N_INPUTS + width + len(group.series[0].static)
        long = self._meta.get("long_seasons", [])
        return Fitted(
            group=group,
            anchors=self._anchors(group),
            candidates=tuple(
                check_float("candidates", p, 1.0) for p in self._part("candidates", list)
            ),
            window=check_int("window", self._meta["window"], 1, max(4, *map(len, group.series))),
            centre=self._vector("covariates.centre", width, -LARGEST),
            width=self._vector("covariates.width", width, SMALLEST_WIDTH),
            networks=[
                self._network(i, c, inputs) for i, c in enumerate(self._part("networks", list))
            ],
            calibration=self._calibration(horizon),
            floor=0.0 if check_bool("nonnegative", self._meta["nonnegative"]) else -np.inf,
            notes=[notes.from_config(note) for note in self._part("notes", list)],
            choices=self._choices(group),
            adjustments=self._adjustments(group, width),
            base=self._base(group),
            long_seasons=tuple(check_float("long_seasons", p, 1.0) for p in long),
        )

    def _part(self, name: str, kind: type) -> Any:
        """A part of the JSON object that must be a list or a dict."""
        found = self._meta[name]
        _expect(isinstance(found, kind), f"{name} must be a {kind.__name__}; got {describe(found)}")
        return found

    def _group(self, width: int, horizon: int) -> Group:
        names, calendars = self._part("names", list), self._meta.get("calendars")
        kind = check_choice("container", self._meta["container"], FORMS)
        fit = {"one": [None], "list": list(range(len(names)))}.get(kind, names)
        plain = all(isinstance(n, str) or type(n) is int for n in names) or kind == "one"
        named = names == fit and plain and 0 < len(names) == len(set(names))
        _expect(named, "its names are damaged")
        _expect(calendars is None or len(calendars) == len(names), "its calendars are damaged")
        series = []
        for i, name in enumerate(names):
            y = self._with_gaps(f"series.{i}.y", (None,))
            extra = self._with_gaps(f"series.{i}.X", (len(y), width))
            config = None if calendars is None else calendars[i]
            calendar = None
            if config is not None:
                _expect_fields(config, Calendar, f"calendars[{i}]")
                _expect_fields(config["step"], Frequency, f"the step of calendars[{i}]")
                calendar = Calendar.from_config(config, len(y) + horizon)
            series.append(Observed(name, y, extra, calendar, self._static(i)))
        _expect(len({len(one.static) for one in series}) == 1, "its static numbers are damaged")
        _expect(any(one.count for one in series), "it holds no history with a number")
        return Group(kind, tuple(series))

    def _static(self, i: int) -> np.ndarray:
        """What does not change with time; nothing in files of 0.2 and before."""
        name = f"series.{i}.static"
        return self._numbers(name, (None,), -LARGEST) if name in self._arrays else np.zeros(0)

    def _anchors(self, group: Group) -> dict[Any, Average]:
        """The average of every series that has a number; the others have none yet."""
        if "smoothing" in self._meta:
            return self._single_settings(group)
        table = self._numbers("anchors.settings", (None, N_COLUMNS), 0.0)
        counts = self._whole_numbers("anchors.count", (len(group.series),), len(table))
        total = int(counts.sum())
        index = self._whole_numbers("anchors.index", (total,), len(table) - 1)
        weights = self._numbers("anchors.weight", (total,), 0.0)
        found, begin = {}, 0
        for series, count in zip(group.series, counts.tolist(), strict=True):
            _expect((count > 0) == (series.count > 0), f"the anchor of {series.label} is damaged")
            rows = slice(begin, begin + count)
            begin += count
            if count:
                length = len(series.from_first_value())
                found[series.name] = Average.from_rows(
                    table[index[rows]], weights[rows], str(series.label), length
                )
        return found

    def _single_settings(self, group: Group) -> dict[Any, Average]:
        """The anchors of a file of version 1, which have one setting each."""
        found = {}
        for series, config in zip(group.series, self._part("smoothing", list), strict=True):
            if series.count or config is not None:
                _expect(series.count > 0, f"{series.label} holds no number")
                _expect_fields(config, Smoothing, f"the smoothing of {series.label}")
                length = len(series.from_first_value())
                setting = Smoothing.from_config(config, str(series.label), length)
                found[series.name] = Average.of(setting)
        return found

    def _base(self, group: Group) -> Base:
        """The base networks; files of 0.2 and before have none."""
        if "base" not in self._meta:
            return Base()
        meta = self._part("base", dict)
        networks = base_network.from_parts(meta["networks"], self._arrays, "base")
        shares = {}
        for name, config in zip(group.names, meta["shares"], strict=True):
            if config is not None:
                _expect_fields(config, Share, "a share of the base networks")
                check_float("share", config["share"], 0.0, 1.0)
                check_float("ratio", config["ratio"], 0.0)
                check_int("origins", config["origins"], 0)
                shares[name] = Share(**config)
        return Base(networks, shares)

    def _choices(self, group: Group) -> dict[Any, Choice] | None:
        """What is delivered for each series; None in files of 0.2 and before."""
        if self._meta.get("choices") is None:
            return None
        found = {}
        for series, config in zip(group.series, self._part("choices", list), strict=True):
            if config is None:
                continue
            _expect_fields(config, Choice, f"the choice of {series.label}")
            gains = config["gains"]
            _expect(isinstance(gains, dict) and set(gains) <= set(NAIVE), "a choice is damaged")
            found[series.name] = Choice(
                check_choice("the method of a choice", config["method"], (USUAL, CROSTON, *NAIVE)),
                {name: check_float("a gain", gain, -1.0, 1.0) for name, gain in gains.items()},
                check_int("the stretches of a choice", config["stretches"], 0),
            )
        return found

    def _adjustments(self, group: Group, width: int) -> dict[Any, Adjustment]:
        """The adjustments of the series that have one; in files of 0.2 and before none has."""
        if "adjustments" not in self._meta:
            return {}
        found = {}
        for series, config in zip(group.series, self._part("adjustments", list), strict=True):
            if config is not None:
                _expect_fields(config, Adjustment, f"the adjustment of {series.label}")
                found[series.name] = Adjustment.from_config(config, str(series.label), width)
        return found

    def _network(self, i: int, config: Any, inputs: int) -> Network:
        """A network of the form that fitting builds."""
        name = f"network.{i}"
        weights = self._arrays[name]
        net = Network.from_config(config, weights.size)
        *recurrent, last = net.layers
        usual = last == Dense(1, initializer="zeros") and len(recurrent) > 0
        for layer in recurrent:
            kind: Any = type(layer)
            usual &= kind in RECURRENT.values() and layer == kind(
                getattr(layer, "units", 1), return_sequences=True
            )
        _expect(usual, f"{name} is not of the form that a forecaster has")
        _expect(net.n_features == inputs, f"{name} has another number of inputs")
        fill(net, weights, name)
        return net

    def _calibration(self, horizon: int) -> Calibration:
        quantiles = self._vector("calibration.quantiles", len(LEVELS), -LARGEST)
        _expect(bool((np.diff(quantiles) >= 0.0).all()), "calibration.quantiles is not sorted")
        return Calibration(
            check_float("weight", self._meta["weight"], 0.0, 1.0),
            self._vector("calibration.spread", horizon, 0.0),
            quantiles,
            check_float("gain", self._meta.get("gain", 1.0), 0.0),
            check_bool("expected", self._meta.get("expected", False)),
        )

    def _vector(self, name: str, size: int, low: float) -> np.ndarray:
        """An array (size,) of numbers from ``low`` to ``LARGEST``."""
        return self._numbers(name, (size,), low)

    def _with_gaps(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """Values with NaN where they are missing."""
        values, seen = self._numbers(name, shape, -LARGEST), self._arrays[f"{name}_seen"]
        _expect(seen.dtype == np.bool_, f"{name}_seen has another dtype")
        _expect(seen.shape == values.shape, f"{name}_seen has another shape")
        return np.where(seen, values, np.nan)

    def _whole_numbers(self, name: str, shape: tuple[int, ...], high: int) -> np.ndarray:
        """An array of int64 of this shape, from 0 to ``high``."""
        array = self._arrays[name]
        _expect(array.shape == shape, f"{name} has another shape")
        _expect(array.dtype == np.int64, f"{name} has another dtype")
        inside = bool(((array >= 0) & (array <= high)).all())
        _expect(inside, f"{name} holds a number out of range")
        return array

    def _numbers(self, name: str, shape: tuple[int | None, ...], low: float) -> np.ndarray:
        """An array of float64 of this shape, from ``low`` to ``LARGEST``; None is any size."""
        array = self._arrays[name]
        fits = array.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        _expect(fits, f"{name} has another shape")
        _expect(array.dtype == np.float64, f"{name} has another dtype")
        inside = bool(((array >= low) & (array <= LARGEST)).all())
        _expect(inside, f"{name} holds a number out of range")
        return array


def _expect_fields(config: Any, kind: type, name: str) -> None:
    """Refuse a description that has not the fields of the dataclass ``kind``."""
    names = {field.name for field in dataclasses.fields(kind)}
    _expect(isinstance(config, dict) and config.keys() == names, f"{name} is damaged")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
