"""Promotional credit apart from refundable credit, adjustments, and entries chained by hashes.

All credit that was there counts as refundable. What was written before bears the value with which every chain begins,
so that each wallet's chain covers what comes after. Entries refer to their transfer and wallet without foreign keys:
one statement writes all three, history can not be deleted, and `verify` finds what does not agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from kernel.database import Timestamp

revision = "payments_0002"
down_revision = "payments_0001"

#: With which every chain begins, and the hash of every entry from before there were chains.
BEGINNING = bytes(32)

APPEND_ONLY = ("entries", "refunds")
PART = "CASE WHEN amount > 0 THEN promotional BETWEEN 0 AND amount ELSE promotional BETWEEN amount AND 0 END"
RETURNED = "CASE WHEN amount > 0 THEN returned = (refunded = amount) ELSE voucher_id IS NOT NULL OR NOT returned END"


def upgrade() -> None:
    with history_open():
        change_wallets()
        change_entries()
        change_charges()
        allow_refunds_of_nothing()
    create_adjustments()


def downgrade() -> None:
    """Raise RuntimeError where there is credit that the older version would take for refundable."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM wallets WHERE promotional > 0 LIMIT 1")).first() is not None:
        raise RuntimeError(
            "wallets hold promotional credit, which the older version would take for paid: adjust it away"
        )
    op.drop_table("adjustments")  # its triggers go with it
    with history_open():
        forbid_refunds_of_nothing()
        with op.batch_alter_table("charges") as charges:
            drop(charges, checks=("promotional", "returned"), columns=("promotional", "voucher_id", "returned"))
            charges.create_unique_constraint(op.f("uq_charges_id"), ["id"])
        with op.batch_alter_table("entries") as entries:
            drop(entries, checks=("promotional", "hash"), columns=("promotional", "hash"))
            entries.create_foreign_key(op.f("fk_entries_transfer_id"), "transfers", ["transfer_id"], ["id"])
            entries.create_foreign_key(op.f("fk_entries_wallet_id"), "wallets", ["wallet_id"], ["user_id"])
        with op.batch_alter_table("wallets") as wallets:
            drop(wallets, checks=("promotional",), columns=("promotional", "moved_promotional", "head"))


def change_wallets() -> None:
    with op.batch_alter_table("wallets") as table:
        for name in ("promotional", "moved_promotional"):
            table.add_column(sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
        table.add_column(sa.Column("head", sa.LargeBinary))
    op.execute(sa.text("UPDATE wallets SET head = :beginning").bindparams(beginning=BEGINNING))
    with op.batch_alter_table("wallets") as table:
        for name in ("promotional", "moved_promotional"):
            table.alter_column(name, server_default=None)
        table.alter_column("head", nullable=False)
        table.create_check_constraint(op.f("ck_wallets_promotional"), "promotional BETWEEN 0 AND balance")


def change_entries() -> None:
    with op.batch_alter_table("entries") as table:
        table.add_column(sa.Column("promotional", sa.BigInteger, nullable=False, server_default="0"))
        table.add_column(sa.Column("hash", sa.LargeBinary))
    beginning = sa.text("UPDATE entries SET hash = :beginning WHERE wallet_id IS NOT NULL")
    op.execute(beginning.bindparams(beginning=BEGINNING))
    with op.batch_alter_table("entries") as table:
        table.alter_column("promotional", server_default=None)
        table.create_check_constraint(op.f("ck_entries_promotional"), PART)
        table.create_check_constraint(op.f("ck_entries_hash"), "(wallet_id IS NULL) = (hash IS NULL)")
        for name in ("transfer_id", "wallet_id"):
            table.drop_constraint(op.f(f"fk_entries_{name}"), type_="foreignkey")


def change_charges() -> None:
    with op.batch_alter_table("charges") as table:
        table.add_column(sa.Column("promotional", sa.BigInteger, nullable=False, server_default="0"))
        table.add_column(sa.Column("voucher_id", sa.Uuid))
        table.add_column(sa.Column("returned", sa.Boolean))
    op.execute("UPDATE charges SET returned = (amount > 0 AND refunded = amount)")
    with op.batch_alter_table("charges") as table:
        table.alter_column("promotional", server_default=None)
        table.alter_column("returned", nullable=False)
        table.create_check_constraint(op.f("ck_charges_promotional"), "promotional BETWEEN 0 AND amount")
        table.create_check_constraint(op.f("ck_charges_returned"), RETURNED)
        table.drop_constraint(op.f("uq_charges_id"), type_="unique")  # the id of its transfer, which is unique


def allow_refunds_of_nothing() -> None:
    change_check_of_refunds("amount >= 0")


def forbid_refunds_of_nothing() -> None:
    """Forget those that there are: no money moved, and the older version knows of no other return."""
    op.execute("DELETE FROM refunds WHERE amount = 0")
    change_check_of_refunds("amount > 0")


def change_check_of_refunds(condition: str) -> None:
    with op.batch_alter_table("refunds") as table:
        table.drop_constraint(op.f("ck_refunds_amount"), type_="check")
        table.create_check_constraint(op.f("ck_refunds_amount"), condition)


def create_adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("credit", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("adjusted_by", sa.Uuid, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        check("adjustments", "amount", "amount <> 0"),
        check("adjustments", "credit", "credit IN ('refundable', 'promotional')"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
    )
    if on_postgresql():
        op.execute(
            "CREATE TRIGGER adjustments_rows BEFORE UPDATE OR DELETE ON adjustments "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER adjustments_all BEFORE TRUNCATE ON adjustments "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        forbid_changes_on_sqlite("adjustments")


@contextmanager
def history_open() -> Iterator[None]:
    """Let go of the triggers that keep history from being changed, and put them back afterwards."""
    if on_postgresql():
        for table in APPEND_ONLY:
            op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in APPEND_ONLY:
            op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    for table in APPEND_ONLY:
        for change in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_{change}")
    yield
    for table in APPEND_ONLY:
        forbid_changes_on_sqlite(table)


def forbid_changes_on_sqlite(table: str) -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def drop(table: BatchOperations, *, checks: Iterable[str], columns: Iterable[str]) -> None:
    for name in checks:
        table.drop_constraint(op.f(f"ck_{table.impl.table_name}_{name}"), type_="check")
    for name in columns:
        table.drop_column(name)


def on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
