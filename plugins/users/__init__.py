"""People: their profiles, the public pages of those who teach, and the directory for administrators."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from kernel import Context, EventHandler, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl, web
from kernel.contracts.auth import AUTH
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS, ProfileChanged
from kernel.contracts.users_http import LIST_USERS
from plugins.users import migrations
from plugins.users.api import UsersApi
from plugins.users.handlers import UsersHandlers
from plugins.users.pages import instructor_pages
from plugins.users.personal_data import UsersPersonalData
from plugins.users.profiles import Profiles
from plugins.users.settings import UsersSettings
from plugins.users.tables import metadata


class UsersPlugin(Plugin[UsersSettings]):
    """Provides `users/1`."""

    manifest = Manifest(
        name="users",
        version="1.0.0",
        summary="Profiles, instructors' pages and the directory",
        provides=(USERS, PERSONAL_DATA),
        requires=(AUTH,),
        publishes=(ProfileChanged,),
    )

    @hookimpl
    def settings(self) -> type[UsersSettings]:
        return UsersSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=LIST_USERS, summary="See everybody in the directory", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[UsersSettings]) -> Iterable[Provide[object]]:
        yield Provide(USERS, lambda: contextlib.nullcontext(ctx.own(Profiles)))
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(UsersPersonalData(ctx)))

    @hookimpl
    def event_handlers(self, ctx: Context[UsersSettings]) -> Iterable[EventHandler]:
        return UsersHandlers(ctx).declare()

    @hookimpl
    def routes(self, ctx: Context[UsersSettings]) -> Iterable[Route]:
        return UsersApi(ctx).routes()

    @hookimpl
    def pages(self, ctx: Context[UsersSettings]) -> Iterable[web.PageDeclaration]:
        return instructor_pages(ctx)
