"""Processes that die in the midst of a change of money (A22): after a restart it is done once, or not at all.

Each failpoint has a deployment of its own: one process dies at it, a second one finds what the first has left.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import aiohttp
import pytest
from redis.asyncio import Redis

from kernel import new_id
from kernel.testing.clients import Client
from kernel.testing.servers import PostgresServer
from tests.faults.backstage import Backstage
from tests.faults.racing import Answer, Wish, crowd
from tests.faults.shop import COURSES, PRICE, PURCHASES, REDEEM, Student, opened
from tests.faults.site import People, Server, Site, make_site

LIMIT: Final = 30.0  # seconds after the restart
LAST_REDIS: Final = 15  # database; the copies use those before it, the first is another site's
AT_ONCE: Final = 3  # deployments; starting one takes a core
BREAKS: Final = 20  # of all connections
PURCHASE: Final = ("enrollments.before-charge", "enrollments.charged", "enrollments.enrolled")
REDEMPTION: Final = ("payments.redeemed",)
CHANGE: Final = ("events.written",)
REFUND: Final = ("enrollments.refund-asked", "payments.credited", "enrollments.paid-back")
EVENTS: Final = ("events.positioned", "events.published", "events.sent", "events.received", "events.handled")

#: Of one person: how the only purchase stands, and how many charges and grants there are.
FACTS: Final = """
SELECT (SELECT string_agg(state, ' ') FROM p_enrollments.purchases WHERE user_id = $1),
       (SELECT count(*) FROM p_payments.charges WHERE user_id = $1),
       (SELECT count(*) FROM p_enrollments.grants WHERE user_id = $1)
"""

#: Of one purchase: the acts of refunds that the log holds.
REFUNDS_TOLD: Final = """
SELECT actor, reason, before, after FROM p_audit.acts WHERE action = 'enrollments.refund_purchase' AND subject = $1
"""


@dataclass(frozen=True)
class Scene:
    """A deployment that was stopped in peace: somebody with money, and somebody who has bought."""

    site: Site
    people: People
    course: str
    voucher: str
    rich: UUID
    owner: UUID
    purchase: str

    @asynccontextmanager
    async def copied(self, number: int) -> AsyncIterator[Site]:
        """Give a copy of the deployment with a database and a Redis database of its own."""
        postgres = self.site.postgres
        database = await postgres.create_database(self.site.database)
        redis = f"{self.site.redis.rpartition('/')[0]}/{number}"
        folder = self.site.folder / f"copy {number}"
        folder.mkdir(exist_ok=True)
        copy = replace(self.site, folder=folder, database=database, redis=redis)
        copy.config.write_bytes(self.site.config.read_bytes())
        async with Redis.from_url(redis) as client:
            await client.flushdb()
        try:
            yield copy
        finally:
            await postgres.drop_database(database)

    @asynccontextmanager
    async def somebody(self, server: Server, user: UUID, *roles: str) -> AsyncIterator[Student]:
        """Give *user* as a client of *server*."""
        client = Client(server.url)
        try:
            yield Student(client, user, await self.people.token(*roles, user=user))
        finally:
            await client.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, stage: Backstage) -> Scene:
    """A deployment to be copied."""
    site = make_site(tmp_path_factory.mktemp("scene"), postgres_server, stage, redis=LAST_REDIS)
    return asyncio.run(furnished(site))


async def furnished(site: Site) -> Scene:
    """Serve *site* until somebody has money and somebody has bought, and every event of it is handled."""
    async with site.serving_soon("first") as server:
        people = await People.of(site)
        async with opened(site, people, server) as shop:
            course, code = await shop.course(), await shop.voucher(PRICE, uses=10)
            rich, owner = await shop.student(code), await shop.student(code)
            bought = await owner.call("POST", PURCHASES, {"course_id": course}, expect=201)
        async with site.inside() as platform:
            await platform.events.settle()
    return Scene(site, people, course, code, rich.user, owner.user, bought["purchase_id"])


#: Sends what is to break off.
Act = Callable[[Server], Awaitable[object]]
#: Says what became of it; nothing (None) while it is not whole.
Look = Callable[[Site, Server], Awaitable[object]]


async def outcomes(
    scene: Scene, failpoints: Sequence[str], act: Act, look: Look, *, besides: str = ""
) -> dict[str, object]:
    """Return for each failpoint what *look* sees after *act* has died there and the process was started anew.

    *besides* is what happens at other failpoints meanwhile.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def tried(number: int, failpoint: str) -> tuple[str, object]:
        async with slots, scene.copied(number) as site:
            async with site.serving_soon("dying", failpoints=f"{failpoint}=kill{besides}") as server:
                with contextlib.suppress(aiohttp.ClientError):
                    await act(server)
                await server.died()
            async with site.serving_soon("restarted") as server:
                return failpoint, await settled(lambda: look(site, server))

    return dict(await asyncio.gather(*(tried(number, name) for number, name in enumerate(failpoints, 1))))


async def settled(look: Callable[[], Awaitable[object]]) -> object:
    """Return what *look* sees once it is something and stays so: nothing comes after it."""
    async with asyncio.timeout(LIMIT):
        while not (found := await look()):  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    assert await look() == found
    return found


async def test_purchase_that_died_is_charged_and_enrolled_once_or_neither(scene: Scene) -> None:
    """A22: before the charge it comes to nothing, and the money is there; after it the access is there."""

    async def buy(server: Server) -> None:
        async with scene.somebody(server, scene.rich) as student:
            await student.call("POST", PURCHASES, {"course_id": scene.course}, expect=201)

    async def look(site: Site, server: Server) -> str | None:
        (facts,) = await site.as_superuser(FACTS, scene.rich)
        async with scene.somebody(server, scene.rich) as student:
            seen = (await student.balance(), await student.owns(), *facts)
        return {
            str((0, [scene.course], "completed", 1, 1)): "charged and enrolled",
            str((PRICE, [], "failed", 0, 0)): "neither",
        }.get(str(seen))

    at_purchase = await outcomes(scene, PURCHASE, buy, look)
    # So that the event is under way before the purchase is completed: what is settled is not received at all.
    at_event = await outcomes(scene, EVENTS, buy, look, besides=",enrollments.charged=sleep:10000")

    assert at_purchase == {
        "enrollments.before-charge": "neither",
        "enrollments.charged": "charged and enrolled",
        "enrollments.enrolled": "charged and enrolled",
    }
    assert at_event == dict.fromkeys(EVENTS, "charged and enrolled")


async def test_redemption_that_died_can_be_sent_again(scene: Scene) -> None:
    """A22: the use, the money and the events are one; the repeat with the same key brings the money, once."""
    user, body = new_id(), {"code": scene.voucher}

    async def redeem(server: Server) -> None:
        async with scene.somebody(server, user) as student:
            headers = {"Authorization": f"Bearer {student.token}", "Idempotency-Key": "once"}
            await student.post.call("POST", REDEEM, body, expect=200, headers=headers)

    async def look(site: Site, server: Server) -> int:
        await redeem(server)
        async with scene.somebody(server, user) as student:
            return await student.balance()

    found = await outcomes(scene, REDEMPTION, redeem, look)

    assert found == dict.fromkeys(REDEMPTION, PRICE)


async def test_change_that_died_with_its_event_can_be_sent_again(scene: Scene) -> None:
    """A22: a course, the event of its making and the answer kept for its key are one."""
    teacher, body = new_id(), {"title": "Knots"}

    async def make(server: Server) -> None:
        async with scene.somebody(server, teacher, "instructor") as maker:
            headers = {"Authorization": f"Bearer {maker.token}", "Idempotency-Key": "once"}
            await maker.post.call("POST", COURSES, body, expect=201, headers=headers)

    async def look(site: Site, server: Server) -> int:
        await make(server)
        async with scene.somebody(server, teacher, "instructor") as maker:
            return len((await maker.call("GET", f"{COURSES}/mine"))["items"])

    assert await outcomes(scene, CHANGE, make, look) == dict.fromkeys(CHANGE, 1)


async def test_refund_that_died_is_given_and_recorded_once(scene: Scene) -> None:
    """A22: once it was asked for, the money goes back, the access ends, and the log says by whom; nobody asks again."""
    asker = new_id()

    async def refund(server: Server) -> None:
        async with scene.somebody(server, asker, "admin") as admin:
            await admin.call("POST", f"{PURCHASES}/{scene.purchase}/refund", {"reason": "Sorry."}, expect=200)

    async def look(site: Site, server: Server) -> str | None:
        async with scene.somebody(server, scene.owner) as owner:
            seen = (await owner.balance(), await owner.owns())
        told = await site.as_superuser(REFUNDS_TOLD, f"purchase:{scene.purchase}")
        act = (asker, "Sorry.", '{"refunded":0}', f'{{"refunded":{PRICE}}}')
        return "given and told" if (seen, told) == ((PRICE, []), [act]) else None

    found = await outcomes(scene, REFUND, refund, look)

    assert found == dict.fromkeys(REFUND, "given and told")


async def test_purchases_go_on_while_connections_to_the_database_break(scene: Scene) -> None:
    """A22: whoever repeats an order with its key, until it is answered, has the course once and paid once."""
    async with (
        scene.copied(1) as site,
        site.serving_soon("served") as server,
        scene.somebody(server, scene.rich) as student,
    ):
        wish = student.order(scene.course, "until-it-is-answered")
        breaking = asyncio.create_task(break_connections(site))
        answers = [answer async for answer in repeated(server, wish, BREAKS)]
        ended = await breaking
        (last,) = [answer async for answer in repeated(server, wish, 1)]

        assert ended > BREAKS
        assert {answer.status for answer in answers} <= {201, 503}
        assert {answer.body["purchase_id"] for answer in (*answers, last) if answer.status == 201} == {
            last.body["purchase_id"]
        }
        assert (await student.balance(), await student.owns()) == (0, [scene.course])


async def break_connections(site: Site) -> int:
    """End all connections to PostgreSQL again and again; return how many there were."""
    ended = 0
    for _ in range(BREAKS):
        await asyncio.sleep(0.05)
        ended += await site.end_connections()
    return ended


async def repeated(server: Server, wish: Wish, times: int) -> AsyncIterator[Answer]:
    """Send *wish* so often, and give each answer."""
    async with crowd([server.port], 1) as racing:
        for _ in range(times):
            await asyncio.sleep(0.03)
            yield (await racing.race([wish]))[0]
