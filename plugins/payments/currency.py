"""The currency of the money that is there already: it is the deployment's, or payments do not start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Context, errors
from kernel.database import Query, Timestamp
from plugins.payments.service import PaymentsService
from plugins.payments.settings import PaymentsSettings
from plugins.payments.tables import transfers, voucher_batches

#: Of the newest movement: all have the same, since this is asked before each start.
OF_LEDGER: Final = Query(sa.select(transfers.c.currency).order_by(transfers.c.id.desc()).limit(1), str)
#: Of a batch whose vouchers can still be redeemed, where it is another.
OF_OTHER_BATCH: Final = Query(
    sa.select(voucher_batches.c.currency)
    .where(
        voucher_batches.c.currency != bindparam("currency"),
        voucher_batches.c.withdrawn_at.is_(None),
        sa.or_(
            voucher_batches.c.valid_until.is_(None), voucher_batches.c.valid_until > bindparam("now", type_=Timestamp())
        ),
    )
    .limit(1),
    str,
)


@asynccontextmanager
async def payments_in_one_currency(ctx: Context[PaymentsSettings]) -> AsyncIterator[PaymentsService]:
    """Give the service, once the money that is there is known to be in the deployment's currency.

    Raises:
        errors.StartFailed: it is not; nothing here could convert it.
    """
    currency = ctx.deployment.currency
    held = await ctx.db.first(OF_LEDGER)
    if held not in (None, currency):
        raise _refused(ctx, f"the ledger is in {held}", f"set it back to '{held}'")
    other = await ctx.db.first(OF_OTHER_BATCH, currency=currency, now=ctx.clock.now())
    if other is not None:
        raise _refused(ctx, f"there are live vouchers in {other}", f"set it back to '{other}' and withdraw them first")
    yield ctx.own(PaymentsService)


def _refused(ctx: Context[PaymentsSettings], found: str, remedy: str) -> errors.StartFailed:
    return errors.StartFailed(
        f"{found}, and [server] currency is '{ctx.deployment.currency}'; {remedy}", plugin=ctx.name
    )
