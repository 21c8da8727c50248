"""An in-memory `audit/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from kernel import (
    Context,
    Delivery,
    EventHandler,
    Manifest,
    Page,
    Permission,
    Plugin,
    Provide,
    Route,
    get,
    hookimpl,
    on,
    page,
    problems,
)
from kernel.contracts.audit import AUDIT, ActRecorded
from kernel.contracts.audit_http import VIEW_ACTS, ActQuery, ActSeen
from kernel.database import Session


class InMemoryAudit:
    """Keeps acts for as long as the test runs."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        self._acts: dict[UUID, ActSeen] = {}

    async def count(self, subject: str) -> int:
        return sum(act.subject == subject for act in self._acts.values())

    def acts(self, query: ActQuery | None = None) -> list[ActSeen]:
        """Return the acts that *query* asks for, the newest first, the whole list."""
        found = (act for act in self._acts.values() if query is None or _is_wanted(act, query))
        return sorted(found, key=_place, reverse=True)

    def keep(self, act: ActSeen) -> None:
        """Keep *act*, once."""
        self._acts.setdefault(act.event_id, act)

    async def record(self, session: Session, delivery: Delivery[ActRecorded]) -> None:
        """Keep the act of *delivery* once it counts as handled."""
        session.after_commit(lambda: self.keep(_seen(delivery)))


class InMemoryAuditPlugin(Plugin[Any]):
    """Provides `audit/1` from memory; `deployment.platform.services.get(AUDIT)` is the `InMemoryAudit`."""

    manifest: ClassVar[Manifest] = Manifest(name="test-audit", version="1", provides=(AUDIT,))
    kind: ClassVar[type[InMemoryAudit]] = InMemoryAudit  #: what it provides; a subclass may have another

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=VIEW_ACTS, summary="Look at what administrators did", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[Any]) -> Iterable[Provide[Any]]:
        yield Provide(AUDIT, lambda: contextlib.nullcontext(ctx.own(self.kind)))

    @hookimpl
    def event_handlers(self, ctx: Context[Any]) -> Iterable[EventHandler]:
        yield on(ActRecorded, ctx.own(self.kind).record, name="record")

    @hookimpl
    def routes(self, ctx: Context[Any]) -> Iterable[Route]:
        audit = ctx.own(self.kind)

        async def acts(query: ActQuery) -> Page[ActSeen]:
            """List acts, the newest first."""
            after = query.after(tuple[datetime, UUID])
            rows = [act for act in audit.acts(query) if after is None or _place(act) < after]
            return page(rows[: query.limit + 1], query, _place)

        yield get("/acts", acts, permission=VIEW_ACTS, problems=(problems.InvalidCursor,))


def _seen(delivery: Delivery[ActRecorded]) -> ActSeen:
    told = delivery.event
    return ActSeen(
        event_id=delivery.id,
        time=delivery.time,
        action=told.action,
        subject=told.subject,
        about=told.about,
        actor=told.actor,
        acting_as=told.acting_as,
        origin=told.origin,
        reason=told.reason,
        before=told.before,
        after=told.after,
        source=delivery.source,
        request_id=delivery.correlation_id,
    )


def _place(act: ActSeen) -> tuple[datetime, UUID]:
    return act.time, act.event_id


def _is_wanted(act: ActSeen, query: ActQuery) -> bool:
    return (
        query.actor in (None, act.actor)
        and query.subject in (None, act.subject)
        and query.about in (None, act.about)
        and query.action in (None, act.action)
        and (query.since is None or act.time >= query.since)
        and (query.until is None or act.time < query.until)
    )
