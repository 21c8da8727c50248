"""The HTTP surface of the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import (
    Answer,
    Context,
    Encoded,
    Page,
    PageQuery,
    Request,
    Route,
    get,
    page,
    problems,
    shared_page,
    stream_csv,
    wants_csv,
)
from plugins.audit.export import COLUMNS, table_of
from plugins.audit.log import Act, AuditLog

VIEW: Final = "audit.view"
PAGING: Final = PageQuery.__struct_fields__

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 9000  # short of where a change of time zone leaves the calendar

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Action = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[a-z][a-z0-9_.-]*$(?!\n)")]
Subject = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class ActQuery(PageQuery, frozen=True, kw_only=True):
    """Which acts to list; the filters combine."""

    actor: UUID | None = None
    subject: Subject | None = None  #: such as `account:0198…`
    about: UUID | None = None  #: the person whom it concerns, where the subject is a grant, say
    action: Action | None = None  #: such as `auth.set_roles`
    since: Moment | None = None
    until: Moment | None = None  #: the first moment that does not count

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment and not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
                raise ValueError(f"'{name}' must lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")


class ActSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One act."""

    number: int  #: its place in the chain
    event_id: UUID
    time: datetime
    action: str
    subject: str
    about: UUID | None  #: the person whom it concerns, where the subject does not say it
    actor: UUID | None  #: who; null for the command line
    acting_as: UUID | None  #: whom the actor stood in for
    origin: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    source: str  #: the plugin that told it
    request_id: UUID  #: of the request, by which its log lines are found


class AuditApi:
    """Shows the log to those who may look at it; looking is not an act."""

    def __init__(self, ctx: Context) -> None:
        self._log = ctx.own(AuditLog)

    def routes(self) -> Iterable[Route]:
        yield get("/acts", self.acts, permission=VIEW, problems=(problems.InvalidCursor,))

    async def acts(self, request: Request, query: ActQuery) -> Answer[Encoded[Page[ActSeen]]] | web.StreamResponse:
        """List acts, the newest first; with `Accept: text/csv` all that pass the filters, as a table."""
        filters = {name: getattr(query, name) for name in ActQuery.__struct_fields__ if name not in PAGING}
        if wants_csv(request.http):
            return await stream_csv(request.http, "acts", COLUMNS, table_of(self._log.pages(**filters)))
        after = query.after(tuple[Moment, int])
        rows = await self._log.find(limit=query.limit + 1, after=after, **filters)
        found = page(rows, query, lambda act: (act.happened_at, act.number))
        return shared_page(Page([msgspec.json.encode(_seen(act)) for act in found.items], found.next), query)


def _seen(act: Act) -> ActSeen:
    return ActSeen(
        number=act.number,
        event_id=act.event_id,
        time=act.happened_at,
        action=act.action,
        subject=act.subject,
        about=act.about,
        actor=act.actor,
        acting_as=act.acting_as,
        origin=act.origin,
        reason=act.reason,
        before=_decoded(act.before),
        after=_decoded(act.after),
        source=act.source,
        request_id=act.correlation_id,
    )


def _decoded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, Any])
