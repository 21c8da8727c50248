"""What is shown of people and their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from kernel.contracts import auth_http
from plugins.auth.accounts import AccountRow, split_roles
from plugins.auth.sessions import OwnSession


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in."""

    id: UUID
    email: str
    roles: tuple[str, ...]


class SessionSeen(auth_http.SessionSeen, frozen=True, kw_only=True):
    """One of a person's sessions."""

    last_used_at: datetime  #: when its tokens were last renewed; of a browser's to within five minutes
    expires_at: datetime  #: for a browser's, unless it is used before
    address: str
    client: str
    kind: Literal["application", "browser"] = "application"  #: whether it has tokens or a cookie
    signed_in_by: str = "code"  #: or who vouched for the person


class AccountSeen(auth_http.AccountSeen, frozen=True, kw_only=True):
    """An account as administrators see it."""

    created_at: datetime
    signed_in_at: datetime | None


def session_seen(row: OwnSession, current: UUID) -> SessionSeen:
    """Return what is shown of a session in the session *current*."""
    return SessionSeen(
        id=row.id,
        created_at=row.created_at,
        last_used_at=row.used_at,
        expires_at=row.expires_at if row.idle_until is None else min(row.expires_at, row.idle_until),
        address=row.address,
        client=row.client,
        kind="application" if row.idle_until is None else "browser",
        signed_in_by=row.signed_in_by,
        current=row.id == current,
    )


def account_seen(row: AccountRow) -> AccountSeen:
    """Return what is shown of an account."""
    return AccountSeen(
        id=row.id,
        email=row.email,
        roles=tuple(sorted(split_roles(row.roles))),
        active=row.active,
        created_at=row.created_at,
        signed_in_at=row.signed_in_at,
    )
