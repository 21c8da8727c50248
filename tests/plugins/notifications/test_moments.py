"""Digests come in the person's own hour, and nothing comes in their quiet hours, over changes of the clock too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.notifications.moments import Schedule, end_of_quiet, next_digest


def schedule(**different: Any) -> Schedule:
    usual = {"time_zone": "UTC", "hour": 8, "weekday": 0, "quiet_from": 0, "quiet_until": 0}
    return Schedule(**{**usual, **different})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "due"),
    [
        ("2027-03-10 07:59", "UTC", "2027-03-10 08:00"),
        ("2027-03-10 08:00", "UTC", "2027-03-11 08:00"),
        ("2027-03-10 12:00", "Asia/Tokyo", "2027-03-10 23:00"),
        ("2027-03-10 12:00", "America/Los_Angeles", "2027-03-10 16:00"),
        ("2027-03-27 12:00", "Europe/Berlin", "2027-03-28 06:00"),  # summer time began in between
        ("2027-10-30 12:00", "Europe/Berlin", "2027-10-31 07:00"),  # and ended
        ("2027-03-10 12:00", "No/Where", "2027-03-11 08:00"),
    ],
)
def test_digest_of_a_day_is_due_at_the_hour_of_the_person(now: str, zone: str, due: str) -> None:
    """The next one that is to come."""
    assert next_digest(utc(now), schedule(time_zone=zone), weekly=False) == utc(due)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2027-03-10 12:00", "2027-03-15 08:00"),  # a Wednesday
        ("2027-03-15 07:00", "2027-03-15 08:00"),
        ("2027-03-15 08:00", "2027-03-22 08:00"),
    ],
)
def test_digest_of_a_week_is_due_on_the_day_of_the_person(now: str, due: str) -> None:
    """At the same hour."""
    assert next_digest(utc(now), schedule(), weekly=True) == utc(due)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2027-03-10 21:59", None),
        ("2027-03-10 22:00", "2027-03-11 07:30"),
        ("2027-03-11 00:10", "2027-03-11 07:30"),
        ("2027-03-11 07:29", "2027-03-11 07:30"),
        ("2027-03-11 07:30", None),
    ],
)
def test_quiet_hours_go_over_midnight(now: str, until: str | None) -> None:
    """And end on the right day."""
    found = end_of_quiet(utc(now), schedule(quiet_from=22 * 60, quiet_until=7 * 60 + 30))

    assert found == (utc(until) if until else None)


def test_quiet_hours_of_one_day_and_none_at_all() -> None:
    """In the zone of the person."""
    noon = schedule(quiet_from=12 * 60, quiet_until=14 * 60, time_zone="Europe/Berlin")

    assert end_of_quiet(utc("2027-01-10 11:30"), noon) == utc("2027-01-10 13:00")
    assert end_of_quiet(utc("2027-01-10 13:00"), noon) is None
    assert end_of_quiet(utc("2027-01-10 11:30"), schedule()) is None
