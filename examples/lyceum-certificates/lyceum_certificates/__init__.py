"""Certificates: a PDF for whoever is enrolled in a course, which anybody can verify by a link."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

from kernel import Context, EventHandler, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl, web
from kernel.contracts.courses import COURSES
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS
from lyceum_certificates import migrations
from lyceum_certificates.api import READ, CertificatesApi
from lyceum_certificates.handlers import CertificatesHandlers
from lyceum_certificates.issuing import Issuing
from lyceum_certificates.pages import verification_pages
from lyceum_certificates.personal_data import CertificatesPersonalData
from lyceum_certificates.register import Register
from lyceum_certificates.settings import CertificatesSettings
from lyceum_certificates.tables import metadata


class CertificatesPlugin(Plugin[CertificatesSettings]):
    """Hears of enrolments, and asks who is enrolled in what."""

    manifest = Manifest(
        name="certificates",
        version="1.0.0",
        summary="Certificates of enrolment as PDF, which anybody can verify",
        provides=(PERSONAL_DATA,),
        requires=(COURSES, USERS),
    )

    @hookimpl
    def settings(self) -> type[CertificatesSettings]:
        return CertificatesSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=READ, summary="Fetch anybody's certificate", roles=("admin",))

    @hookimpl
    def services(self, ctx: Context[CertificatesSettings]) -> Iterable[Provide[object]]:
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(ctx.own(CertificatesPersonalData)))

    @hookimpl
    def event_handlers(self, ctx: Context[CertificatesSettings]) -> Iterable[EventHandler]:
        return ctx.own(CertificatesHandlers).declare()

    @hookimpl
    def routes(self, ctx: Context[CertificatesSettings]) -> Iterable[Route]:
        return ctx.own(CertificatesApi).routes()

    @hookimpl
    def pages(self, ctx: Context[CertificatesSettings]) -> Iterable[web.PageDeclaration]:
        return verification_pages(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[CertificatesSettings]) -> contextlib.AbstractAsyncContextManager[None]:
        return _issuing(ctx)


@contextlib.asynccontextmanager
async def _issuing(ctx: Context[CertificatesSettings]) -> AsyncIterator[None]:
    waits = ctx.own(Register).waits
    waits.set()  # what a process left that stopped in the midst
    ctx.tasks.every(ctx.settings.poll, ctx.own(Issuing).run, name="issue certificates", sooner=waits)
    yield
