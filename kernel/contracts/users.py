"""`users/1`: what people tell about themselves. What is served over HTTP is in `users_http`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Personal
from kernel.capabilities import Capability


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What anyone may see of a person."""

    id: UUID
    display_name: str


class ProfileChanged(Event, frozen=True, kw_only=True):
    """A person's profile is new."""

    name: ClassVar[str] = "users.profile_changed.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"display_name": "", "locale": "en", "time_zone": "UTC"}}
    user_id: UUID
    display_name: str
    locale: str
    time_zone: str


class Users(Protocol):
    """Knows people by name."""

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        """Return those of *ids* that exist, in one query."""
        ...


USERS: Final[Capability[Users]] = Capability("users", 1)
