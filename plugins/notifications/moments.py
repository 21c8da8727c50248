"""When something is due: in a person's own hour and zone, outside of their quiet hours."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, time, timedelta
from typing import Final

import msgspec

DAY: Final = 24 * 60  # minutes


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When somebody wants to be told. Quiet hours of no length are none; they may go over midnight."""

    time_zone: str  #: IANA; one that this machine does not know counts as UTC
    hour: int  #: of digests
    weekday: int  #: of weekly digests, 0 is Monday
    quiet_from: int  #: minutes after midnight
    quiet_until: int


def next_digest(now: datetime, schedule: Schedule, *, weekly: bool) -> datetime:
    """Return the first moment after *now* at which a digest is due, in UTC.

    An hour that a change of the clock leaves out is taken as if it had not changed; of one that comes twice it is the
    first.
    """
    zone = _zone(schedule.time_zone)
    local = now.astimezone(zone)
    days = (schedule.weekday - local.weekday()) % 7 if weekly else 0
    day = local.date() + timedelta(days=days)
    due = datetime.combine(day, time(schedule.hour), zone)
    if due.astimezone(UTC) <= now:
        due = datetime.combine(day + timedelta(days=7 if weekly else 1), time(schedule.hour), zone)
    return due.astimezone(UTC)


def end_of_quiet(now: datetime, schedule: Schedule) -> datetime | None:
    """Return when the quiet hours end in which *now* is, in UTC; None outside of them."""
    zone = _zone(schedule.time_zone)
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    if (minute - schedule.quiet_from) % DAY >= (schedule.quiet_until - schedule.quiet_from) % DAY:
        return None
    day = local.date() + timedelta(days=1 if minute >= schedule.quiet_until else 0)
    return datetime.combine(day, _time(schedule.quiet_until), zone).astimezone(UTC)


def _time(minutes: int) -> time:
    return time(*divmod(minutes, 60))


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")
