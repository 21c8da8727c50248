"""Live: open pages hear how many notifications their person has not read, whenever that changes, in every process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import SIGNED_IN, Connection, Context, Request, Socket, socket
from kernel.database import Query
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import notices

TOPIC: Final = "notifications.changed"
MANY: Final = 100  # unread ones that are counted
PAUSE: Final = 0.2  # seconds in which changes of one person count as one
_ID: Final = 16  # bytes of a person's id
_AT_ONCE: Final = 1000  # people of one broadcast


class Unread(msgspec.Struct, frozen=True):
    """How many notifications were not read yet."""

    count: Annotated[int, msgspec.Meta(ge=0, le=MANY)]
    more: bool  #: whether there are even more


class Counted(msgspec.Struct, frozen=True):
    """What one person has not read."""

    user_id: UUID
    count: int


IS_UNREAD: Final = sa.and_(notices.c.read_at.is_(None), notices.c.outcome == sa.literal_column("'told'"))
_FEW: Final = sa.select(notices.c.id).where(notices.c.user_id == bindparam("person"), IS_UNREAD).limit(MANY + 1)
UNREAD: Final = Query(sa.select(sa.func.count().label("count")).select_from(_FEW.subquery()), int)
COUNTS: Final = Query(
    sa.select(notices.c.user_id, sa.func.count().label("count"))
    .where(notices.c.user_id.in_(bindparam("people", expanding=True)), IS_UNREAD)
    .group_by(notices.c.user_id),
    Counted,
)


def unread(count: int) -> Unread:
    """Return *count* as people are told it."""
    return Unread(min(count, MANY), count > MANY)


class Listening:
    """One open page."""

    def __init__(self, live: Live, connection: Connection, person: UUID) -> None:
        self._live, self._connection, self._person = live, connection, person

    async def received(self, text: bytes) -> None:
        """Take nothing: there is nothing to say here."""

    def closed(self, code: int) -> None:
        self._live.leave(self._person, self._connection)


class Live:
    """Knows the open pages of this process."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._pages: dict[UUID, set[Connection]] = defaultdict(set)
        self._changed: set[UUID] = set()
        self._some = asyncio.Event()

    def socket(self) -> Socket:
        """Return the WebSocket."""
        return socket("/socket", self.open, permission=SIGNED_IN, sends=(Unread,), message_limit=256, rate="1/second")

    async def open(self, request: Request, connection: Connection) -> Listening:
        """Hear how many notifications one has not read: now, and whenever that changes."""
        person = request.principal.id
        self._pages[person].add(connection)  # before it is counted: no change in between is missed
        try:
            count = await self._ctx.db.one(UNREAD, person=person)
        except BaseException:
            self.leave(person, connection)
            raise
        connection.send(msgspec.json.encode(unread(count)))
        return Listening(self, connection, person)

    def leave(self, person: UUID, connection: Connection) -> None:
        """Forget a page."""
        self._pages[person].discard(connection)
        if not self._pages[person]:
            del self._pages[person]

    def run_in_background(self) -> None:
        """Tell pages until the plugin stops."""
        self._ctx.events.on_broadcast(TOPIC, self._heard)
        self._ctx.tasks.every(3600, self._tell, name="unread counts", sooner=self._some)

    def changed(self, people: Iterable[UUID]) -> None:
        """Have the pages of *people* told, in every process. It may be lost: a page asks when it is looked at again."""
        ids = sorted(set(people))
        for first in range(0, len(ids), _AT_ONCE):
            message = b"".join(one.bytes for one in ids[first : first + _AT_ONCE])
            self._ctx.tasks.start(self._ctx.events.broadcast(TOPIC, message), name="tell of unread ones")

    def _heard(self, message: bytes) -> None:
        told = {UUID(bytes=message[first : first + _ID]) for first in range(0, len(message) - _ID + 1, _ID)}
        if here := told & self._pages.keys():
            self._changed |= here
            self._some.set()

    async def _tell(self) -> None:
        await asyncio.sleep(PAUSE)
        people, self._changed = self._changed, set()
        found = await self._ctx.db.all(COUNTS, people=sorted(people)) if people else []
        counts = {one.user_id: one.count for one in found}
        for person in people:
            message = msgspec.json.encode(unread(counts.get(person, 0)))
            for connection in self._pages.get(person, ()):
                connection.send(message)
