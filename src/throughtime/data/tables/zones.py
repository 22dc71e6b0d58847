"""Which place on earth has the offsets that a column of times shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from throughtime.data.tables.frequency import infer_frequency
from throughtime.data.tables.numbers import UnreadableError
from throughtime.data.tables.timewriter import StampWriter, TimeWriter, fixed_zone
from throughtime.errors import InvalidArgumentError, describe, sentence

__all__ = ["localised", "with_offsets", "zone_of"]

#: Tried first: of places with equal clocks, the one that readers know.
_KNOWN = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "Europe/Athens", "Europe/Lisbon", "Europe/Moscow", "Australia/Sydney",
    "America/Sao_Paulo", "Asia/Tokyo", "Asia/Shanghai", "Asia/Kolkata",
)  # fmt: skip


def zone_of(utc: np.ndarray, offsets: np.ndarray) -> tzinfo:
    """A place whose clocks had these offsets at these times.

    Parameters
    ----------
    utc : ndarray of datetime64[us] of shape (T,)
    offsets : ndarray of int of shape (T,)
        Minutes east of Greenwich.

    Returns
    -------
    tzinfo
        Without such a place, the offset of the last time, for good.
    """
    order = np.argsort(utc, kind="stable")
    utc, offsets = utc[order], offsets[order]
    change = np.flatnonzero(np.diff(offsets))
    # Where an offset begins and ends says all; a place that agrees there agrees between.
    at = np.unique(np.concatenate([[0], change, change + 1, [len(utc) - 1]]))
    moments = [time.replace(tzinfo=UTC) for time in utc[at].tolist()]
    wanted = [timedelta(minutes=int(minutes)) for minutes in offsets[at]]
    for name in (*_KNOWN, *sorted(available_timezones())):
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            continue
        if _agrees(zone, moments, wanted):
            return zone
    return timezone(wanted[-1])


def _agrees(zone: tzinfo, moments: list[datetime], wanted: list[timedelta]) -> bool:
    return all(m.astimezone(zone).utcoffset() == w for m, w in zip(moments, wanted, strict=True))


def localised(
    times: np.ndarray, writer: TimeWriter, place: str
) -> tuple[np.ndarray, TimeWriter, str]:
    """Local times of a place as times that go on evenly, a writer for them, and what to say.

    Days, weeks and months stay local. Shorter steps become UTC, since a local clock repeats an hour
    and skips another one; of an hour that comes twice the first is summer time.

    Raises
    ------
    InvalidArgumentError
        There is no such place, or the times are numbers.
    """
    try:
        zone = ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        hint = "Write a name of the IANA data base, for example Europe/Berlin."
        raise InvalidArgumentError(sentence("tz", "a time zone", describe(place), hint)) from None
    if times.dtype.kind != "M" or not isinstance(writer, StampWriter):
        raise InvalidArgumentError(sentence("tz", "left out where there are no dates", place))
    clocks = np.unique((times - times.astype("datetime64[D]")).astype(np.int64))
    if len(clocks) == 1 or writer.utc:
        return times, replace(writer, zone=zone), ""
    seen: set[datetime] = set()
    utc = np.empty_like(times)
    for index, time in enumerate(times.tolist()):
        local = time.replace(tzinfo=zone, fold=int(time in seen))
        seen.add(time)
        utc[index] = local.astimezone(UTC).replace(tzinfo=None)
    return utc, replace(writer, zone=zone, utc=True), f"Times are those of {place}."


def with_offsets(
    local: np.ndarray, offsets: Sequence[int]
) -> tuple[np.ndarray, tzinfo | None, bool, str]:
    """Times with an offset: as local ones if it never changes, or if days or months go on locally.

    Returned are the times, the place, whether the times are in UTC, and what to say.
    """
    minutes = np.array(offsets, dtype=np.int64)
    if (minutes == minutes[0]).all():
        return local, fixed_zone(int(minutes[0])), False, ""
    clock = (local - local.astype("datetime64[D]")).astype(np.int64) // 60_000_000
    if len(np.unique((clock + minutes) % 1440)) == 1:
        # 10:00-11:00, 11:00-12:00: the ends of hours, which look like offsets.
        raise UnreadableError(0)
    utc = local - (minutes * 60_000_000).astype("timedelta64[us]")
    zone = zone_of(utc, minutes)
    clocks = {int(c) for c in (local - local.astype("datetime64[D]")).astype(np.int64)}
    days = infer_frequency(np.unique(local))
    if len(clocks) == 1 and days is not None and len(np.unique(local)) == len(local):
        return local, zone, False, "Times are local ones; their offset changes with the season."
    place = f" and are written for {zone}" if zone is not None else ""
    return utc, zone, True, f"Times with an offset were converted to UTC{place}."
