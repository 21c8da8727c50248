"""Who calls: a person who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A person who is signed in, as the provider of `auth/1` vouches."""

    id: UUID  #: the person
    session: UUID  #: the session in which the person signed in
    roles: frozenset[str]  #: names such as `student`, `instructor`, `admin`
    permissions: frozenset[str]  #: what those roles allow
    actor: UUID | None = None  #: the administrator who stands in for the person, if one does
    expires: datetime | None = None  #: when the sign-in is over unless it is renewed; None where nobody says
