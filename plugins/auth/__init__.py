"""Accounts: signing in by one-time codes, sessions, access tokens and roles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import click

from kernel import Context, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import (
    AUTH,
    RolesChanged,
    SessionRevoked,
    SessionStarted,
    SignedInFromNewDevice,
    UserDisabled,
    UserEnabled,
    UserRegistered,
)
from kernel.contracts.auth_http import MANAGE_ACCOUNTS
from kernel.contracts.mail import MAIL, MailRequested
from kernel.contracts.personal_data import PERSONAL_DATA
from plugins.auth import commands, migrations
from plugins.auth.accounts_api import AccountsApi
from plugins.auth.acting import ACT_AS
from plugins.auth.api import AuthApi
from plugins.auth.identity import AuthIdentity
from plugins.auth.personal_data import AuthPersonalData
from plugins.auth.sessions_api import SessionsApi
from plugins.auth.settings import AuthSettings
from plugins.auth.support_api import SupportApi
from plugins.auth.tables import metadata
from plugins.auth.watch import watching


class AuthPlugin(Plugin[AuthSettings]):
    """Provides `auth/1`."""

    manifest = Manifest(
        name="auth",
        version="1.0.0",
        summary="Sign-in by email codes, sessions, tokens and roles",
        provides=(AUTH, PERSONAL_DATA),
        requires=(MAIL,),
        publishes=(
            ActRecorded,
            MailRequested,
            RolesChanged,
            SessionRevoked,
            SessionStarted,
            SignedInFromNewDevice,
            UserDisabled,
            UserEnabled,
            UserRegistered,
        ),
    )

    @hookimpl
    def settings(self) -> type[AuthSettings]:
        return AuthSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=MANAGE_ACCOUNTS, summary="See accounts, give roles, close and open", roles=("admin",))
        yield Permission(name=ACT_AS, summary="Stand in for others, to help them", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[AuthSettings]) -> Iterable[Provide[object]]:
        yield Provide(AUTH, lambda: contextlib.nullcontext(ctx.own(AuthIdentity)))
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(AuthPersonalData(ctx)))

    @hookimpl
    def routes(self, ctx: Context[AuthSettings]) -> Iterable[Route]:
        apis = (AuthApi(ctx), SessionsApi(ctx), AccountsApi(ctx), SupportApi(ctx))
        return tuple(route for api in apis for route in api.routes())

    @hookimpl
    def lifespan(self, ctx: Context[AuthSettings]) -> contextlib.AbstractAsyncContextManager[None]:
        return watching(ctx)

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return commands.COMMANDS
