"""Notifications: a tray and mails that tell people what concerns them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar

from kernel import Context, EventHandler, Manifest, Migrations, Plugin, Provide, Route, hookimpl, web
from kernel.contracts.courses import COURSES
from kernel.contracts.mail import MAIL, MailRequested
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS
from plugins.notifications import migrations, pages
from plugins.notifications.api import NotificationsApi
from plugins.notifications.handlers import Handlers
from plugins.notifications.personal_data import NotificationsPersonalData
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.tables import metadata
from plugins.notifications.telling import Telling


class NotificationsPlugin(Plugin[NotificationsSettings]):
    """Tells people what concerns them."""

    manifest: ClassVar[Manifest] = Manifest(
        name="notifications",
        version="0.1.0",
        summary="Tells people what concerns them, in a tray and by mail.",
        provides=(PERSONAL_DATA,),
        requires=(MAIL,),
        wants=(COURSES, USERS),
        publishes=(MailRequested,),
    )

    @hookimpl
    def settings(self) -> type[NotificationsSettings]:
        return NotificationsSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def services(self, ctx: Context[NotificationsSettings]) -> Iterable[Provide[object]]:
        yield Provide(PERSONAL_DATA, lambda: nullcontext(ctx.own(NotificationsPersonalData)))

    @hookimpl
    def event_handlers(self, ctx: Context[NotificationsSettings]) -> Iterable[EventHandler]:
        return ctx.own(Handlers).declare()

    @hookimpl
    def routes(self, ctx: Context[NotificationsSettings]) -> Iterable[Route]:
        return NotificationsApi(ctx).routes()

    @hookimpl
    def pages(self, ctx: Context[NotificationsSettings]) -> Iterable[web.PageDeclaration]:
        return pages.declarations(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[NotificationsSettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def telling() -> AsyncIterator[None]:
            ctx.own(Telling).run_in_background()
            yield

        return telling()
