"""A process that is told to stop while everybody is at work (A39): by SIGTERM, as with each update."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest
from redis.asyncio import Redis

from kernel import CloseCode
from kernel.testing.servers import PostgresServer
from tests.faults.backstage import Backstage
from tests.faults.lecture import Lecture
from tests.faults.shop import BATCHES, PRICE, PURCHASES, Shop, Student, new_key, opened
from tests.faults.site import People, Server, Site, make_site

REDIS: Final = 1  # database
#: Each purchase is under way for a while, and so is each message.
FAILPOINTS: Final = "enrollments.charged=sleep:400,chat.stored=sleep:50"
BUYERS: Final = 30
BETWEEN: Final = 0.05  # seconds between two purchases
BUSY: Final = 1.0  # seconds of load before the signal
MARGIN: Final = 0.05  # seconds before it, within which a request may not have arrived
LONGEST: Final = 20.0  # seconds until the process has ended
TALKERS: Final = 4
UNDER_WAY: Final = 3  # messages of each
OPEN: Final = "SELECT purchase_id FROM p_enrollments.grants WHERE state = 'active' AND purchase_id = ANY($1)"
SUBJECTS: Final = "SELECT subject FROM p_audit.acts WHERE subject = ANY($1)"


@dataclass
class Load:
    """What people asked for, when, and what they were told."""

    began: dict[str, float] = field(default_factory=dict)  #: by the name of each request
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    acknowledged: list[int] = field(default_factory=list)  #: offsets of messages
    codes: list[int | None] = field(default_factory=list)  #: with which WebSockets were closed

    async def ask(self, name: str, client: aiohttp.ClientSession, path: str, body: object, token: str) -> bool:
        """Ask, and return whether there was an answer."""
        self.began[name] = time.monotonic()
        headers = {"Authorization": f"Bearer {token}", **new_key()}
        with contextlib.suppress(aiohttp.ClientError):
            async with client.post(path, json=body, headers=headers) as answer:
                self.answers[name] = answer.status, await answer.json(content_type=None)
        return name in self.answers

    def unanswered_before(self, moment: float) -> list[str]:
        """Return what was asked for before *moment* and never answered, or refused."""
        asked = (name for name, began in self.began.items() if began < moment)
        return [name for name in asked if self.answers.get(name, (0, None))[0] != 201]


@pytest.fixture(scope="module")
def own_site(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, stage: Backstage) -> Site:
    """A deployment of one process."""
    site = make_site(tmp_path_factory.mktemp("stopping"), postgres_server, stage, redis=REDIS)
    asyncio.run(_emptied(site))
    return site


async def _emptied(site: Site) -> None:
    async with Redis.from_url(site.redis) as client:
        await client.flushdb()


async def test_process_that_is_told_to_stop_under_load_finishes_and_loses_nothing(own_site: Site) -> None:
    """A39: what it has begun is answered, sockets are told to connect again, and the next process has everything."""
    load = Load()
    async with own_site.serving_soon("stopping", failpoints=FAILPOINTS) as server:
        people = await People.of(own_site)
        async with opened(own_site, people, server) as shop:
            lecture = await Lecture.of(shop)
            buyers, talkers = await moneyed(shop), [await lecture.student() for _ in range(TALKERS)]
            work = [
                *(asyncio.create_task(talk(lecture, server, one, load)) for one in talkers),
                asyncio.create_task(buy(shop, server, buyers, load)),
                asyncio.create_task(make_batches(shop, server, load)),
            ]
            await asyncio.sleep(BUSY)
            told_at = time.monotonic()
            code = await asyncio.to_thread(server.process.stop, signal.SIGTERM)
            took = time.monotonic() - told_at
            async with asyncio.timeout(LONGEST):
                await asyncio.gather(*work)

    assert (code, load.codes) == (0, [CloseCode.RESTART] * TALKERS), server.process.output()
    assert took < LONGEST
    assert load.unanswered_before(told_at - MARGIN) == []
    under_way = [name for name, began in load.began.items() if told_at - 0.4 < began < told_at - MARGIN]
    assert any(name.startswith("purchase") for name in under_way), "or nothing was tested"
    async with own_site.serving_soon("again") as server, opened(own_site, people, server) as shop:
        await shop.settled()
        await everything_is_there(lecture, load)
        assert await shop.faults() == []


async def moneyed(shop: Shop) -> list[Student]:
    """Return people who can buy one course each."""
    code = await shop.voucher(PRICE, uses=BUYERS)
    return [await shop.student(code) for _ in range(BUYERS)]


async def talk(lecture: Lecture, server: Server, student: Student, load: Load) -> None:
    """Say one thing after the other, a few at once, until the server ends it."""
    async with lecture.talking(server, student.token) as voice:
        for number in range(UNDER_WAY):
            await voice.send("post", client_id=f"{student.user.hex}-{number}", text="x")
        async for message in voice.socket:
            told = json.loads(message.data)
            assert told["type"] != "refused", told
            if told["type"] == "stored":
                load.acknowledged.append(told["offset"])
                number += 1
                with contextlib.suppress(ConnectionError):
                    await voice.send("post", client_id=f"{student.user.hex}-{number}", text="x")
        load.codes.append(voice.socket.close_code)


async def buy(shop: Shop, server: Server, buyers: Sequence[Student], load: Load) -> None:
    """Have everybody buy a course, one shortly after the other."""
    course = await shop.course()
    async with aiohttp.ClientSession(server.url) as client, asyncio.TaskGroup() as group:
        for buyer in buyers:
            body = {"course_id": course}
            group.create_task(load.ask(f"purchase {buyer.user}", client, PURCHASES, body, buyer.token))
            await asyncio.sleep(BETWEEN)


async def make_batches(shop: Shop, server: Server, load: Load) -> None:
    """Make one batch of vouchers after the other, each of which is an event for the audit log."""
    async with aiohttp.ClientSession(server.url) as client:
        for number in itertools.count():
            body = {"count": 1, "amount": 1, "max_uses": 1}
            if not await load.ask(f"batch {number}", client, BATCHES, body, str(shop.admin.token)):
                return


async def everything_is_there(lecture: Lecture, load: Load) -> None:
    """Compare what was acknowledged with what the databases have."""
    site, keys = lecture.shop.site, await lecture.keys()
    assert 0 < len(load.acknowledged) == len(set(load.acknowledged))
    assert len(keys) == len(set(keys))
    assert max(load.acknowledged) <= len(keys), "offsets count the messages, of which there is nothing else here"
    done = [body for status, body in load.answers.values() if status == 201]
    acts = [f"voucher_batch:{body['batch']['id']}" for body in done if "batch" in body]
    assert acts
    assert sorted(row[0] for row in await site.as_superuser(SUBJECTS, acts)) == sorted(acts), "once, and all of them"
    bought = [body["purchase_id"] for body in done if "purchase_id" in body]
    assert sorted(str(row[0]) for row in await site.as_superuser(OPEN, bought)) == sorted(bought)
