import sqlalchemy as sa
from alembic import op

from kernel.database import Timestamp

revision, down_revision = "earlybird_0001", None


def upgrade() -> None:
    course, percent = sa.Column("course_id", sa.Uuid, nullable=False), sa.Column("percent", sa.Integer, nullable=False)
    key = sa.PrimaryKeyConstraint("course_id", name=op.f("pk_discounts"))
    op.create_table("discounts", course, percent, sa.Column("until", Timestamp, nullable=False), key)


def downgrade() -> None:
    op.drop_table("discounts")
