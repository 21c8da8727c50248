"""Sign-in by OpenID Connect: other systems of the institution say who somebody is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from kernel import Context, Manifest, Migrations, Plugin, Provide, Route, hookimpl, web
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import AUTH
from kernel.contracts.personal_data import PERSONAL_DATA
from lyceum_oidc import migrations
from lyceum_oidc.api import OidcApi
from lyceum_oidc.pages import declarations
from lyceum_oidc.personal_data import OidcPersonalData
from lyceum_oidc.providers import Providers
from lyceum_oidc.settings import OidcSettings
from lyceum_oidc.tables import metadata


class OidcPlugin(Plugin[OidcSettings]):
    """Vouches to `auth/1` for whom a provider knows."""

    manifest = Manifest(
        name="oidc",
        version="1.0.0",
        summary="Sign-in by the OpenID Connect providers of the institution",
        provides=(PERSONAL_DATA,),
        requires=(AUTH,),
        publishes=(ActRecorded,),
    )

    @hookimpl
    def settings(self) -> type[OidcSettings]:
        return OidcSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def services(self, ctx: Context[OidcSettings]) -> Iterable[Provide[object]]:
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(ctx.own(OidcPersonalData)))

    @hookimpl
    def routes(self, ctx: Context[OidcSettings]) -> Iterable[Route]:
        return ctx.own(OidcApi).routes()

    @hookimpl
    def pages(self, ctx: Context[OidcSettings]) -> Iterable[web.PageDeclaration]:
        return declarations(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[OidcSettings]) -> contextlib.AbstractAsyncContextManager[None]:
        return ctx.own(Providers).running()
