"""HTTP: whoever is signed in looks after their sessions."""

from __future__ import annotations

import msgspec

from kernel import new_id
from kernel.contracts.auth import SessionRevoked
from kernel.contracts.auth_http import SessionSeen
from kernel.testing.clients import Client
from kernel.testing.contracts.auth.deployed import BASE, SESSIONS, DeployedAuth


class SessionsContract:
    """What every provider answers about sessions."""

    async def test_sessions_are_listed_newest_first(self, harness: DeployedAuth) -> None:
        """One's own, in pages, and which of them this is."""
        clients = [await harness.sign_in("ada@example.org") for _ in range(3)]
        await harness.sign_in("bob@example.org")
        ids = [(await harness.who(client)).session for client in clients]

        first = await clients[1].call("GET", f"{SESSIONS}?limit=2")
        rest = await clients[1].call("GET", f"{SESSIONS}?limit=2&cursor={first['next']}")

        found = msgspec.convert([*first["items"], *rest["items"]], list[SessionSeen])
        assert [(one.id, one.current) for one in found] == [(ids[2], False), (ids[1], True), (ids[0], False)]
        assert rest["next"] is None

    async def test_session_is_ended_by_its_owner(self, harness: DeployedAuth) -> None:
        """Once; the others go on."""
        here, there = await harness.sign_in("ada@example.org"), await harness.sign_in("ada@example.org")
        ending = (await harness.who(there)).session

        await here.call("DELETE", f"{SESSIONS}/{ending}", expect=204)

        assert await harness.is_refused(there)
        await harness.who(here)
        assert [one.id for one in await listed(here)] == [(await harness.who(here)).session]
        await here.call("DELETE", f"{SESSIONS}/{ending}", expect=404)
        told = await harness.told_once(SessionRevoked)
        assert (told.session_id, told.user_id, told.reason) == (ending, here.user, "sign-out")

    async def test_session_of_somebody_else_is_not_found(self, harness: DeployedAuth) -> None:
        """As one that never was."""
        ada, bob = await harness.sign_in("ada@example.org"), await harness.sign_in("bob@example.org")

        for session in ((await harness.who(bob)).session, new_id()):
            await ada.call("DELETE", f"{SESSIONS}/{session}", expect=404)

        await harness.who(bob)
        assert await harness.told(SessionRevoked) == []

    async def test_all_other_sessions_are_ended(self, harness: DeployedAuth) -> None:
        """One's own: this one, and other people's, go on."""
        here, *others = [await harness.sign_in("ada@example.org") for _ in range(3)]
        bob = await harness.sign_in("bob@example.org")

        await here.call("DELETE", SESSIONS, expect=204)

        assert [await harness.is_refused(client) for client in others] == [True, True]
        await harness.who(here)
        await harness.who(bob)
        assert len(await harness.told(SessionRevoked)) == 2

    async def test_sign_out_ends_this_session(self, harness: DeployedAuth) -> None:
        """And no other."""
        here, there = await harness.sign_in("ada@example.org"), await harness.sign_in("ada@example.org")

        await here.call("POST", f"{BASE}/sign-out", expect=204)

        assert await harness.is_refused(here)
        await harness.who(there)
        assert [event.reason for event in await harness.told(SessionRevoked)] == ["sign-out"]

    async def test_strangers_have_no_sessions(self, harness: DeployedAuth) -> None:
        """Sign in first."""
        stranger = harness.deployment.client()

        for method, path in (("GET", SESSIONS), ("DELETE", SESSIONS), ("POST", f"{BASE}/sign-out")):
            await stranger.call(method, path, expect=401)


async def listed(client: Client) -> list[SessionSeen]:
    """Return the sessions that *client* sees."""
    return msgspec.convert((await client.call("GET", SESSIONS))["items"], list[SessionSeen])
