"""Routes of one plugin, served on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import aiohttp
import structlog
from aiohttp import web

from kernel import IDENTITY, Identity, Principal, Request, Route, Socket, errors, new_id, problems
from kernel.clock import Clock, SystemClock
from kernel.containment.containment import Containment
from kernel.database import Database
from kernel.database.opening import DatabaseSettings, open_database
from kernel.deployment import Deployment
from kernel.http.access import AccessLine
from kernel.http.application import Mounted, build_application
from kernel.http.failures import ErrorPage, ErrorResponse
from kernel.http.limits import Limiter
from kernel.http.metrics import HttpMetrics
from kernel.http.serving import runner
from kernel.http.settings import HttpSettings
from kernel.http.sockets.tickets import Tickets
from kernel.services import Services

DEPLOYMENT = Deployment(name="Fern & Oak", public_url="https://learn.example.org", currency="EUR", development=False)
MOUNT = "/api/v1/notes"

log = structlog.get_logger()


class Tokens(Identity):
    """Believes a token of the form `permission+permission:uuid`, with `:uuid` of an actor behind it."""

    def __init__(self, acted: list[str], ended: Collection[UUID] = (), expires: datetime | None = None) -> None:
        self._acted = acted
        self._ended = ended
        self._expires = expires

    async def authenticate(self, request: web.Request) -> Principal | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        names, _, people = header.removeprefix("Bearer ").partition(":")
        if not people:
            raise problems.NotSignedIn("The token is not valid.")
        person, _, actor = people.partition(":")
        return Principal(
            id=UUID(person),
            session=UUID(int=1),
            roles=frozenset(),
            permissions=frozenset(names.split("+")),
            actor=UUID(actor) if actor else None,
            expires=self._expires,
        )

    async def lapsed(self, principals: Sequence[Principal]) -> Collection[Principal]:
        return [principal for principal in principals if principal.id in self._ended]

    async def record_acting(self, request: Request, route: str) -> None:
        if "unrecorded" in request.principal.permissions:
            raise errors.DatabaseUnavailable("nothing can be written down")
        self._acted.append(route)


def bearing(*permissions: str, person: UUID | None = None, actor: UUID | None = None) -> dict[str, str]:
    """Return the headers of a person with *permissions*, for whom *actor* may stand in."""
    people = [str(person or new_id()), *([str(actor)] if actor else [])]
    return {"Authorization": f"Bearer {':'.join(('+'.join(permissions), *people))}"}


def unused_database() -> Database:
    """Return a database for routes that need none; it connects at its first use, which never comes."""
    return open_database("notes", DatabaseSettings(url="sqlite:////nowhere"))


@dataclass
class Served:
    """A running application and what it told."""

    app: web.Application
    metrics: HttpMetrics = field(default_factory=HttpMetrics)
    lines: list[AccessLine] = field(default_factory=list)


@asynccontextmanager
async def serving(
    routes: Sequence[Route] = (),
    *,
    db: Database | None = None,
    settings: HttpSettings | None = None,
    deployment: Deployment = DEPLOYMENT,
    limiter: Limiter | None = None,
    disabled: Mapping[str, str] | None = None,
    error_response: ErrorResponse | None = None,
    error_page: ErrorPage | None = None,
    failed: str | None = None,
    identity: bool = True,
    told: list[AccessLine] | None = None,
    acted: list[str] | None = None,
    metrics: HttpMetrics | None = None,
    containment: Containment | None = None,
    sockets: Sequence[Socket] = (),
    tickets: Tickets | None = None,
    clock: Clock | None = None,
    ended: Collection[UUID] = (),
    expires: datetime | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve *routes* under `MOUNT`."""
    services = Services()
    if identity:
        services.provide(IDENTITY, Tokens([] if acted is None else acted, ended, expires))
    settings = settings or HttpSettings()
    notes = Mounted(
        plugin="notes",
        mount="notes",
        routes=tuple(routes),
        sockets=tuple(sockets),
        db=db or unused_database(),
        error_response=error_response,
        failed=failed,
    )
    lines = told if told is not None else []
    app = build_application(
        [notes],
        disabled=disabled or {},
        services=services,
        deployment=deployment,
        settings=settings,
        limiter=limiter or Limiter(None, log),
        metrics=metrics or HttpMetrics(),
        clock=clock or SystemClock(),
        log=log,
        access=lines.append,
        error_page=error_page,
        containment=containment,
        tickets=tickets,
    )
    running = runner(app, settings)
    await running.setup()
    try:
        site = web.TCPSite(running, "127.0.0.1", 0)
        await site.start()
        port = running.addresses[0][1]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        await running.cleanup()
