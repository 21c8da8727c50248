"""The HTTP surface of the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

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
from kernel.contracts import audit_http
from kernel.contracts.audit_http import VIEW_ACTS, ActQuery, Moment
from plugins.audit.export import COLUMNS, table_of
from plugins.audit.log import Act, AuditLog

PAGING: Final = PageQuery.__struct_fields__


class ActSeen(audit_http.ActSeen, frozen=True, kw_only=True):
    """One act."""

    number: int  #: its place in the chain


class AuditApi:
    """Shows the log to those who may look at it; looking is not an act."""

    def __init__(self, ctx: Context) -> None:
        self._log = ctx.own(AuditLog)

    def routes(self) -> Iterable[Route]:
        yield get("/acts", self.acts, permission=VIEW_ACTS, problems=(problems.InvalidCursor,))

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
