"""The service: accounts, and the roles that code gives."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from kernel import new_id
from kernel.contracts.auth import Account, RolesChanged, SessionStarted, UserRegistered
from kernel.testing.contracts.auth.deployed import DeployedAuth, user_of


class AccountsContract:
    """What every provider keeps about who there is."""

    async def test_nobody_has_no_account(self, harness: DeployedAuth) -> None:
        """An id that was never given."""
        assert await harness.auth.account(new_id()) is None

    async def test_first_sign_in_makes_an_account(self, harness: DeployedAuth) -> None:
        """It is told once; each sign-in starts a session, which is told too."""
        first = await harness.sign_in("ada@example.org")
        again = await harness.sign_in("ada@example.org")

        account = await harness.auth.account(user_of(first))
        assert account is not None
        assert (account.id, account.email, account.active) == (again.user, "ada@example.org", True)
        told = await harness.told_once(UserRegistered)
        assert (told.user_id, told.email, tuple(sorted(told.roles))) == (account.id, account.email, account.roles)
        started = await harness.told(SessionStarted)
        assert [event.user_id for event in started] == [account.id] * 2
        assert {event.session_id for event in started} == {(await harness.who(one)).session for one in (first, again)}

    async def test_grant_makes_the_account_that_is_signed_in_to_later(self, harness: DeployedAuth) -> None:
        """However the address is typed, it is one account."""
        made = await harness.auth.grant("Ada@Example.org", ["instructor"])

        client = await harness.sign_in("ada@example.org")

        assert (client.user, made.email) == (made.id, "ada@example.org")
        assert await harness.auth.account(made.id) == made
        assert "instructor" in made.roles
        assert [event.user_id for event in await harness.told(UserRegistered)] == [made.id]

    async def test_holder_of_an_address_is_known(self, harness: DeployedAuth) -> None:
        """However it is typed, and of a closed account too: what is sent there reaches that person and nobody else."""
        made = await harness.auth.grant("ada@example.org", ["instructor"])
        await harness.auth.close(made.id)

        assert await harness.auth.holder("Ada@Example.org") == made.id
        assert await harness.auth.holder("bob@example.org") is None

    async def test_grant_adds_to_the_roles_that_there_are(self, harness: DeployedAuth) -> None:
        """Those that the account has already are given and told only once; the events tell all that it has now."""
        before = await harness.auth.grant("ada@example.org", ["instructor"])

        after = await harness.auth.grant("ada@example.org", ["instructor", "admin"])
        assert await harness.auth.grant("ada@example.org", ["admin"]) == after

        assert set(after.roles) == {*before.roles, "admin"}
        assert tuple(sorted((await harness.told(RolesChanged))[-1].roles)) == after.roles
        counted = [set(event.roles) for event in await harness.told(RolesChanged)]
        assert all(one != other for one, other in itertools.pairwise(counted))

    async def test_later_changes_have_greater_versions(self, harness: DeployedAuth) -> None:
        """So that whoever hears of them out of order knows which is true."""
        for role in ("instructor", "admin"):
            await harness.auth.grant("ada@example.org", [role])

        made = await harness.told_once(UserRegistered)
        versions = [made.version, *(event.version for event in await harness.told(RolesChanged))]
        assert versions == sorted(set(versions))
        assert versions[0] > 0

    async def test_grant_to_no_address_is_a_mistake(self, harness: DeployedAuth) -> None:
        """Nothing comes of it."""
        for email in ("", "ada", "ada@", "a@b@example.org", "ada@example.org\nBcc: eve@example.org"):
            with pytest.raises(ValueError, match=r"."):
                await harness.auth.grant(email, ["admin"])

        assert await harness.told(UserRegistered) == []

    async def test_grants_at_once_make_one_account(self, harness: DeployedAuth) -> None:
        """With all the roles."""
        roles = ("instructor", "admin", "instructor", "admin")

        made = await asyncio.gather(*(harness.auth.grant("ada@example.org", [role]) for role in roles))

        assert len({one.id for one in made}) == 1
        account = await harness.auth.account(made[0].id)
        assert isinstance(account, Account)
        assert {"admin", "instructor"} <= set(account.roles)
        assert len(await harness.told(UserRegistered)) == 1
