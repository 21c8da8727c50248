"""The page `/certificates/{code}`: whether a certificate is valid, for whoever holds it in hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernel import PUBLIC, Context, Request, web
from lyceum_certificates.codes import read, shown
from lyceum_certificates.register import BY_CODE
from lyceum_certificates.settings import CertificatesSettings


def verification_pages(ctx: Context[CertificatesSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return the pages."""
    return (
        web.Templates(Path(__file__).parent / "templates"),
        web.Page(
            path="/certificates/{code}",
            template="certificates/verification.html",
            handler=VerificationPage(ctx).show,
            permission=PUBLIC,
            rate=ctx.settings.verify_rate,
        ),
    )


class VerificationPage:
    """Shows what is true of a certificate now."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        self._db = ctx.db

    async def show(self, request: Request) -> Mapping[str, object]:
        """Answer alike whatever the code, so that only the text tells one that exists from one that does not."""
        code = read(request.http.match_info["code"])
        found = await self._db.first(BY_CODE, wanted=code) if code else None
        return {"certificate": found, "number": shown(found.code) if found else ""}
