"""Refresh tokens: each is replaced when it is used, and a copy gives itself away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from tests.plugins.auth.signing_in import SESSIONS, TOKENS, problem, published, sign_in, status

DAYS = 24 * 3600


async def refresh(deployment: Deployment, token: str) -> dict[str, Any] | None:
    """Return the answer to *token*, None where it is refused."""
    async with deployment.client().post(TOKENS, json={"refresh_token": token}) as answer:
        assert answer.status in (200, 401)
        found: dict[str, Any] = await answer.json(content_type=None)
        if answer.status == 401:
            assert found["type"] == "/problems/token-refused"
        return found if answer.status == 200 else None


async def token_after(deployment: Deployment, token: str) -> str:
    """Return the refresh token that follows *token*."""
    answer = await refresh(deployment, token)
    assert answer is not None
    return str(answer["refresh_token"])


async def test_refresh_gives_the_next_pair(deploy: Deploy) -> None:
    """The new access token works, in the same session."""
    deployment = await deploy("auth", "mail")
    first = await sign_in(deployment, "ada@example.org")

    second = await refresh(deployment, first["refresh_token"])

    assert second is not None
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["session_id"], second["user"]) == (first["session_id"], first["user"])
    assert await status(deployment.client(token=second["access_token"]), "GET", SESSIONS) == 200


async def test_reuse_ends_the_whole_session(deploy: Deploy) -> None:
    """R1 → R2, R2 is used, R1 comes again: all tokens are dead, the access tokens too, and the owner is told."""
    deployment = await deploy("auth", "mail")
    first = await sign_in(deployment, "ada@example.org")
    second = await token_after(deployment, first["refresh_token"])
    third = await refresh(deployment, second)
    assert third is not None

    assert await refresh(deployment, first["refresh_token"]) is None

    assert await refresh(deployment, second) is None
    assert await refresh(deployment, third["refresh_token"]) is None
    assert await status(deployment.client(token=third["access_token"]), "GET", SESSIONS) == 401
    assert (await published(deployment))[-2:] == ["auth.session_revoked.v1", "mail.mail_requested.v1"]
    assert "ended" in (await deployment.mailbox.next(to="ada@example.org")).subject


async def test_lost_answer_does_no_harm(deploy: Deploy) -> None:
    """A token is good until its successor is used; what was lost is dead then."""
    deployment = await deploy("auth", "mail")
    first = (await sign_in(deployment, "ada@example.org"))["refresh_token"]
    lost = await token_after(deployment, first)
    deployment.clock.advance(11)

    again = await token_after(deployment, first)

    assert again != lost
    assert await refresh(deployment, again) is not None


async def test_thief_and_owner_can_not_both_go_on(deploy: Deploy) -> None:
    """Each of two who hold the same token gets a successor of its own; the first one that was made ends it all."""
    deployment = await deploy("auth", "mail")
    copied = (await sign_in(deployment, "ada@example.org"))["refresh_token"]
    thief = await token_after(deployment, copied)
    deployment.clock.advance(11)
    owner = await token_after(deployment, copied)

    assert await refresh(deployment, thief) is None
    assert await refresh(deployment, owner) is None


async def test_twins_get_the_same_successor(deploy: Deploy) -> None:
    """Twenty tabs that refresh at the same moment all go on."""
    deployment = await deploy("auth", "mail")
    first = (await sign_in(deployment, "ada@example.org"))["refresh_token"]

    answers = await asyncio.gather(*(refresh(deployment, first) for _ in range(20)))

    assert len({answer["refresh_token"] if answer else None for answer in answers}) == 1
    assert answers[0] is not None
    assert await refresh(deployment, answers[0]["refresh_token"]) is not None


async def test_session_ends_after_thirty_days_whatever_happens(deploy: Deploy) -> None:
    """Refreshing does not prolong it."""
    deployment = await deploy("auth", "mail")
    token = (await sign_in(deployment, "ada@example.org"))["refresh_token"]
    for _ in range(3):
        deployment.clock.advance(9.9 * DAYS)
        token = await token_after(deployment, token)

    deployment.clock.advance(0.4 * DAYS)

    assert await refresh(deployment, token) is None


async def test_signed_out_session_is_not_refreshed(deploy: Deploy) -> None:
    """Its refresh token is dead with it."""
    deployment = await deploy("auth", "mail")
    answer = await sign_in(deployment, "ada@example.org")
    await deployment.client(token=answer["access_token"]).call("POST", "/api/v1/auth/sign-out", expect=204)

    assert await refresh(deployment, answer["refresh_token"]) is None


@pytest.mark.sqlite_only
async def test_what_is_no_refresh_token_is_refused(deploy: Deploy) -> None:
    """Nonsense is answered like an old token."""
    deployment = await deploy("auth", "mail")

    for token in ("", "x", "a" * 200, "AAAA" * 17 + "AA", "ÄÖÜ"):
        found, document = await problem(deployment.client(), "POST", TOKENS, {"refresh_token": token})
        assert (token, found, document["type"]) == (token, 401, "/problems/token-refused")


async def test_tokens_are_not_mistaken_for_each_other(deploy: Deploy) -> None:
    """A refresh token opens nothing, an access token refreshes nothing, a changed one neither."""
    deployment = await deploy("auth", "mail")
    answer = await sign_in(deployment, "ada@example.org")
    other = await sign_in(deployment, "bob@example.org")
    mixed = answer["refresh_token"][:22] + other["refresh_token"][22:]

    assert await status(deployment.client(token=answer["refresh_token"]), "GET", SESSIONS) == 401
    assert await status(deployment.client(), "POST", TOKENS, {"refresh_token": answer["access_token"][:200]}) == 401
    assert await refresh(deployment, mixed) is None
