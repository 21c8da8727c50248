"""Vouchers as people hold them: found by their code, and usable now or not, for a reason."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context
from kernel.contracts.payments import VoucherOffer, VoucherRefused
from kernel.database import Lookup
from plugins.payments.codes import Codes
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import voucher_batches, vouchers
from plugins.payments.terms import Voucher, is_for, offer_of, refusal_at
from plugins.payments.uses import STANDING, refusal_of

_OF_VOUCHER: Final = ("code_hash", "id", "batch_id", "withdrawn")
VOUCHER_OF_CODE: Final = Lookup(
    sa.select(*((vouchers if name in _OF_VOUCHER else voucher_batches).c[name] for name in Voucher.__struct_fields__))
    .join_from(vouchers, voucher_batches, voucher_batches.c.id == vouchers.c.batch_id)
    .where(vouchers.c.code_hash.in_(bindparam("keys", expanding=True))),
    Voucher,
)

_SENTENCES: Final = {
    "unknown": "There is no voucher with this code; compare it with what you were given.",
    "withdrawn": "The voucher was withdrawn.",
    "not-yet-valid": "The voucher does not count yet.",
    "expired": "The voucher does not count any more.",
    "other-currency": "The voucher is in another currency than wallets are.",
    "already-redeemed": "You have used this voucher as often as one person can.",
    "used-up": "The voucher was used as often as it can be.",
    "other-course": "The voucher is for other courses.",
    "needs-course": "The voucher is used by buying a course with it.",
}


class Vouchers:
    """Finds vouchers and says whether they can be used."""

    def __init__(self, ctx: Context[PaymentsSettings]) -> None:
        self._ctx = ctx
        self._codes = Codes(ctx.secrets)

    async def find(self, typed: str) -> Voucher | None:
        """Return the voucher whose code was *typed*, usable or not."""
        code_hash = self._codes.hash(typed)
        return None if code_hash is None else await self._ctx.db.lookup(VOUCHER_OF_CODE, code_hash)

    async def check(self, user_id: UUID, typed: str, course_id: UUID | None) -> VoucherOffer:
        """See `Payments.check`."""
        return offer_of(await self.usable(user_id, typed, course_id))

    async def usable(self, user_id: UUID, typed: str, course_id: UUID | None) -> Voucher:
        """Return the voucher whose code was *typed*, if the person can use it now, for the course if one is given.

        Raises:
            VoucherRefused: it can not be used.
        """
        return await self.require_usable(user_id, await self.find(typed), course_id)

    async def require_usable(self, user_id: UUID, voucher: Voucher | None, course_id: UUID | None = None) -> Voucher:
        """Return *voucher*; the same for one that was found."""
        if voucher is None:
            raise self._refused(user_id, "unknown")
        reason = self.refusal_now(voucher) or await self._refusal_by_uses(user_id, voucher)
        if reason is None and course_id is not None and not is_for(voucher, course_id):
            reason = "other-course"
        if reason is not None:
            raise self._refused(user_id, reason)
        return voucher

    def refusal_now(self, voucher: Voucher) -> str | None:
        """Return why *voucher* does not count now, whoever has it; None if it does."""
        return refusal_at(voucher, self._ctx.clock.now(), self._ctx.deployment.currency)

    def needs_course(self, user_id: UUID, voucher: Voucher) -> VoucherRefused:
        """Return the refusal of a voucher that is no top-up, which says what it is for."""
        course_ids = [str(course_id) for course_id in voucher.course_ids]
        return self._refused(user_id, "needs-course", kind=voucher.kind, course_ids=course_ids)

    async def _refusal_by_uses(self, user_id: UUID, voucher: Voucher) -> str | None:
        standing = await self._ctx.db.first(STANDING, voucher=voucher.id, transfer_user_id=user_id)
        return "unknown" if standing is None else refusal_of(standing, voucher.max_uses_per_person)

    def _refused(self, user_id: UUID, reason: str, **members: object) -> VoucherRefused:
        self._ctx.log.info("voucher refused", action="voucher_refused", user_id=str(user_id), reason=reason)
        return VoucherRefused(_SENTENCES[reason], extensions={"reason": reason, **members})
