"""Find all mails to one person."""

from alembic import op

revision = "mail_0002"
down_revision = "mail_0001"


def upgrade() -> None:
    op.create_index("ix_mails_recipient", "mails", ["recipient", "id"])


def downgrade() -> None:
    op.drop_index("ix_mails_recipient", "mails")
