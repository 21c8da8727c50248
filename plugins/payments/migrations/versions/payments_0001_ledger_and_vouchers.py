"""Wallets, ledger, charges, refunds and vouchers; history that nobody can change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "payments_0001"
down_revision = None

APPEND_ONLY = ("transfers", "entries", "refunds", "redemptions")


def upgrade() -> None:
    create_wallets()
    create_transfers()
    create_entries()
    create_charges()
    create_refunds()
    create_voucher_batches()
    create_vouchers()
    create_redemptions()
    if op.get_bind().dialect.name == "postgresql":
        forbid_changes_on_postgresql()
    else:
        forbid_changes_on_sqlite()


def downgrade() -> None:
    tables = ("redemptions", "vouchers", "voucher_batches", "refunds", "charges", "entries", "transfers", "wallets")
    for table in tables:
        op.drop_table(table)  # its triggers go with it
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def create_wallets() -> None:
    op.create_table(
        "wallets",
        _id("user_id"),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        _check("wallets", "balance", "balance >= 0"),
        _primary_key("wallets", "user_id"),
    )


def create_transfers() -> None:
    op.create_table(
        "transfers",
        _id("id"),
        *_texts("key", "kind", "from_account", "to_account"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        *_texts("currency"),
        _id("user_id"),
        sa.Column("course_id", sa.Uuid),
        _id("reference"),
        *_texts("reason"),
        _moment("created_at"),
        _check("transfers", "amount", "amount > 0"),
        _check("transfers", "accounts", "from_account <> to_account"),
        _primary_key("transfers", "id"),
        _unique("transfers", "key"),
    )


def create_entries() -> None:
    op.create_table(
        "entries",
        _id("transfer_id"),
        *_texts("account"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("wallet_id", sa.Uuid),
        sa.Column("balance_after", sa.BigInteger),
        sa.Column("version", sa.BigInteger),
        _check("entries", "amount", "amount <> 0"),
        _check("entries", "balance_after", "balance_after >= 0"),
        _check(
            "entries",
            "wallet",
            "(wallet_id IS NULL) = (balance_after IS NULL) AND (wallet_id IS NULL) = (version IS NULL)",
        ),
        _foreign_key("entries", "transfer_id", "transfers.id"),
        _foreign_key("entries", "wallet_id", "wallets.user_id"),
        _primary_key("entries", "transfer_id", "account"),
        _unique("entries", "wallet_id", "version"),
    )


def create_charges() -> None:
    op.create_table(
        "charges",
        *map(_id, ("purchase_id", "id", "user_id", "course_id")),
        sa.Column("amount", sa.BigInteger, nullable=False),
        *_texts("currency"),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        _moment("created_at"),
        _check("charges", "amount", "amount >= 0"),
        _check("charges", "refunded", "refunded BETWEEN 0 AND amount"),
        _primary_key("charges", "purchase_id"),
        _unique("charges", "id"),
    )


def create_refunds() -> None:
    op.create_table(
        "refunds",
        *_texts("key"),
        _id("purchase_id"),
        sa.Column("requested", sa.BigInteger),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("refunded_after", sa.BigInteger, nullable=False),
        *_texts("reason"),
        _moment("created_at"),
        _check("refunds", "amount", "amount > 0"),
        _foreign_key("refunds", "purchase_id", "charges.purchase_id"),
        _primary_key("refunds", "key"),
    )
    op.create_index("ix_refunds_purchase_id", "refunds", ["purchase_id"])


def create_voucher_batches() -> None:
    op.create_table(
        "voucher_batches",
        _id("id"),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        *_texts("currency"),
        sa.Column("max_uses", sa.Integer, nullable=False),
        sa.Column("valid_from", Timestamp),
        sa.Column("valid_until", Timestamp),
        *_texts("tag", "comment", "prefix"),
        _id("created_by"),
        _moment("created_at"),
        sa.Column("withdrawn_at", Timestamp),
        *_texts("request_key"),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        _check("voucher_batches", "amount", "amount > 0"),
        _primary_key("voucher_batches", "id"),
        _unique("voucher_batches", "created_by", "request_key"),
    )


def create_vouchers() -> None:
    op.create_table(
        "vouchers",
        *map(_id, ("id", "batch_id")),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("max_uses", sa.Integer, nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        _check("vouchers", "uses", "uses BETWEEN 0 AND max_uses"),
        _foreign_key("vouchers", "batch_id", "voucher_batches.id"),
        _primary_key("vouchers", "id"),
        _unique("vouchers", "batch_id", "number"),
        _unique("vouchers", "code_hash"),
    )


def create_redemptions() -> None:
    op.create_table(
        "redemptions",
        *map(_id, ("voucher_id", "user_id", "batch_id")),
        _moment("created_at"),
        _foreign_key("redemptions", "voucher_id", "vouchers.id"),
        _foreign_key("redemptions", "batch_id", "voucher_batches.id"),
        _primary_key("redemptions", "voucher_id", "user_id"),
    )
    op.create_index("ix_redemptions_batch_id", "redemptions", ["batch_id"])


def forbid_changes_on_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def forbid_changes_on_sqlite() -> None:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _id(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, nullable=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, Timestamp, nullable=False)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _foreign_key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"))
