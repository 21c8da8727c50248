"""The register: every certificate, as events make it valid or withdraw it, and as it is issued."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, new_id
from kernel.database import Command, Query, Session, Timestamp
from lyceum_certificates.codes import new_code
from lyceum_certificates.settings import CertificatesSettings
from lyceum_certificates.tables import certificates

PAGE: Final = 100  # certificates that are looked at together


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the register."""

    id: UUID
    code: str
    user_id: UUID
    course_id: UUID
    person: str
    course: str
    issuer: str
    signature: str
    enrolled_at: datetime
    issued_at: datetime | None
    withdrawn_at: datetime | None


class Waiting(msgspec.Struct, frozen=True):
    """A certificate whose person and course are not asked for yet."""

    id: UUID
    user_id: UUID
    course_id: UUID


_ROW: Final = tuple(certificates.c[name] for name in Certificate.__struct_fields__)
_new: Final = insert(certificates).values({column.name: bindparam(column.name) for column in certificates.c})
#: An event that is older than one that was heeded, and comes late, changes nothing.
_NOT_OLDER: Final = certificates.c.told_at <= _new.excluded.told_at
#: The certificate of an enrolment that ended before it was issued is the next enrolment's.
_SINCE: Final = sa.case(
    (certificates.c.issued_at.is_(None) & certificates.c.withdrawn_at.is_not(None), _new.excluded.enrolled_at),
    else_=certificates.c.enrolled_at,
)
#: Make or keep the certificate, and let it be valid.
ENROLLED: Final = Command(
    _new.on_conflict_do_update(
        index_elements=["user_id", "course_id"],
        set_={"enrolled_at": _SINCE, "withdrawn_at": None, "told_at": _new.excluded.told_at},
        where=_NOT_OLDER,
    )
)
#: Withdraw the certificate. Where there is none, the row remembers that an enrolment heard of later is over already.
ENDED: Final = Command(
    _new.on_conflict_do_update(
        index_elements=["user_id", "course_id"],
        set_={"withdrawn_at": _new.excluded.withdrawn_at, "told_at": _new.excluded.told_at},
        where=_NOT_OLDER & certificates.c.withdrawn_at.is_(None),
    )
)
#: Withdraw what was certified before the settings left the course out; of others nothing is kept.
LEFT_OUT: Final = Command(
    sa.update(certificates)
    .where(
        certificates.c.user_id == bindparam("person"),
        certificates.c.course_id == bindparam("of_course"),
        certificates.c.told_at <= bindparam("time", type_=Timestamp()),
        certificates.c.withdrawn_at.is_(None),
    )
    .values(withdrawn_at=bindparam("time", type_=Timestamp()), told_at=bindparam("time", type_=Timestamp()))
)
WAITING: Final = Query(
    sa.select(*(certificates.c[name] for name in Waiting.__struct_fields__))
    .where(
        certificates.c.issued_at.is_(None),
        certificates.c.withdrawn_at.is_(None),
        certificates.c.id > bindparam("after"),
    )
    .order_by(certificates.c.id)
    .limit(PAGE),
    Waiting,
)
#: Once: what was issued is never written again.
ISSUE: Final = Command(
    sa.update(certificates)
    .where(
        certificates.c.id == bindparam("certificate"),
        certificates.c.issued_at.is_(None),
        certificates.c.withdrawn_at.is_(None),
    )
    .values(
        person=bindparam("new_person"),
        course=bindparam("new_course"),
        issuer=bindparam("new_issuer"),
        signature=bindparam("new_signature"),
        issued_at=bindparam("now", type_=Timestamp()),
    )
)
ONE: Final = Query(sa.select(*_ROW).where(certificates.c.id == bindparam("certificate")), Certificate)
#: A certificate that was never issued has been shown to nobody.
BY_CODE: Final = Query(
    sa.select(*_ROW).where(certificates.c.code == bindparam("wanted"), certificates.c.issued_at.is_not(None)),
    Certificate,
)
#: The newest first; what ended before a certificate was issued is none.
OWN: Final = Query(
    sa.select(*_ROW)
    .where(
        certificates.c.user_id == bindparam("person"),
        certificates.c.id < bindparam("before"),
        certificates.c.issued_at.is_not(None) | certificates.c.withdrawn_at.is_(None),
    )
    .order_by(certificates.c.id.desc())
    .limit(bindparam("limit")),
    Certificate,
)


class Register:
    """Writes what events tell of."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        self._settings = ctx.settings
        self.waits = asyncio.Event()  #: set once a certificate may wait to be issued

    async def enrolled(self, session: Session, user_id: UUID, course_id: UUID, time: datetime) -> None:
        """Certify from *time* on, as long as nothing newer was told."""
        if self._settings.certifies(course_id):
            await session.run(ENROLLED, **_row(user_id, course_id, time), withdrawn_at=None)
            session.after_commit(self.waits.set)

    async def ended(self, session: Session, user_id: UUID, course_id: UUID, time: datetime) -> None:
        """Withdraw at *time*, also where the settings leave the course out by now."""
        if self._settings.certifies(course_id):
            await session.run(ENDED, **_row(user_id, course_id, time), withdrawn_at=time)
        else:
            await session.run(LEFT_OUT, person=user_id, of_course=course_id, time=time)


def _row(user_id: UUID, course_id: UUID, time: datetime) -> dict[str, object]:
    empty = {"person": "", "course": "", "issuer": "", "signature": "", "issued_at": None}
    ids = {"id": new_id(), "code": new_code(), "user_id": user_id, "course_id": course_id}
    return {**ids, **empty, "enrolled_at": time, "told_at": time}
