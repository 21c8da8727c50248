"""The service: accounts are closed, but never that of the last administrator."""

from __future__ import annotations

import asyncio

import pytest

from kernel import new_id
from kernel.contracts.auth import LastAdministrator, SessionRevoked, UserDisabled
from kernel.testing.contracts.auth.deployed import DeployedAuth, NotLetIn, user_of


class ClosingContract:
    """What every provider keeps about accounts that are closed."""

    async def test_closing_ends_the_sessions(self, harness: DeployedAuth) -> None:
        """All of the person's and nobody else's; nobody signs in any more."""
        ada, other = await harness.sign_in("ada@example.org"), await harness.sign_in("ada@example.org")
        bob = await harness.sign_in("bob@example.org")

        await harness.auth.close(user_of(ada))

        account = await harness.auth.account(user_of(ada))
        assert account is not None
        assert not account.active
        assert [await harness.is_refused(client) for client in (ada, other)] == [True, True]
        assert (await harness.who(bob)).id == bob.user
        assert {event.reason for event in await harness.told(SessionRevoked)} == {"disabled"}
        assert len(await harness.told(SessionRevoked)) == 2
        with pytest.raises(NotLetIn):
            await harness.sign_in("ada@example.org")

    async def test_closing_repeated_does_nothing(self, harness: DeployedAuth) -> None:
        """Nor does that of an account that is not there."""
        person = user_of(await harness.sign_in("ada@example.org"))

        for account in (person, person, new_id()):
            await harness.auth.close(account)

        assert [event.user_id for event in await harness.told(UserDisabled)] == [person]
        assert len(await harness.told(SessionRevoked)) == 1

    async def test_last_administrator_is_not_closed(self, harness: DeployedAuth) -> None:
        """And nothing is left of the attempt."""
        administrator = await harness.administrator()
        await harness.sign_in("ada@example.org")

        with pytest.raises(LastAdministrator):
            await harness.auth.close(user_of(administrator))

        assert await harness.may_rule(administrator, True)
        assert await harness.told(UserDisabled) == []

    async def test_administrators_closed_at_once_leave_one(self, harness: DeployedAuth) -> None:
        """Whoever comes last is refused."""
        emails = [f"admin{number}@example.org" for number in range(4)]
        accounts = [await harness.auth.grant(email, ["admin"]) for email in emails]

        closing = (harness.auth.close(account.id) for account in accounts)
        outcomes = await asyncio.gather(*closing, return_exceptions=True)

        assert [type(one) for one in outcomes if one is not None] == [LastAdministrator]
        found = [await harness.auth.account(account.id) for account in accounts]
        assert [one.active for one in found if one is not None].count(True) == 1
        assert len(await harness.told(UserDisabled)) == 3
