"""The fixture `deploy`: a whole deployment, booted, migrated, served and reached as from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import aiohttp
import aiosmtplib
import msgspec
import pytest

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Context,
    Delivery,
    Event,
    EventHandler,
    Manifest,
    Permission,
    Plugin,
    Request,
    Route,
    errors,
    get,
    hookimpl,
    new_id,
    on,
    post,
)
from kernel.database import Session
from kernel.testing.deploying import Deploy
from kernel.testing.mailbox import Mailbox


class Greeted(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "greeter.greeted.v1"
    key: ClassVar[str] = "whom"
    whom: str


class Greeting(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Who(msgspec.Struct):
    id: str
    roles: list[str]


class Greeter(Plugin):
    """Greets, and tells of it."""

    manifest: ClassVar[Manifest] = Manifest(name="greeter", version="1", publishes=(Greeted,))

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return [Permission(name="greeter.admin", summary="Look behind", roles=("admin",))]

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def hello(request: Request) -> Greeting:
            return Greeting("hello")

        async def me(request: Request) -> Who:
            return Who(str(request.principal.id), sorted(request.principal.roles))

        async def greet(request: Request, body: Greeting, session: Session) -> None:
            await ctx.events.publish(session, Greeted(whom=body.text))

        async def now(request: Request) -> datetime:
            return ctx.clock.now()

        return [
            get("/hello", hello, permission=PUBLIC),
            get("/now", now, permission=PUBLIC),
            get("/me", me, permission=SIGNED_IN),
            get("/admin", hello, permission="greeter.admin"),
            post("/greetings", greet, permission=PUBLIC),
        ]


heard: list[str] = []


class Listener(Plugin):
    """Hears who was greeted."""

    manifest: ClassVar[Manifest] = Manifest(name="listener", version="1")

    @hookimpl
    def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
        async def hear(session: Session, delivery: Delivery[Greeted]) -> None:
            heard.append(delivery.event.whom)

        return [on(Greeted, hear, name="hear")]


async def test_clients_are_who_they_say(deploy: Deploy) -> None:
    """Without the real `auth` a client has the roles that the test gives it."""
    deployment, user = await deploy(plugins=[Greeter]), new_id()

    stranger, student, admin = deployment.client(), deployment.client("student", user=user), deployment.client("admin")

    assert await stranger.call("GET", "/api/v1/greeter/hello") == {"text": "hello"}
    await stranger.call("GET", "/api/v1/greeter/me", expect=401)
    assert await student.call("GET", "/api/v1/greeter/me") == {"id": str(user), "roles": ["student"]}
    await student.call("GET", "/api/v1/greeter/admin", expect=403)
    assert await admin.call("GET", "/api/v1/greeter/admin") == {"text": "hello"}
    async with deployment.client(token="nonsense").get("/api/v1/greeter/me") as answer:
        assert answer.status == 401


async def test_people_sign_in_with_the_real_auth(deploy: Deploy) -> None:
    """With `auth` and `mail` on, people sign in by mail and get roles from an administrator."""
    deployment = await deploy("auth", "mail", plugins=[Greeter])

    student = await deployment.sign_in("ada@example.org")
    admin = await deployment.sign_in("bob@example.org", roles=["admin"])

    assert await student.call("GET", "/api/v1/greeter/me") == {"id": str(student.user), "roles": ["student"]}
    await student.call("GET", "/api/v1/greeter/admin", expect=403)
    await admin.call("GET", "/api/v1/greeter/admin")


async def test_deployments_do_not_share_anything(deploy: Deploy) -> None:
    """Each deployment of a test has a database of its own."""
    heard.clear()
    first, second = await deploy(plugins=[Greeter]), await deploy(plugins=[Greeter, Listener])

    await first.client().call("POST", "/api/v1/greeter/greetings", {"text": "Ada"})
    await first.settle()
    await second.settle()

    assert heard == []


async def test_events_wait_for_a_plugin_that_is_off(deploy: Deploy) -> None:
    """Off means off, and back on means caught up, in order."""
    heard.clear()
    deployment = await deploy(plugins=[Greeter, Listener])
    await deployment.client().call("POST", "/api/v1/greeter/greetings", {"text": "Ada"})
    await deployment.settle()

    await deployment.restart(plugins=[Greeter])
    for whom in ("Bob", "Cy"):
        await deployment.client().call("POST", "/api/v1/greeter/greetings", {"text": whom})
    await deployment.settle()
    assert heard == ["Ada"]

    await deployment.restart(plugins=[Greeter, Listener])
    await deployment.settle()
    assert sorted(heard) == ["Ada", "Bob", "Cy"]


async def test_events_of_a_plugin_that_is_off_wait(deploy: Deploy) -> None:
    """What a plugin published before it was switched off is told when it is back."""
    heard.clear()
    deployment = await deploy(plugins=[Greeter])
    await deployment.client().call("POST", "/api/v1/greeter/greetings", {"text": "Ada"})

    await deployment.restart(plugins=[Listener])
    await deployment.settle()
    assert heard == []

    await deployment.restart(plugins=[Greeter, Listener])
    await deployment.settle()
    assert heard == ["Ada"]


async def test_clock_jumps_on_request(deploy: Deploy) -> None:
    """The deployment's time is the test's."""
    deployment = await deploy(plugins=[Greeter])

    deployment.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    deployment.clock.advance(3600)

    now = datetime.fromisoformat(await deployment.client().call("GET", "/api/v1/greeter/now"))
    assert timedelta() <= now - datetime(2030, 1, 1, 1, tzinfo=UTC) < timedelta(minutes=1)


async def test_refusal_to_boot_reaches_the_test(deploy: Deploy) -> None:
    """A deployment that does not start raises the reason."""
    with pytest.raises(errors.InvalidSettings, match=r"\[plugins.greeter\] colour is not a setting"):
        await deploy(plugins=[Greeter], settings={"greeter": {"colour": "red"}})


async def test_call_shows_an_answer_that_was_not_expected(deploy: Deploy) -> None:
    """The assertion has method, path, both statuses and the body."""
    deployment = await deploy(plugins=[Greeter])

    with pytest.raises(AssertionError, match=r"GET /api/v1/greeter/me answered 401, not a success: .*not-signed-in"):
        await deployment.client().call("GET", "/api/v1/greeter/me")


async def test_twin_is_a_second_process(deploy: Deploy) -> None:
    """Two processes share the database: what one does, the other finds."""
    heard.clear()
    first = await deploy(plugins=[Greeter, Listener])
    second = await first.twin()

    await second.client().call("POST", "/api/v1/greeter/greetings", {"text": "Ada"})
    await first.settle()

    assert first.url != second.url
    assert heard == ["Ada"]


async def test_address_survives_a_restart(deploy: Deploy) -> None:
    """After a restart the deployment answers where it answered before."""
    deployment = await deploy(plugins=[Greeter])
    url = deployment.url

    await deployment.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await deployment.client().get("/api/v1/greeter/hello")
    await deployment.restart(plugins=[Greeter])

    assert deployment.url == url
    await deployment.client().call("GET", "/api/v1/greeter/hello")


@pytest.mark.postgresql_only
async def test_marker_keeps_a_test_on_one_end(end: str) -> None:
    """A race is worth running on PostgreSQL only."""
    assert end == "postgresql"


async def test_mailbox_keeps_what_arrives(mailbox: Mailbox) -> None:
    """Each message is handed out once, to whom it is asked for."""
    for to, text in (("ada@example.org", "one"), ("bob@example.org", "two"), ("ada@example.org", "three")):
        await send(mailbox, to, text)

    assert (await mailbox.next(to="bob@example.org")).text == "two\n"
    assert [(await mailbox.next()).text, (await mailbox.next()).text] == ["one\n", "three\n"]
    with pytest.raises(TimeoutError):
        await mailbox.next(timeout=0.01)
    assert len(mailbox.messages) == 3


async def test_mailbox_wakes_who_waits(mailbox: Mailbox) -> None:
    """A test may ask before the mail is there."""
    waiting = asyncio.create_task(mailbox.next(to="ada@example.org"))
    await send(mailbox, "ada@example.org", "hello")

    assert (await waiting).subject == "test"


async def test_mailbox_refuses_on_request(mailbox: Mailbox) -> None:
    """A server that is down or strict is one line of a test."""
    mailbox.refuse = "451 try later"

    with pytest.raises(aiosmtplib.SMTPDataError, match="try later"):
        await send(mailbox, "ada@example.org", "hello")
    assert mailbox.messages == []


async def send(mailbox: Mailbox, to: str, text: str) -> None:
    message = f"From: me@example.org\r\nTo: {to}\r\nSubject: test\r\n\r\n{text}\r\n"
    await aiosmtplib.send(
        message, sender="me@example.org", recipients=[to], hostname="127.0.0.1", port=mailbox.port, start_tls=False
    )
