"""Accounts and sessions in memory: what `InMemoryAuth` knows of people. Each change returns what is to be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel import Event, new_id
from kernel.clock import Clock
from kernel.contracts.auth import (
    Account,
    AccountClosed,
    AddressTaken,
    Email,
    LastAdministrator,
    RolesChanged,
    SessionRevoked,
    SessionStarted,
    UserDisabled,
    UserEnabled,
    UserRegistered,
    Vouched,
)
from kernel.contracts.auth_http import AccountQuery, AccountSeen

ADMIN: Final = "admin"
STUDENT: Final = "student"


@dataclass
class KnownAccount:
    """An account as it is now."""

    email: str
    id: UUID = field(default_factory=new_id)
    roles: frozenset[str] = frozenset({STUDENT})
    active: bool = True
    version: int = 1

    @property
    def administers(self) -> bool:
        return self.active and ADMIN in self.roles

    def account(self) -> Account:
        return Account(id=self.id, email=self.email, roles=tuple(sorted(self.roles)), active=self.active)

    def seen(self) -> AccountSeen:
        return AccountSeen(id=self.id, email=self.email, roles=tuple(sorted(self.roles)), active=self.active)


@dataclass
class KnownSession:
    """A session, living or ended."""

    user: UUID
    created_at: datetime
    id: UUID = field(default_factory=new_id)
    ended: bool = False


class InMemoryAccounts:
    """Keeps accounts and sessions, and one administrator at least."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_id: dict[UUID, KnownAccount] = {}
        self._by_email: dict[str, KnownAccount] = {}
        self._sessions: dict[str, KnownSession] = {}  #: by token

    def find(self, user: UUID) -> KnownAccount | None:
        """Return the account, None when there is none."""
        return self._by_id.get(user)

    def of(self, email: str) -> KnownAccount | None:
        """Return the account of *email*, however it is typed, None when there is none."""
        return self._by_email.get(email.strip().lower())

    def matching(self, query: AccountQuery) -> list[AccountSeen]:
        """Return the accounts that *query* asks for by address, the whole list."""
        prefix = (query.email or "").lower()
        wanted = (
            known.seen()
            for email, known in sorted(self._by_email.items())
            if email.startswith(prefix) and query.role in (None, *known.roles) and query.active in (None, known.active)
        )
        return list(wanted)

    def vouched(self, person: Vouched) -> tuple[KnownAccount, list[Event]]:
        """Return the account of somebody who is vouched for, made now if there is none.

        Raises:
            AddressTaken: there is one which the address does not open.
            AccountClosed: it is closed, or there is none of the id.
        """
        account, told = (self.find(person.user_id), []) if person.user_id else self.arrive(person.email, person)
        if account is None:
            raise AccountClosed
        if person.user_id is None and not told and not (person.adopts and ADMIN not in account.roles):
            raise AddressTaken
        if not account.active:
            raise AccountClosed
        return account, told

    def arrive(self, email: str, person: Vouched | None = None) -> tuple[KnownAccount, list[Event]]:
        """Return the account of *email*, made now, as *person* is named, if there is none.

        Raises:
            ValueError: *email* is no mail address.
        """
        address = msgspec.convert(email, Email).lower()
        found = self._by_email.get(address)
        if found is not None:
            return found, []
        made = self.add(KnownAccount(address))
        told = UserRegistered(
            user_id=made.id,
            email=address,
            display_name=person.display_name if person else "",
            locale=(person.locale if person else "") or "en",
            roles=(STUDENT,),
            version=made.version,
        )
        return made, [told]

    def add(self, account: KnownAccount) -> KnownAccount:
        """Keep a new account; return it."""
        self._by_id[account.id] = self._by_email[account.email] = account
        return account

    def set_roles(self, account: KnownAccount, roles: frozenset[str], by: UUID | None = None) -> list[Event]:
        """Give *account* exactly *roles*.

        Raises:
            LastAdministrator: nobody would administer any more.
        """
        if roles == account.roles:
            return []
        if ADMIN not in roles:
            self._keep_one(account)
        account.roles, account.version = roles, account.version + 1
        told = tuple(sorted(roles))
        return [RolesChanged(user_id=account.id, roles=told, changed_by=by, version=account.version)]

    def close(self, account: KnownAccount) -> list[Event]:
        """Close *account* and end its sessions; nothing happens to a closed one.

        Raises:
            LastAdministrator: nobody would administer any more.
        """
        if not account.active:
            return []
        self._keep_one(account)
        account.active, account.version = False, account.version + 1
        ended = [event for one in self.sessions(account.id) for event in self.end(one, "disabled")]
        return [UserDisabled(user_id=account.id, version=account.version), *ended]

    def open(self, account: KnownAccount) -> list[Event]:
        """Open *account* again; its sessions stay ended."""
        if account.active:
            return []
        account.active, account.version = True, account.version + 1
        return [UserEnabled(user_id=account.id, version=account.version)]

    def start(self, token: str, user: UUID) -> list[Event]:
        """Start a session whose proof is *token*."""
        started = self._sessions[token] = KnownSession(user, self._clock.now())
        return [SessionStarted(user_id=user, session_id=started.id)]

    def session(self, token: str) -> KnownSession | None:
        """Return the session of *token*, living or ended."""
        return self._sessions.get(token)

    def sessions(self, user: UUID) -> list[KnownSession]:
        """Return the person's living sessions, the newest first."""
        living = [one for one in self._sessions.values() if one.user == user and not one.ended]
        return sorted(living, key=lambda one: one.id, reverse=True)

    def end(self, session: KnownSession, reason: str) -> list[Event]:
        """End *session*, once."""
        if session.ended:
            return []
        session.ended = True
        return [SessionRevoked(user_id=session.user, session_id=session.id, reason=reason)]

    def _keep_one(self, account: KnownAccount) -> None:
        others = any(one.administers for one in self._by_id.values() if one is not account)
        if account.administers and not others:
            raise LastAdministrator
