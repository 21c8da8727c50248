"""The devices from which an account was signed in to, so that its owner is told of one that is new.

A browser is known by a cookie of its own, which outlives its sessions and which all who sign in with it share; an
application by what it calls itself. Neither is stored: a row has a digest that is made with the account, so that
nothing shows who shares a device.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context
from kernel.database import Command, Query, Session, Timestamp
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import devices

#: A device from which nobody signed in for so long is unknown again; so long does a browser keep its cookie.
LIFE: Final = timedelta(days=365)
MOST: Final = 20  # devices of one account; those seen last count

_NOW: Final = bindparam("now", type_=Timestamp())
_OF_ACCOUNT: Final = devices.c.account_id == bindparam("account")
_THIS: Final = devices.c.digest == bindparam("digest")

SEE: Final = Command(sa.update(devices).where(_OF_ACCOUNT, _THIS).values(seen_at=_NOW))
#: Of two sign-ins from one new device at once only one adds it.
ADD: Final = Command(
    insert(devices)
    .values(account_id=bindparam("account"), digest=bindparam("digest"), seen_at=_NOW)
    .on_conflict_do_nothing(index_elements=["account_id", "digest"])
)
OTHER: Final = Query(sa.select(devices.c.seen_at).where(_OF_ACCOUNT, ~_THIS).limit(1), datetime)
#: Takes away all but this device and those seen last.
CROWD_OUT: Final = Command(
    sa.delete(devices).where(
        _OF_ACCOUNT,
        ~_THIS,
        devices.c.digest.not_in(
            sa.select(devices.c.digest).where(_OF_ACCOUNT, ~_THIS).order_by(devices.c.seen_at.desc()).limit(MOST - 1)
        ),
    )
)
FORGET: Final = Command(sa.delete(devices).where(devices.c.seen_at < bindparam("before")))


class Devices:
    """Knows devices again."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._db = ctx.db
        self._clock = ctx.clock
        self._secrets = ctx.secrets

    async def is_new(self, session: Session, account: UUID, device: str) -> bool:
        """Note that *account* signs in from *device*; return whether that is news to its owner.

        It is not where no other device is known: at the first sign-in, and at the first one after an upgrade from a
        version that knew no devices.
        """
        digest = self._secrets.digest("device", account.bytes + device.encode())
        if await session.run(SEE, account=account, digest=digest, now=self._clock.now()):
            return False
        added = await session.run(ADD, account=account, digest=digest, now=self._clock.now())
        if not added or await session.first(OTHER, account=account, digest=digest) is None:
            return False
        await session.run(CROWD_OUT, account=account, digest=digest)
        return True

    async def forget(self) -> None:
        """Delete devices that were not seen for long."""
        await self._db.run(FORGET, before=self._clock.now() - LIFE)
