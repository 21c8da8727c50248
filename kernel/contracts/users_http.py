"""The HTTP surface of `users/1`: what every provider serves under `/api/v1/users`. A provider may serve and show more.

`GET /me` answers whoever is signed in with an `OwnProfile` and its ETag; somebody of whom nothing was heard yet has a
blank one. `PATCH /me` takes a `ProfileChange` and answers alike; 412 where an `If-Match` names what is outdated, 409
where two changes met.

`GET /{user_id}` answers everybody with a `Teacher`; 404 for whoever does not teach, or whose account is closed.

`GET` of the whole answers those who may (`users.list`) with a page of `DirectoryEntry` by name, of the people that a
`DirectoryQuery` asks for.

A profile begins with what `UserRegistered` told, but never overwrites what the person has told. The directory goes by
the events of `auth/1`, in whatever order they come. Each change of a profile is told by one `ProfileChanged`.
"""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel import PageQuery
from kernel.contracts.auth import Locale

#: The permission of whoever looks at the directory.
LIST_USERS: Final = "users.list"

#: Text of one line.
Line = Annotated[str, msgspec.Meta(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Role = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]
TimeZone = Annotated[
    str,
    msgspec.Meta(
        max_length=64,
        pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$(?!\n)",
        examples=["Europe/Berlin"],
        description="The IANA name of a time zone",
    ),
]


class OwnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has told."""

    id: UUID
    display_name: str
    locale: str
    time_zone: str


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    display_name: Name | msgspec.UnsetType = msgspec.UNSET
    locale: Locale | msgspec.UnsetType = msgspec.UNSET
    time_zone: TimeZone | msgspec.UnsetType = msgspec.UNSET  #: that `is_time_zone` knows, else 422


class Teacher(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may read about somebody who teaches."""

    id: UUID
    display_name: str


class DirectoryQuery(PageQuery, frozen=True, kw_only=True):
    """Whom to list."""

    search: Line | None = None  #: how the name or the address begins, in any case
    role: Role | None = None
    active: bool | None = None


class DirectoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One person of the directory."""

    id: UUID
    display_name: str
    email: str
    roles: tuple[str, ...]
    active: bool


def is_time_zone(name: str) -> bool:
    """Return whether *name* is an IANA time zone that this machine knows."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
