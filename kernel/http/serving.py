"""Serving: aiohttp's server with our limits, and an answer for what never reaches a route.

What is not limited here is left to the reverse proxy that a production deployment has in front: how many connections
there may be in all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpRequestParser

from kernel import errors
from kernel.containment.containment import KERNEL
from kernel.correlation import current_cause
from kernel.http import problems
from kernel.http.frame import PAGES, SHARED, Frame, Shared
from kernel.http.request import Request
from kernel.http.routes import DEFAULT_TIMEOUT
from kernel.http.settings import API_PREFIX, HttpSettings
from kernel.http.switchboard import SWITCHBOARD

MAX_LINE: Final = 8190  # bytes of the request line: method, path and query
MAX_FIELD: Final = 8190  # bytes of one header
MAX_HEADERS: Final = 64
NOT_FOUND: Final = "(none)"  # the route label of what no route matched
NOBODY: Final = "web"  # the plugin label of files, of operators' routes and of what is not there

_AT_ONCE: Final = struct.pack("ii", 1, 0)  # linger for 0 seconds: closing sends a RST

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def runner(app: web.Application, settings: HttpSettings) -> web.AppRunner:
    """Return what serves *app*, made by `build_application`, on any number of sites.

    A handler runs on when its client has gone: a change that has begun is finished and its answer is kept under the
    idempotency key, and the route's deadline bounds the work.

    Raises:
        errors.StartFailed: aiohttp runs without its compiled parser.
    """
    if HttpRequestParser.__module__ != "aiohttp._http_parser":
        raise errors.StartFailed("aiohttp runs without its compiled HTTP parser; install a wheel of aiohttp")
    return _Runner(
        app,
        access_log=None,
        handler_cancellation=False,
        handle_signals=False,
        shutdown_timeout=settings.shutdown_seconds,
        keepalive_timeout=settings.keepalive_seconds,
        lingering_time=settings.lingering_seconds,
        max_line_size=MAX_LINE,
        max_field_size=MAX_FIELD,
        max_headers=MAX_HEADERS,
        auto_decompress=False,
    )


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        options = {name: value for name, value in self._kwargs.items() if name != "handler_cancellation"}
        return _Server(Reception(self.app, made.request_handler), made, self.app[SHARED], options)


class _Server(web.Server):
    """Makes our connections."""

    def __init__(self, handle: Handle, made: web.Server, shared: Shared, options: dict[str, Any]) -> None:
        super().__init__(
            handle, request_factory=made.request_factory, handler_cancellation=made.handler_cancellation, **options
        )
        self.shared = shared
        self.connected: Counter[str] = Counter()
        self._options = options

    def leave(self, address: str) -> None:
        """Count a connection of *address* out."""
        self.connected[address] -= 1
        if not self.connected[address]:
            del self.connected[address]

    def __call__(self) -> web.RequestHandler:
        return ClientConnection(self, loop=asyncio.get_running_loop(), **self._options)


class Leaver:
    """Counts a connection out; smaller than a function, since each WebSocket keeps one."""

    __slots__ = ("_address", "_owner")

    def __init__(self, owner: _Server, address: str) -> None:
        self._owner = owner
        self._address = address

    def __call__(self) -> None:
        self._owner.leave(self._address)


class ClientConnection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_address", "_owner", "_stalled")

    def __init__(self, owner: _Server, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(owner, loop=loop, **options)
        self._owner = owner
        self._address = ""
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close what is over the limit of its address at once."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._owner.connected[self._address] += 1
        if self._is_one_too_many():
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count the connection out."""
        self._owner.leave(self._address)
        self._end_stall()
        super().connection_lost(exc)

    def hand_over(self, protocol: asyncio.Protocol, answer: bytes) -> None:
        """Send *answer* and let *protocol* have the connection, with what came behind the request.

        To HTTP it is as good as lost; `leaver` says when it is in truth.
        """
        transport, rest = self.transport, self._message_tail
        if transport is None:
            return protocol.connection_lost(None)
        self._end_stall()
        self.transport, self._message_tail = None, b""  # or the end of HTTP would close the one and read the other
        super().connection_lost(None)
        transport.write(answer)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        if rest:
            protocol.data_received(rest)
        return None

    def leaver(self) -> Leaver:
        """Return what counts the connection out for whoever it was handed over to."""
        return Leaver(self._owner, self._address)

    def pause_writing(self) -> None:
        """Wait for a client that does not read what it asked for, and not for ever."""
        super().pause_writing()
        seconds = self._owner.shared.settings.sending_seconds
        self._stalled = asyncio.get_running_loop().call_later(seconds, self._cut)

    def resume_writing(self) -> None:
        """Go on: the client reads again."""
        self._end_stall()
        super().resume_writing()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is not HTTP as we answer everything else; aiohttp would log it as an error of ours."""
        if status >= 500:
            self.log_exception("request failed outside of a route", exc_info=exc)
        problem = problems.BadRequest("It is not HTTP as we read it.") if status < 500 else problems.Internal()
        response = web.json_response(
            problem.document() | {"instance": f"urn:uuid:{current_cause().correlation}"},
            status=problem.status,
            content_type="application/problem+json",
        )
        response.force_close()
        return response

    def _cut(self) -> None:
        if self.transport is not None:
            reset(self.transport)  # closing would wait for what it does not read

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _is_one_too_many(self) -> bool:
        shared = self._owner.shared
        return (
            self._owner.connected[self._address] > shared.settings.connections_per_address
            and self._address != ""
            and not shared.callers.addresses.trusts(self._address)
        )


def reset(transport: asyncio.WriteTransport) -> None:
    """Break a connection off, and have the system forget what lies in it to be sent."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # it is closed already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


class Reception:
    """Takes every request: the API's endpoints frame themselves, everything else is framed here."""

    def __init__(self, app: web.Application, handle: Handle) -> None:
        self._app = app
        self._handle = handle
        self._shared = app[SHARED]
        self._find = app[SWITCHBOARD].find
        self._pages = app.get(PAGES, {})

    async def __call__(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer *http*."""
        if not isinstance(http, web.Request):
            return await self._handle(http)
        if (found := self._find(http)) is not None:
            endpoint, placeholders = found
            return await endpoint(http, placeholders)
        if not http.path.startswith(API_PREFIX):
            return await (await self._frame(http)).run(http, self._pass_on)
        try:
            return await self._handle(http)
        except Exception as error:
            return await (await self._frame(http)).run(http, _raising(error))

    async def _pass_on(self, request: Request) -> web.StreamResponse:
        return await self._handle(request.http)

    async def _frame(self, http: web.Request) -> Frame:
        """Return the frame of a page or a file, labelled with its path as it was declared, or of what nobody has."""
        resource = (await self._app.router.resolve(http)).route.resource
        label = NOT_FOUND if resource is None else resource.canonical
        plugin, timeout = self._pages.get(label, (NOBODY, DEFAULT_TIMEOUT))
        return Frame(
            shared=self._shared,
            plugin=plugin,
            route=label,
            timeout=timeout,
            numbers=self._shared.metrics.route(plugin, label, http.method),
            log=self._shared.log.bind(plugin=plugin) if label in self._pages else self._shared.log,
            breaker=self._shared.containment.of(KERNEL),  # a page asks its own: aiohttp has to find it first
        )


def _raising(error: Exception) -> Callable[[Request], Awaitable[web.StreamResponse]]:
    async def respond(request: Request) -> web.StreamResponse:
        raise error

    return respond
