"""The HTTP surface of the tray: `/api/v1/notifications`, for everybody their own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import SIGNED_IN, Context, Idempotency, Page, PageQuery, Request, Route, get, page, post, problems
from kernel.database import Command, Query
from plugins.notifications.kinds import Kinds
from plugins.notifications.live import IS_UNREAD, UNREAD, Live, Unread, unread
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, notices
from plugins.notifications.wording import DEFAULT, path_of, wording

_LAST: Final = UUID(int=2**128 - 1)  # behind every other


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in the language of whom it is for."""

    id: UUID
    kind: str
    title: str
    text: str
    path: str  #: where it leads to
    at: datetime
    read: bool


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as it is kept."""

    id: UUID
    kind: str
    facts: dict[str, str | int]
    at: datetime
    read_at: datetime | None


_MINE: Final = notices.c.user_id == bindparam("person")
_TOLD: Final = notices.c.outcome == sa.literal_column("'told'")
TOLD: Final = Query(
    sa.select(*(notices.c[name] for name in Told.__struct_fields__))
    .where(_MINE, _TOLD, notices.c.id < bindparam("before"))
    .order_by(notices.c.id.desc())
    .limit(bindparam("limit")),
    Told,
)
READ: Final = Command(
    sa.update(notices).where(_MINE, IS_UNREAD, notices.c.id == bindparam("of_id")).values(read_at=bindparam("now"))
)
READ_ALL: Final = Command(
    sa.update(notices).where(_MINE, IS_UNREAD, notices.c.id <= bindparam("up_to")).values(read_at=bindparam("now"))
)
OWN: Final = Query(sa.select(notices.c.id).where(_MINE, _TOLD, notices.c.id == bindparam("of_id")), UUID)
LOCALE: Final = Query(sa.select(contacts.c.locale).where(contacts.c.user_id == bindparam("person")), str)


class TrayApi:
    """Answers people about their own notices."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._db = ctx.db
        self._kinds, self._live = ctx.own(Kinds), ctx.own(Live)

    def routes(self) -> Iterable[Route]:
        """Return every route. None keeps idempotency keys: each change may be repeated, and does nothing more then."""
        none, unknown = Idempotency.NONE, (problems.NotFound,)
        yield get("", self.notices, permission=SIGNED_IN, problems=(problems.InvalidCursor,))
        yield get("/unread", self.unread, permission=SIGNED_IN)
        for path, handler in (("/{notice_id}/read", self.read), ("/{notice_id}/read-up-to", self.read_up_to)):
            yield post(path, handler, permission=SIGNED_IN, status=204, problems=unknown, idempotency=none)

    async def notices(self, request: Request, query: PageQuery) -> Page[NoticeView]:
        """List one's own notices, the newest first."""
        person = request.principal.id
        locale = await self.locale(person)
        before = query.after(UUID) or _LAST
        found = await self._db.all(TOLD, person=person, before=before, limit=query.limit + 1)
        shown = page(found, query, lambda notice: notice.id)
        known = self._kinds.all()
        return Page([self._view(one, locale) for one in shown.items if one.kind in known], shown.next)

    async def unread(self, request: Request) -> Unread:
        """Count one's own unread notices, up to a hundred."""
        return unread(await self._db.one(UNREAD, person=request.principal.id))

    async def read(self, request: Request, notice_id: UUID) -> None:
        """Say that one has read a notice; one that was read already stays as it is."""
        await self._require_own(request, notice_id)
        await self._db.run(READ, person=request.principal.id, of_id=notice_id, now=self._ctx.clock.now())
        self._live.changed([request.principal.id])

    async def read_up_to(self, request: Request, notice_id: UUID) -> None:
        """Say that one has read a notice and all before it."""
        await self._require_own(request, notice_id)
        await self._db.run(READ_ALL, person=request.principal.id, up_to=notice_id, now=self._ctx.clock.now())
        self._live.changed([request.principal.id])

    async def locale(self, person: UUID) -> str:
        """Return the language of somebody's profile."""
        return await self._db.first(LOCALE, person=person) or DEFAULT

    def _view(self, notice: Told, locale: str) -> NoticeView:
        kind = self._kinds.all()[notice.kind]
        said = wording(locale).say(kind, notice.facts, locale, self._ctx.deployment.name)
        return NoticeView(
            id=notice.id,
            kind=notice.kind,
            title=said.title,
            text=said.text,
            path=path_of(kind, notice.facts),
            at=notice.at,
            read=notice.read_at is not None,
        )

    async def _require_own(self, request: Request, notice_id: UUID) -> None:
        if await self._db.first(OWN, person=request.principal.id, of_id=notice_id) is None:
            raise problems.NotFound
