"""The Alembic revisions of the kernel's own tables."""
