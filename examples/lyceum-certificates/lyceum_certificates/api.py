"""The HTTP surface: one's own certificates, and each as a PDF."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import SIGNED_IN, Context, Page, PageQuery, RateLimit, Request, Route, get, page, problems
from lyceum_certificates.codes import shown
from lyceum_certificates.printing import Printer
from lyceum_certificates.register import ONE, OWN, Certificate
from lyceum_certificates.settings import CertificatesSettings

READ: Final = "certificates.read"
_LAST: Final = UUID(int=2**128 - 1)


class CertificateSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate, as whoever has it sees it."""

    id: UUID
    course_id: UUID
    state: Literal["waiting", "valid", "withdrawn"]  #: `waiting` until the names of person and course are known
    number: str  #: the code that stands on it
    person: str
    course: str
    link: str  #: where anybody can verify it
    enrolled_at: datetime
    issued_at: datetime | None
    withdrawn_at: datetime | None


class CertificatesApi:
    """Lists certificates and prints them."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        self._db = ctx.db
        self._printer = ctx.own(Printer)
        self._rate = ctx.settings.print_rate

    def routes(self) -> Iterable[Route]:
        yield get("/mine", self.mine, permission=SIGNED_IN)
        yield get(
            "/{certificate_id}/pdf",
            self.pdf,
            permission=SIGNED_IN,
            problems=(problems.NotFound, problems.Conflict),
            rate_limits=(RateLimit(self._rate),),
        )

    async def mine(self, request: Request, query: PageQuery) -> Page[CertificateSeen]:
        """List one's certificates, the newest first."""
        before = query.after(UUID) or _LAST
        found = await self._db.all(OWN, person=request.principal.id, before=before, limit=query.limit + 1)
        return page([self._seen(one) for one in found], query, lambda certificate: certificate.id)

    async def pdf(self, request: Request, certificate_id: UUID) -> web.StreamResponse:
        """Fetch a certificate as a PDF: one's own, or anybody's by the permission `certificates.read`."""
        found = await self._db.first(ONE, certificate=certificate_id)
        if found is None or not _may_read(request, found):
            raise problems.NotFound
        _check_valid(found)
        headers = {
            "Content-Type": "application/pdf",
            "Content-Disposition": f'attachment; filename="certificate-{found.code}.pdf"',
            "Cache-Control": "no-store",
        }
        return web.Response(body=await self._printer.pdf(found), headers=headers)

    def _seen(self, one: Certificate) -> CertificateSeen:
        return CertificateSeen(
            id=one.id,
            course_id=one.course_id,
            state="withdrawn" if one.withdrawn_at else "valid" if one.issued_at else "waiting",
            number=shown(one.code),
            person=one.person,
            course=one.course,
            link=self._printer.link(one),
            enrolled_at=one.enrolled_at,
            issued_at=one.issued_at,
            withdrawn_at=one.withdrawn_at,
        )


def _may_read(request: Request, certificate: Certificate) -> bool:
    caller = request.principal
    return caller.id == certificate.user_id or READ in caller.permissions


def _check_valid(certificate: Certificate) -> None:
    if certificate.withdrawn_at is not None:
        raise problems.Conflict("The certificate is withdrawn; it is valid again once you are enrolled again.")
    if certificate.issued_at is None:
        raise problems.Conflict("The certificate is not issued yet; give your name in your profile, and come back.")
