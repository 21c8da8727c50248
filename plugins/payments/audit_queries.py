"""The questions that `verify` asks: each goes through one kind of row, a page at a time, by its key."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Query
from plugins.payments.adjustments import ADJUSTMENT
from plugins.payments.audit import Books, Moved, OrphanAudit, TransferAudit, WalletAudit
from plugins.payments.audit_causes import AdjustmentAudit, ChargeAudit, RefundAudit
from plugins.payments.audit_chain import EntryAudit
from plugins.payments.audit_vouchers import RedemptionAudit, VoucherAudit
from plugins.payments.chain import BEGINNING
from plugins.payments.charges import CHARGE
from plugins.payments.redemption import VOUCHER
from plugins.payments.refunds import REFUND
from plugins.payments.tables import (
    adjustments,
    charges,
    entries,
    redemptions,
    refunds,
    transfers,
    voucher_batches,
    voucher_returns,
    vouchers,
    wallets,
)

_BIG: Final = sa.BigInteger()
_LIMIT: Final = bindparam("limit", type_=sa.Integer())
#: Where a page begins. What a page joins is bounded by it, too: a merge need not read up to there each time.
_AFTER: Final = bindparam("after", type_=sa.Uuid())


def _count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()


def _sum(column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    found = sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*where).scalar_subquery()
    return sa.cast(found, _BIG)  # PostgreSQL's sum of bigints is a numeric


def _entry_of(account: sa.ColumnElement[str], entry: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(entry.c.transfer_id == transfers.c.id, entry.c.account == account, entry.c.transfer_id > _AFTER)


_GIVER: Final = entries.alias("giver")
_TAKER: Final = entries.alias("taker")
TRANSFERS: Final = Query(
    sa.select(
        *(transfers.c[name] for name in ("id", "user_id", "amount")),
        _GIVER.c.amount.label("taken"),
        _GIVER.c.promotional.label("taken_promotional"),
        _GIVER.c.wallet_id.label("taken_from"),
        _TAKER.c.amount.label("given"),
        _TAKER.c.promotional.label("given_promotional"),
        _TAKER.c.wallet_id.label("given_to"),
    )
    .outerjoin_from(transfers, _GIVER, _entry_of(transfers.c.from_account, _GIVER))
    .outerjoin(_TAKER, _entry_of(transfers.c.to_account, _TAKER))
    .where(transfers.c.id > _AFTER)
    .order_by(transfers.c.id)
    .limit(_LIMIT),
    TransferAudit,
)

_MOVEMENTS: Final = (
    sa.select(transfers).where(transfers.c.id > _AFTER).order_by(transfers.c.id).limit(_LIMIT).cte("page")
)


def _there_is(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(*where)


_OF_REFUND: Final = sa.func.substr(_MOVEMENTS.c.key, len(f"{REFUND}:") + 1)
ORPHANS: Final = Query(
    sa.select(
        _MOVEMENTS.c.id,
        _MOVEMENTS.c.key,
        sa.case(
            (_MOVEMENTS.c.kind == CHARGE, _there_is(charges.c.purchase_id == _MOVEMENTS.c.reference)),
            (_MOVEMENTS.c.kind == REFUND, _there_is(refunds.c.key == _OF_REFUND)),
            (_MOVEMENTS.c.kind == ADJUSTMENT, _there_is(adjustments.c.id == _MOVEMENTS.c.reference)),
            else_=_there_is(redemptions.c.id == _MOVEMENTS.c.id),
        ).label("has_cause"),
    ).order_by(_MOVEMENTS.c.id),
    OrphanAudit,
)

#: A wallet comes along with its last entry only, both as of the same moment: those two must agree.
_LAST: Final = sa.and_(
    wallets.c.user_id == entries.c.wallet_id, wallets.c.version == entries.c.version, wallets.c.user_id >= _AFTER
)
ENTRIES: Final = Query(
    sa.select(
        *(entries.c[name] for name in ("wallet_id", "version", "amount", "promotional", "balance_after", "hash")),
        entries.c.transfer_id.label("id"),
        *(transfers.c[name] for name in ("key", "kind", "from_account", "to_account")),
        transfers.c.amount.label("moved"),
        *(transfers.c[name] for name in ("currency", "user_id", "course_id", "reference", "reason", "created_at")),
        wallets.c.balance,
        wallets.c.promotional.label("promotional_balance"),
        wallets.c.moved_promotional,
        wallets.c.head,
    )
    .outerjoin_from(entries, transfers, transfers.c.id == entries.c.transfer_id)
    .outerjoin(wallets, _LAST)
    .where(
        sa.tuple_(entries.c.wallet_id, entries.c.version) > sa.tuple_(_AFTER, bindparam("after_version", type_=_BIG))
    )
    .order_by(entries.c.wallet_id, entries.c.version)
    .limit(_LIMIT),
    EntryAudit,
)

WALLETS: Final = Query(
    sa.select(wallets.c.user_id)
    .where(wallets.c.user_id > _AFTER, ~sa.exists().where(entries.c.wallet_id == wallets.c.user_id))
    .order_by(wallets.c.user_id)
    .limit(_LIMIT),
    WalletAudit,
)

CHARGES: Final = Query(
    sa.select(
        *(charges.c[name] for name in ChargeAudit.__struct_fields__[:-3]),
        _sum(refunds.c.amount, refunds.c.purchase_id == charges.c.purchase_id).label("given_back"),
        _count(
            refunds, refunds.c.purchase_id == charges.c.purchase_id, refunds.c.refunded_after == charges.c.amount
        ).label("returns"),
        _count(
            redemptions,
            redemptions.c.purchase_id == charges.c.purchase_id,
            redemptions.c.voucher_id == charges.c.voucher_id,
        ).label("uses"),
    )
    .where(charges.c.purchase_id > _AFTER)
    .order_by(charges.c.purchase_id)
    .limit(_LIMIT),
    ChargeAudit,
)

_until = refunds.alias("until")
REFUNDS: Final = Query(
    sa.select(
        *(refunds.c[name] for name in RefundAudit.__struct_fields__[:7]),
        *(charges.c[name] for name in ("user_id", "course_id", "currency")),
        charges.c.amount.label("charged"),
        charges.c.promotional.label("charged_promotional"),
        _sum(
            _until.c.amount,
            _until.c.purchase_id == refunds.c.purchase_id,
            _until.c.refunded_after <= refunds.c.refunded_after,
        ).label("until_then"),
    )
    .join(charges, charges.c.purchase_id == refunds.c.purchase_id)
    .where(refunds.c.key > bindparam("after"))
    .order_by(refunds.c.key)
    .limit(_LIMIT),
    RefundAudit,
)

ADJUSTMENTS: Final = Query(
    sa.select(*(adjustments.c[name] for name in AdjustmentAudit.__struct_fields__))
    .where(adjustments.c.id > _AFTER)
    .order_by(adjustments.c.id)
    .limit(_LIMIT),
    AdjustmentAudit,
)

_GIVEN_BACK: Final = sa.exists().where(voucher_returns.c.redemption_id == redemptions.c.id)
VOUCHERS: Final = Query(
    sa.select(
        *(vouchers.c[name] for name in ("id", "uses", "max_uses", "withdrawn")),
        _count(redemptions, redemptions.c.voucher_id == vouchers.c.id, ~_GIVEN_BACK).label("redemptions"),
        voucher_batches.c.max_uses.label("batch_max_uses"),
        voucher_batches.c.withdrawn_at.is_not(None).label("batch_withdrawn"),
    )
    .join(voucher_batches, voucher_batches.c.id == vouchers.c.batch_id)
    .where(vouchers.c.id > _AFTER)
    .order_by(vouchers.c.id)
    .limit(_LIMIT),
    VoucherAudit,
)

_OF_WALLET: Final = sa.and_(entries.c.transfer_id == redemptions.c.id, entries.c.wallet_id == redemptions.c.user_id)
_same_person: Final = redemptions.alias("same_person")
_USES_OF_PERSON: Final = (
    sa.select(sa.func.count())
    .where(_same_person.c.voucher_id == redemptions.c.voucher_id, _same_person.c.user_id == redemptions.c.user_id)
    .correlate(redemptions)
    .scalar_subquery()
)
REDEMPTIONS: Final = Query(
    sa.select(
        *(redemptions.c[name] for name in RedemptionAudit.__struct_fields__[:8]),
        voucher_batches.c.kind,
        voucher_batches.c.amount.label("worth"),
        voucher_batches.c.credit,
        voucher_batches.c.currency,
        _USES_OF_PERSON.label("of_person"),
        (redemptions.c.batch_id == vouchers.c.batch_id).label("same_batch"),
        _GIVEN_BACK.label("given_back"),
        transfers.c.key.label("transfer_key"),
        entries.c.balance_after.label("held"),
        sa.and_(charges.c.voucher_id == redemptions.c.voucher_id, charges.c.user_id == redemptions.c.user_id).label(
            "of_charge"
        ),
        charges.c.returned.label("charge_returned"),
    )
    .join(vouchers, vouchers.c.id == redemptions.c.voucher_id)
    .join(voucher_batches, voucher_batches.c.id == vouchers.c.batch_id)
    .outerjoin(transfers, sa.and_(transfers.c.id == redemptions.c.id, transfers.c.id > _AFTER))
    .outerjoin(entries, sa.and_(_OF_WALLET, entries.c.transfer_id > _AFTER))
    .outerjoin(charges, charges.c.purchase_id == redemptions.c.purchase_id)
    .where(redemptions.c.id > _AFTER)
    .order_by(redemptions.c.id)
    .limit(_LIMIT),
    RedemptionAudit,
)

_IN_CHAIN: Final = entries.c.hash != sa.literal(BEGINNING, sa.LargeBinary())
_NAMED_BY_CAUSE: Final = sa.or_(
    sa.and_(transfers.c.kind.in_((CHARGE, ADJUSTMENT)), _IN_CHAIN), transfers.c.kind == VOUCHER
)
MOVED: Final = Query(
    sa.select(
        transfers.c.key,
        sa.case((_NAMED_BY_CAUSE, transfers.c.id)).label("id"),
        transfers.c.user_id,
        *(entries.c[name] for name in ("amount", "promotional")),
        *(transfers.c[name] for name in Moved.__struct_fields__[5:]),
    )
    .join(entries, sa.and_(entries.c.transfer_id == transfers.c.id, entries.c.wallet_id == transfers.c.user_id))
    .where(transfers.c.key.in_(bindparam("keys", expanding=True))),
    Moved,
)

BOOKS: Final = Query(
    sa.select(
        _count(transfers).label("transfers"),
        _count(entries).label("entries"),
        _sum(entries.c.amount).label("sum"),
        _sum(entries.c.promotional).label("promotional"),
        (
            _count(charges, charges.c.amount > 0)
            + _count(refunds, refunds.c.amount > 0)
            + _count(adjustments)
            + _count(redemptions, redemptions.c.purchase_id.is_(None))
        ).label("causes"),
    ),
    Books,
)
