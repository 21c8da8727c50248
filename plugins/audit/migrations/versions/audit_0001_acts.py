"""The acts, their chain, and what keeps anybody from changing them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision = "audit_0001"
down_revision = None


def upgrade() -> None:
    create_acts()
    create_chain()
    if op.get_bind().dialect.name == "postgresql":
        forbid_changes_on_postgresql()
    else:
        forbid_changes_on_sqlite()


def downgrade() -> None:
    op.drop_table("chain")
    op.drop_table("acts")  # its triggers go with it
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def create_acts() -> None:
    op.create_table(
        "acts",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("happened_at", Timestamp, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("actor", sa.Uuid),
        sa.Column("acting_as", sa.Uuid),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Uuid, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_acts")),
        sa.UniqueConstraint("event_id", name=op.f("uq_acts_event_id")),
    )
    op.create_index("ix_acts_time", "acts", ["happened_at", "number"])
    for column in ("action", "subject", "actor", "acting_as"):
        op.create_index(f"ix_acts_{column}", "acts", [column, "happened_at", "number"])


def create_chain() -> None:
    chain = op.create_table(
        "chain",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain")),
    )
    op.bulk_insert(chain, [{"id": 1, "number": 0, "link": b""}])


def forbid_changes_on_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute("CREATE TRIGGER acts_rows BEFORE UPDATE OR DELETE ON acts FOR EACH ROW EXECUTE FUNCTION refuse_change()")
    op.execute("CREATE TRIGGER acts_all BEFORE TRUNCATE ON acts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")


def forbid_changes_on_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER acts_{change.lower()} BEFORE {change} ON acts "
            "BEGIN SELECT RAISE(ABORT, 'acts is append-only'); END"
        )
