"""A forecaster in one safetensors file: settings and choices as JSON, numbers as arrays.

Arrays: ``network.<i>`` and ``base.<i>`` the parameters of a member and of a base network as one
vector each, ``series.<i>.y`` and ``.y_seen`` a history and where it is known, ``series.<i>.X`` and
``.X_seen`` its covariates, ``series.<i>.static`` what does not change, ``anchors.settings`` all
settings of smoothing that have a weight, ``anchors.count``, ``.index`` and ``.weight`` how many of
them each series averages, which and how, and those of covariates and calibration.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from throughtime.errors import InvalidTypeError, ModelFileError, describe, sentence
from throughtime.forecasting import notes
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.saved import Saved
from throughtime.forecasting.settings import Settings, to_json
from throughtime.forecasting.smoothing import N_COLUMNS, Grid
from throughtime.serialization.container import read_container, write_container

KIND = "forecaster"
VERSION = 2
#: What may happen when a part of a file is not what it should be.
_DAMAGE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


def save(
    path: str | os.PathLike[str], settings: Settings, metadata: Mapping[str, Any], fitted: Fitted
) -> None:
    """Write a fitted forecaster to ``path``."""
    names = fitted.group.names
    arrays = {
        "covariates.centre": fitted.centre,
        "covariates.width": fitted.width,
        "calibration.spread": fitted.calibration.spread,
        "calibration.quantiles": fitted.calibration.quantiles,
    }
    arrays |= _anchors(fitted)
    base = fitted.base
    for i, net in enumerate(base.networks):
        arrays[f"base.{i}"] = net.params.flat
    for i, net in enumerate(fitted.networks):
        arrays[f"network.{i}"] = net.params.flat
    for i, series in enumerate(fitted.group.series):
        for key, values in (("y", series.y), ("X", series.covariates)):
            seen = ~np.isnan(values)
            arrays[f"series.{i}.{key}"] = np.where(seen, values, 0.0)
            arrays[f"series.{i}.{key}_seen"] = seen
        if len(series.static):
            arrays[f"series.{i}.static"] = series.static
    meta = {
        "settings": settings.to_config(),
        "metadata": metadata,
        "networks": [net.to_config() for net in fitted.networks],
        "container": fitted.group.kind,
        "base": {
            "networks": [net.to_config() for net in base.networks],
            "shares": [s and dataclasses.asdict(s) for s in map(base.shares.get, names)],
        },
        "names": [_name(name) for name in names],
        "calendars": [s.calendar and s.calendar.to_config() for s in fitted.group.series],
        "adjustments": [a and a.to_config() for a in map(fitted.adjustments.get, names)],
        "long_seasons": list(fitted.long_seasons),
        "candidates": list(fitted.candidates),
        "window": fitted.window,
        "weight": fitted.calibration.weight,
        "gain": fitted.calibration.gain,
        "expected": fitted.calibration.expected,
        "choices": fitted.choices
        and [choice and dataclasses.asdict(choice) for choice in map(fitted.choices.get, names)],
        "nonnegative": bool(np.isfinite(fitted.floor)),
        "notes": [notes.to_config(note) for note in fitted.notes],
    }
    write_container(path, arrays, meta, KIND, VERSION)


def _anchors(fitted: Fitted) -> dict[str, np.ndarray]:
    """The settings of all anchors once, and their numbers and weights, series after series."""
    # A series without a number, which was too short for a hold-out, has no anchor yet.
    found = [fitted.anchors.get(name) for name in fitted.group.names]
    blocks = [block for average in found if average for block in average.blocks]
    # A thousand series share a few grids: the rows of each are looked up once.
    used: dict[int, tuple[Grid, np.ndarray]] = {}
    for grid, own in blocks:
        _, some = used.setdefault(id(grid), (grid, np.zeros(len(grid), dtype=bool)))
        some |= own > 0.0
    rows = [np.zeros((0, N_COLUMNS)), *(grid.numbers[some] for grid, some in used.values())]
    table, index = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    places, begin = {}, 0
    for key, (grid, some) in used.items():
        places[key] = np.zeros(len(grid), dtype=np.int64)
        end = begin + int(some.sum())
        places[key][some] = index.reshape(-1)[begin:end]
        begin = end
    nothing = np.zeros(0, dtype=np.int64)
    return {
        "anchors.settings": table,
        "anchors.count": np.array([len(a.weights) if a else 0 for a in found], dtype=np.int64),
        "anchors.index": np.concatenate(
            [nothing, *(places[id(grid)][own > 0.0] for grid, own in blocks)]
        ),
        "anchors.weight": np.concatenate([np.zeros(0), *(a.weights for a in found if a)]),
    }


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Saved]:
    """The parts of the file at ``path``, until all of them are read.

    Raises
    ------
    ModelFileError
        If the file cannot be read, or anything that is done with its parts fails.
    """
    arrays, meta = read_container(path, KIND, VERSION)
    try:
        yield Saved(arrays, meta)
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)} is not a usable {KIND} file: {error}") from None
    except _DAMAGE as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{os.fspath(path)} is not a usable {KIND} file: {said.rstrip('.')}."
        ) from None


def _name(name: Any) -> str | int | None:
    """The name of a series as JSON says it."""
    plain = to_json(name)
    if plain is None or (isinstance(plain, (str, int)) and not isinstance(plain, bool)):
        return plain
    raise InvalidTypeError(
        sentence("a series", "named by a text or an integer to be saved", describe(name))
    )
