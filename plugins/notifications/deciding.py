"""Deciding: what becomes of a notice on a channel, and when. Rules over values; nothing is read or written here.

Whatever goes by a channel goes in a parcel. What others may join has a *slot*: of a day's or week's digest, of what
waits for the end of quiet hours, or of much that is alike and comes at once, of which the first goes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from kernel.contracts.notifications import Facts, Frequency, NotificationKind
from plugins.notifications.moments import Schedule, end_of_quiet, next_digest
from plugins.notifications.wording import filled

#: What became of a notice in the tray: it is there, the person does not want it there, or it was no news any more.
Outcome = Literal["told", "hidden", "stale"]
#: What was decided for a channel: it goes at once; together with others like it; after the quiet hours; in the digest
#: of the day or week; in that of the day, because there was too much already; or not at all.
Decision = Literal["now", "folded", "quiet", "daily", "weekly", "capped", "never"]
#: Why: it is so for everybody, or the person has chosen it, or has unsubscribed.
Because = Literal["default", "chosen", "unsubscribed"]

TRAY: Final = "tray"
ALONE: Final = ""  # the slot that nothing joins
QUIET: Final = "quiet"
DIGESTS: Final = ("daily", "weekly")


@dataclass(frozen=True)
class Wish:
    """How soon somebody wants to hear of a kind by a channel."""

    frequency: Frequency
    because: Because


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the institution says."""

    fold: timedelta  #: how long what is alike waits for more of it
    cap: int  #: parcels of one person and channel in a day, digests apart


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What goes to one person by one channel."""

    id: UUID
    user_id: UUID
    channel: str
    slot: str
    due_at: datetime
    open: bool  #: whether others may join


@dataclass(kw_only=True)
class Desk:
    """What is known of the parcels of some people, and what is put there."""

    rules: Rules
    now: datetime
    slots: dict[tuple[UUID, str, str], Parcel] = field(default_factory=dict)  #: the newest parcel of each
    sent: dict[tuple[UUID, str], int] = field(default_factory=dict)  #: parcels of the last day
    made: list[Parcel] = field(default_factory=list)
    joined: set[UUID] = field(default_factory=set)


@dataclass(frozen=True)
class Place:
    """Where a notice is put: the slot, when it is due, and why there."""

    decision: Decision
    slot: str
    due_at: datetime


def place(kind: NotificationKind, facts: Facts, wish: Wish, schedule: Schedule, now: datetime, *, full: bool) -> Place:
    """Return where a notice of *kind* goes that somebody wants; *full* is whether there was too much for today."""
    if kind.urgent and wish.frequency != "never":
        return Place("now", ALONE, now)
    if wish.frequency == "weekly":
        return Place("weekly", "weekly", next_digest(now, schedule, weekly=True))
    if wish.frequency == "daily" or full:
        decision: Decision = "daily" if wish.frequency == "daily" else "capped"
        return Place(decision, "daily", next_digest(now, schedule, weekly=False))
    if (until := end_of_quiet(now, schedule)) is not None:
        return Place("quiet", QUIET, until)
    return Place("now", f"{kind.name}:{filled(kind.fold, facts)}" if kind.fold else ALONE, now)


def put(desk: Desk, user_id: UUID, channel: str, found: Place, new_id: UUID) -> tuple[Decision, UUID]:
    """Put a notice into the parcel of its place, a new one with *new_id* where there is none; return what that is."""
    key = (user_id, channel, found.slot)
    former = desk.slots.get(key) if found.slot != ALONE else None
    if former is not None and former.open:
        desk.joined.add(former.id)
        return ("folded" if found.decision == "now" else found.decision), former.id
    decision, due_at = found.decision, found.due_at
    if former is not None and found.decision == "now":  # the first of them has gone: the next go together
        decision, due_at = "folded", max(found.due_at, former.due_at + desk.rules.fold)
    made = Parcel(id=new_id, user_id=user_id, channel=channel, slot=found.slot, due_at=due_at, open=True)
    desk.made.append(made)
    if found.slot != ALONE:
        desk.slots[key] = made
    if found.slot not in DIGESTS:
        desk.sent[user_id, channel] = desk.sent.get((user_id, channel), 0) + 1
    return decision, made.id


def is_full(desk: Desk, user_id: UUID, channel: str) -> bool:
    """Return whether the person gets nothing more by the channel at once today."""
    return desk.sent.get((user_id, channel), 0) >= desk.rules.cap


def wish(kind: NotificationKind, channel: str, chosen: Mapping[tuple[str, str], Wish]) -> Wish:
    """Return what somebody wants who has *chosen* so for kinds and channels."""
    usual: Frequency = "now" if channel == TRAY else kind.frequency
    return chosen.get((kind.name, channel)) or Wish(usual, "default")
