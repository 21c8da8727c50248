"""What the kernel keeps of people: handed out, erased, and still events that are handled."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel import (
    ERASED,
    SIGNED_IN,
    TRACES,
    Context,
    Delivery,
    Event,
    EventHandler,
    Identifiers,
    Manifest,
    Personal,
    Plugin,
    Request,
    Route,
    Traces,
    hookimpl,
    new_id,
    on,
    post,
)
from kernel.database import Query, Session
from kernel.database.tables import inbox, outbox
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

EMAIL: Final = "ada@school.test"
LOG: Final = Query(sa.select(outbox.c.data).order_by(outbox.c.seq), bytes)
ERRORS: Final = Query(sa.select(inbox.c.last_error).order_by(inbox.c.seq), str)


class Joined(Event, frozen=True, kw_only=True):
    """Somebody joined."""

    name: ClassVar[str] = "club.joined.v1"
    key: ClassVar[str] = "user_id"
    personal: ClassVar[Personal] = {"user_id": {"nickname": ""}}
    user_id: UUID
    nickname: str
    email: str


class Desk:
    """Welcomes people while it is open, and says whom it turns away."""

    def __init__(self, ctx: Context) -> None:
        self.open = True
        self.welcomed: list[Joined] = []

    async def welcome(self, session: Session, delivery: Delivery[Joined]) -> None:
        if not self.open:
            raise RuntimeError(f"no room for {delivery.event.nickname} <{delivery.event.email}>")
        self.welcomed.append(delivery.event)


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to join."""

    user_id: UUID
    nickname: str
    email: str


class Club(Plugin):
    """Tells who joined."""

    manifest: ClassVar[Manifest] = Manifest(name="club", version="1", publishes=(Joined,))

    @hookimpl
    def routes(self, ctx: Context) -> tuple[Route, ...]:
        async def join(request: Request, body: Member, session: Session) -> Member:
            """Join."""
            await ctx.events.publish(session, Joined(**msgspec.structs.asdict(body)))
            return body

        return (post("/members", join, permission=SIGNED_IN),)


class Door(Plugin):
    """Hears who joined."""

    manifest: ClassVar[Manifest] = Manifest(name="door", version="1")

    @hookimpl
    def event_handlers(self, ctx: Context) -> tuple[EventHandler, ...]:
        return (on(Joined, ctx.own(Desk).welcome, name="welcome"),)


def desk_of(deployment: Deployment) -> Desk:
    return deployment.platform.context("door").own(Desk)


async def erase(deployment: Deployment, user: UUID) -> None:
    for _, traces in deployment.platform.services.named(TRACES):
        await traces.erase(Identifiers(user_id=user, email=EMAIL))


def traces_of(deployment: Deployment, plugin: str) -> Traces:
    return dict(deployment.platform.services.named(TRACES))[plugin]


async def join(deployment: Deployment, user: UUID, nickname: str, email: str = EMAIL, key: str = "k") -> Any:
    client = deployment.client("student", user=user)
    body = {"user_id": str(user), "nickname": nickname, "email": email}
    return await client.call("POST", "/api/v1/club/members", body, headers={"Idempotency-Key": key})


async def test_event_that_waits_is_handled_without_the_values(deploy: Deploy) -> None:
    """A dead letter is retried as the same event; of its failure only the kind is left."""
    deployment = await deploy(plugins=[Club, Door], sections={"events": {"attempts": 1}})
    desk_of(deployment).open = False
    ada, bob = new_id(), new_id()
    await join(deployment, ada, "Countess")
    await join(deployment, bob, "Bobby", "bob@school.test")
    await deployment.settle()

    await erase(deployment, ada)
    errors = await deployment.platform.context("door").db.all(ERRORS)
    desk_of(deployment).open = True
    await deployment.platform.events.administration.retry()
    await deployment.settle()

    assert errors[0] == "RuntimeError"
    assert "Bobby" in errors[1]
    assert sorted(desk_of(deployment).welcomed, key=lambda joined: joined.nickname) == [
        Joined(user_id=ada, nickname="", email=ERASED),
        Joined(user_id=bob, nickname="Bobby", email="bob@school.test"),
    ]


async def test_plugin_that_was_off_reads_the_log_without_the_values(deploy: Deploy) -> None:
    """It misses nothing, and learns nothing."""
    deployment = await deploy(plugins=[Club])
    ada = new_id()
    await join(deployment, ada, "Countess")
    await deployment.settle()

    await erase(deployment, ada)
    await deployment.restart(plugins=[Club, Door])
    await deployment.settle()

    assert desk_of(deployment).welcomed == [Joined(user_id=ada, nickname="", email=ERASED)]


async def test_events_of_others_stay_byte_for_byte(deploy: Deploy) -> None:
    """And a second erasure changes nothing more."""
    deployment = await deploy(plugins=[Club])
    ada, bob, db = new_id(), new_id(), deployment.platform.context("club").db
    await join(deployment, ada, "Countess")
    await join(deployment, bob, "Bobby", "bob@school.test")
    before = await db.all(LOG)

    await erase(deployment, ada)
    once = await db.all(LOG)
    await erase(deployment, ada)

    assert once[0] != before[0]
    assert once[1] == before[1]
    assert await db.all(LOG) == once


async def test_first_answers_are_forgotten_and_others_answered_as_before(deploy: Deploy) -> None:
    """An answer to somebody else that shows the address is repeated without it, and nothing happens twice."""
    deployment = await deploy(plugins=[Club])
    ada, bob, db = new_id(), new_id(), deployment.platform.context("club").db
    await join(deployment, ada, "Countess")
    await join(deployment, bob, "Wrote for Ada")

    await erase(deployment, ada)
    told = len(await db.all(LOG))
    again = await join(deployment, bob, "Wrote for Ada")

    assert again == {"user_id": str(bob), "nickname": "Wrote for Ada", "email": ERASED}
    assert len(await db.all(LOG)) == told
    handed_out = [name async for name, _ in traces_of(deployment, "club").export(Identifiers(user_id=ada))]
    assert handed_out == ["outbox-1.json"]


async def test_export_shows_the_events_and_answers_of_the_person(deploy: Deploy) -> None:
    """In the log and in the inbox, with the values; of others it holds nothing."""
    deployment = await deploy(plugins=[Club, Door])
    ada = new_id()
    await join(deployment, ada, "Countess")
    await join(deployment, new_id(), "Bobby", "bob@school.test")
    await deployment.settle()

    files = {
        f"{plugin}/{name}": content
        for plugin in ("club", "door")
        async for name, content in traces_of(deployment, plugin).export(Identifiers(user_id=ada, email=EMAIL))
    }

    assert files.keys() == {"club/outbox-1.json", "club/answers.json", "door/inbox-1.json"}
    assert all(b"Countess" in content and b"Bobby" not in content for content in files.values())
