"""The kit of `auth/1` says of each of these providers, which break one promise, that it is broken."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

import msgspec
import pytest
from aiohttp import web

from kernel import Context, Event, Principal, Request
from kernel.contracts.auth import Account, RolesChanged, SignedIn, UserRegistered, Vouched
from kernel.database import Session
from kernel.testing.contracts.auth import AuthContract, AuthHttpContract, DeployedAuth, deployed
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.accounts import InMemoryAccounts, KnownAccount, KnownSession
from kernel.testing.fakes.auth import InMemoryAuth, InMemoryAuthPlugin
from tests.contracts.broken import assert_found
from tests.contracts.memory_auth import deploy_memory

Test = Callable[[DeployedAuth], Awaitable[None]]
KIT, HTTP = AuthContract(), AuthHttpContract()


class KeepsSessions(InMemoryAuth):
    """Goes on believing in sessions that ended, as a provider does that only looks at a signature."""

    async def authenticate(self, request: web.Request) -> Principal | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        session = self._session(token)
        account = self.accounts.find(session.user) if session is not None else None
        if session is None or account is None:
            return await super().authenticate(request)
        return self._vouched(account, session)


class BreaksDown(InMemoryAuth):
    """Does not reckon with a credential of another kind."""

    async def authenticate(self, request: web.Request) -> Principal | None:
        if request.headers.get("Authorization", "").startswith("Basic"):
            raise ValueError("no such scheme")
        return await super().authenticate(request)


class AllowsEverything(InMemoryAuth):
    """Gives whoever is signed in what some role has."""

    def _vouched(self, account: KnownAccount, session: KnownSession) -> Principal:
        found = super()._vouched(account, session)
        every = frozenset[str]().union(*self._roles.values())
        return Principal(id=found.id, session=found.session, roles=found.roles, permissions=every)


class RemembersRoles(InMemoryAuth):
    """Believes what a session's roles were when it was first seen."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._seen: dict[UUID, Principal] = {}

    def _vouched(self, account: KnownAccount, session: KnownSession) -> Principal:
        return self._seen.setdefault(session.id, super()._vouched(account, session))


class ReplacesRoles(InMemoryAuth):
    """Takes away what it is not asked for."""

    async def grant(self, email: str, roles: Iterable[str]) -> Account:
        account, told = self.accounts.arrive(email)
        await self.publish([*told, *self.accounts.set_roles(account, frozenset(roles))])
        return account.account()


class MakesTwins(InMemoryAuth):
    """Looks whether there is an account, and makes one a moment later."""

    async def grant(self, email: str, roles: Iterable[str]) -> Account:
        known = email in self.accounts._by_email
        await asyncio.sleep(0)
        if not known:
            self.accounts._by_email.pop(email, None)
        return await super().grant(email, roles)


class TellsNobody(InMemoryAuth):
    """Gives roles in silence."""

    async def publish(self, events: Iterable[Event], within: Session | None = None) -> None:
        await super().publish([one for one in events if not isinstance(one, RolesChanged | UserRegistered)], within)


class Abdicates(InMemoryAuth):
    """Closes whomever."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.accounts = _Anarchy(ctx.clock)


class MixesPeopleUp(InMemoryAuth):
    """Lists, and ends, the sessions of everybody."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.accounts = _Commune(ctx.clock)


class LetsClosedAccountsIn(InMemoryAuth):
    """Opens an account again for whoever signs in."""

    async def sign_in_by_name(self, email: str) -> str:
        self.accounts.open(self.accounts.arrive(email)[0])
        return await super().sign_in_by_name(email)


class TrustsEveryAddress(InMemoryAuth):
    """Opens whatever account has the address."""

    async def sign_in(self, request: Request, person: Vouched) -> SignedIn:
        account = None if person.user_id else self.accounts.arrive(person.email, person)[0]
        known = (
            msgspec.structs.replace(person, user_id=account.id) if account and account.roles != {"student"} else person
        )
        return await super().sign_in(request, msgspec.structs.replace(known, adopts=True))


class ForgetsToLookWhetherClosed(InMemoryAuth):
    """Opens an account again for whomever a plugin vouches for."""

    async def sign_in(self, request: Request, person: Vouched) -> SignedIn:
        account = self.accounts.find(person.user_id) if person.user_id else None
        if account is not None:
            self.accounts.open(account)
        return await super().sign_in(request, person)


class LeavesSessions(InMemoryAuth):
    """Gives a browser one session beside the other."""

    async def sign_in(self, request: Request, person: Vouched) -> SignedIn:
        bare = request.http.clone(headers={})
        return await super().sign_in(dataclasses.replace(request, http=bare), person)


class ForgetsWhoLeft(InMemoryAuth):
    """Takes the address of a closed account for nobody's."""

    async def holder(self, email: str) -> UUID | None:
        found = self.accounts.of(email)
        return found.id if found and found.active else None


class _Anarchy(InMemoryAccounts):
    def _keep_one(self, account: KnownAccount) -> None:
        """Keep nobody."""


class _Commune(InMemoryAccounts):
    def sessions(self, user: UUID) -> list[KnownSession]:
        living = [one for one in self._sessions.values() if not one.ended]
        return sorted(living, key=lambda one: one.id, reverse=True)


FAULTS: dict[type[InMemoryAuth], tuple[Test, ...]] = {
    KeepsSessions: (KIT.test_closing_ends_the_sessions, HTTP.test_session_is_ended_by_its_owner),
    BreaksDown: (KIT.test_credential_that_is_none_is_refused,),
    AllowsEverything: (KIT.test_roles_allow_what_plugins_declare, HTTP.test_accounts_are_for_those_who_may_see_them),
    RemembersRoles: (HTTP.test_roles_are_set_told_and_recorded,),
    ReplacesRoles: (KIT.test_grant_adds_to_the_roles_that_there_are,),
    MakesTwins: (KIT.test_grants_at_once_make_one_account,),
    TellsNobody: (KIT.test_first_sign_in_makes_an_account,),
    Abdicates: (KIT.test_last_administrator_is_not_closed, KIT.test_administrators_closed_at_once_leave_one),
    MixesPeopleUp: (HTTP.test_session_of_somebody_else_is_not_found, HTTP.test_all_other_sessions_are_ended),
    ForgetsWhoLeft: (KIT.test_holder_of_an_address_is_known,),
    LetsClosedAccountsIn: (KIT.test_closing_ends_the_sessions,),
    TrustsEveryAddress: (
        KIT.test_address_alone_opens_no_account_that_is_there,
        KIT.test_address_never_opens_the_account_of_an_administrator,
    ),
    ForgetsToLookWhetherClosed: (KIT.test_nobody_is_vouched_into_a_closed_account,),
    LeavesSessions: (KIT.test_session_that_the_browser_had_ends,),
}
CASES = [(provider, test) for provider, tests in FAULTS.items() for test in tests]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("provider", "test"), CASES, ids=lambda value: getattr(value, "__name__", "kit"))
async def test_kit_fails_a_provider_that_breaks_a_promise(
    deploy: Deploy, provider: type[InMemoryAuth], test: Test, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test that holds the promise fails with the broken provider, and passes with the whole one."""

    class Broken(InMemoryAuthPlugin):
        kind = provider

    monkeypatch.setattr(deployed, "PATIENCE", 0.2)  # which here nobody needs
    await assert_found(test, whole=await deploy_memory(deploy), broken=await deploy_memory(deploy, Broken))
