"""Routes of a plugin that failed too often: 503 for them alone, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import msgspec
import pytest_asyncio
from aiohttp import web

from kernel import PUBLIC, Idempotency, errors, get, post, problems
from kernel.containment.breaker import Fault
from kernel.containment.containment import KERNEL, Containment
from kernel.containment.settings import ContainmentSettings
from kernel.http.settings import HttpSettings
from kernel.testing.clock import MovableClock
from tests.kernel.http.serving import MOUNT, bearing, serving


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written down."""

    text: str


async def fine() -> str:
    return "fine"


async def broken() -> None:
    raise ZeroDivisionError("secret value 4711")


async def slow() -> None:
    await asyncio.sleep(30)


async def conflicting() -> None:
    raise problems.Conflict("not now")


async def meaning_it() -> None:
    raise problems.Internal("it is known")


async def without_database() -> None:
    raise errors.DatabaseUnavailable("connection lost")


ROUTES = [
    get("", fine, permission=PUBLIC),
    get("/broken", broken, permission=PUBLIC),
    get("/slow", slow, permission=PUBLIC, timeout=0.1),
    get("/conflict", conflicting, permission=PUBLIC),
    get("/internal", meaning_it, permission=PUBLIC),
    get("/database", without_database, permission=PUBLIC),
]


@dataclass
class Stage:
    """The plugin `notes`, served; four faults put it in quarantine."""

    client: aiohttp.ClientSession
    containment: Containment
    clock: MovableClock

    async def status(self, path: str = "") -> int:
        """Return the status for somebody new."""
        async with self.client.get(MOUNT + path, headers=bearing("notes.read")) as answer:
            return answer.status

    def counts(self) -> dict[Fault, int]:
        return dict(self.containment.of("notes").counts)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    clock = MovableClock()
    containment = Containment(ContainmentSettings(faults=4), clock=clock)
    settings = HttpSettings(trusted_proxies=("127.0.0.0/8",))
    async with serving(ROUTES, containment=containment, settings=settings) as client:
        yield Stage(client, containment, clock)


async def test_plugin_that_failed_too_often_answers_503(stage: Stage) -> None:
    """All of its routes do, with the time to come back, and without our insides; afterwards they answer again."""
    statuses = [await stage.status("/broken") for _ in range(5)]
    async with stage.client.get(MOUNT) as answer:
        document = await answer.json(content_type=None)
    stage.clock.advance(31)

    assert statuses == [500, 500, 500, 500, 503]
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert (document["type"], document["plugin"]) == ("/problems/plugin-quarantined", "notes")
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert "4711" not in str(document)
    assert await stage.status() == 200


async def test_one_fault_on_probation_is_enough(stage: Stage) -> None:
    """Then it rests again, and for longer."""
    for _ in range(4):
        await stage.status("/broken")
    stage.clock.advance(31)
    on_probation = [await stage.status("/broken"), await stage.status()]
    stage.clock.advance(31)

    assert on_probation == [500, 503]
    assert await stage.status() == 503
    stage.clock.advance(31)
    assert await stage.status() == 200


async def test_time_that_runs_out_is_a_fault(stage: Stage) -> None:
    """The caller is told 504, and the plugin is counted."""
    assert await stage.status("/slow") == 504
    assert stage.counts() == {Fault.TIMEOUT: 1}


async def test_answers_that_are_meant_and_outages_count_for_nothing(stage: Stage) -> None:
    """A problem that a handler raises, of whichever status, a database that is gone, a path that is not there."""
    paths = ("/conflict", "/internal", "/database", "/nowhere")
    statuses = {path: [await stage.status(path) for _ in range(6)][-1] for path in paths}

    assert statuses == {"/conflict": 409, "/internal": 500, "/database": 503, "/nowhere": 404}
    assert stage.counts() == {}


async def test_one_caller_can_not_close_the_plugin_for_the_others(stage: Stage) -> None:
    """Neither with an account nor, as a stranger, from one address; several addresses can."""
    ada = bearing("notes.read")
    for headers in (ada, {"X-Forwarded-For": "198.51.100.7"}):
        for _ in range(20):
            async with stage.client.get(f"{MOUNT}/broken", headers=headers) as answer:
                assert answer.status == 500
    for number in (8, 9):
        async with stage.client.get(f"{MOUNT}/broken", headers={"X-Forwarded-For": f"198.51.100.{number}"}):
            pass

    assert await stage.status() == 503


async def test_client_that_sends_its_body_slowly_is_no_fault_of_the_plugin() -> None:
    """It is answered 408, and nobody is counted."""
    containment = Containment()

    async def drip() -> AsyncIterator[bytes]:
        yield b'{"te'
        await asyncio.sleep(30)

    async def write(body: Note) -> None: ...

    routes = [post("", write, permission=PUBLIC, idempotency=Idempotency.NONE)]
    settings = HttpSettings(body_seconds=0.2, lingering_seconds=0.1)
    async with serving(routes, containment=containment, settings=settings) as client:
        answer = await client.post(MOUNT, data=drip(), headers={"Content-Type": "application/json"})

    assert answer.status == 408
    assert not containment.of("notes").counts


async def test_failing_error_response_is_counted_and_closes_no_route(stage: Stage) -> None:
    """It is asked for whatever fails; without the code of a plugin to blame, it is the kernel's."""
    containment = Containment(ContainmentSettings(faults=1_000))

    def worse(request: web.Request, error: Exception) -> web.StreamResponse | None:
        raise RuntimeError("worse")

    async with serving(ROUTES, containment=containment, error_response=worse) as client:
        answer = await client.get(f"{MOUNT}/broken")

    assert answer.status == 500
    counts = {plugin: dict(breaker.counts) for plugin, breaker in containment}
    assert counts == {KERNEL: {Fault.REQUEST: 1}, "notes": {Fault.REQUEST: 1}}
