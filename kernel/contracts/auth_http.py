"""The HTTP surface of `auth/1`: what every provider serves under `/api/v1/auth`. A provider may serve and show more.

How people sign in is the provider's own: by code, against a directory, at another site. What a request bears is its own
too, a bearer token or a cookie; whatever is wrong with it, the answer is 401 `not-signed-in`. What follows is common.

Whoever is signed in looks after their sessions: `GET /sessions` is a page of `SessionSeen`, the newest first;
`DELETE /sessions/{session_id}` ends one, and is a 404 for what is no living session of one's own; `DELETE /sessions`
ends all but this one; `POST /sign-out` ends this one. Each answers 204, and each session that ends is told by one
`SessionRevoked`.

Whoever may (`auth.manage_accounts`) looks after accounts: `GET /accounts` is a page of `AccountSeen` by address, of
those that an `AccountQuery` asks for; `GET /accounts/{account_id}` is one of them; `PUT /accounts/{account_id}/roles`
takes `NewRoles`, and is a 422 for roles that nobody knows (all know `ROLES`); `POST /accounts/{account_id}/disable`
closes an account and ends its sessions, `POST /accounts/{account_id}/enable` opens it again. They answer `AccountSeen`,
404 where there is no account, and 409 `last-administrator` where nobody would administer any more. What changes
something is told, and recorded as an act (`auth.set_roles`, `auth.disable`, `auth.enable`) on `account:<id>`; what
changes nothing is neither.

Whatever ends or changes counts in every process within five seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec

from kernel import PageQuery
from kernel.contracts.auth import Role

#: The permission of whoever looks after accounts.
MANAGE_ACCOUNTS: Final = "auth.manage_accounts"
#: The roles of every deployment; permissions may name others.
ROLES: Final = frozenset({"student", "instructor", "admin"})

Prefix = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[\x21-\x7e]*$(?!\n)")]


class SessionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One of a person's sessions."""

    id: UUID
    created_at: datetime
    current: bool  #: the session of this request


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An account as administrators see it."""

    id: UUID
    email: str
    roles: tuple[str, ...]
    active: bool


class AccountQuery(PageQuery, frozen=True, kw_only=True):
    """Which accounts to list."""

    email: Prefix | None = None  #: how the address begins
    role: Role | None = None
    active: bool | None = None


class NewRoles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All roles that the account is to have."""

    roles: Annotated[list[Role], msgspec.Meta(max_length=20)]
