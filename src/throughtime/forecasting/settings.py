"""The settings of a forecaster, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from throughtime.errors import (
    InvalidArgumentError,
    Message,
    Setting,
    check_choice,
    describe,
    sentence,
)
from throughtime.forecasting.results import Progress
from throughtime.forecasting.seasonality import check_season

#: Epochs at most, where ``epochs`` is None. Of 38 networks on 19 series (walks, autoregressions,
#: seasons, trends, a logistic map, CO2, temperatures) none was best after epoch 27.
EPOCHS = 40
#: What may be delivered.
USES = ("best", "network", "smoothing", "naive")


@dataclass(frozen=True)
class Settings:
    """The parameters of a :class:`~throughtime.forecasting.Forecaster`, under the same names."""

    horizon: int
    cell: str
    hidden_size: int
    num_layers: int
    window: int | None
    season: Any
    frequency: str | None
    transform: str
    epochs: int | None
    batch_size: int
    lr: float
    patience: int
    members: int
    network: str
    use: str
    base_model: str
    future_covariates: bool
    coverages: tuple[float, ...]
    nonnegative: bool | str
    seed: int
    callbacks: Sequence[Any]
    progress: Callable[[Progress], None] | None
    holidays: str | None = None
    executor: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # What belongs to this process stays here when the others go to a worker.
        return self.__dict__ | {"callbacks": (), "progress": None, "executor": None}

    @property
    def periods(self) -> tuple[float, ...] | None:
        """The periods that ``season`` names; None if the season is to be found."""
        return check_season(self.season)

    @property
    def delivers(self) -> str:
        """``use``; ``network="never"`` is a short form of ``use="smoothing"``."""
        return "smoothing" if self.network == "never" else self.use

    @property
    def max_epochs(self) -> int:
        """Epochs at most."""
        return self.epochs or EPOCHS

    @classmethod
    def saved(cls) -> list[str]:
        """Names of the settings that a file can hold."""
        names = [field.name for field in dataclasses.fields(cls)]
        return [name for name in names if name not in ("callbacks", "progress", "executor")]

    def to_config(self) -> dict[str, Any]:
        """JSON-ready values of all settings that a file can hold."""
        return {name: to_json(getattr(self, name)) for name in self.saved()}


def check_use(use: Any, network: str) -> str:
    """Return ``use``, one of :data:`USES`, if it does not contradict ``network``."""
    use = check_choice("use", use, USES)
    if network == "never" and use in ("network", "naive"):
        never = Setting("network", "never")
        expected = Message("'best' or 'smoothing' with {never}", never=never)
        hint = Message("Leave {never} out.", never=never)
        raise InvalidArgumentError(sentence("use", expected, describe(use), hint))
    return str(use)


def to_json(value: Any) -> Any:
    """``value`` with lists and numbers of Python in place of those of NumPy."""
    if isinstance(value, (tuple, list, np.ndarray)):
        return [to_json(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
