"""A forecaster in one safetensors file: settings and choices as JSON, numbers as arrays.

Arrays: ``network.<i>`` the parameters of a member as one vector, ``series.<i>.y`` and
``series.<i>.seen`` a history and where it is known, ``series.<i>.X`` and ``.X_seen`` its
covariates, and those of the calibration.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from throughtime.errors import (
    Argument,
    InvalidTypeError,
    Message,
    ModelFileError,
    Setting,
    describe,
)
from throughtime.forecasting.calendars import Calendar
from throughtime.forecasting.calibration import LEVELS, Calibration
from throughtime.forecasting.fitted import Fitted
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.settings import Settings, to_json
from throughtime.forecasting.smoothing import Smoothing
from throughtime.network import Network
from throughtime.serialization.container import read_container, write_container

KIND = "forecaster"
VERSION = 1


def save(
    path: str | os.PathLike[str], settings: Settings, metadata: Mapping[str, Any], fitted: Fitted
) -> None:
    """Write a fitted forecaster to ``path``."""
    arrays = {
        "covariates.centre": fitted.centre,
        "covariates.width": fitted.width,
        "calibration.spread": fitted.calibration.spread,
        "calibration.quantiles": fitted.calibration.quantiles,
    }
    for i, net in enumerate(fitted.networks):
        arrays[f"network.{i}"] = net.params.flat
    for i, series in enumerate(fitted.group.series):
        for key, values in (("y", series.y), ("X", series.covariates)):
            seen = ~np.isnan(values)
            arrays[f"series.{i}.{key}"] = np.where(seen, values, 0.0)
            arrays[f"series.{i}.{key}_seen"] = seen
    meta = {
        "settings": settings.to_config(),
        "metadata": metadata,
        "networks": [net.to_config() for net in fitted.networks],
        "container": fitted.group.kind,
        "names": [_name(name) for name in fitted.group.names],
        "calendars": [s.calendar and s.calendar.to_config() for s in fitted.group.series],
        "smoothing": [dataclasses.asdict(fitted.smoothing[n]) for n in fitted.group.names],
        "candidates": list(fitted.candidates),
        "window": fitted.window,
        "weight": fitted.calibration.weight,
        "nonnegative": bool(np.isfinite(fitted.floor)),
        "notes": [_note_to_json(note) for note in fitted.notes],
    }
    write_container(path, arrays, meta, KIND, VERSION)


class Saved:
    """The parts of a file; each checks what it gives.

    Attributes
    ----------
    settings : dict
        Arguments of the forecaster.
    metadata : dict
    """

    def __init__(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        self._arrays, self._meta = arrays, meta
        self.settings: dict[str, Any] = meta["settings"]
        self.metadata = dict(meta["metadata"])

    def fitted(self, horizon: int) -> Fitted:
        """The parts put together; they must fit together and belong to ``horizon``."""
        arrays, meta = self._arrays, self._meta
        names = meta["names"]
        series, smoothing = [], {}
        width = len(arrays["covariates.centre"])
        for i, name in enumerate(names):
            y = _with_gaps(arrays, f"series.{i}.y", 1)
            config = meta["calendars"][i] if "calendars" in meta else None
            calendar = None if config is None else Calendar.from_config(config)
            series.append(Observed(name, y, _with_gaps(arrays, f"series.{i}.X", 2), calendar))
            _expect(
                series[-1].covariates.shape == (len(y), width),
                "it holds covariates of another shape",
            )
            _expect(not np.isnan(y).all(), "it holds a history without a number")
            smoothing[name] = Smoothing(**meta["smoothing"][i])
            _expect(smoothing[name].period >= 1.0, "it holds a period below 1")
        networks = []
        for i, config in enumerate(meta["networks"]):
            weights = arrays[f"network.{i}"]
            net = Network.from_config(config, weights.size)
            _expect(weights.shape == net.params.flat.shape, "it holds weights of another shape")
            net.params.flat[...] = weights
            networks.append(net)
        found = Calibration(
            float(meta["weight"]), arrays["calibration.spread"], arrays["calibration.quantiles"]
        )
        _expect(found.spread.shape == (horizon,), "it holds intervals of another horizon")
        _expect(found.quantiles.shape == LEVELS.shape, "it holds quantiles at other levels")
        _expect(
            meta["container"] in ("one", "list", "dict") and len(series) > 0, "it holds no series"
        )
        return Fitted(
            Group(meta["container"], tuple(series)),
            smoothing,
            tuple(float(p) for p in meta["candidates"]),
            int(meta["window"]),
            arrays["covariates.centre"],
            arrays["covariates.width"],
            networks,
            found,
            0.0 if meta["nonnegative"] else -np.inf,
            [_note_from_json(note) for note in meta["notes"]],
        )


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Saved]:
    """The parts of the file at ``path``, until all of them are read.

    Raises
    ------
    ModelFileError
        If the file cannot be read, or anything that is done with its parts fails: a file may pass
        every check of the container and still say anything at all.
    """
    arrays, meta = read_container(path, KIND, VERSION)
    try:
        yield Saved(arrays, meta)
    except ModelFileError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{os.fspath(path)} is not a usable {KIND} file: {said.rstrip('.')}."
        ) from None


def _with_gaps(arrays: dict[str, np.ndarray], name: str, axes: int) -> np.ndarray:
    """Values with NaN where they were missing."""
    values, seen = arrays[name], arrays[f"{name}_seen"]
    _expect(
        values.ndim == axes and values.shape == seen.shape, "it holds a history of another shape"
    )
    return np.where(seen.astype(bool), values.astype(np.float64), np.nan)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _note_to_json(note: str) -> Any:
    """A note as JSON, with the arguments that it names marked."""
    if not isinstance(note, Message):
        return note
    pieces: list[Any] = []
    for piece in note.pieces:
        if isinstance(piece, Argument):
            pieces.append({"argument": piece.name, "key": _name(piece.key)})
        elif isinstance(piece, Setting):
            pieces.append({"argument": piece.name, "value": to_json(piece.value)})
        else:
            pieces.append(piece)
    return {"pieces": pieces, "hint": _note_to_json(note.hint)}


def _note_from_json(note: Any) -> str:
    """What :func:`_note_to_json` gave; in files of 0.1 a note is a string."""
    if isinstance(note, str):
        return note
    pieces: list[str | Argument | Setting] = []
    for piece in note["pieces"]:
        if isinstance(piece, str):
            pieces.append(piece)
        elif "value" in piece:
            pieces.append(Setting(str(piece["argument"]), piece["value"]))
        else:
            pieces.append(Argument(str(piece["argument"]), piece["key"]))
    return Message.join(pieces, hint=_note_from_json(note["hint"]))


def _name(name: Any) -> str | int | None:
    """The name of a series as JSON says it."""
    plain = to_json(name)
    if plain is None or (isinstance(plain, (str, int)) and not isinstance(plain, bool)):
        return plain
    raise InvalidTypeError(
        f"a series must be named by a text or an integer to be saved; got {describe(name)}."
    )
