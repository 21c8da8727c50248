"""What becomes of a batch after it was made; what its vouchers are worth stays."""

from __future__ import annotations

from datetime import UTC
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import problems
from kernel.contracts.payments_http import Comment, Moment, Tag, VoucherBatch, check_validity
from kernel.database import Command, Query, Timestamp
from plugins.payments.ledger import bind
from plugins.payments.tables import redemptions, voucher_batches, vouchers


class BatchChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a batch; what is not named stays."""

    tag: Tag | msgspec.UnsetType = msgspec.UNSET
    comment: Comment | msgspec.UnsetType = msgspec.UNSET
    valid_until: Moment | msgspec.UnsetType | None = msgspec.UNSET  #: None for never


#: Lets two changes of a batch wait for each other, so that the second knows of the first. A redemption has its
#: voucher and then refers to the batch; it does not wait here, since who changes the batch may wait for that voucher.
LOCK_BATCH: Final = Query(
    sa.select(voucher_batches.c.id).where(voucher_batches.c.id == bindparam("batch")).with_for_update(key_share=True),
    UUID,
)
CHANGE_BATCH: Final = Command(
    sa.update(voucher_batches)
    .where(voucher_batches.c.id == bindparam("batch"))
    .values({name: bind(f"new_{name}", voucher_batches.c[name]) for name in BatchChange.__struct_fields__})
)

WITHDRAW_BATCH: Final = Command(
    sa.update(voucher_batches)
    .where(voucher_batches.c.id == bindparam("batch"), voucher_batches.c.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("now", type_=Timestamp()))
)
#: Marks the vouchers themselves: a redemption under way comes before or after this, never half.
WITHDRAW_VOUCHERS: Final = Command(
    sa.update(vouchers).where(vouchers.c.batch_id == bindparam("batch")).values(withdrawn=True)
)

#: A redemption under way holds its voucher: this comes before it, or meets what it wrote and is refused for that.
DELETE_VOUCHERS: Final = Command(
    sa.delete(vouchers).where(
        vouchers.c.batch_id == bindparam("batch"),
        ~sa.exists().select_from(redemptions).where(redemptions.c.batch_id == bindparam("batch")),
    )
)
DELETE_BATCH: Final = Command(
    sa.delete(voucher_batches).where(
        voucher_batches.c.id == bindparam("batch"),
        ~sa.exists().select_from(vouchers).where(vouchers.c.batch_id == bindparam("batch")),
    )
)


def changed(batch: VoucherBatch, change: BatchChange) -> VoucherBatch:
    """Return *batch* after *change*.

    Raises:
        problems.Invalid: it would end before it begins.
    """
    told = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}
    if until := told.get("valid_until"):
        told["valid_until"] = until.astimezone(UTC)
    after: VoucherBatch = msgspec.structs.replace(batch, **told)
    try:
        check_validity(after.valid_from, after.valid_until)
    except ValueError as error:
        raise problems.Invalid(fields=(problems.FieldError("body.valid_until", str(error)),)) from None
    return after
