"""Notifications: people are told what concerns them, in a tray, by mail, and on whatever way plugins bring."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar

import click

from kernel import (
    Context,
    EventHandler,
    Manifest,
    Migrations,
    Permission,
    Plugin,
    Provide,
    Route,
    Socket,
    hookimpl,
    web,
)
from kernel.contracts.auth import AUTH
from kernel.contracts.courses import COURSES
from kernel.contracts.mail import MAIL, MailRequested
from kernel.contracts.notifications import NOTIFICATIONS
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS
from plugins.notifications import commands, migrations, pages
from plugins.notifications.api import TrayApi
from plugins.notifications.following import NotificationsService
from plugins.notifications.handlers import Handlers
from plugins.notifications.keeping import Keeping
from plugins.notifications.live import Live
from plugins.notifications.permissions import PERMISSIONS
from plugins.notifications.personal_data import NotificationsPersonalData
from plugins.notifications.records_api import RecordsApi
from plugins.notifications.sending import Sending
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import metadata
from plugins.notifications.telling import Telling
from plugins.notifications.wishes_api import WishesApi


class NotificationsPlugin(Plugin[NotificationsSettings]):
    """Provides `notifications/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="notifications",
        version="0.1.0",
        summary="Tells people what concerns them, in a tray, by mail and on other ways.",
        provides=(NOTIFICATIONS, PERSONAL_DATA),
        requires=(MAIL,),
        wants=(AUTH, COURSES, USERS),
        publishes=(MailRequested,),
    )

    @hookimpl
    def settings(self) -> type[NotificationsSettings]:
        return NotificationsSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return PERMISSIONS

    @hookimpl
    def services(self, ctx: Context[NotificationsSettings]) -> Iterable[Provide[object]]:
        yield Provide(NOTIFICATIONS, lambda: nullcontext(ctx.own(NotificationsService)))
        yield Provide(PERSONAL_DATA, lambda: nullcontext(ctx.own(NotificationsPersonalData)))

    @hookimpl
    def event_handlers(self, ctx: Context[NotificationsSettings]) -> Iterable[EventHandler]:
        return Handlers(ctx).declare()

    @hookimpl
    def routes(self, ctx: Context[NotificationsSettings]) -> Iterable[Route | Socket]:
        yield from ctx.own(TrayApi).routes()
        yield from ctx.own(WishesApi).routes()
        yield from RecordsApi(ctx).routes()
        yield ctx.own(Live).socket()

    @hookimpl
    def pages(self, ctx: Context[NotificationsSettings]) -> Iterable[web.PageDeclaration]:
        return pages.declarations(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[NotificationsSettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def running() -> AsyncIterator[None]:
            ctx.own(Live).run_in_background()
            ctx.own(Telling).run_in_background()
            ctx.own(Sending).run_in_background()
            Keeping(ctx).run_in_background()
            yield

        return running()

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return commands.COMMANDS
