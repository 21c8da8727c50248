"""How a person signs in, step by step, for the tests of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import Account
from kernel.database import Query
from kernel.database.tables import outbox
from kernel.testing.clients import Client
from kernel.testing.deployment import Deployment
from plugins.auth import accounts

CODES = "/api/v1/auth/codes"
SESSIONS = "/api/v1/auth/sessions"
TOKENS = "/api/v1/auth/tokens"


@dataclass(frozen=True)
class Asked:
    """A code that was asked for and arrived."""

    challenge_id: str
    code: str

    def body(self, **more: object) -> dict[str, object]:
        return {"challenge_id": self.challenge_id, "code": self.code, **more}

    def wrong(self) -> dict[str, object]:
        """Return what signs in with another code than the right one."""
        return {"challenge_id": self.challenge_id, "code": f"{(int(self.code) + 1) % 10**6:06}"}


async def ask(deployment: Deployment, email: str) -> Asked:
    """Ask for a code for *email* and read it from the mail."""
    answer = await deployment.client().call("POST", CODES, {"email": email}, expect=202)
    message = await deployment.mailbox.next(to=email.lower())
    found = re.search(r"\b(\d{6})\b", message.text)
    assert found, message.text
    return Asked(answer["challenge_id"], found[1])


async def sign_in(deployment: Deployment, email: str, **more: object) -> dict[str, Any]:
    """Return the answer to a sign-in by *email*."""
    asked = await ask(deployment, email)
    answer: dict[str, Any] = await deployment.client().call("POST", SESSIONS, asked.body(**more), expect=201)
    return answer


async def signed_in(deployment: Deployment, email: str, **more: object) -> Client:
    """Return a client that is signed in by *email*."""
    return deployment.client(token=(await sign_in(deployment, email, **more))["access_token"])


async def status(client: Client, method: str, path: str, body: object = None) -> int:
    """Return only the status of a request."""
    async with client.request(method, path, json=body) as answer:
        return answer.status


async def problem(client: Client, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of a request that is refused."""
    async with client.request(method, path, json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def grant(deployment: Deployment, email: str, *roles: str) -> Account:
    """Give *roles* as the command line does; return the account."""
    return await accounts.grant(deployment.platform.context("auth"), email, roles)


async def administrator(deployment: Deployment, email: str = "root@example.org") -> Client:
    """Return a client of somebody whom the command line made an administrator."""
    await grant(deployment, email, "admin")
    return await signed_in(deployment, email)


async def told_acts(deployment: Deployment, action: str = "") -> list[dict[str, Any]]:
    """Return the acts that auth has told, or only those named *action*, in their order."""
    rows = await deployment.platform.context("auth").db.all(_ACTS)
    acts = [msgspec.json.decode(row) for row in rows]
    return [act for act in acts if action in ("", act["action"])]


async def published(deployment: Deployment, plugin: str = "auth") -> list[str]:
    """Return the types of the events that *plugin* has published, in their order."""
    return await deployment.platform.context(plugin).db.all(_PUBLISHED)


_ACTS = Query(sa.select(outbox.c.data).where(outbox.c.type == ActRecorded.name).order_by(outbox.c.seq), bytes)
_PUBLISHED = Query(sa.select(outbox.c.type).order_by(outbox.c.seq), str)
