"""Teachers whose name is not known yet, those of the courses that are there included."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "courses_0003"
down_revision = "courses_0002"
branch_labels = None
depends_on = None

_NAMELESS = sa.text("display_name = ''")


def upgrade() -> None:
    op.execute(
        "INSERT INTO people (user_id, display_name) SELECT DISTINCT user_id, '' FROM course_instructors"
        " WHERE user_id NOT IN (SELECT user_id FROM people)"
    )
    op.create_index("ix_people_nameless", "people", ["user_id"], postgresql_where=_NAMELESS, sqlite_where=_NAMELESS)


def downgrade() -> None:
    op.drop_index("ix_people_nameless", "people")
