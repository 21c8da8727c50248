"""Privacy: a copy of everything that is kept of a person, and its erasure, across all plugins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar, Final

import click

from kernel import Context, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import AUTH
from kernel.contracts.mail import MAIL, MailRequested
from kernel.contracts.personal_data import PERSONAL_DATA
from plugins.privacy import commands, migrations
from plugins.privacy.api import ERASE, PrivacyApi
from plugins.privacy.erasing import Erasing
from plugins.privacy.exporting import Exporting
from plugins.privacy.personal_data import PrivacyPersonalData
from plugins.privacy.settings import PrivacySettings
from plugins.privacy.tables import metadata

POLL: Final = 5.0  # seconds after which is looked for what is due again, or was left by a dead process


class PrivacyPlugin(Plugin[PrivacySettings]):
    """Asks whoever contributes to `personal_data/1`, and the kernel for everybody."""

    manifest: ClassVar[Manifest] = Manifest(
        name="privacy",
        version="1.0.0",
        summary="Hands out and erases what is kept of a person",
        provides=(PERSONAL_DATA,),
        requires=(AUTH, MAIL),
        publishes=(ActRecorded, MailRequested),
    )

    @hookimpl
    def settings(self) -> type[PrivacySettings]:
        return PrivacySettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=ERASE, summary="Have anybody erased, and see what came of it", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[PrivacySettings]) -> Iterable[Provide[object]]:
        yield Provide(PERSONAL_DATA, lambda: nullcontext(PrivacyPersonalData(ctx)))

    @hookimpl
    def routes(self, ctx: Context[PrivacySettings]) -> Iterable[Route]:
        return PrivacyApi(ctx).routes()

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return commands.COMMANDS

    @hookimpl
    def lifespan(self, ctx: Context[PrivacySettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def working() -> AsyncIterator[None]:
            exporting, erasing = ctx.own(Exporting), ctx.own(Erasing)
            ctx.tasks.every(POLL, exporting.run, name="exports", sooner=exporting.asked)
            ctx.tasks.every(POLL, erasing.run, name="erasures", sooner=erasing.asked)
            yield

        return working()
