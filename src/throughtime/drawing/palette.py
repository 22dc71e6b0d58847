"""The colours of every picture, on light and on dark pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Palette:
    """The colours of a picture.

    Blue and orange differ for every kind of colour vision. No two colours of a palette are the
    same: :func:`throughtime.plotting.to_svg` recognises a colour by its value.
    """

    surface: str = "#ffffff"
    ink: str = "#16191d"
    muted: str = "#68717d"
    grid: str = "#e4e7eb"
    history: str = "#3f4955"
    forecast: str = "#0b62d6"
    backtest: str = "#d1660b"
    naive: str = "#98a1ad"
    panel: str = "#f3f4f6"
    incoming: str = "#1b7a43"
    outgoing: str = "#c0272d"

    def items(self) -> Iterator[tuple[str, str]]:
        """The pairs (role, colour)."""
        yield from dataclasses.asdict(self).items()


LIGHT = Palette()
DARK = Palette(
    surface="#14181d",
    ink="#e9ecf0",
    muted="#98a3b0",
    grid="#2a313a",
    history="#b3bdc9",
    forecast="#68a9ff",
    backtest="#f2a154",
    naive="#6c7784",
    panel="#1f252c",
    incoming="#5ecb8b",
    outgoing="#ff8379",
)
