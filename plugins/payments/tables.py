"""Wallets, the double-entry ledger they stand on, what was charged and refunded, and vouchers."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, UniqueConstraint

from kernel.database import Json, Timestamp, new_metadata

metadata: Final = new_metadata()

#: What a wallet can hold, in minor units: exact in 64 bits and in JavaScript.
MAX_BALANCE: Final = 10**15

#: The only balances that are stored, so that a purchase locks no row but the buyer's. `promotional` is the part of the
#: balance that was given away, `moved_promotional` that of the last movement, `moved_digest` the digest of the last one
#: that added to it. `version` counts the entries; `head` is the hash of the last one.
wallets: Final = sa.Table(
    "wallets",
    metadata,
    Column("user_id", sa.Uuid, primary_key=True),
    Column("balance", sa.BigInteger, nullable=False),
    Column("promotional", sa.BigInteger, nullable=False),
    Column("moved_promotional", sa.BigInteger, nullable=False),
    Column("version", sa.BigInteger, nullable=False),
    Column("head", sa.LargeBinary, nullable=False),
    Column("moved_digest", sa.LargeBinary),
    CheckConstraint("balance >= 0", name="balance"),
    CheckConstraint("promotional BETWEEN 0 AND balance", name="promotional"),
)

#: Every movement of money, once for each `key`. `reference` is the purchase, voucher or adjustment it belongs to.
transfers: Final = sa.Table(
    "transfers",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("key", sa.Text, nullable=False, unique=True),
    Column("kind", sa.Text, nullable=False),
    Column("from_account", sa.Text, nullable=False),
    Column("to_account", sa.Text, nullable=False),
    Column("amount", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid),
    Column("reference", sa.Uuid, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("from_account <> to_account", name="accounts"),
)

#: Two for each transfer, which add up to 0, their promotional parts, too. An entry of a wallet bears what the wallet
#: held after it, and a hash that covers the movement and every one before it (see `chain`). No foreign keys: they would
#: cost a quarter of a charge, and one statement writes an entry together with what it refers to.
entries: Final = sa.Table(
    "entries",
    metadata,
    Column("transfer_id", sa.Uuid, primary_key=True),
    Column("account", sa.Text, primary_key=True),
    Column("amount", sa.BigInteger, nullable=False),
    Column("promotional", sa.BigInteger, nullable=False),
    Column("wallet_id", sa.Uuid),
    Column("balance_after", sa.BigInteger),
    Column("version", sa.BigInteger),
    Column("hash", sa.LargeBinary),
    UniqueConstraint("wallet_id", "version"),
    CheckConstraint("amount <> 0", name="amount"),
    CheckConstraint(
        "CASE WHEN amount > 0 THEN promotional BETWEEN 0 AND amount ELSE promotional BETWEEN amount AND 0 END",
        name="promotional",
    ),
    CheckConstraint("balance_after >= 0", name="balance_after"),
    CheckConstraint(
        "(wallet_id IS NULL) = (balance_after IS NULL) AND (wallet_id IS NULL) = (version IS NULL)", name="wallet"
    ),
    CheckConstraint("(wallet_id IS NULL) = (hash IS NULL)", name="hash"),
)

#: What was taken for a purchase, `promotional` of it from promotional credit. Only `refunded` and `returned` change.
charges: Final = sa.Table(
    "charges",
    metadata,
    Column("purchase_id", sa.Uuid, primary_key=True),
    Column("id", sa.Uuid, nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("course_id", sa.Uuid, nullable=False),
    Column("amount", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("refunded", sa.BigInteger, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("promotional", sa.BigInteger, nullable=False),
    Column("voucher_id", sa.Uuid),
    Column("returned", sa.Boolean, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("refunded BETWEEN 0 AND amount", name="refunded"),
    CheckConstraint("promotional BETWEEN 0 AND amount", name="promotional"),
    # Of a charge of nothing only the use of its voucher can go back.
    CheckConstraint(
        "CASE WHEN amount > 0 THEN returned = (refunded = amount) ELSE voucher_id IS NOT NULL OR NOT returned END",
        name="returned",
    ),
)

#: `requested` is what the caller asked for, null for "all that is left"; `refunded_after` the charge's sum after it.
#: The amount is 0 where only the use of a voucher went back.
refunds: Final = sa.Table(
    "refunds",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("purchase_id", sa.Uuid, ForeignKey("charges.purchase_id"), nullable=False, index=True),
    Column("requested", sa.BigInteger),
    Column("amount", sa.BigInteger, nullable=False),
    Column("refunded_after", sa.BigInteger, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    CheckConstraint("amount >= 0", name="amount"),
)

#: What administrators put into wallets or took out of them.
adjustments: Final = sa.Table(
    "adjustments",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("user_id", sa.Uuid, nullable=False),
    Column("amount", sa.BigInteger, nullable=False),
    Column("credit", sa.Text, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("adjusted_by", sa.Uuid, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    CheckConstraint("amount <> 0", name="amount"),
    CheckConstraint("credit IN ('refundable', 'promotional')", name="credit"),
)

#: What is null does not belong to the kind of voucher. `checked`: the codes end with a check symbol (those of old do
#: not). `request_key` and `request_hash` are of the request that made the batch: a repeat makes no second one.
voucher_batches: Final = sa.Table(
    "voucher_batches",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("count", sa.Integer, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("amount", sa.BigInteger),
    Column("percent", sa.Integer),
    Column("price", sa.BigInteger),
    Column("course_ids", Json, nullable=False),
    Column("credit", sa.Text),
    Column("currency", sa.Text, nullable=False),
    Column("max_uses", sa.Integer, nullable=False),
    Column("max_uses_per_person", sa.Integer, nullable=False),
    Column("valid_from", Timestamp),
    Column("valid_until", Timestamp),
    Column("tag", sa.Text, nullable=False),
    Column("comment", sa.Text, nullable=False),
    Column("prefix", sa.Text, nullable=False),
    Column("checked", sa.Boolean, nullable=False),
    Column("created_by", sa.Uuid, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("withdrawn_at", Timestamp),
    Column("request_key", sa.Text, nullable=False),
    Column("request_hash", sa.LargeBinary, nullable=False),
    UniqueConstraint("created_by", "request_key"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint("kind <> 'top-up' OR (amount IS NOT NULL AND credit IS NOT NULL)", name="top_up"),
)

#: A code stands here only as its HMAC under a key that no database holds. `number` counts within the batch.
vouchers: Final = sa.Table(
    "vouchers",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("batch_id", sa.Uuid, ForeignKey("voucher_batches.id"), nullable=False),
    Column("number", sa.Integer, nullable=False),
    Column("code_hash", sa.LargeBinary, nullable=False, unique=True),
    Column("uses", sa.Integer, nullable=False),
    Column("max_uses", sa.Integer, nullable=False),
    Column("withdrawn", sa.Boolean, nullable=False),
    Column("used", sa.Boolean, sa.Computed("uses > 0", persisted=True)),
    UniqueConstraint("batch_id", "number"),
    CheckConstraint("uses BETWEEN 0 AND max_uses", name="uses"),
    # By `used` and not by `uses`: while a voucher stays used, PostgreSQL need not touch an index for one more use.
    sa.Index("ix_vouchers_used", "batch_id", postgresql_where=sa.text("used"), sqlite_where=sa.text("used = 1")),
)

#: One use of a voucher by one person, whose uses of it `number` counts from 1. A top-up has the id of its transfer,
#: what the wallet held after it and the key of the request; any other use has the purchase that it was for.
redemptions: Final = sa.Table(
    "redemptions",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("voucher_id", sa.Uuid, ForeignKey("vouchers.id"), nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("number", sa.Integer, nullable=False),
    Column("batch_id", sa.Uuid, ForeignKey("voucher_batches.id"), nullable=False, index=True),
    Column("purchase_id", sa.Uuid, unique=True),
    Column("amount", sa.BigInteger, nullable=False),
    Column("balance", sa.BigInteger),
    Column("request_key", sa.Text),
    Column("created_at", Timestamp, nullable=False),
    UniqueConstraint("voucher_id", "user_id", "number"),
    UniqueConstraint("user_id", "request_key"),
    CheckConstraint("number > 0", name="number"),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint(f"balance <= {MAX_BALANCE}", name="balance"),
    CheckConstraint("(purchase_id IS NULL) = (balance IS NOT NULL)", name="either"),
)

#: Uses that were given back.
voucher_returns: Final = sa.Table(
    "voucher_returns",
    metadata,
    Column("redemption_id", sa.Uuid, ForeignKey("redemptions.id"), primary_key=True),
    Column("created_at", Timestamp, nullable=False),
)

#: History: no row of these is ever changed or deleted, which triggers hold against everybody.
APPEND_ONLY: Final = (transfers, entries, refunds, adjustments, redemptions, voucher_returns)
