"""Refunds that somebody has asked for: written down before payments are asked, and settled once.

A request is `asked` until payments have answered, then `given` or `refused`. A refund that was given stands against a
refusal that another try of the same request has met: `given` is never left again, and reached once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, Self
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # compiles on SQLite just as well

from kernel import Request
from kernel.contracts.audit import ActRecorded, act
from kernel.contracts.payments import Charge
from kernel.database import Command, Query
from plugins.enrollments.bodies import Refund
from plugins.enrollments.tables import refund_requests


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that somebody has asked for."""

    key: str
    request_hash: bytes
    purchase_id: UUID
    amount: int | None  #: None where there is no money to go back, but the use of a voucher
    reason: str
    actor: UUID | None
    acting_as: UUID | None
    origin: str
    state: Literal["asked", "given", "refused"]
    tried_at: datetime

    @classmethod
    def of(cls, request: Request, body: Refund, charge: Charge, *, key: str, now: datetime) -> Self:
        """Return the refund of what *body* says, or of all that is left of *charge* by now."""
        told = act(request, ACTION, "")
        return cls(
            key=key,
            request_hash=hash_of(body),
            purchase_id=charge.purchase_id,
            amount=body.amount or charge.amount - charge.refunded or None,
            reason=body.reason,
            actor=told.actor,
            acting_as=told.acting_as,
            origin=told.origin,
            state="asked",
            tried_at=now,
        )

    def told(self, after: Charge) -> ActRecorded:
        """Return the act that has left the charge as it is *after* it."""
        return ActRecorded(
            action=ACTION,
            subject=f"purchase:{self.purchase_id}",
            actor=self.actor,
            acting_as=self.acting_as,
            origin=self.origin,
            reason=self.reason,
            before={"refunded": after.refunded - (self.amount or 0)},
            after={"refunded": after.refunded},
            about=after.user_id,
        )


ACTION: Final = "enrollments.refund_purchase"

_NAMES: Final = RefundRequest.__struct_fields__
_COLUMNS: Final = tuple(refund_requests.c[name] for name in _NAMES)
_KEY: Final = refund_requests.c.key == bindparam("request_key")
_ANONYMOUS: Final[Mapping[str, object]] = {"reason": "", "actor": None, "acting_as": None, "origin": ""}


def _in(table: sa.FromClause, state: str) -> sa.ColumnElement[bool]:
    return table.c.state == sa.literal_column(f"'{state}'")


FIND: Final = Query(sa.select(*_COLUMNS).where(_KEY), RefundRequest)
_ASK: Final = insert(refund_requests).values({name: bindparam(name) for name in _NAMES})
#: Of one that was refused, only who asks is new. Returns nothing where the key is under way or was given.
ASK: Final = Query(
    _ASK.on_conflict_do_update(
        index_elements=[refund_requests.c.key],
        set_={name: _ASK.excluded[name] for name in (*_ANONYMOUS, "state", "tried_at")},
        where=sa.and_(_in(refund_requests, "refused"), refund_requests.c.request_hash == _ASK.excluded.request_hash),
    ).returning(*_COLUMNS),
    RefundRequest,
)
#: Changes a row for the first who has it from payments, and for no other.
GIVEN: Final = Command(
    sa.update(refund_requests).where(_KEY, ~_in(refund_requests, "given")).values(state="given", **_ANONYMOUS)
)
REFUSED: Final = Command(
    sa.update(refund_requests).where(_KEY, _in(refund_requests, "asked")).values(state="refused", **_ANONYMOUS)
)


def _unattended(table: sa.FromClause) -> sa.ColumnElement[bool]:
    before = bindparam("before", type_=refund_requests.c.tried_at.type)
    return sa.and_(_in(table, "asked"), table.c.tried_at < before)


_stuck: Final = refund_requests.alias("stuck")
#: Takes up what nobody has tried since `before`; as `purchases.TAKE_STUCK`, each for one sweeper.
TAKE_STUCK: Final = Query(
    sa.update(refund_requests)
    .where(
        refund_requests.c.key.in_(
            sa.select(_stuck.c.key).where(_unattended(_stuck)).order_by(_stuck.c.tried_at).limit(100)
        ),
        _unattended(refund_requests),
    )
    .values(tried_at=bindparam("now"))
    .returning(*_COLUMNS),
    RefundRequest,
)


def hash_of(body: Refund) -> bytes:
    """Return what tells this request from another one with the same key."""
    return hashlib.sha256(msgspec.json.encode(body)).digest()
