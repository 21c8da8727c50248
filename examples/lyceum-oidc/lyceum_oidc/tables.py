"""Who is who at a provider, and sign-ins that are under way."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column

from kernel.database import Timestamp, new_metadata

metadata: Final = new_metadata()

#: A provider's *subject* is one person for ever, whatever becomes of the person's address.
links: Final = sa.Table(
    "links",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("issuer", sa.Text, nullable=False),
    Column("subject", sa.Text, nullable=False),
    Column("user_id", sa.Uuid, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    sa.UniqueConstraint("issuer", "subject"),
    sa.Index("ix_links_user_id_id", "user_id", "id"),
)

#: One row from the moment in which a browser leaves for a provider until it is back, at most ten minutes. Of the two
#: secrets by which it is found, the one that travels and the one that stays in the browser, there are digests alone.
flows: Final = sa.Table(
    "flows",
    metadata,
    Column("state_digest", sa.LargeBinary, primary_key=True),
    Column("browser_digest", sa.LargeBinary, nullable=False),
    Column("provider", sa.Text, nullable=False),
    Column("target", sa.Text, nullable=False),  # where the browser goes afterwards
    Column("user_id", sa.Uuid),  # who links a sign-in to their account; null for whoever signs in
    Column("expires_at", Timestamp, nullable=False, index=True),
)
