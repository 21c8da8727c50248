"""Where a person stands with a room: whether they may come in, speak, and moderate."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, Principal, problems
from kernel.contracts.chat import Silenced
from kernel.contracts.courses import COURSE_ACCESS, COURSES, CourseAccess
from kernel.database import Command, Query
from plugins.chat.names import Names
from plugins.chat.permissions import MODERATE, MODERATE_ANY
from plugins.chat.rooms import ROOM_COLUMNS, RoomRow
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import members, people, rooms

ACCESS_TIMEOUT: Final = 2.0  # seconds that another plugin has to say whether somebody may come in; later means no


class _Known(RoomRow, frozen=True, kw_only=True):
    """A room, and what it knows of one person."""

    read_to: int | None  #: None of somebody who was never there
    muted_until: datetime | None
    banned: bool | None
    name: str | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One person in one room."""

    room: RoomRow
    user_id: UUID
    name: str
    staff: bool  #: moderates the room
    read_to: int
    muted_until: datetime | None

    def require_voice(self, now: datetime) -> None:
        """Refuse who was muted.

        Raises:
            Silenced: until when it says.
        """
        if self.muted_until is not None and self.muted_until > now:
            raise Silenced(f"Until {self.muted_until:%Y-%m-%d %H:%M} UTC.", extensions={"until": self.muted_until})


KNOWN: Final = Query(
    sa.select(
        *ROOM_COLUMNS,
        members.c.read_to,
        members.c.muted_until,
        members.c.banned,
        people.c.display_name.label("name"),
    )
    .select_from(
        rooms.outerjoin(
            members, sa.and_(members.c.room_id == rooms.c.id, members.c.user_id == bindparam("user_id"))
        ).outerjoin(people, people.c.user_id == bindparam("user_id"))
    )
    .where(rooms.c.id == bindparam("room_id")),
    _Known,
)
COME_IN: Final = Command(
    insert(members)
    .values(room_id=bindparam("room_id"), user_id=bindparam("user_id"), read_to=0, banned=False)
    .on_conflict_do_nothing()
)


class Standings:
    """Finds where people stand; what other plugins say counts only when it is a plain yes in time."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._names = ctx.own(Names)
        self._rows: WeakValueDictionary[UUID, RoomRow] = WeakValueDictionary()  # that somebody here holds

    async def of(self, person: Principal, room_id: UUID) -> Standing:
        """Return where *person* stands.

        Raises:
            problems.NotFound: there is no such room, or none for this person.
            problems.Forbidden: the person was put out of it.
        """
        return await self._find(person.id, person.permissions, room_id)

    async def of_moderator(self, person: Principal, room_id: UUID) -> Standing:
        """Return where *person*, who has to moderate the room, stands.

        Raises:
            problems.NotFound: there is no such room, or none that the person moderates.
        """
        standing = await self.of(person, room_id)
        if not standing.staff:
            raise problems.NotFound
        return standing

    async def of_user(self, user_id: UUID, room_id: UUID) -> Standing:
        """Return where somebody stands of whom only the number is known: who teaches the course moderates."""
        return await self._find(user_id, frozenset((MODERATE,)), room_id)

    async def may_enter(self, person: Principal, course_id: UUID) -> bool:
        """Return whether the rooms of a course are open to *person*."""
        if await self._moderates(person.id, person.permissions, course_id):
            return True
        return await self._admitted(person.id, course_id)

    async def _find(self, user_id: UUID, permissions: Collection[str], room_id: UUID) -> Standing:
        known = await self._ctx.db.first(KNOWN, room_id=room_id, user_id=user_id)
        if known is None:
            raise problems.NotFound
        staff = await self._moderates(user_id, permissions, known.course_id)
        if not staff and not await self._admitted(user_id, known.course_id):
            raise problems.NotFound
        if known.banned and not staff:
            raise problems.Forbidden("You were put out of this room.")
        if known.read_to is None:
            await self._ctx.db.run(COME_IN, room_id=room_id, user_id=user_id)
        return Standing(
            room=self._shared(RoomRow(**{name: getattr(known, name) for name in RoomRow.__struct_fields__})),
            user_id=user_id,
            name=known.name if known.name is not None else await self._names.learn(user_id),
            staff=staff,
            read_to=known.read_to or 0,
            muted_until=None if staff else known.muted_until,
        )

    def _shared(self, row: RoomRow) -> RoomRow:
        """Return the same of which the others who are in the room have hold already."""
        known = self._rows.get(row.id)
        if known is None or known != row:
            known = self._rows[row.id] = row
        return known

    async def _moderates(self, user_id: UUID, permissions: Collection[str], course_id: UUID) -> bool:
        if MODERATE_ANY in permissions:
            return True
        if MODERATE not in permissions:
            return False
        offer = await self._ctx.services.get(COURSES).offer(course_id)
        return offer is not None and user_id in offer.instructors

    async def _admitted(self, user_id: UUID, course_id: UUID) -> bool:
        asked = self._ctx.services.all(COURSE_ACCESS)
        return any(await asyncio.gather(*(self._ask(one, user_id, course_id) for one in asked)))

    async def _ask(self, access: CourseAccess, user_id: UUID, course_id: UUID) -> bool:
        try:
            async with asyncio.timeout(ACCESS_TIMEOUT):
                return await access.may_open(user_id, course_id) is True
        except Exception:
            self._ctx.log.exception(
                "access not answered", action="course_access", asked=type(access).__name__, course_id=str(course_id)
            )
            return False
