"""A forecaster in one safetensors file: settings and choices as JSON, numbers as arrays.

Arrays: ``network.<i>`` the parameters of a member as one vector, ``series.<i>.y`` and
``series.<i>.seen`` a history and where it is known, ``series.<i>.X`` and ``.X_seen`` its
covariates, and those of the calibration.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.errors import InvalidTypeError, ModelFileError, describe
from throughtime.forecasting.calendars import Calendar
from throughtime.forecasting.calibration import LEVELS, Calibration
from throughtime.forecasting.model import Fitted
from throughtime.forecasting.series import Group, Observed
from throughtime.forecasting.smoothing import Smoothing
from throughtime.network import Network
from throughtime.serialization.container import read_container, write_container

if TYPE_CHECKING:
    from throughtime.forecasting.forecaster import Forecaster

KIND = "forecaster"
VERSION = 1
#: Parameters of a forecaster that a file keeps.
SETTINGS = (
    "horizon",
    "cell",
    "hidden_size",
    "num_layers",
    "window",
    "season",
    "frequency",
    "transform",
    "epochs",
    "batch_size",
    "lr",
    "patience",
    "members",
    "network",
    "future_covariates",
    "coverages",
    "nonnegative",
    "seed",
)


def settings(forecaster: Forecaster) -> dict[str, Any]:
    """The parameters of ``forecaster`` as JSON-ready values."""
    return {name: _plain(getattr(forecaster, name)) for name in SETTINGS}


def save(forecaster: Forecaster, path: str | os.PathLike[str]) -> None:
    """Write ``forecaster`` to ``path``."""
    fitted = forecaster.fitted
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
        "settings": settings(forecaster),
        "metadata": forecaster.metadata,
        "networks": [net.to_config() for net in fitted.networks],
        "container": fitted.group.kind,
        "names": [_name(name) for name in fitted.group.names],
        "calendars": [s.calendar and s.calendar.to_config() for s in fitted.group.series],
        "smoothing": [dataclasses.asdict(fitted.smoothing[n]) for n in fitted.group.names],
        "candidates": list(fitted.candidates),
        "window": fitted.window,
        "weight": fitted.calibration.weight,
        "nonnegative": bool(np.isfinite(fitted.floor)),
        "notes": list(fitted.notes),
    }
    write_container(path, arrays, meta, KIND, VERSION)


def load(cls: type[Forecaster], path: str | os.PathLike[str]) -> Forecaster:
    """Read what :func:`save` wrote."""
    arrays, meta = read_container(path, KIND, VERSION)
    try:
        forecaster = cls(**meta["settings"])
        forecaster.metadata = dict(meta["metadata"])
        forecaster.fitted = _fitted(forecaster, arrays, meta)
    except ModelFileError:
        raise
    # A file may pass every check of the container and still say anything at all.
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{os.fspath(path)} is not a usable {KIND} file: {said.rstrip('.')}."
        ) from None
    return forecaster


def _fitted(forecaster: Forecaster, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Fitted:
    """Put the parts of a file together, checking that they fit."""
    names = meta["names"]
    series, smoothing = [], {}
    width = len(arrays["covariates.centre"])
    for i, name in enumerate(names):
        y = _with_gaps(arrays, f"series.{i}.y", 1)
        config = meta["calendars"][i] if "calendars" in meta else None
        calendar = None if config is None else Calendar.from_config(config)
        series.append(Observed(name, y, _with_gaps(arrays, f"series.{i}.X", 2), calendar))
        _expect(
            series[-1].covariates.shape == (len(y), width), "it holds covariates of another shape"
        )
        _expect(not np.isnan(y).all(), "it holds a history without a number")
        smoothing[name] = Smoothing(**meta["smoothing"][i])
        _expect(smoothing[name].period >= 1.0, "it holds a period below 1")
    networks = []
    for i, config in enumerate(meta["networks"]):
        net = Network.from_config(config)
        _expect(
            arrays[f"network.{i}"].shape == net.params.flat.shape,
            "it holds weights of another shape",
        )
        net.params.flat[...] = arrays[f"network.{i}"]
        networks.append(net)
    found = Calibration(
        float(meta["weight"]), arrays["calibration.spread"], arrays["calibration.quantiles"]
    )
    _expect(found.spread.shape == (forecaster.horizon,), "it holds intervals of another horizon")
    _expect(found.quantiles.shape == LEVELS.shape, "it holds quantiles at other levels")
    _expect(meta["container"] in ("one", "list", "dict") and len(series) > 0, "it holds no series")
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
        [str(note) for note in meta["notes"]],
    )


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


def _plain(value: Any) -> Any:
    """``value`` as JSON says it."""
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _name(name: Any) -> str | int | None:
    """The name of a series as JSON says it."""
    plain = _plain(name)
    if plain is None or (isinstance(plain, (str, int)) and not isinstance(plain, bool)):
        return plain
    raise InvalidTypeError(
        f"a series must be named by a text or an integer to be saved; got {describe(name)}."
    )
