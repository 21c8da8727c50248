"""A browser: it keeps a cookie, and a page in it sends the token with each change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kernel.testing.clients import Client
from kernel.testing.deployment import Deployment
from tests.plugins.auth.signing_in import ask

BROWSERS = "/api/v1/auth/browser-sessions"


@dataclass(frozen=True)
class Browser:
    """A browser that is signed in."""

    client: Client
    cookie: str  #: `name=value`
    csrf: str
    session: str
    user: str

    async def status(self, method: str, path: str, body: object = None, **headers: str | None) -> int:
        """Return only the status of a request that a page of ours sends; headers of None are left out."""
        sent: dict[str, str | None] = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in sent.items() if value is not None}
        async with self.client.request(method, path, json=body, headers=given) as answer:
            return answer.status

    def at(self, deployment: Deployment) -> Browser:
        """Return the same browser at another process."""
        return Browser(deployment.client(), self.cookie, self.csrf, self.session, self.user)


async def browse(deployment: Deployment, email: str, **headers: str) -> Browser:
    """Return a browser that is signed in by *email*."""
    asked = await ask(deployment, email)
    client = deployment.client()
    async with client.post(BROWSERS, json=asked.body(), headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        body: dict[str, Any] = await answer.json()
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return Browser(client, cookie, body["csrf_token"], body["session_id"], body["user"]["id"])
