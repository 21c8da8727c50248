"""Administrators look after the sessions of others."""

from __future__ import annotations

from kernel import new_id
from kernel.testing.deploying import Deploy
from tests.plugins.auth.browsing import browse
from tests.plugins.auth.signing_in import SESSIONS, administrator, published, sign_in, signed_in, status, told_acts

ACCOUNTS = "/api/v1/auth/accounts"


async def test_sessions_of_a_person_are_listed(deploy: Deploy) -> None:
    """All kinds, the newest first, in pages; none is that of the request."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    first = await sign_in(deployment, "ada@example.org")
    deployment.clock.advance(61)
    second = await browse(deployment, "ada@example.org")
    path = f"{ACCOUNTS}/{second.user}/sessions"

    page = await admin.call("GET", f"{path}?limit=1")
    rest = await admin.call("GET", f"{path}?limit=1&cursor={page['next']}")

    items = page["items"] + rest["items"]
    assert [item["id"] for item in items] == [second.session, first["session_id"]]
    assert [item["kind"] for item in items] == ["browser", "application"]
    assert not any(item["current"] for item in items)
    assert await told_acts(deployment, "auth.end_sessions") == []


async def test_administrator_ends_all_sessions_of_a_person(deploy: Deploy) -> None:
    """Tokens, refresh tokens and cookies; once more ends nothing and is no act."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    phone = await sign_in(deployment, "ada@example.org")
    deployment.clock.advance(61)
    desk = await browse(deployment, "ada@example.org")
    path = f"{ACCOUNTS}/{desk.user}/sessions"

    for _ in range(2):
        await admin.call("DELETE", path, expect=204)

    assert await status(deployment.client(token=phone["access_token"]), "GET", SESSIONS) == 401
    refresh = {"refresh_token": phone["refresh_token"]}
    assert await status(deployment.client(), "POST", "/api/v1/auth/tokens", refresh) == 401
    assert await desk.status("GET", SESSIONS) == 401
    (told,) = await told_acts(deployment, "auth.end_sessions")
    assert (told["subject"], told["after"]) == (f"account:{desk.user}", {"sessions": []})
    assert sorted(told["before"]["sessions"]) == sorted([phone["session_id"], desk.session])
    assert (await published(deployment)).count("auth.session_revoked.v1") == 2


async def test_administrator_ends_one_session_of_a_person(deploy: Deploy) -> None:
    """The others go on; one of somebody else is not found there."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    phone = await sign_in(deployment, "ada@example.org")
    deployment.clock.advance(61)
    desk = await signed_in(deployment, "ada@example.org")
    eve = await sign_in(deployment, "eve@example.org")
    path = f"{ACCOUNTS}/{phone['user']['id']}/sessions"

    await admin.call("DELETE", f"{path}/{eve['session_id']}", expect=404)
    await admin.call("DELETE", f"{path}/{phone['session_id']}", expect=204)
    await admin.call("DELETE", f"{path}/{phone['session_id']}", expect=404)

    assert await status(deployment.client(token=phone["access_token"]), "GET", SESSIONS) == 401
    assert await status(desk, "GET", SESSIONS) == 200
    assert await status(deployment.client(token=eve["access_token"]), "GET", SESSIONS) == 200
    (told,) = await told_acts(deployment, "auth.end_sessions")
    assert told["before"] == {"sessions": [phone["session_id"]]}


async def test_account_that_is_not_there_has_no_sessions(deploy: Deploy) -> None:
    """404 for all; and only administrators ask."""
    deployment = await deploy("auth", "mail")
    admin, ada = await administrator(deployment), await signed_in(deployment, "ada@example.org")
    path = f"{ACCOUNTS}/{new_id()}/sessions"
    calls = [("GET", path), ("DELETE", path), ("DELETE", f"{path}/{new_id()}")]

    assert [await status(admin, *call) for call in calls] == [404] * 3
    assert [await status(ada, *call) for call in calls] == [403] * 3
