"""What the kernel adds to a bare aiohttp handler, in µs of CPU per request, layer by layer.

    python -m bench.overhead [--rounds 150] [--json]

The server runs without a network: requests are fed to its protocol objects and answers are taken from them, so that
what is measured is the server's own CPU and nothing else. The layers take turns, and of each the quietest round
counts: what other processes take of caches and cores only ever adds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
import uvloop
from aiohttp import web

from kernel import IDENTITY, PUBLIC, Idempotency, Identity, Principal, Request, Route, get, new_id, post
from kernel.clock import SystemClock
from kernel.database.opening import DatabaseSettings, open_database
from kernel.deployment import Deployment
from kernel.http.access import AccessLog, JsonAccessLog
from kernel.http.application import Mounted, build_application
from kernel.http.frame import SHARED, Frame
from kernel.http.limits import Limiter
from kernel.http.metrics import HttpMetrics
from kernel.http.serving import runner
from kernel.http.settings import HttpSettings
from kernel.http.switchboard import SWITCHBOARD
from kernel.services import Services

BUDGET: Final = 20.0  # µs
BATCH: Final = 200  # requests of one layer in one turn

PATH: Final = "/api/v1/courses"
COURSE_ID: Final = "0193b1c0-0000-7000-8000-000000000000"
LOG: Final = structlog.get_logger()


class Course(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID
    title: str
    summary: str
    price: int


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int = 20
    language: str | None = None


COURSE: Final = Course(UUID(COURSE_ID), "Botany for beginners", "What grows, where, and why. " * 8, 4900)
ENCODED: Final = msgspec.json.encode(COURSE)


class Person(Identity):
    """An identity as `auth` has it for a token that it knows: one look into a dictionary."""

    def __init__(self) -> None:
        someone = Principal(
            id=new_id(), session=new_id(), roles=frozenset({"student"}), permissions=frozenset({"courses.read"})
        )
        self._known = {"Bearer " + "t" * 200: someone}

    async def authenticate(self, request: web.Request) -> Principal | None:
        return self._known[request.headers["Authorization"]]


async def bare(http: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode(COURSE), content_type="application/json")


async def bare_post(http: web.Request) -> web.Response:
    course = msgspec.json.decode(await http.read(), type=Course)
    return web.Response(body=msgspec.json.encode(course), content_type="application/json")


async def constant() -> Course:
    return COURSE


async def by_id(request: Request, course_id: UUID) -> Course:
    return COURSE


async def listed(request: Request, course_id: UUID, query: Filters) -> Course:
    return COURSE


async def change(request: Request, course_id: UUID, body: Course) -> Course:
    return body


@dataclass(frozen=True)
class Layer:
    """One application under test; *adds* says what it has that the one named by *over* has not."""

    adds: str
    over: str
    app: Callable[[], web.Application]
    request: bytes
    name: str


def request(method: str = "GET", query: str = "", body: bytes = b"") -> bytes:
    lines = [
        f"{method} {PATH}/{COURSE_ID}{query} HTTP/1.1",
        "Host: localhost:8080",
        "User-Agent: bench",
        "Accept: */*",
        f"Authorization: Bearer {'t' * 200}",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def plain(handler: Callable[[web.Request], Awaitable[web.Response]], method: str = "GET") -> web.Application:
    app = web.Application()
    app.router.add_route(method, f"{PATH}/{{course_id}}", handler)
    return app


def framed() -> web.Application:
    app = lyceum()
    shared = app[SHARED]
    numbers = shared.metrics.route("bench", PATH, "GET")
    breaker = shared.containment.of("bench")
    frame = Frame(
        shared=shared, plugin="bench", route=PATH, timeout=30, numbers=numbers, log=shared.log, breaker=breaker
    )

    async def respond(request: Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(COURSE), headers=shared.headers)

    async def serve(http: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        return await frame.run(http, respond)

    app[SWITCHBOARD].add("GET", f"{PATH}/{{course_id}}", serve)
    return app


def nowhere(line: object) -> None:
    """Take a log line and drop it."""


def lyceum(*routes: Route, identity: bool = False, access: AccessLog = nowhere) -> web.Application:
    services = Services()
    if identity:
        services.provide(IDENTITY, Person())
    settings = HttpSettings(unsafe_rate="1000000/second")
    db = open_database("courses", DatabaseSettings(url="sqlite:////nowhere"))
    return build_application(
        [Mounted(plugin="courses", mount="courses", routes=routes, db=db)] if routes else [],
        disabled={},
        services=services,
        deployment=Deployment(name="Bench", public_url="http://localhost:8080", currency="EUR", development=False),
        settings=settings,
        limiter=Limiter(None, LOG),
        metrics=HttpMetrics(),
        clock=SystemClock(),
        log=LOG,
        access=access,
    )


def layers() -> list[Layer]:
    null = Path(os.devnull).open("wb")  # noqa: SIM115 - lives as long as the process
    read = "courses.read"

    async def ignoring(course_id: str) -> Course:
        return COURSE

    by_text = get("/{course_id}", ignoring, permission=PUBLIC)
    asked = get("/{course_id}", by_id, permission=read)
    filtered = get("/{course_id}", listed, permission=read)
    changed = post("/{course_id}", change, permission=read, idempotency=Idempotency.NONE)
    log = JsonAccessLog(null)
    get_, query, put = request(), request(query="?limit=10&language=en"), request("POST", body=ENCODED)
    return [
        Layer("aiohttp: parser, router, handler, writer", "", lambda: plain(bare), get_, "bare"),
        Layer("our routing for aiohttp's, request id, deadline, metrics, errors", "bare", framed, get_, "frame"),
        Layer("encoding, entity tag, headers", "frame", lambda: lyceum(by_text), get_, "endpoint"),
        Layer("identity, permission, UUID", "endpoint", lambda: lyceum(asked, identity=True), get_, "identity"),
        Layer("request log", "identity", lambda: lyceum(asked, identity=True, access=log), get_, "GET, all on"),
        Layer(
            "query of two fields", "GET, all on", lambda: lyceum(filtered, identity=True, access=log), query, "query"
        ),
        Layer("aiohttp: with a JSON body", "", lambda: plain(bare_post, "POST"), put, "bare POST"),
        Layer(
            "all of it, body, cross-site check, general limit",
            "bare POST",
            lambda: lyceum(changed, identity=True, access=log),
            put,
            "POST, all on",
        ),
    ]


class Wire(asyncio.Transport):
    """A transport without a network."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: asyncio.Future[bytes] | None = None

    def write(self, data: Any) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(bytes(data[:15]))

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def batch(protocol: web.RequestHandler, wire: Wire, raw: bytes) -> float:
    """Return the µs of CPU for each of a batch of requests."""
    loop = asyncio.get_running_loop()
    began = time.process_time()
    for _ in range(BATCH):
        wire.answered = loop.create_future()
        protocol.data_received(raw)
        await wire.answered
    return (time.process_time() - began) / BATCH * 1e6


async def measure(rounds: int) -> dict[str, float]:
    served: dict[str, tuple[web.RequestHandler, Wire, bytes]] = {}
    for layer in layers():
        app = layer.app()
        running = runner(app, HttpSettings()) if SHARED in app else web.AppRunner(app, access_log=None)
        await running.setup()
        assert running.server is not None
        protocol, wire = running.server(), Wire()
        protocol.connection_made(wire)
        served[layer.name] = (protocol, wire, layer.request)
        await batch(protocol, wire, layer.request)
        assert wire.answered is not None
        assert wire.answered.result() == b"HTTP/1.1 200 OK", f"{layer.name}: {wire.answered.result()!r}"
    samples: dict[str, list[float]] = {name: [] for name in served}
    for _ in range(rounds):
        gc.collect()
        for name, (protocol, wire, raw) in served.items():
            samples[name].append(await batch(protocol, wire, raw))
    return {name: min(values) for name, values in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    uvloop.install()
    found = asyncio.run(measure(options.rounds))
    added = found["GET, all on"] - found["bare"]
    if options.json:
        print(json.dumps({"layers": found, "added": added, "budget": BUDGET}))
        return
    print(f"{'µs':>7} {'adds':>7}")
    for layer in layers():
        more = f"{found[layer.name] - found[layer.over]:+7.1f}" if layer.over else " " * 7
        print(f"{found[layer.name]:7.1f} {more}  {layer.name}: {layer.adds}")
    verdict = "within" if added <= BUDGET else "OVER"
    print(f"\nadded to a bare GET: {added:.1f} µs, {verdict} the budget of {BUDGET:.0f}")


if __name__ == "__main__":
    main()
