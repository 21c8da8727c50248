"""The HTTP surface of profiles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Context,
    Page,
    Request,
    Route,
    etag_of,
    get,
    page,
    patch,
    problems,
    require_match,
)
from kernel.contracts import users_http
from kernel.contracts.users_http import LIST_USERS, DirectoryQuery, Line, is_time_zone
from kernel.database import Session
from plugins.users.directory import Directory, Entry
from plugins.users.profiles import Profile, Profiles
from plugins.users.rules import Text, Website, tidy_locale
from plugins.users.settings import UsersSettings


class OwnProfile(users_http.OwnProfile, frozen=True, kw_only=True):
    """What a person has told."""

    headline: str
    biography: str
    website: str


class ProfileChange(users_http.ProfileChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    headline: Line | msgspec.UnsetType = msgspec.UNSET
    biography: Text | msgspec.UnsetType = msgspec.UNSET
    website: Website | msgspec.UnsetType = msgspec.UNSET


class Instructor(users_http.Teacher, frozen=True, kw_only=True):
    """What everybody may read about somebody who teaches."""

    headline: str
    biography: str
    website: str


class DirectoryEntry(users_http.DirectoryEntry, frozen=True, kw_only=True):
    """One person of the directory."""

    created_at: datetime


class UsersApi:
    """Profiles and the directory."""

    def __init__(self, ctx: Context[UsersSettings]) -> None:
        self._profiles = ctx.own(Profiles)
        self._directory = ctx.own(Directory)

    def routes(self) -> Iterable[Route]:
        changed = (problems.Conflict, problems.PreconditionFailed)
        return (
            get("/me", self.me, permission=SIGNED_IN),
            patch("/me", self.change, permission=SIGNED_IN, problems=changed),
            get("", self.directory, permission=LIST_USERS),
            get("/{user_id}", self.instructor, permission=PUBLIC, problems=(problems.NotFound,)),
        )

    async def me(self, request: Request) -> OwnProfile:
        """Read one's own profile."""
        return _own(await self._profiles.own(request.principal.id))

    async def change(self, request: Request, body: ProfileChange, session: Session) -> Answer[OwnProfile]:
        """Change one's own profile; with `If-Match`, only if nobody else has meanwhile."""
        before = await self._profiles.own(request.principal.id, session)
        require_match(request.http, _etag(_own(before)))
        after = _own(await self._profiles.store(session, _changed(before, body)))
        return Answer(after, headers={"ETag": _etag(after)})

    async def instructor(self, user_id: UUID) -> Instructor:
        """Read about somebody who teaches."""
        found = await self._profiles.teacher(user_id)
        if found is None:
            raise problems.NotFound
        return Instructor(**msgspec.structs.asdict(found))

    async def directory(self, query: DirectoryQuery) -> Page[DirectoryEntry]:
        """List people by name."""
        rows = await self._directory.entries(
            limit=query.limit + 1,
            after=query.after(tuple[str, UUID]),
            search=query.search,
            role=query.role,
            active=query.active,
        )
        found = page(rows, query, lambda row: (row.name_key, row.id))
        return Page([_entry(row) for row in found.items], found.next)


def _changed(profile: Profile, change: ProfileChange) -> Profile:
    told = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}
    if "time_zone" in told and not is_time_zone(told["time_zone"]):
        message = f"{told['time_zone']!r} is no time zone; use an IANA name such as 'Europe/Berlin'"
        raise problems.Invalid(fields=[problems.FieldError("body.time_zone", message)])
    if "locale" in told:
        told["locale"] = tidy_locale(told["locale"])
    return msgspec.structs.replace(profile, **told)


def _own(profile: Profile) -> OwnProfile:
    return OwnProfile(**{name: getattr(profile, name) for name in OwnProfile.__struct_fields__})


def _etag(profile: OwnProfile) -> str:
    return etag_of(msgspec.json.encode(profile))


def _entry(row: Entry) -> DirectoryEntry:
    return DirectoryEntry(
        id=row.id,
        display_name=row.display_name,
        email=row.email_key,
        roles=tuple(sorted((row.roles or "").split())),
        active=row.active,
        created_at=row.created_at,
    )
