"""What ends in one process ends in the others within five seconds."""

from __future__ import annotations

import asyncio
import time

import pytest

from kernel.database import Command
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth import remembered
from plugins.auth.identity import AuthIdentity
from plugins.auth.keys import KeyRing
from plugins.auth.revocations import Revocations
from plugins.auth.tables import signing_keys
from tests.plugins.auth.browsing import Browser, browse
from tests.plugins.auth.signing_in import SESSIONS, administrator, sign_in, signed_in, status

LIMIT = 5.0  # seconds
ACCOUNTS = "/api/v1/auth/accounts"


async def becomes(expected: int, deployment: Deployment, token: str, path: str = SESSIONS) -> float:
    """Return after how many seconds a request gets the *expected* status."""
    client, began = deployment.client(token=token), time.monotonic()
    while await status(client, "GET", path) != expected:
        assert time.monotonic() - began < LIMIT + 1
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.postgresql_only
async def test_sign_out_reaches_other_processes(deploy: Deploy) -> None:
    """A token that the other process had already verified is refused there."""
    here = await deploy("auth", "mail")
    there = await here.twin()
    token = (await sign_in(here, "ada@example.org"))["access_token"]
    assert await becomes(200, there, token) < LIMIT

    await here.client(token=token).call("POST", "/api/v1/auth/sign-out", expect=204)

    assert await becomes(401, there, token) < LIMIT


@pytest.mark.postgresql_only
async def test_lost_broadcast_costs_no_more_than_the_poll(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process finds out by itself."""
    monkeypatch.setattr(Revocations, "_broadcast", lambda self: None)
    here = await deploy("auth", "mail")
    there = await here.twin()
    token = (await sign_in(here, "ada@example.org"))["access_token"]
    assert await becomes(200, there, token) < LIMIT

    await here.client(token=token).call("POST", "/api/v1/auth/sign-out", expect=204)

    assert await becomes(401, there, token) < LIMIT


@pytest.mark.postgresql_only
async def test_demotion_and_disabling_reach_other_processes(deploy: Deploy) -> None:
    """A former administrator is refused there, and a disabled one is nobody."""
    here = await deploy("auth", "mail")
    there = await here.twin()
    admin = await administrator(here)
    ada = await sign_in(here, "ada@example.org")
    account, token = ada["user"]["id"], ada["access_token"]
    assert await becomes(403, there, token, ACCOUNTS) < LIMIT

    await admin.call("PUT", f"{ACCOUNTS}/{account}/roles", {"roles": ["admin"]})
    assert await becomes(200, there, token, ACCOUNTS) < LIMIT
    await admin.call("PUT", f"{ACCOUNTS}/{account}/roles", {"roles": []})
    assert await becomes(403, there, token, ACCOUNTS) < LIMIT
    await admin.call("POST", f"{ACCOUNTS}/{account}/disable")
    assert await becomes(401, there, token) < LIMIT


async def turns(browser: Browser, expected: int, path: str = SESSIONS) -> float:
    """Return after how many seconds a request of *browser* gets the *expected* status."""
    began = time.monotonic()
    while await browser.status("GET", path) != expected:
        assert time.monotonic() - began < LIMIT + 1
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.postgresql_only
@pytest.mark.parametrize("lost", [False, True])
async def test_cookie_ends_in_other_processes(deploy: Deploy, monkeypatch: pytest.MonkeyPatch, lost: bool) -> None:
    """Signed out, ended or disabled, though the other process knows it; a demoted administrator is refused there."""
    if lost:
        monkeypatch.setattr(Revocations, "_broadcast", lambda self: None)
    here = await deploy("auth", "mail")
    there, admin = await here.twin(), await administrator(here)
    browsers = [await browse(here, f"ada{number}@example.org") for number in range(4)]
    for browser in browsers:
        await admin.call("PUT", f"{ACCOUNTS}/{browser.user}/roles", {"roles": ["admin"]})
    out, ended, disabled, demoted = (browser.at(there) for browser in browsers)
    for browser in (out, ended, disabled, demoted):
        assert await turns(browser, 200, ACCOUNTS) < LIMIT

    assert await browsers[0].status("POST", "/api/v1/auth/sign-out") == 204
    await admin.call("DELETE", f"{ACCOUNTS}/{ended.user}/sessions")
    await admin.call("POST", f"{ACCOUNTS}/{disabled.user}/disable")
    await admin.call("PUT", f"{ACCOUNTS}/{demoted.user}/roles", {"roles": ["student"]})

    for browser in (out, ended, disabled):
        assert await turns(browser, 401) < LIMIT
    assert await turns(demoted, 403, ACCOUNTS) < LIMIT
    assert await demoted.status("GET", SESSIONS) == 200


@pytest.mark.postgresql_only
@pytest.mark.parametrize("ending", ["sign-out", "demoted", "disabled", "person disabled"])
async def test_standing_in_ends_in_other_processes(deploy: Deploy, ending: str) -> None:
    """With the administrator's session, right or account, or the person's account."""
    here = await deploy("auth", "mail")
    there, root = await here.twin(), await administrator(here)
    helper = await sign_in(here, "helper@example.org")
    account, person = helper["user"]["id"], (await sign_in(here, "ada@example.org"))["user"]["id"]
    await root.call("PUT", f"{ACCOUNTS}/{account}/roles", {"roles": ["admin", "student"]})
    admin = here.client(token=helper["access_token"])
    token = (await admin.call("POST", f"{ACCOUNTS}/{person}/act-as", {"reason": "Help."}))["access_token"]
    assert await becomes(403, there, token) < LIMIT  # known there, where it may not look at the person's sessions

    await {
        "sign-out": lambda: admin.call("POST", "/api/v1/auth/sign-out"),
        "demoted": lambda: root.call("PUT", f"{ACCOUNTS}/{account}/roles", {"roles": ["student"]}),
        "disabled": lambda: root.call("POST", f"{ACCOUNTS}/{account}/disable"),
        "person disabled": lambda: root.call("POST", f"{ACCOUNTS}/{person}/disable"),
    }[ending]()

    assert await becomes(401, there, token) < LIMIT


@pytest.mark.postgresql_only
async def test_processes_that_start_together_use_one_first_key(deploy: Deploy) -> None:
    """A token of one is good in the other."""
    here = await deploy("auth", "mail")
    there = await here.twin()
    rings = [deployment.platform.context("auth").own(KeyRing) for deployment in (here, there)]
    async with here.platform.context("auth").db.transaction() as session:
        await session.run(Command(signing_keys.delete()))

    await asyncio.gather(*(ring.load() for ring in rings))

    assert [key["kid"] for key in rings[0].public()] == [key["kid"] for key in rings[1].public()]
    assert len(rings[0].public()) == 1


async def test_revocation_survives_a_restart(deploy: Deploy) -> None:
    """A new process knows before its first request what ended while it was not there."""
    deployment = await deploy("auth", "mail")
    client = await signed_in(deployment, "ada@example.org")
    await client.call("POST", "/api/v1/auth/sign-out", expect=204)

    await deployment.restart("auth", "mail")

    assert await status(client, "GET", SESSIONS) == 401


async def test_remembered_tokens_are_bounded(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten, and verified anew when it comes again."""
    monkeypatch.setattr(remembered, "REMEMBERED", 3)
    deployment = await deploy("auth", "mail")
    clients = [await signed_in(deployment, f"ada{number}@example.org") for number in range(5)]
    service = deployment.platform.context("auth").own(AuthIdentity)

    answers = [await status(client, "GET", SESSIONS) for client in (*clients, *clients)]

    assert answers == [200] * 10
    assert len(service._bearers._known) == 3
    assert len(service._bearers._of) == 6
