"""What of a batch can be changed after it was made: nothing that makes a voucher worth more or less."""

from __future__ import annotations

from datetime import UTC
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import problems
from kernel.contracts.payments_http import Comment, Moment, Tag, VoucherBatch, check_validity
from kernel.database import Command
from plugins.payments.ledger import bind
from plugins.payments.tables import voucher_batches


class BatchChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a batch; what is not named stays."""

    tag: Tag | msgspec.UnsetType = msgspec.UNSET
    comment: Comment | msgspec.UnsetType = msgspec.UNSET
    valid_until: Moment | msgspec.UnsetType | None = msgspec.UNSET  #: None for never


CHANGE_BATCH: Final = Command(
    sa.update(voucher_batches)
    .where(voucher_batches.c.id == bindparam("batch"))
    .values({name: bind(f"new_{name}", voucher_batches.c[name]) for name in BatchChange.__struct_fields__})
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
