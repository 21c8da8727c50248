"""Uses of vouchers: taken exactly as often as there are uses, by all people together and by each.

Everything rests on one statement and two constraints. `TAKE_USE` touches the voucher only while it has uses left and
the person has, too; who waits for its row meanwhile sees what the former left. How many uses a person has had is read
as it was when the statement began, which may be one too few when two requests of the same person run at once: both
then write the same `number`, and the second breaks the unique constraint, with all that was to follow from it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Query
from plugins.payments.tables import redemptions, voucher_returns, vouchers

#: How often a use is tried for. A try that comes to nothing without a reason has met another request of the person.
ATTEMPTS: Final = 50

VOUCHER: Final = bindparam("voucher", type_=sa.Uuid())
PERSON: Final = bindparam("transfer_user_id", type_=sa.Uuid())  # named as in a movement


class Use(msgspec.Struct, frozen=True):
    """A use that was taken of the voucher *id*, the person's *number*."""

    id: UUID
    number: int


class Standing(msgspec.Struct, frozen=True):
    """How often a voucher was used, by all and by one person; what was given back does not count."""

    uses: int
    max_uses: int
    withdrawn: bool
    by_person: int


_OF_PERSON: Final = sa.and_(redemptions.c.voucher_id == VOUCHER, redemptions.c.user_id == PERSON)
_NUMBER: Final = (
    sa.select(sa.func.coalesce(sa.func.max(redemptions.c.number), 0) + 1)
    .where(_OF_PERSON)
    .correlate_except(redemptions)
    .scalar_subquery()
)
_BY_PERSON: Final = (
    sa.select(sa.func.count())
    .select_from(redemptions)
    .where(
        _OF_PERSON,
        sa.not_(
            sa.exists()
            .select_from(voucher_returns)
            .where(voucher_returns.c.redemption_id == redemptions.c.id)
            .correlate(redemptions)
        ),
    )
    .correlate_except(redemptions)
    .scalar_subquery()
)

TAKE_USE: Final = Query(
    sa.update(vouchers)
    .where(
        vouchers.c.id == VOUCHER,
        vouchers.c.uses < vouchers.c.max_uses,
        vouchers.c.withdrawn.is_(False),
        bindparam("most_by_person", type_=sa.BigInteger()) > _BY_PERSON,
    )
    .values(uses=vouchers.c.uses + 1)
    .returning(vouchers.c.id, _NUMBER.label("number")),
    Use,
)

STANDING: Final = Query(
    sa.select(vouchers.c.uses, vouchers.c.max_uses, vouchers.c.withdrawn, _BY_PERSON.label("by_person")).where(
        vouchers.c.id == VOUCHER
    ),
    Standing,
)


def refusal_of(standing: Standing, most_by_person: int) -> str | None:
    """Return why there is no use left, None if there is."""
    if standing.withdrawn:
        return "withdrawn"
    if standing.by_person >= most_by_person:
        return "already-redeemed"
    if standing.uses >= standing.max_uses:
        return "used-up"
    return None
