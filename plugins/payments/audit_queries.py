"""The questions that `verify` asks: each goes through one kind of row, a page at a time, by its key."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel.database import Query
from plugins.payments.audit import (
    Books,
    ChargeAudit,
    Moved,
    RedemptionAudit,
    RefundAudit,
    TransferAudit,
    VoucherAudit,
    WalletAudit,
)
from plugins.payments.tables import (
    adjustments,
    charges,
    entries,
    redemptions,
    refunds,
    transfers,
    voucher_batches,
    vouchers,
    wallets,
)

_BIG: Final = sa.BigInteger()
_LIMIT: Final = bindparam("limit", type_=sa.Integer())


def _count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()


def _sum(column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    found = sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*where).scalar_subquery()
    return sa.cast(found, _BIG)  # PostgreSQL's sum of bigints is a numeric


def _entry_of(account: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    return _sum(entries.c.amount, entries.c.transfer_id == transfers.c.id, entries.c.account == account)


TRANSFERS: Final = Query(
    sa.select(
        transfers.c.id,
        transfers.c.amount,
        _count(entries, entries.c.transfer_id == transfers.c.id).label("entries"),
        _entry_of(transfers.c.from_account).label("taken"),
        _entry_of(transfers.c.to_account).label("given"),
    )
    .where(transfers.c.id > bindparam("after"))
    .order_by(transfers.c.id)
    .limit(_LIMIT),
    TransferAudit,
)

_PAGE: Final = (
    sa.select(wallets)
    .where(wallets.c.user_id > bindparam("after"))
    .order_by(wallets.c.user_id)
    .limit(_LIMIT)
    .cte("page")
)


def _before(column: sa.Column[int]) -> sa.ColumnElement[int]:
    """Return the value of *column* in the entry before, 0 for the first."""
    former = sa.func.lag(column).over(partition_by=entries.c.wallet_id, order_by=entries.c.version)
    return sa.func.coalesce(former, 0)


_CONTINUES: Final = sa.and_(
    entries.c.version == _before(entries.c.version) + 1,
    entries.c.balance_after == _before(entries.c.balance_after) + entries.c.amount,
)
_CHAIN: Final = (
    sa.select(entries.c.wallet_id, entries.c.amount, sa.case((_CONTINUES, 0), else_=1).label("break"))
    .where(entries.c.wallet_id.in_(sa.select(_PAGE.c.user_id)))
    .subquery("chain")
)
_SUMS: Final = (
    sa.select(
        _CHAIN.c.wallet_id,
        sa.func.count().label("entries"),
        sa.cast(sa.func.sum(_CHAIN.c.amount), _BIG).label("sum"),
        sa.func.sum(_CHAIN.c["break"]).label("breaks"),
    )
    .group_by(_CHAIN.c.wallet_id)
    .subquery("sums")
)
WALLETS: Final = Query(
    sa.select(
        _PAGE.c.user_id,
        _PAGE.c.balance,
        _PAGE.c.version,
        *(sa.func.coalesce(_SUMS.c[name], 0).label(name) for name in ("entries", "sum", "breaks")),
    )
    .outerjoin_from(_PAGE, _SUMS, _SUMS.c.wallet_id == _PAGE.c.user_id)
    .order_by(_PAGE.c.user_id),
    WalletAudit,
)

CHARGES: Final = Query(
    sa.select(
        charges.c.purchase_id,
        charges.c.user_id,
        charges.c.amount,
        charges.c.refunded,
        _sum(refunds.c.amount, refunds.c.purchase_id == charges.c.purchase_id).label("given_back"),
    )
    .where(charges.c.purchase_id > bindparam("after"))
    .order_by(charges.c.purchase_id)
    .limit(_LIMIT),
    ChargeAudit,
)

REFUNDS: Final = Query(
    sa.select(refunds.c.key, charges.c.user_id, refunds.c.amount)
    .join(charges, charges.c.purchase_id == refunds.c.purchase_id)
    .where(refunds.c.key > bindparam("after"))
    .order_by(refunds.c.key)
    .limit(_LIMIT),
    RefundAudit,
)

VOUCHERS: Final = Query(
    sa.select(
        vouchers.c.id,
        vouchers.c.uses,
        vouchers.c.max_uses,
        _count(redemptions, redemptions.c.voucher_id == vouchers.c.id).label("redemptions"),
    )
    .where(vouchers.c.id > bindparam("after"))
    .order_by(vouchers.c.id)
    .limit(_LIMIT),
    VoucherAudit,
)

REDEMPTIONS: Final = Query(
    sa.select(redemptions.c.voucher_id, redemptions.c.user_id, voucher_batches.c.amount)
    .join(voucher_batches, voucher_batches.c.id == redemptions.c.batch_id)
    .where(
        sa.or_(
            redemptions.c.voucher_id > bindparam("after"),
            sa.and_(redemptions.c.voucher_id == bindparam("after"), redemptions.c.user_id > bindparam("after_user")),
        )
    )
    .order_by(redemptions.c.voucher_id, redemptions.c.user_id)
    .limit(_LIMIT),
    RedemptionAudit,
)

MOVED: Final = Query(
    sa.select(transfers.c.key, transfers.c.user_id, transfers.c.amount).where(
        transfers.c.key.in_(bindparam("keys", expanding=True))
    ),
    Moved,
)

BOOKS: Final = Query(
    sa.select(
        _count(transfers).label("transfers"),
        _count(entries).label("entries"),
        _sum(entries.c.amount).label("sum"),
        (
            _count(charges, charges.c.amount > 0)
            + _count(refunds, refunds.c.amount > 0)
            + _count(adjustments)
            + _count(redemptions)
        ).label("causes"),
    ),
    Books,
)
