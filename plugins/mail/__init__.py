"""Email: takes every `MailRequested` and sends it once, or keeps it in a mailbox where nothing is set up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import click

from kernel import Context, EventHandler, Manifest, Migrations, Plugin, Provide, hookimpl, on, web
from kernel.contracts.mail import MAIL, MailRequested
from kernel.contracts.personal_data import PERSONAL_DATA
from plugins.mail import commands, migrations
from plugins.mail.handlers import MailHandlers
from plugins.mail.pages import mailbox_pages
from plugins.mail.personal_data import MailPersonalData
from plugins.mail.queue import MailQueue
from plugins.mail.sender import Sender
from plugins.mail.settings import MailSettings
from plugins.mail.tables import metadata


class MailPlugin(Plugin[MailSettings]):
    """Provides `mail/1`."""

    manifest = Manifest(
        name="mail",
        version="1.0.0",
        summary="Email by SMTP; without a server, a mailbox to look into",
        provides=(MAIL, PERSONAL_DATA),
    )

    @hookimpl
    def settings(self) -> type[MailSettings]:
        return MailSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def services(self, ctx: Context[MailSettings]) -> Iterable[Provide[object]]:
        yield Provide(MAIL, lambda: contextlib.nullcontext(ctx.own(MailQueue)))
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(MailPersonalData(ctx)))

    @hookimpl
    def event_handlers(self, ctx: Context[MailSettings]) -> Iterable[EventHandler]:
        yield on(MailRequested, MailHandlers(ctx).take, name="take")

    @hookimpl
    def pages(self, ctx: Context[MailSettings]) -> Iterable[web.PageDeclaration]:
        return mailbox_pages(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[MailSettings]) -> contextlib.AbstractAsyncContextManager[None]:
        return ctx.own(Sender).running()

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return commands.COMMANDS
