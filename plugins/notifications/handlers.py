"""What notifications do about events: they note whom one concerns, and how people can be reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Delivery, EventHandler, new_id, on
from kernel.contracts.auth import UserRegistered
from kernel.contracts.chat import MessageRemoved
from kernel.contracts.users import ProfileChanged
from kernel.database import Command, Session
from plugins.notifications.kinds import KINDS, Kind, message
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, notices
from plugins.notifications.telling import Telling

_FIELDS: Final = ("id", "event_id", "user_id", "kind", "facts", "author", "about", "at")
NOTE: Final = Command(insert(notices).values({name: bindparam(name) for name in _FIELDS}).on_conflict_do_nothing())
DROP: Final = Command(sa.delete(notices).where(notices.c.about == bindparam("about")))
_CONTACT: Final = insert(contacts)
REGISTER: Final = Command(
    _CONTACT.values(
        {name: bindparam(name) for name in ("user_id", "email", "display_name", "locale")}
    ).on_conflict_do_update(index_elements=[contacts.c.user_id], set_={"email": _CONTACT.excluded.email})
)
#: A profile that changed earlier takes nothing back that a later one said.
RENAME: Final = Command(
    _CONTACT.values({name: bindparam(name) for name in ("user_id", "display_name", "locale", "renamed_at")})
    .values(email=sa.literal_column("''"))
    .on_conflict_do_update(
        index_elements=[contacts.c.user_id],
        set_={name: _CONTACT.excluded[name] for name in ("display_name", "locale", "renamed_at")},
        where=sa.or_(contacts.c.renamed_at.is_(None), contacts.c.renamed_at <= _CONTACT.excluded.renamed_at),
    )
)


class Handlers:
    """Handles what people are told of."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._clock = ctx.clock
        self._stale = timedelta(hours=ctx.settings.stale_hours)
        self._telling = ctx.own(Telling)

    def declare(self) -> Iterable[EventHandler]:
        """Return who handles which event."""
        yield on(UserRegistered, self.registered, name="registered")
        yield on(ProfileChanged, self.renamed, name="renamed")
        yield on(MessageRemoved, self.removed, name="message-removed")
        for kind in KINDS:
            yield on(kind.event, self._noting(kind), name=kind.name)

    async def registered(self, session: Session, delivery: Delivery[UserRegistered]) -> None:
        """Know how a person is reached."""
        event = delivery.event
        values = {"user_id": event.user_id, "email": event.email, "display_name": event.display_name}
        await session.run(REGISTER, **values, locale=event.locale)
        session.after_commit(self._telling.wake)

    async def renamed(self, session: Session, delivery: Delivery[ProfileChanged]) -> None:
        """Know what a person is called, and in which language."""
        event = delivery.event
        values = {"user_id": event.user_id, "display_name": event.display_name, "locale": event.locale}
        await session.run(RENAME, **values, renamed_at=delivery.time)

    async def removed(self, session: Session, delivery: Delivery[MessageRemoved]) -> None:
        """Forget what a message said that is gone."""
        await session.run(DROP, about=message(delivery.event.room_id, delivery.event.offset))

    def _noting(self, kind: Kind) -> Callable[[Session, Delivery[Any]], Awaitable[None]]:
        async def note(session: Session, delivery: Delivery[Any]) -> None:
            event = delivery.event
            if self._clock.now() - delivery.time > self._stale:  # no news any more
                return
            await session.run(
                NOTE,
                id=new_id(),
                event_id=delivery.id,
                user_id=kind.person(event),
                kind=kind.name,
                facts=kind.facts(event),
                author=event.author if kind.quotes else None,
                about=message(event.room_id, event.offset) if kind.quotes else None,
                at=delivery.time,
            )
            session.after_commit(self._telling.wake)

        return note
