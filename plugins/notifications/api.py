"""The HTTP surface: `/api/v1/notifications`, for everybody their own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import SIGNED_IN, Context, Idempotency, Page, PageQuery, Request, Route, get, page, post, problems, put
from kernel.database import Command, Query
from plugins.notifications.kinds import BY_NAME
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import contacts, declined, notices
from plugins.notifications.telling import Decision, path_of
from plugins.notifications.wording import DEFAULT, wording

MANY: Final = 100  # unread ones that are counted
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
    mail: Decision  #: whether there was a mail of it, or why not


class Unread(msgspec.Struct, frozen=True):
    """How many notices were not read yet."""

    count: Annotated[int, msgspec.Meta(ge=0, le=MANY)]
    more: bool  #: whether there are even more


class MailPreference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether notices of a kind come by mail too."""

    mail: bool


class Told(msgspec.Struct, frozen=True):
    """A notice as it is kept."""

    id: UUID
    kind: str
    facts: dict[str, str | int]
    at: datetime
    mail: Decision
    read_at: datetime | None


_MINE: Final = notices.c.user_id == bindparam("person")
_TOLD: Final = notices.c.told_at.is_not(None)
TOLD: Final = Query(
    sa.select(*(notices.c[name] for name in Told.__struct_fields__))
    .where(_MINE, _TOLD, notices.c.id < bindparam("before"))
    .order_by(notices.c.id.desc())
    .limit(bindparam("limit")),
    Told,
)
_FEW: Final = sa.select(notices.c.id).where(_MINE, _TOLD, notices.c.read_at.is_(None)).limit(MANY + 1)
UNREAD: Final = Query(sa.select(sa.func.count().label("count")).select_from(_FEW.subquery()), int)
READ: Final = Command(
    sa.update(notices)
    .where(_MINE, _TOLD, notices.c.read_at.is_(None), notices.c.id == bindparam("of_id"))
    .values(read_at=bindparam("now"))
)
READ_ALL: Final = Command(
    sa.update(notices)
    .where(_MINE, _TOLD, notices.c.read_at.is_(None), notices.c.id <= bindparam("up_to"))
    .values(read_at=bindparam("now"))
)
OWN: Final = Query(sa.select(notices.c.id).where(_MINE, _TOLD, notices.c.id == bindparam("of_id")), UUID)
LOCALE: Final = Query(sa.select(contacts.c.locale).where(contacts.c.user_id == bindparam("person")), str)
DECLINED: Final = Query(sa.select(declined.c.kind).where(declined.c.user_id == bindparam("person")), str)
DECLINE: Final = Command(
    insert(declined).values(user_id=bindparam("person"), kind=bindparam("kind")).on_conflict_do_nothing()
)
WANT: Final = Command(
    sa.delete(declined).where(declined.c.user_id == bindparam("person"), declined.c.kind == bindparam("kind"))
)


class NotificationsApi:
    """Answers people about their own notices."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._ctx = ctx
        self._db = ctx.db

    def routes(self) -> Iterable[Route]:
        """Return every route. None keeps idempotency keys: each change may be repeated, and does nothing more then."""
        none, unknown = Idempotency.NONE, (problems.NotFound,)
        yield get("", self.notices, permission=SIGNED_IN, problems=(problems.InvalidCursor,))
        yield get("/unread", self.unread, permission=SIGNED_IN)
        yield post("/{notice_id}/read", self.read, permission=SIGNED_IN, status=204, problems=unknown, idempotency=none)
        yield post(
            "/{notice_id}/read-up-to",
            self.read_up_to,
            permission=SIGNED_IN,
            status=204,
            problems=unknown,
            idempotency=none,
        )
        yield get("/preferences", self.preferences, permission=SIGNED_IN)
        yield put(
            "/preferences/{kind}", self.prefer, permission=SIGNED_IN, problems=(problems.NotFound,), idempotency=none
        )

    async def notices(self, request: Request, query: PageQuery) -> Page[NoticeView]:
        """List one's own notices, the newest first."""
        person = request.principal.id
        words = wording(await self._db.first(LOCALE, person=person) or DEFAULT)
        before = query.after(UUID) or _LAST
        found = await self._db.all(TOLD, person=person, before=before, limit=query.limit + 1)
        shown = page(found, query, lambda notice: notice.id)
        place = self._ctx.deployment.name
        views = []
        for notice in shown.items:
            told = words.notice(notice.kind, notice.facts, place)
            views.append(
                NoticeView(
                    id=notice.id,
                    kind=notice.kind,
                    title=told.title,
                    text=told.text,
                    path=path_of(notice.kind, notice.facts),
                    at=notice.at,
                    read=notice.read_at is not None,
                    mail=notice.mail,
                )
            )
        return Page(views, shown.next)

    async def unread(self, request: Request) -> Unread:
        """Count one's own unread notices, up to a hundred."""
        count = await self._db.one(UNREAD, person=request.principal.id)
        return Unread(min(count, MANY), count > MANY)

    async def read(self, request: Request, notice_id: UUID) -> None:
        """Say that one has read a notice; one that was read already stays as it is."""
        await self._require_own(request, notice_id)
        await self._db.run(READ, person=request.principal.id, of_id=notice_id, now=self._ctx.clock.now())

    async def read_up_to(self, request: Request, notice_id: UUID) -> None:
        """Say that one has read a notice and all before it."""
        await self._require_own(request, notice_id)
        await self._db.run(READ_ALL, person=request.principal.id, up_to=notice_id, now=self._ctx.clock.now())

    async def preferences(self, request: Request) -> dict[str, MailPreference]:
        """Show of which kinds one gets mails."""
        without = set(await self._db.all(DECLINED, person=request.principal.id))
        return {kind: MailPreference(kind not in without) for kind in BY_NAME}

    async def prefer(self, request: Request, kind: str, body: MailPreference) -> None:
        """Say whether one gets mails of a kind."""
        if kind not in BY_NAME:
            raise problems.NotFound
        await self._db.run(WANT if body.mail else DECLINE, person=request.principal.id, kind=kind)

    async def _require_own(self, request: Request, notice_id: UUID) -> None:
        if await self._db.first(OWN, person=request.principal.id, of_id=notice_id) is None:
            raise problems.NotFound
