"""What people want: how soon by which channel, and at which hours. Only what differs from the usual is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel.contracts.notifications import Frequency
from kernel.database import Command, Query, Session
from plugins.notifications.deciding import Because, Wish
from plugins.notifications.moments import Schedule
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import choices, schedules


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has chosen for one kind and channel."""

    user_id: UUID
    kind: str
    channel: str
    frequency: Frequency
    unsubscribed_at: datetime | None

    @property
    def wish(self) -> Wish:
        """Return it as a wish."""
        because: Because = "chosen" if self.unsubscribed_at is None else "unsubscribed"
        return Wish(self.frequency, because)


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has chosen of their schedule; None is as usual."""

    user_id: UUID
    time_zone: str | None
    hour: int | None
    weekday: int | None
    quiet_from: int | None
    quiet_until: int | None


_PEOPLE: Final = bindparam("people", type_=sa.Uuid(), expanding=True)
CHOICES: Final = Query(
    sa.select(*(choices.c[name] for name in Choice.__struct_fields__)).where(choices.c.user_id.in_(_PEOPLE)), Choice
)
SCHEDULES: Final = Query(
    sa.select(*(schedules.c[name] for name in Own.__struct_fields__)).where(schedules.c.user_id.in_(_PEOPLE)), Own
)
_CHOICE: Final = insert(choices).values({name: bindparam(name) for name in Choice.__struct_fields__})
CHOOSE: Final = Command(
    _CHOICE.on_conflict_do_update(
        index_elements=[choices.c.user_id, choices.c.kind, choices.c.channel],
        set_={name: _CHOICE.excluded[name] for name in ("frequency", "unsubscribed_at")},
    )
)
FORGET: Final = Command(
    sa.delete(choices).where(
        choices.c.user_id == bindparam("person"),
        choices.c.kind == bindparam("of_kind"),
        choices.c.channel == bindparam("by_channel"),
    )
)
_SCHEDULE: Final = insert(schedules).values({name: bindparam(name) for name in Own.__struct_fields__})
ARRANGE: Final = Command(
    _SCHEDULE.on_conflict_do_update(
        index_elements=[schedules.c.user_id],
        set_={name: _SCHEDULE.excluded[name] for name in Own.__struct_fields__ if name != "user_id"},
    )
)


@dataclass(frozen=True)
class Wanted:
    """What one person wants otherwise than usual."""

    chosen: Mapping[tuple[str, str], Wish] = field(default_factory=dict)  #: kind, channel → wish
    own: Own | None = None

    def schedule(self, settings: NotificationsSettings, time_zone: str) -> Schedule:
        """Return when they want to be told; *time_zone* is that of their profile."""
        own = self.own
        return Schedule(
            time_zone=(own and own.time_zone) or time_zone,
            hour=settings.digest_hour if own is None or own.hour is None else own.hour,
            weekday=settings.digest_weekday if own is None or own.weekday is None else own.weekday,
            quiet_from=settings.quiet_from if own is None or own.quiet_from is None else own.quiet_from,
            quiet_until=settings.quiet_until if own is None or own.quiet_until is None else own.quiet_until,
        )


AS_USUAL: Final = Wanted()


async def wanted(session: Session, people: Iterable[UUID]) -> Mapping[UUID, Wanted]:
    """Return what those of *people* want who want anything of their own; in two queries."""
    ids = sorted(set(people))
    own = {one.user_id: one for one in await session.all(SCHEDULES, people=ids)}
    chosen: dict[UUID, dict[tuple[str, str], Wish]] = {}
    for choice in await session.all(CHOICES, people=ids):
        chosen.setdefault(choice.user_id, {})[choice.kind, choice.channel] = choice.wish
    return {one: Wanted(chosen.get(one, {}), own.get(one)) for one in {*own, *chosen}}


async def end(session: Session, person: UUID, channel: str, kinds: Sequence[str], now: datetime) -> None:
    """Have the person told no more of *kinds* by *channel*, until they choose otherwise."""
    told = {"user_id": person, "channel": channel, "frequency": "never", "unsubscribed_at": now}
    await session.run_many(CHOOSE, [{**told, "kind": kind} for kind in sorted(kinds)])
