"""The service: other plugins vouch for people, whose browsers are signed in then."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from kernel import new_id
from kernel.contracts.auth import SessionRevoked, SessionStarted, UserRegistered
from kernel.testing.contracts.auth.deployed import DeployedAuth, user_of

ADA: Final[dict[str, Any]] = {"email": "Ada@Example.org", "display_name": "Ada Long", "locale": "de"}


class VouchingContract:
    """What every provider does, and refuses, when a plugin vouches for somebody."""

    async def test_vouched_stranger_gets_an_account_and_a_session(self, harness: DeployedAuth) -> None:
        """With what is known of them; the account is the one of the address from then on."""
        browser = await harness.vouch(**ADA)

        seen, told = await browser.who(), await harness.told_once(UserRegistered)
        assert browser.body["new"] is True
        assert seen is not None
        assert seen.id == browser.user == told.user_id
        assert (told.email, told.display_name, told.locale) == ("ada@example.org", "Ada Long", "de")
        started = await harness.told_once(SessionStarted)
        assert (started.user_id, started.session_id) == (browser.user, seen.session)
        assert (await harness.sign_in("ada@example.org")).user == browser.user

    async def test_vouched_account_is_opened_by_its_id(self, harness: DeployedAuth) -> None:
        """Whatever the address says by now; no other account comes of it."""
        ada = await harness.sign_in("ada@example.org")

        browser = await harness.vouch(user_id=str(ada.user), email="other@example.org")

        assert (browser.user, browser.body["new"]) == (ada.user, False)
        seen = await browser.who()
        assert seen is not None
        assert seen.id == ada.user
        assert seen.session != (await harness.who(ada)).session
        assert len(await harness.told(UserRegistered)) == 1

    async def test_address_alone_opens_no_account_that_is_there(self, harness: DeployedAuth) -> None:
        """Neither one that was signed in to nor one that waits for its owner."""
        await harness.sign_in("ada@example.org")
        await harness.auth.grant("bob@example.org", ["instructor"])

        for email in ("ada@example.org", "BOB@example.org"):
            refused = await harness.vouch(email=email, expect=409)
            assert (refused.body["type"], refused.cookies) == ("/problems/address-taken", {})

        assert len(await harness.told(SessionStarted)) == 1

    async def test_address_opens_the_account_where_the_institution_trusts_it(self, harness: DeployedAuth) -> None:
        """Which the plugin says that vouches."""
        ada = await harness.sign_in("ada@example.org")

        browser = await harness.vouch(**ADA, adopts="true")

        assert (browser.user, browser.body["new"]) == (ada.user, False)

    async def test_address_never_opens_the_account_of_an_administrator(self, harness: DeployedAuth) -> None:
        """By the id, once the administrator has linked it, it is opened."""
        root = await harness.administrator()

        await harness.vouch(email="root@example.org", adopts="true", expect=409)

        assert (await harness.vouch(user_id=str(user_of(root)))).user == root.user

    async def test_nobody_is_vouched_into_a_closed_account(self, harness: DeployedAuth) -> None:
        """Nor into one that never was."""
        person = user_of(await harness.sign_in("ada@example.org"))
        await harness.auth.close(person)

        for account in ({"user_id": str(person)}, {"user_id": str(new_id())}, {**ADA, "adopts": "true"}):
            refused = await harness.vouch(**account, expect=403)
            assert (refused.body["type"], refused.cookies) == ("/problems/account-closed", {})

        assert len(await harness.told(SessionStarted)) == 1

    async def test_session_that_the_browser_had_ends(self, harness: DeployedAuth) -> None:
        """One browser has one session."""
        first = await harness.vouch(**ADA)
        seen = await first.who()

        second = await harness.vouch(user_id=str(first.user), cookies=first.cookies)

        assert seen is not None
        assert (await harness.told_once(SessionRevoked)).session_id == seen.session
        assert await second.who() is not None

    async def test_closing_ends_vouched_sessions(self, harness: DeployedAuth) -> None:
        """As any other."""
        browser = await harness.vouch(**ADA)

        await harness.auth.close(browser.user)

        assert (await harness.told_once(SessionRevoked)).reason == "disabled"
        async with asyncio.timeout(5):
            while await browser.who() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # it sets no Event of ours

    async def test_stranger_vouched_for_at_once_gets_one_account(self, harness: DeployedAuth) -> None:
        """Whoever comes second is told that there is one by now, or opens it."""
        found = await asyncio.gather(*(harness.vouch(**ADA, adopts="true") for _ in range(4)))

        assert len({browser.user for browser in found}) == 1
        assert [browser.body["new"] for browser in found].count(True) == 1
        assert len(await harness.told(UserRegistered)) == 1
