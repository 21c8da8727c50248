"""The HTTP surface of the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from kernel import Answer, Context, Encoded, Page, Request, Route, get, page, problems, shared_page
from kernel.contracts import audit_http
from kernel.contracts.audit_http import VIEW_ACTS, ActQuery, Moment
from plugins.audit.export import as_csv
from plugins.audit.log import Act, AuditLog


class ActSeen(audit_http.ActSeen, frozen=True, kw_only=True):
    """One act."""

    number: int  #: its place in the chain


class AuditApi:
    """Shows the log to those who may look at it; looking is not an act."""

    def __init__(self, ctx: Context) -> None:
        self._log = ctx.own(AuditLog)

    def routes(self) -> Iterable[Route]:
        yield get("/acts", self.acts, permission=VIEW_ACTS, problems=(problems.InvalidCursor,))

    async def acts(self, request: Request, query: ActQuery) -> Answer[Encoded[Page[ActSeen]]]:
        """List acts, the newest first; with `Accept: text/csv` as a table."""
        rows = await self._log.find(
            limit=query.limit + 1,
            after=query.after(tuple[Moment, int]),
            action=query.action,
            actor=query.actor,
            subject=query.subject,
            since=query.since,
            until=query.until,
        )
        found = page(rows, query, lambda act: (act.happened_at, act.number))
        if "text/csv" in request.http.headers.get("Accept", "").lower():
            return as_csv(found, query)
        return shared_page(Page([msgspec.json.encode(_seen(act)) for act in found.items], found.next), query)


def _seen(act: Act) -> ActSeen:
    return ActSeen(
        number=act.number,
        event_id=act.event_id,
        time=act.happened_at,
        action=act.action,
        subject=act.subject,
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
