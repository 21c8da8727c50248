"""The frame around every request: its id, its deadline, what became of its exceptions, its numbers and its log line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec
from aiohttp import web
from multidict import CIMultiDict
from structlog.typing import FilteringBoundLogger

from kernel.clock import Clock
from kernel.containment.breaker import Breaker, Fault
from kernel.containment.containment import Containment
from kernel.correlation import Cause, current_cause, set_cause
from kernel.deployment import Deployment
from kernel.http import problems
from kernel.http.access import AccessLine, AccessLog, path_of
from kernel.http.callers import Callers, request_id
from kernel.http.deadlines import Deadlines
from kernel.http.failures import ErrorResponse, Failures
from kernel.http.headers import SERVER
from kernel.http.limits import Limiter, address_key
from kernel.http.metrics import HttpMetrics, RouteMetrics
from kernel.http.request import Request
from kernel.http.settings import HttpSettings
from kernel.http.whole import WholeResponse

Respond = Callable[[Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all endpoints of one application share."""

    callers: Callers
    deployment: Deployment
    settings: HttpSettings
    security: Mapping[str, str]  #: headers of every answer that does not say otherwise
    headers: CIMultiDict[str]  #: of every answer of the API
    deadlines: Deadlines
    failures: Failures
    containment: Containment
    limiter: Limiter
    metrics: HttpMetrics
    access: AccessLog
    clock: Clock
    log: FilteringBoundLogger


#: Of every answer that does not say otherwise.
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    **SERVER,
}

_NONE: Final[Mapping[str, str]] = MappingProxyType({})

SHARED: Final = web.AppKey("shared", Shared)
#: Path of a page, as it was declared → its plugin, and the seconds that it may take.
PAGES: Final[web.AppKey[Mapping[str, tuple[str, float]]]] = web.AppKey("pages", Mapping[str, tuple[str, float]])


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The frame of one route."""

    shared: Shared
    plugin: str
    route: str  #: the path with its placeholders
    timeout: float
    numbers: RouteMetrics
    log: FilteringBoundLogger
    breaker: Breaker  #: of the plugin
    error_response: ErrorResponse | None = None

    async def run(
        self, http: web.Request, respond: Respond, placeholders: Mapping[str, str] = _NONE
    ) -> web.StreamResponse:
        """Return what *respond* answers in time, or the answer to what it raised."""
        started = perf_counter()
        shared = self.shared
        text = request_id(http)
        request = Request(msgspec.convert(text, UUID), http, shared.callers.addresses.of(http), None, placeholders)
        set_cause(Cause(request.id))
        deadlines = shared.deadlines
        task = deadlines.begin(self.timeout)
        try:
            if self.breaker.shut:
                self.breaker.refuse(self.plugin)
            response = await respond(request)
        except asyncio.CancelledError as error:
            if deadlines.runs(task):  # not the deadline: the process stops
                raise
            response = shared.failures.tell(http, self._late(request, error))
        except Exception as error:
            response = self._failed(request, error)
        finally:
            deadlines.end(task)
        if not response.prepared:
            response.headers["X-Request-ID"] = text
            if not isinstance(response, WholeResponse):  # which has them from `Shared.headers`
                _complete(response, shared)
        self._tell(request, response, perf_counter() - started)
        return response

    def _failed(self, request: Request, error: Exception) -> web.StreamResponse:
        response = self.shared.failures.answer(request.http, error, self.log, self.error_response)
        if response.status == problems.Internal.status:
            self.shared.containment.failed(
                self.plugin, Fault.REQUEST, error, what=self._name(request), who=who(request)
            )
        return response

    def _late(self, request: Request, error: BaseException) -> problems.Problem:
        if not request.http.content.at_eof():
            return problems.BodyTimeout()
        self.shared.containment.late(self.plugin, error, what=self._name(request), who=who(request))
        return problems.Timeout(f"It may take {self.timeout:g} s. Whether it took effect is not known.")

    def _name(self, request: Request) -> str:
        return f"{request.http.method} {self.route}"

    def _tell(self, request: Request, response: web.StreamResponse, seconds: float) -> None:
        self.numbers.observe(response.status, seconds)
        http, caller = request.http, request.caller
        self.shared.access(
            AccessLine(
                timestamp=self.shared.clock.now(),
                plugin=self.plugin,
                method=http.method,
                route=self.route,
                path=path_of(http),
                status=response.status,
                microseconds=int(seconds * 1e6),
                request_id=request.id,
                address=request.address,
                person=None if caller is None else caller.id,
            )
        )


def who(request: Request) -> str:
    """Return the one caller whose faults count together: a person, or a stranger's address."""
    return address_key(request.address) if request.caller is None else str(request.caller.id)


def _complete(response: web.StreamResponse, shared: Shared) -> None:
    for name, value in shared.security.items():
        response.headers.setdefault(name, value)


async def complete_streamed(http: web.Request, response: web.StreamResponse) -> None:
    """Complete the headers of an answer that its handler sends by itself, before any frame sees it."""
    response.headers.setdefault("X-Request-ID", str(current_cause().correlation))
    _complete(response, http.config_dict[SHARED])
