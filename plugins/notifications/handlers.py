"""What notifications do about events: they note whom one concerns, and how people can be reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Delivery, EventHandler, on
from kernel.contracts.auth import UserRegistered
from kernel.contracts.chat import MessageRemoved
from kernel.contracts.notifications import NotificationRequested
from kernel.contracts.users import ProfileChanged
from kernel.database import Command, Session
from plugins.notifications.kinds import SOURCES, Source, message, person
from plugins.notifications.noting import Happening, circulate, note
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, notices
from plugins.notifications.telling import Telling

DROP: Final = Command(sa.delete(notices).where(notices.c.about == bindparam("about")))
_REGISTERED: Final = ("user_id", "email", "display_name", "locale")
_RENAMED: Final = ("user_id", "display_name", "locale", "time_zone", "renamed_at")
_CONTACT: Final = insert(contacts)
REGISTER: Final = Command(
    _CONTACT.values({name: bindparam(name) for name in _REGISTERED})
    .values(time_zone=sa.literal_column("'UTC'"))
    .on_conflict_do_update(index_elements=[contacts.c.user_id], set_={"email": _CONTACT.excluded.email})
)
#: A profile that changed earlier takes nothing back that a later one said.
RENAME: Final = Command(
    _CONTACT.values({name: bindparam(name) for name in _RENAMED})
    .values(email=sa.literal_column("''"))
    .on_conflict_do_update(
        index_elements=[contacts.c.user_id],
        set_={name: _CONTACT.excluded[name] for name in _RENAMED if name != "user_id"},
        where=sa.or_(contacts.c.renamed_at.is_(None), contacts.c.renamed_at <= _CONTACT.excluded.renamed_at),
    )
)


class Handlers:
    """Handles what people are told of."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._telling = ctx.own(Telling)

    def declare(self) -> Iterable[EventHandler]:
        """Return who handles which event."""
        yield on(UserRegistered, self.registered, name="registered")
        yield on(ProfileChanged, self.renamed, name="renamed")
        yield on(MessageRemoved, self.removed, name="message-removed")
        yield on(NotificationRequested, self.asked, name="requested")
        for source in SOURCES:
            yield on(source.event, self._noting(source), name=source.kind)

    async def registered(self, session: Session, delivery: Delivery[UserRegistered]) -> None:
        """Know how a person is reached."""
        event = delivery.event
        await session.run(REGISTER, **{name: getattr(event, name) for name in _REGISTERED})
        session.after_commit(self._telling.wake)

    async def renamed(self, session: Session, delivery: Delivery[ProfileChanged]) -> None:
        """Know what a person is called, in which language, and where their day begins."""
        event = delivery.event
        told = {name: getattr(event, name) for name in _RENAMED if name != "renamed_at"}
        await session.run(RENAME, **told, renamed_at=delivery.time)

    async def removed(self, session: Session, delivery: Delivery[MessageRemoved]) -> None:
        """Forget what a message said that is gone."""
        await session.run(DROP, about=message(delivery.event.room_id, delivery.event.offset))

    async def asked(self, session: Session, delivery: Delivery[NotificationRequested]) -> None:
        """Note what another plugin has to tell."""
        event = delivery.event
        happening = Happening(
            event_id=delivery.id, kind=event.kind, facts=event.facts, at=delivery.time, author=event.author
        )
        if event.user_id is not None:
            await note(session, happening, [event.user_id])
        elif event.topic:
            await circulate(session, happening, event.topic)
        session.after_commit(self._telling.wake)

    def _noting(self, source: Source) -> Callable[[Session, Delivery[Any]], Awaitable[None]]:
        async def take(session: Session, delivery: Delivery[Any]) -> None:
            event = delivery.event
            author = event.author if source.quotes else None
            happening = Happening(
                event_id=delivery.id, kind=source.kind, facts=source.facts(event), at=delivery.time, author=author
            )
            for topic in source.topics(event) if source.topics is not None else ():
                await circulate(session, happening, topic)
            if source.topics is None:
                about = message(event.room_id, event.offset) if source.quotes else None
                await note(session, happening, [person(event)], about=about)
            session.after_commit(self._telling.wake)

        return take
