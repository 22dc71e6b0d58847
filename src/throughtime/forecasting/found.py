"""What fitting found, as attributes of a forecaster."""

from __future__ import annotations

from typing import Any

from throughtime.errors import DataError
from throughtime.forecasting.choosing import Choice
from throughtime.forecasting.fitted import Fitted
from throughtime.network import Network


class Found:
    """The attributes that end in an underscore; they exist once the forecaster is fitted."""

    _fitted: Fitted | None = None

    @property
    def fitted(self) -> Fitted:
        """The result of fitting."""
        if self._fitted is None:
            raise DataError("the forecaster must be fitted first; call fit or load.")
        return self._fitted

    @property
    def season_(self) -> float | None:
        """The season of most series; None if that is none."""
        return self.fitted.season

    @property
    def naive_season_(self) -> int:
        """The season of seasonal naive and of MASE; 1 if there is none."""
        return self.fitted.naive_season

    @property
    def transform_(self) -> str:
        """The transformation of most series: "log" or "none"."""
        return self.fitted.transform

    @property
    def window_(self) -> int:
        """Past steps that the network reads."""
        return self.fitted.window

    @property
    def weight_(self) -> float:
        """How far the network trained on these data is used, 0 to 1; 0 is not at all."""
        return self.fitted.calibration.weight

    @property
    def shares_(self) -> dict[Any, float]:
        """Share of the base networks' correction of each series, by name."""
        return {name: one.share for name, one in self.fitted.base.shares.items()}

    @property
    def choices_(self) -> dict[Any, Choice]:
        """What is delivered for each series, by name (None for a single series), and why."""
        return dict(self.fitted.choices or {})

    @property
    def networks_(self) -> list[Network]:
        """The trained members."""
        return self.fitted.networks

    @property
    def notes_(self) -> tuple[str, ...]:
        """Plain sentences on the data and on what was chosen."""
        return tuple(self.fitted.notes)
