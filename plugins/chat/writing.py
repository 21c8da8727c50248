"""Adding to a log: each entry gets its offset in the statement that stores it.

Messages that wait at the same moment, whichever their rooms, share one statement and one commit. The row of a room is
locked from the statement that raises its last offset until the commit, so whoever sees an entry sees all before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql

from kernel import Context, errors
from kernel.contracts.chat import RoomClosed
from kernel.database import Database, Follow, Gathering, Guarded, Query, Returned, Session, Waiter, refuse
from plugins.chat.delivery import Delivery
from plugins.chat.entries import STORED, LoggedEntry, NewEntry
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import entries, held, rooms

BATCH_LIMIT: Final = 200  # messages in one statement
#: Statements under way at once, each for rooms of its own: while the database stores for some, others are delivered.
LANES: Final = 2
PATIENCE: Final = 0.1  # seconds for which the next messages wait for some that are held up by a lock


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry stands."""

    offset: int
    epoch: UUID


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is stored, by now or since long."""

    offset: int
    epoch: UUID
    at: datetime  #: when it was stored first
    room_id: UUID
    actor: UUID
    client_id: str


Key = tuple[UUID, UUID, str]  # room, sender, client id

#: What is stored of a message; the rest of an entry is of other kinds.
_OF_MESSAGE: Final = tuple(name for name in STORED if name not in ("target", "detail"))

_OPEN: Final = rooms.c.state == sa.literal_column("'open'")
_TAKEN: Final = sa.exists().where(
    entries.c.actor == bindparam("actor", type_=sa.Uuid()),
    entries.c.room_id == bindparam("room_id", type_=sa.Uuid()),
    entries.c.client_id == bindparam("client_id", type_=sa.Text()),
)
_RAISE: Final = (
    sa.update(rooms)
    .where(rooms.c.id == bindparam("room_id", type_=sa.Uuid()))
    .values(last_offset=rooms.c.last_offset + 1)
    .returning(rooms.c.last_offset.label("offset"), rooms.c.epoch)
)
#: Under its client id a message was held: whoever sends it again gets no other answer. Approved, it comes in.
_HELD_STATE: Final = held.c.state != sa.literal_column("'approved'")
_HELD: Final = sa.exists().where(
    held.c.sender == bindparam("actor", type_=sa.Uuid()),
    held.c.room_id == bindparam("room_id", type_=sa.Uuid()),
    held.c.client_id == bindparam("client_id", type_=sa.Text()),
    _HELD_STATE,
)
_STORE: Final = Follow(entries, {"offset": Returned("offset"), **{name: bindparam(name) for name in STORED}})
#: Adds whatever entry, also to a closed room.
APPEND: Final = Guarded(_RAISE, Place, [_STORE])
#: Adds a message to an open room, unless it is there or is held.
SAY: Final = Guarded(_RAISE.where(_OPEN, ~_TAKEN, ~_HELD), Place, [_STORE])
SAID: Final = Query(
    sa.select(entries.c.offset, rooms.c.epoch, entries.c.at, entries.c.room_id, entries.c.actor, entries.c.client_id)
    .join_from(entries, rooms, rooms.c.id == entries.c.room_id)
    .where(
        entries.c.actor == bindparam("actor"),
        entries.c.room_id == bindparam("room_id"),
        entries.c.client_id == bindparam("client_id"),
    ),
    Written,
)


def _say_all() -> Query[Written]:
    """Return `SAY` for many messages of many rooms in one statement of PostgreSQL.

    The rooms are locked in the order of their ids, so that two processes never wait for each other in a circle.
    """
    columns = [sa.column(name, entries.c[name].type) for name in _OF_MESSAGE]
    arrays = (bindparam(name, type_=postgresql.ARRAY(entries.c[name].type)) for name in _OF_MESSAGE)
    given = sa.func.unnest(*arrays).table_valued(*columns, with_ordinality="place").render_derived(name="given")
    # A subquery with a limit is looked up in the index for each message. What PostgreSQL could make a join of, it would
    # plan while the log is empty: as a scan of the whole log, and keep that plan while the log grows.
    taken = (
        sa.select(entries.c.offset)
        .where(
            entries.c.actor == given.c.actor,
            entries.c.room_id == given.c.room_id,
            entries.c.client_id == given.c.client_id,
        )
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )
    kept = (
        sa.select(held.c.id)
        .where(
            held.c.sender == given.c.actor,
            held.c.room_id == given.c.room_id,
            held.c.client_id == given.c.client_id,
            _HELD_STATE,
        )
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )
    fresh = sa.select(given).where(taken.is_(None), kept.is_(None)).cte("fresh")
    counted = sa.select(fresh.c.room_id, sa.func.count().label("number")).group_by(fresh.c.room_id).cte("counted")
    locked = (
        sa.select(rooms.c.id)
        .where(rooms.c.id.in_(sa.select(counted.c.room_id)))
        .order_by(rooms.c.id)
        .with_for_update(key_share=True)
        .cte("locked")
    )
    raised = (
        sa.update(rooms)
        .where(rooms.c.id == counted.c.room_id, rooms.c.id == locked.c.id, _OPEN)
        .values(last_offset=rooms.c.last_offset + counted.c.number)
        .returning(rooms.c.id, (rooms.c.last_offset - counted.c.number).label("before"), rooms.c.epoch)
        .cte("raised")
    )
    place = sa.func.row_number().over(partition_by=fresh.c.room_id, order_by=fresh.c.place)
    rows = sa.select((raised.c.before + place).label("offset"), *(fresh.c[name] for name in _OF_MESSAGE)).join_from(
        fresh, raised, raised.c.id == fresh.c.room_id
    )
    stored = (
        sa.insert(entries)
        .from_select(["offset", *_OF_MESSAGE], rows)
        .returning(entries.c.offset, entries.c.at, entries.c.room_id, entries.c.actor, entries.c.client_id)
        .cte("stored")
    )
    return Query(
        sa.select(
            stored.c.offset, raised.c.epoch, stored.c.at, stored.c.room_id, stored.c.actor, stored.c.client_id
        ).join_from(stored, raised, raised.c.id == stored.c.room_id),
        Written,
    )


SAY_ALL: Final = _say_all()


class Writing:
    """Stores entries and has them delivered."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db: Database = ctx.db
        self._delivery = ctx.own(Delivery)
        self._gathering: Gathering[int, NewEntry] = Gathering(self._say_all, limit=BATCH_LIMIT, patience=PATIENCE)

    async def say(self, message: NewEntry) -> Written:
        """Store *message*, or find it where it was stored before under its client id.

        Raises:
            RoomClosed: nothing was stored; or the message is held.
        """
        found = await self._gathering.ask(message.room_id.int % LANES, message) or await self.said(_key(message))
        if found is None:
            raise RoomClosed
        return found

    async def said(self, key: Key) -> Written | None:
        """Return the message that was stored under *key*, None if there is none."""
        room_id, actor, client_id = key
        return await self._db.first(SAID, room_id=room_id, actor=actor, client_id=client_id)

    async def say_within(self, session: Session, message: NewEntry) -> Place | None:
        """Store *message* in the transaction of *session*; return None where it was stored before, or is not taken."""
        return await self._append(session, SAY, message)

    async def append(self, session: Session, entry: NewEntry, *, told_text: str | None = None) -> Place:
        """Add *entry* in the transaction of *session*, delivered when that has committed, with *told_text*.

        The text of an edit stands with its message alone.
        """
        place = await self._append(session, APPEND, entry, told_text)
        if place is None:
            raise errors.RowMissing(f"there is no room {entry.room_id}")
        return place

    async def close(self) -> None:
        """Refuse whoever waits."""
        await self._gathering.close()

    async def _append(
        self, session: Session, change: Guarded[Place], entry: NewEntry, told_text: str | None = None
    ) -> Place | None:
        place = await session.guarded(change, **entry.values())
        if place is not None:
            told = entry if told_text is None else msgspec.structs.replace(entry, text=told_text)
            epoch, logged = place.epoch, told.logged(place.offset)
            session.after_commit(lambda: self._delivery.committed(epoch, [logged]))
        return place

    async def _say_all(self, lane: int, batch: list[Waiter[NewEntry]]) -> None:
        messages = {_key(message): message for message, _ in reversed(batch)}  # of twins the first
        try:
            written = await self._store(list(reversed(messages.values())))
        except Exception as error:  # it belongs to those who asked
            refuse(batch, error)
            return
        self._deliver(messages, written)
        for message, answer in batch:
            if not answer.done():
                answer.set_result(written.get(_key(message)))

    async def _store(self, messages: Sequence[NewEntry]) -> dict[Key, Written]:
        store = self._store_at_once if self._db.dialect == "postgresql" else self._store_together
        try:
            return await store(messages)
        # Another process stores one of them at this very moment, or somebody locks several rooms in another order.
        except (errors.UniqueViolation, errors.TransactionConflict):
            return await self._store_one_by_one(messages)

    async def _store_at_once(self, messages: Sequence[NewEntry]) -> dict[Key, Written]:
        rows = [message.values() for message in messages]
        values = {name: [row[name] for row in rows] for name in _OF_MESSAGE}
        found = await self._db.all(SAY_ALL, **values)
        return {(one.room_id, one.actor, one.client_id): one for one in found}

    async def _store_together(self, messages: Sequence[NewEntry]) -> dict[Key, Written]:
        """Store them in one transaction of SQLite, where a statement costs no round trip."""
        found: dict[Key, Written] = {}
        async with self._db.transaction() as session:
            for message in messages:
                place = await session.guarded(SAY, **message.values())
                if place is not None:
                    found[_key(message)] = _written(message, place)
        return found

    async def _store_one_by_one(self, messages: Sequence[NewEntry]) -> dict[Key, Written]:
        found: dict[Key, Written] = {}
        for message in messages:
            try:
                place = await self._db.guarded(SAY, **message.values())
            except errors.UniqueViolation:  # whoever asks finds what the other one stored
                continue
            if place is not None:
                found[_key(message)] = _written(message, place)
        return found

    def _deliver(self, messages: dict[Key, NewEntry], written: dict[Key, Written]) -> None:
        by_room: dict[tuple[UUID, UUID], list[LoggedEntry]] = {}
        for key, place in sorted(written.items(), key=lambda found: found[1].offset):
            by_room.setdefault((place.room_id, place.epoch), []).append(messages[key].logged(place.offset))
        for (_, epoch), found in by_room.items():
            self._delivery.committed(epoch, found)


def _key(message: NewEntry) -> Key:
    return message.room_id, message.actor, message.client_id or ""


def _written(message: NewEntry, place: Place) -> Written:
    return Written(
        offset=place.offset,
        epoch=place.epoch,
        at=message.at,
        room_id=message.room_id,
        actor=message.actor,
        client_id=message.client_id or "",
    )
