"""A deployment, a provider in a process of its own, and browsers that go from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import aiohttp
import yarl
from provider import ID, SECRET

from kernel import Event
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import AUTH, Auth, SessionStarted, UserRegistered
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.contracts.auth.deployed import WHO, WhoPlugin
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

HTML: Final = {"Accept": "text/html"}
ADA: Final[dict[str, object]] = {"email": "ada@campus.test", "email_verified": True, "name": "Ada Long", "locale": "de"}
E = TypeVar("E", bound=Event)


@dataclass
class Campus:
    """The provider."""

    issuer: str
    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession
    secret: Path  #: the file with what the deployment proves itself by

    async def knows(self, subject: str = "ada", **claims: object) -> None:
        """Know somebody of these claims from now on."""
        await self._tell("PUT", f"/users/{subject}", {**ADA, **claims})

    async def lies(self, **how: object) -> None:
        await self._tell("PUT", "/test/lie", how)

    async def rotates(self) -> None:
        await self._tell("POST", "/test/rotate", {})

    async def asked(self, path: str) -> int:
        async with self.http.get(f"{self.issuer}/test/asked") as answer:
            return int((await answer.json()).get(path, 0))

    async def sign_in(self, url: str, subject: str) -> str:
        """Sign somebody in who came to *url*; return where they are sent back to."""
        form = {"sub": subject}
        async with self.http.post(yarl.URL(url, encoded=True), data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return answer.headers["Location"]

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def _tell(self, method: str, path: str, body: dict[str, object]) -> None:
        async with self.http.request(method, f"{self.issuer}{path}", json=body) as answer:
            assert answer.ok, await answer.text()


@contextlib.asynccontextmanager
async def running_campus(folder: Path) -> AsyncIterator[Campus]:
    """Run a provider."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("provider.py")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async with aiohttp.ClientSession() as http:
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        secret = folder / "client-secret"
        secret.write_text(SECRET, encoding="utf-8")
        campus = Campus(f"http://127.0.0.1:{port}", process, http, secret)
        try:
            yield campus
        finally:
            await campus.stop()


@dataclass
class Answered:
    """What a page answered."""

    status: int
    location: str
    text: str


@dataclass
class Browser:
    """It keeps cookies, and follows redirects only when it is told to."""

    client: Client
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Answered:
        sent = {**HTML, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        url = yarl.URL(path, encoded=True)
        async with self.client.session.request(method, url, headers=sent, json=body, allow_redirects=False) as answer:
            self.cookies |= {name: morsel.value for name, morsel in answer.cookies.items()}
            return Answered(answer.status, answer.headers.get("Location", ""), await answer.text())

    async def who(self) -> UUID | None:
        """Return who is signed in here, None for a stranger."""
        answer = await self.get(WHO, Accept="application/json")
        return UUID(json.loads(answer.text)["id"]) if answer.status == 200 else None


@dataclass
class House:
    """The deployment with its provider."""

    deployment: Deployment
    campus: Campus

    @property
    def auth(self) -> Auth:
        return self.deployment.platform.services.get(AUTH)

    async def told(self, kind: type[E]) -> list[E]:
        """Return the events of *kind* that were published."""
        await self.deployment.settle()
        found = self.deployment.platform.context(witness.NAME).own(witness.Witnessed).events
        return [event for event in found if isinstance(event, kind)]

    def browser(self) -> Browser:
        return Browser(self.deployment.client())

    async def leave(self, browser: Browser, subject: str = "ada", target: str | None = None) -> str:
        """Go to the provider and sign in there; return the path to which one is sent back."""
        query = "" if target is None else f"?{urlencode({'next': target})}"
        began = await browser.get(f"/oidc/campus/begin{query}")
        assert began.status == 303, began.text
        return path_of(await self.campus.sign_in(began.location, subject))

    async def come(self, browser: Browser, subject: str = "ada", target: str | None = None) -> Answered:
        """Go there and come back."""
        return await browser.get(await self.leave(browser, subject, target))

    async def csrf(self, browser: Browser) -> str:
        found = await browser.get("/api/v1/auth/csrf", Accept="application/json")
        assert found.status == 200, found.text
        return str(json.loads(found.text)["csrf_token"])

    async def change(self, browser: Browser, method: str, path: str, body: object = None) -> Answered:
        """Send a change as the page does."""
        headers = {"X-CSRF-Token": await self.csrf(browser), "Accept": "application/json"}
        return await browser.get(f"/api/v1/oidc{path}", method, body, **headers)

    async def links(self, browser: Browser) -> list[dict[str, Any]]:
        found = await browser.get("/api/v1/oidc/links", Accept="application/json")
        assert found.status == 200, found.text
        return list(json.loads(found.text)["items"])

    async def by_code(self, email: str) -> Browser:
        """Return a browser that is signed in by a code."""
        client = self.deployment.client()
        asked = await client.call("POST", "/api/v1/auth/codes", {"email": email})
        found = re.search(r"\b(\d{6})\b", (await self.deployment.mailbox.next(to=email)).text)
        assert found
        browser = Browser(client)
        body = {"challenge_id": asked["challenge_id"], "code": found[1]}
        answer = await browser.get("/api/v1/auth/browser-sessions", "POST", body, Accept="application/json")
        assert answer.status == 201, answer.text
        return browser


async def make_house(deploy: Deploy, campus: Campus, **settings: object) -> House:
    provider = {
        "label": "Campus",
        "issuer": campus.issuer,
        "client_id": ID,
        "client_secret": f"file:{campus.secret}",
        **settings,
    }
    deployment = await deploy(
        "oidc",
        "auth",
        "mail",
        "web",
        plugins=[WhoPlugin, witness.witness_of(ActRecorded, SessionStarted, UserRegistered)],
        settings={"oidc": {"providers": {"campus": provider}}},
    )
    return House(deployment, campus)


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
