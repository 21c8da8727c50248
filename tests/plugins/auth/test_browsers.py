"""Sessions of browsers: a cookie that says nothing, and changes that only our own pages can make."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from kernel.database import Command, Query
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth import remembered
from plugins.auth.browsers import BrowserRow, Browsers
from plugins.auth.identity import AuthIdentity
from plugins.auth.tables import accounts, sessions
from tests.plugins.auth.browsing import BROWSERS, Browser, browse
from tests.plugins.auth.signing_in import SESSIONS, administrator, ask, problem, published, sign_in, signed_in, status

ACCOUNTS = "/api/v1/auth/accounts"
CSRF = "/api/v1/auth/csrf"
SIGN_OUT = "/api/v1/auth/sign-out"
HTTPS = {"server": {"public_url": "https://learn.example.org"}}


class Stored(msgspec.Struct, frozen=True):
    id: Any
    cookie_digest: bytes | None
    revoked_at: Any


STORED = Query(sa.select(*(sessions.c[name] for name in Stored.__struct_fields__)).order_by(sessions.c.id), Stored)


async def stored(deployment: Deployment) -> list[Stored]:
    return await deployment.platform.context("auth").db.all(STORED)


async def set_cookie(deployment: Deployment, email: str) -> str:
    """Return the header by which a sign-in sets the cookie."""
    asked = await ask(deployment, email)
    async with deployment.client().post(BROWSERS, json=asked.body()) as answer:
        assert answer.status == 201
        return answer.headers["Set-Cookie"]


async def test_cookie_keeps_to_https_and_to_this_host(deploy: Deploy) -> None:
    """No script reads it, no other site's form sends it, and no subdomain can set it."""
    deployment = await deploy("auth", "mail", sections=HTTPS)

    header = await set_cookie(deployment, "ada@example.org")

    name, *attributes = header.split("; ")
    assert re.fullmatch(r"__Host-lyceum=[\w-]{43}", name)
    assert sorted(attributes) == ["HttpOnly", f"Max-Age={30 * 86400}", "Path=/", "SameSite=Lax", "Secure"]


async def test_development_by_plain_http_has_a_cookie_without_the_prefix(deploy: Deploy) -> None:
    """Browsers refuse `__Host-` and `Secure` there."""
    deployment = await deploy("auth", "mail")

    name, *attributes = (await set_cookie(deployment, "ada@example.org")).split("; ")

    assert re.fullmatch(r"lyceum=[\w-]{43}", name)
    assert sorted(attributes) == ["HttpOnly", f"Max-Age={30 * 86400}", "Path=/", "SameSite=Lax"]


@pytest.mark.sqlite_only
async def test_no_cookie_travels_in_clear_between_machines(deploy: Deploy) -> None:
    """A deployment that is reached by plain http from elsewhere gives tokens only; the code stays good."""
    deployment = await deploy("auth", "mail", sections={"server": {"public_url": "http://learn.example.org"}})
    asked = await ask(deployment, "ada@example.org")

    found, document = await problem(deployment.client(), "POST", BROWSERS, asked.body())

    assert (found, document["type"]) == (409, "/problems/conflict")
    assert "set [server] public_url to an https address" in document["detail"]
    assert await status(deployment.client(), "POST", SESSIONS, asked.body()) == 201


async def test_cookie_is_stored_as_a_digest_only(deploy: Deploy) -> None:
    """Neither the value nor a plain hash of it is in the database."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")
    value = browser.cookie.partition("=")[2].encode()

    (row,) = await stored(deployment)

    assert row.cookie_digest is not None
    assert row.cookie_digest not in (value, hashlib.sha256(value).digest())
    assert str(row.id) == browser.session


async def test_cookie_signs_in_and_stands_among_the_sessions(deploy: Deploy) -> None:
    """It is listed as a browser's, beside those of applications."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")
    deployment.clock.advance(61)
    phone = await signed_in(deployment, "ada@example.org")

    headers = {"Cookie": f"theme=dark; {browser.cookie}; other=1"}
    listed = (await browser.client.call("GET", SESSIONS, headers=headers))["items"]

    assert [(one["kind"], one["current"]) for one in listed] == [("application", False), ("browser", True)]
    assert len((await phone.call("GET", SESSIONS))["items"]) == 2
    assert (await published(deployment)).count("auth.session_started.v1") == 2


@pytest.mark.parametrize(
    "cookie", ["lyceum=", "lyceum=short", "lyceum=" + "A" * 43, "lyceum=" + "é" * 43, "lyceum", "="]
)
async def test_cookie_that_is_none_makes_a_stranger(deploy: Deploy, cookie: str) -> None:
    """It is no error where strangers may come: a page could not take it away."""
    deployment = await deploy("auth", "mail")
    client, headers = deployment.client(), {"Cookie": cookie}

    async with (
        client.get(SESSIONS, headers=headers) as closed,
        client.get("/api/v1/auth/jwks.json", headers=headers) as open_,
    ):
        assert (closed.status, open_.status) == (401, 200)
    await client.call("POST", "/api/v1/auth/codes", {"email": "ada@example.org"}, headers=headers, expect=202)


async def test_cookie_is_no_bearer_token_and_a_token_no_cookie(deploy: Deploy) -> None:
    """Each is taken for nothing but what it is, also once it is known; and what is wrong is not made good."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")
    value = browser.cookie.partition("=")[2]
    assert await browser.status("GET", SESSIONS) == 200

    for header in (value, f"Bearer {value}", f"Cookie {value}", browser.cookie, "Basic YTpi"):
        assert await browser.status("GET", SESSIONS, Authorization=header) == 401

    token = (await sign_in(deployment, "bob@example.org"))["access_token"]
    assert await browser.status("GET", SESSIONS, Cookie=f"lyceum={token}") == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 204),
        ({"X_CSRF_Token": None}, 403),
        ({"X_CSRF_Token": ""}, 403),
        ({"X_CSRF_Token": "A" * 43}, 403),
        ({"X_CSRF_Token": "ä"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 204),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_only_our_own_pages_change_anything(
    deploy: Deploy, headers: dict[str, str | None], expected: int
) -> None:
    """A change needs the session's own token, our origin, and nothing that a form could send."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")
    before = await stored(deployment)

    assert await browser.status("POST", SIGN_OUT, **headers) == expected

    assert (await stored(deployment) == before) is (expected != 204)
    assert await browser.status("GET", SESSIONS) == (401 if expected == 204 else 200)


async def test_token_of_another_session_is_refused(deploy: Deploy) -> None:
    """Also of another session of the same person."""
    deployment = await deploy("auth", "mail")
    ada, eve = await browse(deployment, "ada@example.org"), await browse(deployment, "eve@example.org")
    deployment.clock.advance(61)
    second = await browse(deployment, "ada@example.org")

    assert len({ada.csrf, eve.csrf, second.csrf}) == 3
    assert await ada.status("POST", SIGN_OUT, X_CSRF_Token=eve.csrf) == 403
    assert await ada.status("POST", SIGN_OUT, X_CSRF_Token=second.csrf) == 403
    assert await ada.status("GET", SESSIONS) == 200


async def test_page_reads_the_token_of_its_session(deploy: Deploy) -> None:
    """The same that the sign-in gave; no cache keeps it, and reading needs none."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")

    async with browser.client.get(CSRF, headers={"Cookie": browser.cookie}) as answer:
        assert (await answer.json()) == {"csrf_token": browser.csrf}
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert await status(deployment.client(), "GET", CSRF) == 401


async def test_body_of_a_form_is_refused(deploy: Deploy) -> None:
    """JSON sent as `text/plain`, which a form of another site can do, changes nothing."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await browse(deployment, "ada@example.org")
    await admin.call("PUT", f"{ACCOUNTS}/{ada.user}/roles", {"roles": ["admin"]})
    bob = (await sign_in(deployment, "bob@example.org"))["user"]["id"]
    headers = {"Cookie": ada.cookie, "X-CSRF-Token": ada.csrf}

    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        options: dict[str, Any] = {"data": b'{"roles": ["admin"]}', "headers": headers | {"Content-Type": kind}}
        async with ada.client.put(f"{ACCOUNTS}/{bob}/roles", **options) as answer:
            assert answer.status == 415

    assert (await admin.call("GET", f"{ACCOUNTS}/{bob}"))["roles"] == ["student"]


async def test_sign_out_takes_the_cookie_back(deploy: Deploy) -> None:
    """The browser forgets it, and it is worth nothing if it does not."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")
    headers = {"Cookie": browser.cookie, "X-CSRF-Token": browser.csrf}

    async with browser.client.post(SIGN_OUT, headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Set-Cookie"].startswith('lyceum=""; HttpOnly; Max-Age=0;')

    assert await browser.status("GET", SESSIONS) == 401
    client = await signed_in(deployment, "bob@example.org")
    async with client.post(SIGN_OUT) as answer:
        assert "Set-Cookie" not in answer.headers


async def test_new_sign_in_ends_the_former_session_of_the_browser(deploy: Deploy) -> None:
    """The old cookie is dead; and without the token of its session nobody is signed in as somebody else."""
    deployment = await deploy("auth", "mail")
    first = await browse(deployment, "ada@example.org")
    asked = await ask(deployment, "eve@example.org")
    assert await first.status("POST", BROWSERS, asked.body(), X_CSRF_Token=None) == 403

    assert await first.status("POST", BROWSERS, asked.body()) == 201

    assert await first.status("GET", SESSIONS) == 401
    assert (await published(deployment)).count("auth.session_revoked.v1") == 1


async def test_session_ends_when_nobody_uses_it(deploy: Deploy) -> None:
    """After so many hours; whoever uses it goes on, up to the last day of the session."""
    deployment = await deploy("auth", "mail", settings={"auth": {"browser_idle_hours": 2, "session_days": 1}})
    used, idle = await browse(deployment, "ada@example.org"), await browse(deployment, "bob@example.org")

    for _ in range(23):
        deployment.clock.advance(3600)
        assert await used.status("GET", SESSIONS) == 200
    assert await idle.status("GET", SESSIONS) == 401
    deployment.clock.advance(3601)

    assert await used.status("GET", SESSIONS) == 401
    assert await used.status("POST", SIGN_OUT) == 401


async def test_reading_writes_nothing_but_the_time_of_use(deploy: Deploy) -> None:
    """That no more than once in five minutes; a session that is in use is looked up as seldom."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")

    async def used() -> str:
        headers = {"Cookie": browser.cookie}
        return str((await browser.client.call("GET", SESSIONS, headers=headers))["items"][0]["last_used_at"])

    begin = await used()
    deployment.clock.advance(299)
    same = await used()
    deployment.clock.advance(2)
    later = await used()

    assert begin == same < later


async def test_known_cookie_is_found_without_the_database(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is five minutes old or something ends; what is remembered is bounded."""
    monkeypatch.setattr(remembered, "REMEMBERED", 2)
    deployment = await deploy("auth", "mail")
    browsers = [await browse(deployment, f"ada{number}@example.org") for number in range(3)]
    identity = deployment.platform.context("auth").own(AuthIdentity)

    assert [await browser.status("GET", SESSIONS) for browser in (*browsers, *browsers)] == [200] * 6

    assert len(identity._kept._known) == 2
    asked: list[bytes] = []
    monkeypatch.setattr(type(identity._browsers), "look", lambda self, digest: asked.append(digest))
    assert await browsers[2].status("GET", SESSIONS) == 200
    assert asked == []


async def test_new_roles_count_in_a_browser_at_once(deploy: Deploy) -> None:
    """Given or taken; and a disabled account is out."""
    deployment = await deploy("auth", "mail")
    admin = await administrator(deployment)
    ada = await browse(deployment, "ada@example.org")
    assert await ada.status("GET", ACCOUNTS) == 403

    await admin.call("PUT", f"{ACCOUNTS}/{ada.user}/roles", {"roles": ["admin"]})
    assert await ada.status("GET", ACCOUNTS) == 200
    await admin.call("PUT", f"{ACCOUNTS}/{ada.user}/roles", {"roles": ["student"]})
    assert await ada.status("GET", ACCOUNTS) == 403
    await admin.call("POST", f"{ACCOUNTS}/{ada.user}/disable")
    assert await ada.status("GET", SESSIONS) == 401


async def test_session_ends_on_the_second_though_it_is_in_use(deploy: Deploy) -> None:
    """Its last day is its last, whoever has just used it."""
    deployment = await deploy("auth", "mail", settings={"auth": {"browser_idle_hours": 48, "session_days": 1}})
    browser = await browse(deployment, "ada@example.org")
    deployment.clock.advance(86_400 - 60)
    assert await browser.status("GET", SESSIONS) == 200

    deployment.clock.advance(61)

    assert await browser.status("GET", SESSIONS) == 401


@pytest.mark.parametrize(
    "change",
    [sa.update(sessions).values(revoked_at=sa.func.now()), sa.update(accounts).values(active=False)],
    ids=["session", "account"],
)
async def test_cookie_seen_for_the_first_time_is_what_the_database_says(deploy: Deploy, change: sa.Update) -> None:
    """Before any word of it has come from the process that ended the session or closed the account."""
    deployment = await deploy("auth", "mail")
    browser = await browse(deployment, "ada@example.org")

    await deployment.platform.context("auth").db.run(Command(change))

    assert await browser.status("GET", SESSIONS) == 401


async def test_end_that_comes_while_a_cookie_is_looked_up_counts(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before it is not remembered after it."""
    deployment = await deploy("auth", "mail")
    admin, browser = await administrator(deployment), await browse(deployment, "ada@example.org")
    look = Browsers.look

    async def ended_meanwhile(self: Browsers, digest: bytes) -> BrowserRow | None:
        found = await look(self, digest)
        await admin.call("DELETE", f"{ACCOUNTS}/{browser.user}/sessions")
        return found

    monkeypatch.setattr(Browsers, "look", ended_meanwhile)

    assert await browser.status("GET", SESSIONS) == 401


async def test_restart_keeps_sessions_and_their_ends(deploy: Deploy) -> None:
    """Both are in the database."""
    deployment = await deploy("auth", "mail")
    ada, bob = await browse(deployment, "ada@example.org"), await browse(deployment, "bob@example.org")
    assert await bob.status("POST", SIGN_OUT) == 204

    await deployment.restart("auth", "mail")

    assert (await ada.status("GET", SESSIONS), await bob.status("GET", SESSIONS)) == (200, 401)
    assert await ada.status("POST", SIGN_OUT) == 204


async def test_page_knows_whose_cookie_it_is(deploy: Deploy) -> None:
    """And is kept by no cache."""
    deployment = await deploy("auth", "mail", "web")
    browser: Browser = await browse(deployment, "ada@example.org")

    async with browser.client.get("/", headers={"Cookie": browser.cookie}) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
    async with browser.client.get("/", headers={"Cookie": "lyceum=" + "A" * 43}) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
