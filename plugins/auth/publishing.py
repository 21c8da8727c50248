"""Several events at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from kernel import Context, Event
from kernel.database import Command, Session, outbox_follow
from plugins.auth.settings import AuthSettings

_OUTBOX: Final = outbox_follow()
TELL: Final = Command(sa.insert(_OUTBOX.table).values(dict(_OUTBOX.values)))


async def publish_all(ctx: Context[AuthSettings], session: Session, events: Sequence[Event]) -> None:
    """Publish *events* in one go, in the transaction of *session*."""
    if events:
        await session.run_many(TELL, [ctx.events.row(event) for event in events])
        session.after_commit(ctx.events.announce)
