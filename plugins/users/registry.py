"""The registry: who has which account, as events tell it, whatever the order in which they come."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context
from kernel.database import Command, Session, Timestamp
from plugins.users.profiles import UNKNOWN
from plugins.users.rules import key, tidy_locale
from plugins.users.settings import UsersSettings
from plugins.users.tables import profile_roles, profiles

#: Makes room for what an event tells about somebody of whom nothing was heard before.
ENSURE: Final = Command(UNKNOWN.on_conflict_do_nothing(index_elements=["id"]))

#: Adds what only the registration knows. What the person has told already stands.
REGISTER: Final = Command(
    sa.update(profiles)
    .where(profiles.c.id == bindparam("person"))
    .values(
        email_key=bindparam("email"),
        display_name=sa.case(
            (profiles.c.version == 0, bindparam("name", type_=sa.Text())), else_=profiles.c.display_name
        ),
        name_key=sa.case((profiles.c.version == 0, bindparam("name_key", type_=sa.Text())), else_=profiles.c.name_key),
        locale=sa.case((profiles.c.version == 0, bindparam("locale", type_=sa.Text())), else_=profiles.c.locale),
    )
)


def _claim(what: str) -> sa.Update:
    """Return the update that claims to know the latest of *what*; it touches nothing where something later is known.

    The account's versions tell which is later. What has no version is compared by the clock of who told it.
    """
    known_at, known_version = profiles.c[f"{what}_at"], profiles.c[f"{what}_version"]
    time, version = bindparam("time", type_=Timestamp()), bindparam("version", type_=sa.BigInteger())
    uncounted = sa.and_(version == sa.literal_column("0"), known_at < time)
    return (
        sa.update(profiles)
        .where(profiles.c.id == bindparam("person"), sa.or_(known_at.is_(None), version > known_version, uncounted))
        .values(
            {known_at: time, known_version: sa.case((version > known_version, version), else_=known_version)},
        )
    )


SET_ACTIVE: Final = Command(_claim("active").values(active=bindparam("active")))
CLAIM_ROLES: Final = Command(_claim("roles"))
CLEAR_ROLES: Final = Command(sa.delete(profile_roles).where(profile_roles.c.profile_id == bindparam("person")))
ADD_ROLE: Final = Command(
    insert(profile_roles)
    .values(profile_id=bindparam("person"), role=bindparam("role"))
    .on_conflict_do_nothing(index_elements=["profile_id", "role"])
)


class Moment(msgspec.Struct, frozen=True):
    """When something was so: in which version of the account (0 where nobody counts), and told at what time."""

    version: int
    time: datetime


class Registry:
    """Notes what events tell of accounts."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._clock = ctx.clock
        self._time_zone = ctx.settings.time_zone

    async def register(self, session: Session, person: UUID, *, email: str, name: str, locale: str) -> None:
        """Note that *person* registered."""
        await self._ensure(session, person)
        await session.run(
            REGISTER, person=person, email=key(email), name=name, name_key=key(name), locale=tidy_locale(locale)
        )

    async def set_roles(self, session: Session, person: UUID, roles: tuple[str, ...], moment: Moment) -> None:
        """Note that *person* had *roles* at *moment*."""
        await self._ensure(session, person)
        if await session.run(CLAIM_ROLES, person=person, version=moment.version, time=moment.time):
            await session.run(CLEAR_ROLES, person=person)
            await session.run_many(ADD_ROLE, [{"person": person, "role": role} for role in roles])

    async def set_active(self, session: Session, person: UUID, active: bool, moment: Moment) -> None:
        """Note whether the account of *person* was open at *moment*."""
        await self._ensure(session, person)
        await session.run(SET_ACTIVE, person=person, active=active, version=moment.version, time=moment.time)

    async def _ensure(self, session: Session, person: UUID) -> None:
        await session.run(ENSURE, id=person, time_zone=self._time_zone, created_at=self._clock.now())
