"""Certificates of a person: handed out with their PDFs, and erased whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from kernel.database import Command, Query
from lyceum_certificates.printing import Printer
from lyceum_certificates.register import PAGE, Certificate
from lyceum_certificates.settings import CertificatesSettings
from lyceum_certificates.tables import certificates

#: All there is, what was never issued too.
EVERY: Final = Query(
    sa.select(*(certificates.c[name] for name in Certificate.__struct_fields__))
    .where(certificates.c.user_id == bindparam("person"), certificates.c.id > bindparam("after"))
    .order_by(certificates.c.id)
    .limit(PAGE),
    Certificate,
)
FORGET: Final = Command(sa.delete(certificates).where(certificates.c.user_id == bindparam("person")))

_RECEIPT: Final = Receipt(
    erased=("your certificates of enrolment: whoever verifies one is told that there is none",),
    kept=(
        Kept(
            what="certificates that you printed or passed on",
            why="they are not within this platform any more",
        ),
    ),
)


class CertificatesPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        self._db = ctx.db
        self._printer = ctx.own(Printer)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        after, number = UUID(int=0), 0
        while found := await self._db.all(EVERY, person=subject.user_id, after=after):
            after, number = found[-1].id, number + 1
            yield document(f"certificates-{number}.json", found)
            for one in found:
                if one.issued_at is not None:
                    yield Document(name=f"certificate-{one.code}.pdf", content=await self._printer.pdf(one))

    async def erase(self, subject: Subject) -> Receipt:
        await self._db.run(FORGET, person=subject.user_id)
        return _RECEIPT
