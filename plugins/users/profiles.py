"""Profiles: read, changed by the person, and kept in step with the accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import Context, problems
from kernel.contracts.users import Person, ProfileChanged
from kernel.database import Query, Session
from plugins.users.rules import key
from plugins.users.settings import UsersSettings
from plugins.users.tables import profile_roles, profiles

DEFAULT_LOCALE: Final = "en"
#: Whom everybody may read about.
TEACHING: Final = ("admin", "instructor")

#: Written into the statement, which a bound separator would keep from being compiled once.
_SPACE: Final = cast(str, sa.literal_column("' '"))
#: The roles of a person, joined by spaces; null where there are none.
ROLES: Final = (
    sa.select(sa.func.aggregate_strings(profile_roles.c.role, _SPACE))
    .where(profile_roles.c.profile_id == profiles.c.id)
    .correlate(profiles)
    .scalar_subquery()
    .label("roles")
)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has told, and the person reads."""

    id: UUID
    display_name: str
    locale: str
    time_zone: str
    headline: str
    biography: str
    website: str
    version: int


class Teacher(msgspec.Struct, frozen=True):
    """What everybody may read about somebody who teaches."""

    id: UUID
    display_name: str
    headline: str
    biography: str
    website: str


OWN: Final = Query(
    sa.select(*(profiles.c[name] for name in Profile.__struct_fields__)).where(profiles.c.id == bindparam("person")),
    Profile,
)

TEACHER: Final = Query(
    sa.select(*(profiles.c[name] for name in Teacher.__struct_fields__)).where(
        profiles.c.id == bindparam("person"),
        profiles.c.active,
        sa.exists().where(
            profile_roles.c.profile_id == profiles.c.id, sa.or_(*(profile_roles.c.role == role for role in TEACHING))
        ),
    ),
    Teacher,
)

PEOPLE: Final = Query(
    sa.select(profiles.c.id, profiles.c.display_name).where(profiles.c.id.in_(bindparam("ids", expanding=True))), Person
)

_TOLD: Final = ("display_name", "name_key", "locale", "time_zone", "headline", "biography", "website")
_PUT: Final = insert(profiles).values(
    {name: bindparam(name) for name in ("id", *_TOLD, "created_at")} | {"email_key": "", "version": 1, "active": True}
)
#: Stores the whole profile, unless it has changed since version `read` was read.
PUT: Final = Query(
    _PUT.on_conflict_do_update(
        index_elements=["id"],
        set_={name: _PUT.excluded[name] for name in _TOLD} | {"version": profiles.c.version + 1},
        where=profiles.c.version == bindparam("read", type_=sa.Integer()),
    ).returning(*(profiles.c[name] for name in Profile.__struct_fields__)),
    Profile,
)

#: Somebody of whom nothing is known but the id.
UNKNOWN: Final = insert(profiles).values(
    {name: bindparam(name) for name in ("id", "time_zone", "created_at")}
    | {"display_name": "", "name_key": "", "email_key": "", "locale": DEFAULT_LOCALE}
    | {"headline": "", "biography": "", "website": "", "version": 0, "active": True}
)


def blank(person: UUID, settings: UsersSettings) -> Profile:
    """Return the profile of somebody who has told nothing yet."""
    return Profile(
        id=person,
        display_name="",
        locale=DEFAULT_LOCALE,
        time_zone=settings.time_zone,
        headline="",
        biography="",
        website="",
        version=0,
    )


class Profiles:
    """Reads and changes profiles; fulfils `users/1`."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._ctx = ctx

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        if not ids:
            return {}
        return {person.id: person for person in await self._ctx.db.all(PEOPLE, ids=list(ids))}

    async def own(self, person: UUID, within: Session | None = None) -> Profile:
        """Return what *person* told; somebody of whom nothing was heard yet has a blank profile."""
        found = await (within or self._ctx.db).first(OWN, person=person)
        return found or blank(person, self._ctx.settings)

    async def teacher(self, person: UUID) -> Teacher | None:
        """Return what everybody may read about *person*, None about anybody who does not teach."""
        return await self._ctx.db.first(TEACHER, person=person)

    async def store(self, session: Session, profile: Profile) -> Profile:
        """Store *profile* and tell of it.

        Raises:
            problems.Conflict: it has changed since its version was read.
        """
        stored = await session.first(
            PUT,
            id=profile.id,
            display_name=profile.display_name,
            name_key=key(profile.display_name),
            locale=profile.locale,
            time_zone=profile.time_zone,
            headline=profile.headline,
            biography=profile.biography,
            website=profile.website,
            created_at=self._ctx.clock.now(),
            read=profile.version,
        )
        if stored is None:
            raise problems.Conflict("The profile has changed meanwhile; read it again.")
        changed = ProfileChanged(
            user_id=stored.id, display_name=stored.display_name, locale=stored.locale, time_zone=stored.time_zone
        )
        await self._ctx.events.publish(session, changed)
        return stored
