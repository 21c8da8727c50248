"""Webhooks: tells other systems of the institution what happens here, signed as Standard Webhooks has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from kernel import (
    Context,
    EventHandler,
    Manifest,
    Migrations,
    Permission,
    Plugin,
    Provide,
    Route,
    hookimpl,
    on_every,
)
from kernel.contracts.audit import ActRecorded
from kernel.contracts.personal_data import PERSONAL_DATA
from lyceum_webhooks import migrations
from lyceum_webhooks.api import MANAGE, WebhooksApi
from lyceum_webhooks.events import EndpointDisabled
from lyceum_webhooks.handlers import WebhooksHandlers
from lyceum_webhooks.personal_data import WebhooksPersonalData
from lyceum_webhooks.sender import Sender
from lyceum_webhooks.settings import WebhooksSettings
from lyceum_webhooks.tables import metadata


class WebhooksPlugin(Plugin[WebhooksSettings]):
    """Wants every event, and provides nothing that others need."""

    manifest = Manifest(
        name="webhooks",
        version="1.0.0",
        summary="Tells other systems what happens, by signed webhooks",
        provides=(PERSONAL_DATA,),
        publishes=(ActRecorded, EndpointDisabled),
    )

    @hookimpl
    def settings(self) -> type[WebhooksSettings]:
        return WebhooksSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=MANAGE, summary="Have other systems told of every event", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[WebhooksSettings]) -> Iterable[Provide[object]]:
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(ctx.own(WebhooksPersonalData)))

    @hookimpl
    def event_handlers(self, ctx: Context[WebhooksSettings]) -> Iterable[EventHandler]:
        handlers = ctx.own(WebhooksHandlers)
        yield on_every(handlers.tell, name="tell", settled=handlers.unwanted)

    @hookimpl
    def routes(self, ctx: Context[WebhooksSettings]) -> Iterable[Route]:
        return ctx.own(WebhooksApi).routes()

    @hookimpl
    def lifespan(self, ctx: Context[WebhooksSettings]) -> contextlib.AbstractAsyncContextManager[None]:
        return ctx.own(Sender).running()
