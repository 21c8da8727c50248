"""Rooms: opened by whoever has a use for one, once for each thing that they are about."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Delivery, new_id
from kernel.contracts.chat import Room, RoomOpened, RoomWasClosed
from kernel.contracts.courses import CourseChanged
from kernel.database import Command, Query, Session
from plugins.chat.entries import NewEntry
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import rooms
from plugins.chat.writing import Writing

COURSE: Final = "course"  #: the kind of room that every course has
#: Who changes a room when no person does.
NOBODY: Final = UUID(int=0)


class RoomRow(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """A room with its rules."""

    id: UUID
    kind: str
    subject: UUID
    course_id: UUID
    title: str
    state: Literal["open", "closed"]
    slow_mode: int
    approval: bool

    def shown(self) -> Room:
        """Return it as other plugins know it."""
        return Room(**{name: getattr(self, name) for name in Room.__struct_fields__})

    def rules(self) -> dict[str, object]:
        """Return what may be said in it, and how."""
        return {"state": self.state, "slow_mode": self.slow_mode, "approval": self.approval}


ROOM_COLUMNS: Final = tuple(rooms.c[name] for name in RoomRow.__struct_fields__)
ROOM: Final = Query(sa.select(*ROOM_COLUMNS).where(rooms.c.id == bindparam("room_id")), RoomRow)
ABOUT: Final = Query(
    sa.select(*ROOM_COLUMNS).where(rooms.c.kind == bindparam("kind"), rooms.c.subject == bindparam("subject")), RoomRow
)
OPEN: Final = Command(
    insert(rooms)
    .values({name: bindparam(name) for name in ("id", "kind", "subject", "course_id", "title", "epoch", "opened_at")})
    .values(state="open", last_offset=0, slow_mode=0, approval=False)
    .on_conflict_do_nothing(index_elements=[rooms.c.kind, rooms.c.subject])
)
#: Touches nothing where the rules are these already.
SET_RULES: Final = Command(
    sa.update(rooms)
    .where(
        rooms.c.id == bindparam("of_room"),
        sa.or_(
            rooms.c.state != bindparam("new_state"),
            rooms.c.slow_mode != bindparam("new_slow_mode"),
            rooms.c.approval != bindparam("new_approval"),
        ),
    )
    .values(state=bindparam("new_state"), slow_mode=bindparam("new_slow_mode"), approval=bindparam("new_approval"))
)


RENAME: Final = Command(
    sa.update(rooms)
    .where(rooms.c.kind == COURSE, rooms.c.subject == bindparam("course"))
    .values(title=bindparam("new_title"))
)


class Rooms:
    """Opens, finds and closes rooms."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._writing = ctx.own(Writing)

    async def open(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> RoomRow:
        """Return the room of this kind about *subject*, opened now if there is none."""
        found = await self._ctx.db.first(ABOUT, kind=kind, subject=subject)
        if found is not None:
            return found
        async with self._ctx.db.transaction() as session:
            made = new_id()
            now = self._ctx.clock.now()
            facts = {"kind": kind, "subject": subject, "course_id": course_id, "title": title}
            if await session.run(OPEN, id=made, epoch=new_id(), opened_at=now, **facts):
                told = RoomOpened(room_id=made, kind=kind, subject=subject, course_id=course_id, title=title)
                await self._ctx.events.publish(session, told)
            return await session.one(ABOUT, kind=kind, subject=subject)

    async def find(self, room_id: UUID) -> RoomRow | None:
        """Return the room, None when there is none."""
        return await self._ctx.db.first(ROOM, room_id=room_id)

    async def close(self, room_id: UUID) -> None:
        """Let nothing more be said in the room."""
        room = await self.find(room_id)
        if room is not None and room.state == "open":
            async with self._ctx.db.transaction() as session:
                await self.set_rules(session, msgspec.structs.replace(room, state="closed"), NOBODY, "")

    async def renamed(self, session: Session, delivery: Delivery[CourseChanged]) -> None:
        """Give the room of a course its new title."""
        await session.run(RENAME, course=delivery.event.course_id, new_title=delivery.event.title)

    async def set_rules(self, session: Session, room: RoomRow, actor: UUID, name: str) -> bool:
        """Give the room the rules of *room*; return whether they were others."""
        values = {f"new_{rule}": value for rule, value in room.rules().items()}
        if not await session.run(SET_RULES, of_room=room.id, **values):
            return False
        if room.state == "closed":
            await self._ctx.events.publish(session, RoomWasClosed(room_id=room.id, course_id=room.course_id))
        at = self._ctx.clock.now()
        entry = NewEntry(room_id=room.id, kind="room", actor=actor, name=name, at=at, detail=room.rules())
        await self._writing.append(session, entry)
        return True
