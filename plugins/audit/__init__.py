"""The audit log: who did what as an administrator, to whom, and what it was before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import ClassVar

import click

from kernel import Context, EventHandler, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl, on
from kernel.contracts.audit import AUDIT, ActRecorded
from kernel.contracts.audit_http import VIEW_ACTS
from kernel.contracts.personal_data import PERSONAL_DATA
from plugins.audit import commands, migrations
from plugins.audit.api import AuditApi
from plugins.audit.log import AuditLog
from plugins.audit.personal_data import AuditPersonalData
from plugins.audit.tables import metadata


class AuditPlugin(Plugin):
    """Provides `audit/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="audit",
        version="1.0.0",
        summary="Who did what as an administrator",
        provides=(AUDIT, PERSONAL_DATA),
    )

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=VIEW_ACTS, summary="Look at what administrators did", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[object]]:
        yield Provide(AUDIT, lambda: contextlib.nullcontext(ctx.own(AuditLog)))
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(ctx.own(AuditPersonalData)))

    @hookimpl
    def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
        log = ctx.own(AuditLog)
        yield on(ActRecorded, log.record, name="record", settled=log.known)

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        return AuditApi(ctx).routes()

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return commands.COMMANDS
