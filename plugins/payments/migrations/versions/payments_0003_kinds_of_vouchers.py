"""Vouchers of three kinds; each use of a voucher is a row, and can be given back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Json, Timestamp

revision = "payments_0003"
down_revision = "payments_0002"

MAX_BALANCE = 10**15

#: Until now there were top-ups only, of refundable credit, once for each person. A top-up has the id of its transfer.
KEEP_REDEMPTIONS = """
    INSERT INTO redemptions (id, voucher_id, user_id, number, batch_id, amount, balance, created_at)
    SELECT t.id, r.voucher_id, r.user_id, 1, r.batch_id, t.amount, e.balance_after, r.created_at
    FROM former_redemptions r
    LEFT JOIN transfers t ON t.kind = 'voucher' AND t.reference = r.voucher_id AND t.user_id = r.user_id
    LEFT JOIN entries e ON e.transfer_id = t.id AND e.wallet_id = r.user_id
"""
RESTORE_REDEMPTIONS = """
    INSERT INTO redemptions (voucher_id, user_id, batch_id, created_at)
    SELECT voucher_id, user_id, batch_id, created_at FROM former_redemptions
"""
#: What the tables had no place for before.
HAS_NO_PLACE = (
    "SELECT count(*) FROM voucher_batches WHERE kind <> 'top-up' OR credit <> 'refundable'",
    "SELECT count(*) FROM voucher_batches WHERE max_uses_per_person > 1",
)


def upgrade() -> None:
    op.add_column("wallets", sa.Column("moved_digest", sa.LargeBinary))
    widen_batches()
    set_former_redemptions_aside()
    create_redemptions()
    create_returns()
    op.execute(KEEP_REDEMPTIONS)
    op.drop_table("former_redemptions")
    forbid_changes("redemptions", "voucher_returns")


def downgrade() -> None:
    for question in HAS_NO_PLACE:
        if op.get_bind().scalar(sa.text(question)):
            raise RuntimeError(f"there are vouchers that the former tables have no place for: {question}")
    forget_requests_with_checked_codes()
    op.drop_table("voucher_returns")
    set_former_redemptions_aside()
    create_former_redemptions()
    op.execute(RESTORE_REDEMPTIONS)
    op.drop_table("former_redemptions")
    forbid_changes("redemptions")
    narrow_batches()
    with op.batch_alter_table("wallets") as batch:
        batch.drop_column("moved_digest")


def widen_batches() -> None:
    with op.batch_alter_table("voucher_batches") as batch:
        batch.add_column(sa.Column("kind", sa.Text, nullable=False, server_default="top-up"))
        batch.alter_column("amount", existing_type=sa.BigInteger, nullable=True)
        batch.add_column(sa.Column("percent", sa.Integer))
        batch.add_column(sa.Column("price", sa.BigInteger))
        batch.add_column(sa.Column("course_ids", Json, nullable=False, server_default="[]"))
        batch.add_column(sa.Column("credit", sa.Text, server_default="refundable"))
        batch.add_column(sa.Column("max_uses_per_person", sa.Integer, nullable=False, server_default="1"))
        batch.add_column(sa.Column("checked", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("voucher_batches") as batch:
        for name in ("kind", "course_ids", "credit", "max_uses_per_person", "checked"):
            batch.alter_column(name, server_default=None)
        for name, condition in (
            ("percent", "percent BETWEEN 1 AND 100"),
            ("price", "price >= 0"),
            ("top_up", "kind <> 'top-up' OR (amount IS NOT NULL AND credit IS NOT NULL)"),
        ):
            batch.create_check_constraint(op.f(f"ck_voucher_batches_{name}"), condition)


def narrow_batches() -> None:
    with op.batch_alter_table("voucher_batches") as batch:
        for name in ("percent", "price", "top_up"):
            batch.drop_constraint(op.f(f"ck_voucher_batches_{name}"), type_="check")
        for name in ("kind", "percent", "price", "course_ids", "credit", "max_uses_per_person", "checked"):
            batch.drop_column(name)
        batch.alter_column("amount", existing_type=sa.BigInteger, nullable=False)


def forget_requests_with_checked_codes() -> None:
    """Let a repeat of the request that made such a batch be refused: the older version would show other codes."""
    op.execute(sa.text("UPDATE voucher_batches SET request_hash = :none WHERE checked").bindparams(none=b""))


def set_former_redemptions_aside() -> None:
    """Rename the table with all that has a name of its own, so that the names are free for the new one."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("update", "delete"):
            op.execute(f"DROP TRIGGER redemptions_{change}")
        op.drop_index("ix_redemptions_batch_id", "redemptions")
        op.rename_table("redemptions", "former_redemptions")
        return
    op.execute("CREATE TABLE former_redemptions AS SELECT * FROM redemptions")
    op.drop_table("redemptions")


def create_redemptions() -> None:
    op.create_table(
        "redemptions",
        *(sa.Column(name, sa.Uuid, nullable=False) for name in ("id", "voucher_id", "user_id")),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("batch_id", sa.Uuid, nullable=False),
        sa.Column("purchase_id", sa.Uuid),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("balance", sa.BigInteger),
        sa.Column("request_key", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
        _check("redemptions", "number", "number > 0"),
        _check("redemptions", "amount", "amount >= 0"),
        _check("redemptions", "balance", f"balance <= {MAX_BALANCE}"),
        _check("redemptions", "either", "(purchase_id IS NULL) = (balance IS NOT NULL)"),
        *_references_of_redemptions(),
        _primary_key("redemptions", "id"),
        _unique("redemptions", "voucher_id", "user_id", "number"),
        _unique("redemptions", "purchase_id"),
        _unique("redemptions", "user_id", "request_key"),
    )
    op.create_index("ix_redemptions_batch_id", "redemptions", ["batch_id"])


def create_returns() -> None:
    op.create_table(
        "voucher_returns",
        sa.Column("redemption_id", sa.Uuid, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        _foreign_key("voucher_returns", "redemption_id", "redemptions.id"),
        _primary_key("voucher_returns", "redemption_id"),
    )


def create_former_redemptions() -> None:
    op.create_table(
        "redemptions",
        *(sa.Column(name, sa.Uuid, nullable=False) for name in ("voucher_id", "user_id", "batch_id")),
        sa.Column("created_at", Timestamp, nullable=False),
        *_references_of_redemptions(),
        _primary_key("redemptions", "voucher_id", "user_id"),
    )
    op.create_index("ix_redemptions_batch_id", "redemptions", ["batch_id"])


def forbid_changes(*tables: str) -> None:
    """Make *tables* append-only, as `payments_0001` did with the others."""
    postgres = op.get_bind().dialect.name == "postgresql"
    for table in tables:
        for statement in _on_postgresql(table) if postgres else _on_sqlite(table):
            op.execute(statement)


def _on_postgresql(table: str) -> tuple[str, ...]:
    refuse = "EXECUTE FUNCTION refuse_change()"
    return (
        f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {refuse}",
        f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}",
    )


def _on_sqlite(table: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_{change.lower()} BEFORE {change} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for change in ("UPDATE", "DELETE")
    )


def _references_of_redemptions() -> tuple[sa.ForeignKeyConstraint, ...]:
    return (
        _foreign_key("redemptions", "voucher_id", "vouchers.id"),
        _foreign_key("redemptions", "batch_id", "voucher_batches.id"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _foreign_key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"))
