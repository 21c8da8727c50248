"""The traces of people in the kernel's own tables of one plugin, and in the copies that a transport keeps.

Events hold values anywhere, so they are searched through, a range at a time: nobody waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Command, Query
from kernel.database.opening import OpenDatabase
from kernel.database.search import Holds
from kernel.database.tables import idempotency, inbox, outbox
from kernel.events.transport import Transport
from kernel.redaction import Identifiers, Personal, as_told_of, redacted, without_address

RANGE: Final = 2_000  # rows that one statement looks through


class Bounds(msgspec.Struct, frozen=True):
    """Between which numbers a table's rows are."""

    first: int
    last: int


class Copy(msgspec.Struct, frozen=True):
    """An event as one of the tables holds it."""

    seq: int
    type: str
    key: str
    data: bytes
    created_at: datetime
    last_error: str | None


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The events of one table."""

    name: str
    bounds: Query[Bounds]
    found: Query[Copy]
    replace: Command


def _copies(table: sa.Table, errors: sa.ColumnElement[Any] | None) -> Copies:
    seq = table.c.seq
    told = [Holds(table.c.data, bindparam(name, type_=sa.LargeBinary())) for name in _NEEDLES]
    shown = sa.literal_column("NULL") if errors is None else errors
    if errors is not None:
        told += [Holds(errors, bindparam(f"{name}_text", type_=sa.Text())) for name in _NEEDLES]
    changed: dict[str, object] = {"data": bindparam("new_data"), "key": bindparam("new_key")}
    return Copies(
        name=table.name,
        bounds=Query(
            sa.select(*(sa.func.coalesce(end(seq), 0).label(name) for name, end in _ENDS)),
            Bounds,
        ),
        found=Query(
            sa.select(
                *(table.c[name] for name in Copy.__struct_fields__ if name != "last_error"), shown.label("last_error")
            )
            .where(seq >= bindparam("from_seq"), seq < bindparam("to_seq"), sa.or_(*told))
            .order_by(seq),
            Copy,
        ),
        replace=Command(
            sa.update(table)
            .where(seq == bindparam("of_seq"), table.c.data == bindparam("old_data"))
            .values(changed if errors is None else changed | {"last_error": bindparam("new_error")})
        ),
    )


_ENDS: Final = (("first", sa.func.min), ("last", sa.func.max))
_NEEDLES: Final = ("by_id", "by_email", "by_alias")
OUTBOX: Final = _copies(outbox, None)
INBOX: Final = _copies(inbox, inbox.c.last_error)


class Kept(msgspec.Struct, frozen=True):
    """A first answer."""

    subject: UUID
    route: str
    key: str
    status: int | None
    body: bytes | None
    created_at: datetime


_KEPT: Final = sa.select(*(idempotency.c[name] for name in Kept.__struct_fields__))
_SUBJECT: Final = idempotency.c.subject == bindparam("of_person")
ANSWERS_TO: Final = Query(_KEPT.where(_SUBJECT).order_by(idempotency.c.route, idempotency.c.key), Kept)
#: Answers to others, administrators say, that show the address. A day's answers are all there are.
ANSWERS_WITH: Final = Query(
    _KEPT.where(~_SUBJECT, Holds(idempotency.c.body, bindparam("by_email", type_=sa.LargeBinary()))), Kept
)
FORGET_ANSWERS: Final = Command(sa.delete(idempotency).where(_SUBJECT))
REPLACE_ANSWER: Final = Command(
    sa.update(idempotency)
    .where(*(idempotency.c[name] == bindparam(f"of_{name}") for name in ("subject", "route", "key")))
    .values(body=bindparam("new_body"))
)


class PluginTraces:
    """Fulfils `kernel.traces.Traces` for one plugin."""

    def __init__(
        self, plugin: str, db: OpenDatabase, *, personal: Mapping[str, Personal], transport: Transport
    ) -> None:
        """*personal* says of each type of event what is personal in it."""
        self._plugin = plugin
        self._db = db
        self._personal = personal
        self._transport = transport

    async def export(self, person: Identifiers) -> AsyncIterator[tuple[str, bytes]]:
        for copies in (OUTBOX, INBOX):
            number = 0
            async for page in self._pages(copies, person):
                number += 1
                shown = [self._shown(copy, person) for copy in page]
                yield f"{copies.name}-{number}.json", msgspec.json.encode(shown)
        if answers := await self._db.all(ANSWERS_TO, of_person=person.user_id):
            yield "answers.json", msgspec.json.encode([_answer(kept) for kept in answers])

    async def erase(self, person: Identifiers) -> None:
        for copies in (OUTBOX, INBOX):
            async for page in self._pages(copies, person):
                if changed := [copy for copy in page if self._tells_of(copy, person)]:
                    replacements = [self._replacement(copies, copy, person) for copy in changed]
                    await self._db.run_many(copies.replace, replacements)
        await self._forget_answers(person)
        await self._transport.forget(self._plugin)

    async def scrub(self) -> None:
        await self._db.scrub()

    async def _pages(self, copies: Copies, person: Identifiers) -> AsyncIterator[list[Copy]]:
        """Yield the copies that hold a value that names *person*, some at a time."""
        needles = dict(zip(_NEEDLES, (*person.values(), *[str(person.user_id)] * 2), strict=False))
        values: dict[str, object] = {name: needle.encode() for name, needle in needles.items()}
        if copies is INBOX:
            values |= {f"{name}_text": needle for name, needle in needles.items()}
        bounds = await self._db.one(copies.bounds)
        for start in range(bounds.first, bounds.last + 1, RANGE):
            if found := await self._db.all(copies.found, from_seq=start, to_seq=start + RANGE, **values):
                yield found

    def _tells_of(self, copy: Copy, person: Identifiers) -> bool:
        """Return whether *copy* holds anything of *person*: one that was found may hold an address like theirs."""
        error = copy.last_error or ""
        return (
            redacted(copy.data, self._personal.get(copy.type, {}), person) != copy.data
            or without_address(copy.key, person) != copy.key
            or without_address(error, person) != error
            or any(number in error for number in person.values() if number != person.email)
        )

    def _replacement(self, copies: Copies, copy: Copy, person: Identifiers) -> dict[str, object]:
        replacement: dict[str, object] = {
            "of_seq": copy.seq,
            "old_data": copy.data,
            "new_data": redacted(copy.data, self._personal.get(copy.type, {}), person),
            "new_key": without_address(copy.key, person),
        }
        if copies is INBOX:  # an error may quote whatever the event holds: only its kind is left
            replacement["new_error"] = copy.last_error and copy.last_error.partition(":")[0]
        return replacement

    def _shown(self, copy: Copy, person: Identifiers) -> dict[str, object]:
        told = as_told_of(copy.data, self._personal.get(copy.type, {}), person)
        return {"type": copy.type, "time": copy.created_at, "data": told, "error": copy.last_error}

    async def _forget_answers(self, person: Identifiers) -> None:
        await self._db.run(FORGET_ANSWERS, of_person=person.user_id)
        if person.email:
            found = await self._db.all(ANSWERS_WITH, of_person=person.user_id, by_email=person.email.encode())
            await self._db.run_many(REPLACE_ANSWER, [_without(kept, person) for kept in found])


def _answer(kept: Kept) -> dict[str, object]:
    body = (kept.body or b"").decode(errors="replace")
    return {"route": kept.route, "status": kept.status, "time": kept.created_at, "body": body}


def _without(kept: Kept, person: Identifiers) -> dict[str, object]:
    body = without_address((kept.body or b"").decode(errors="surrogateescape"), person)
    return {
        "of_subject": kept.subject,
        "of_route": kept.route,
        "of_key": kept.key,
        "new_body": body.encode(errors="surrogateescape"),
    }
