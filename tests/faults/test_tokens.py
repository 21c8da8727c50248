"""Forged tokens in numbers (A09); one by one they are in `tests/plugins/auth/test_tokens.py` (A07, A08)."""

from __future__ import annotations

import asyncio

import pytest

from kernel.testing.deploying import Deploy
from plugins.auth.keys import KeyRing
from tests.plugins.auth.signing_in import SESSIONS, status
from tests.plugins.auth.test_tokens import accepts, forge

FORGED = 1000


@pytest.mark.sqlite_only
async def test_unknown_keys_are_never_looked_for(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A09: a thousand tokens, each with a key id that nobody has, cause no look into the database."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    rings: list[KeyRing] = []
    real = KeyRing.load

    async def counted(ring: KeyRing) -> None:
        rings.append(ring)
        await real(ring)

    client = deployment.client()
    monkeypatch.setattr(KeyRing, "load", counted)
    began = asyncio.get_running_loop().time()
    for number in range(FORGED):
        client.session.headers["Authorization"] = (
            f"Bearer {forging.signed({**forging.header, 'kid': f'unknown-{number}'}, forging.claims)}"
        )
        assert await status(client, "GET", SESSIONS) == 401
    seconds = asyncio.get_running_loop().time() - began

    assert len(rings) <= seconds / 2 + 1, "the watch looks every two seconds, and nobody else"
    assert await accepts(deployment, forging.changed())
