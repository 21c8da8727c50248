"""Sessions: seen and ended by their owner."""

from __future__ import annotations

from kernel.testing.deploying import Deploy
from tests.plugins.auth.signing_in import SESSIONS, problem, published, sign_in, signed_in, status


async def test_sessions_are_listed_newest_first(deploy: Deploy) -> None:
    """With address and client, in pages, and only one's own."""
    deployment = await deploy("auth", "mail")
    await signed_in(deployment, "eve@example.org")
    ids = []
    for _ in range(3):
        answer = await sign_in(deployment, "ada@example.org")
        ids.append(answer["session_id"])
        deployment.clock.advance(61)
    client = deployment.client(token=answer["access_token"])

    first = await client.call("GET", f"{SESSIONS}?limit=2")
    second = await client.call("GET", f"{SESSIONS}?limit=2&cursor={first['next']}")

    items = first["items"] + second["items"]
    assert [item["id"] for item in items] == ids[::-1]
    assert [item["current"] for item in items] == [True, False, False]
    assert second["next"] is None
    assert items[0]["address"] == "127.0.0.1"
    assert "aiohttp" in items[0]["client"]


async def test_owner_ends_one_session(deploy: Deploy) -> None:
    """Its token is refused at once; the others go on."""
    deployment = await deploy("auth", "mail")
    phone = await sign_in(deployment, "ada@example.org")
    deployment.clock.advance(61)
    desk = await signed_in(deployment, "ada@example.org")

    await desk.call("DELETE", f"{SESSIONS}/{phone['session_id']}", expect=204)

    assert await status(deployment.client(token=phone["access_token"]), "GET", SESSIONS) == 401
    assert len((await desk.call("GET", SESSIONS))["items"]) == 1
    assert (await published(deployment))[-1] == "auth.session_revoked.v1"


async def test_others_sessions_are_as_absent_ones(deploy: Deploy) -> None:
    """Nobody ends another's session, nor learns that it is there."""
    deployment = await deploy("auth", "mail")
    ada, eve = await sign_in(deployment, "ada@example.org"), await signed_in(deployment, "eve@example.org")
    absent = "00000000-0000-7000-8000-000000000000"

    found = [await problem(eve, "DELETE", f"{SESSIONS}/{id}") for id in (ada["session_id"], absent)]  # noqa: A001

    assert [status for status, _ in found] == [404, 404]
    assert {**found[0][1], "instance": None, "request_id": None} == {
        **found[1][1],
        "instance": None,
        "request_id": None,
    }
    assert await status(deployment.client(token=ada["access_token"]), "GET", SESSIONS) == 200


async def test_owner_ends_all_others(deploy: Deploy) -> None:
    """The session that asks goes on."""
    deployment = await deploy("auth", "mail")
    tokens = []
    for _ in range(3):
        tokens.append((await sign_in(deployment, "ada@example.org"))["access_token"])
        deployment.clock.advance(61)
    clients = [deployment.client(token=token) for token in tokens]

    await clients[1].call("DELETE", SESSIONS, expect=204)

    assert [await status(client, "GET", SESSIONS) for client in clients] == [401, 200, 401]


async def test_sign_out_ends_this_session_at_once(deploy: Deploy) -> None:
    """A token that was just used is refused right after."""
    deployment = await deploy("auth", "mail")
    client = await signed_in(deployment, "ada@example.org")
    assert await status(client, "GET", SESSIONS) == 200

    await client.call("POST", "/api/v1/auth/sign-out", expect=204)

    assert await status(client, "GET", SESSIONS) == 401


async def test_access_token_lives_ten_minutes(deploy: Deploy) -> None:
    """Also one that was verified and remembered before."""
    deployment = await deploy("auth", "mail")
    client = await signed_in(deployment, "ada@example.org")
    deployment.clock.advance(590)
    assert await status(client, "GET", SESSIONS) == 200

    deployment.clock.advance(20)

    assert await status(client, "GET", SESSIONS) == 401
