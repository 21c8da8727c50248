"""Endpoints of WebSockets: everything that a handshake needs, and what becomes of each message.

Its order: origin · who calls · whether they may · their limits · what the plugin says · the connection changes hands.
Until then every refusal is an answer as of any other route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from typing import Final, Literal

import msgspec
from aiohttp import web

from kernel.containment.breaker import Fault
from kernel.correlation import Cause, set_cause
from kernel.http import problems
from kernel.http.callers import check_permission, permits
from kernel.http.frame import Frame, Shared
from kernel.http.limits import GeneralLimit, address_key
from kernel.http.principal import Principal
from kernel.http.request import Request
from kernel.http.serving import ClientConnection
from kernel.http.sockets.codec import InvalidMessage
from kernel.http.sockets.codes import CloseCode
from kernel.http.sockets.connection import Connection, Credential, Listener, Terms
from kernel.http.sockets.declaring import Socket
from kernel.http.sockets.handshake import TICKET, SwitchedResponse, accepting, refuse_foreign_page
from kernel.http.sockets.pace import pace
from kernel.http.sockets.tickets import Tickets
from kernel.http.sockets.watching import Watch
from kernel.ids import new_id

_NEAR: Final = 64  # characters at the beginning of a message, in which its type stands


class Authenticate(msgspec.Struct, tag_field="type", tag="authenticate"):
    """A client renews its connection before the sign-in behind it is over, by a new ticket of the same person."""

    ticket: str


class Authenticated(msgspec.Struct, tag_field="type", tag="authenticated"):
    """It did."""

    expires_in: int | None  #: seconds until it has to again; None for never


class AuthenticationRefused(msgspec.Struct, tag_field="type", tag="authentication-refused"):
    """It did not: the ticket is not good, or another person's. The connection stays what it was."""

    reason: Literal["ticket", "person"]


_decode_authenticate: Final = msgspec.json.Decoder(Authenticate).decode
_encode: Final = msgspec.json.Encoder().encode


class SocketEndpoint:
    """One socket, ready to serve."""

    def __init__(
        self,
        socket: Socket,
        frame: Frame,
        *,
        origins: Collection[str],
        handshakes: GeneralLimit,
        tickets: Tickets,
        watch: Watch,
    ) -> None:
        self._socket = socket
        self._frame = frame
        self._shared: Shared = frame.shared
        self._name = f"GET {frame.route}"
        self._origins = origins
        self._handshakes = handshakes
        self._tickets = tickets
        self._watch = watch
        self._terms = Terms(
            message_limit=socket.message_limit,
            queue_limit=socket.queue_limit,
            pace=pace(socket.rate, socket.burst),
            hear=self._hear,
            tell_closed=self._tell_closed,
            sign_in=self._sign_in,
            pulse=watch.pulse,
            metrics=self._shared.metrics.socket(frame.plugin, frame.route),
        )

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Answer a request that aiohttp's router brought here."""
        return await self.answer(http, http.match_info)

    def answer(self, http: web.Request, placeholders: Mapping[str, str]) -> Awaitable[web.StreamResponse]:
        """Answer a request with these values of the path's *placeholders*."""
        return self._frame.run(http, self._respond, placeholders)

    async def _respond(self, request: Request) -> web.StreamResponse:
        await self._admit(request)
        accepted = accepting(request.http)
        if self._watch.pulse.draining:
            raise problems.Unavailable("This process stops; connect again.", headers={"Retry-After": "1"})
        connection = Connection(self._terms, request.caller, address_key(request.address))
        listener = await self._socket.opener(request, connection)
        self._hand_over(request, connection, listener, accepted)
        return SwitchedResponse()

    async def _admit(self, request: Request) -> None:
        """Refuse whoever may not open it."""
        refuse_foreign_page(request.http, self._origins)
        request.caller = caller = await self._caller(request.http)
        self._handshakes.check(f"socket {address_key(request.address) if caller is None else caller.id}")
        check_permission(caller, self._socket.permission)
        if caller is not None and caller.actor is not None:
            await self._shared.callers.record_acting(request, self._name)

    async def _caller(self, http: web.Request) -> Principal | None:
        ticket = http.query.get(TICKET)
        if ticket is None:
            return await self._shared.callers.caller(http)
        return await self._tickets.redeem(ticket)

    def _hand_over(self, request: Request, connection: Connection, listener: Listener, accepted: bytes) -> None:
        http = request.http.protocol
        if not isinstance(http, ClientConnection):
            raise TypeError("WebSockets are served by `serving.runner` alone")
        connection.accept(listener, http.leaver())
        http.hand_over(connection, accepted + f"X-Request-ID: {request.id}\r\n\r\n".encode())

    async def _hear(self, connection: Connection, listener: Listener, text: bytes) -> None:
        """Have *listener* take a message; what it raises ends the connection, and no other."""
        breaker = self._frame.breaker
        if breaker.shut and breaker.rests():
            return connection.close(CloseCode.TRY_LATER, "it rests after failures")
        set_cause(Cause(new_id()))
        deadlines = self._shared.deadlines
        task = deadlines.begin(self._socket.timeout)
        try:
            await self._receive(connection, listener, text)
        except asyncio.CancelledError as error:
            if deadlines.runs(task):  # not the deadline: the process stops
                raise
            self._shared.containment.late(self._frame.plugin, error, what=self._name, who=connection.who)
            connection.close(CloseCode.INTERNAL, "it took too long")
        except InvalidMessage as error:
            connection.close(CloseCode.POLICY, str(error))
        except Exception as error:
            self._failed(error, connection.who)
            connection.close(CloseCode.INTERNAL, "it has been logged")
        finally:
            deadlines.end(task)
        return None

    async def _receive(self, connection: Connection, listener: Listener, text: bytes) -> None:
        if b'"authenticate"' in text[:_NEAR]:
            try:
                renewal = _decode_authenticate(text)
            except (msgspec.DecodeError, RecursionError):  # it is the listener's to say what is wrong with it
                pass
            else:
                return await self._renew(connection, renewal.ticket)
        return await listener.received(text)

    async def _renew(self, connection: Connection, ticket: str) -> None:
        """Let the connection go on for the person of *ticket*, who must be the same."""
        known = connection.principal
        try:
            fresh = await self._tickets.redeem(ticket)
        except (problems.NotSignedIn, problems.Unavailable):  # that tickets can not be read is no fault of the listener
            return connection.send(_encode(AuthenticationRefused(reason="ticket")))
        if known is None or not _is_same(known, fresh):
            return connection.send(_encode(AuthenticationRefused(reason="person")))
        connection.principal = fresh
        if not permits(fresh, self._socket.permission):
            return connection.close(CloseCode.REVOKED, "the permission is gone")
        left = None if fresh.expires is None else int((fresh.expires - self._shared.clock.now()).total_seconds())
        return connection.send(_encode(Authenticated(expires_in=left)))

    async def _sign_in(self, connection: Connection, request: Request, credential: Credential) -> Principal:
        """See `Connection.sign_in`."""
        known, fresh = connection.principal, await self._vouched(request.http, credential)
        if known is not None and not _is_same(known, fresh):
            raise problems.Forbidden("The connection is another person's.")
        check_permission(fresh, self._socket.permission)
        if known is None and fresh.actor is not None:
            request.caller = fresh
            await self._shared.callers.record_acting(request, self._name)
        connection.principal = fresh
        return fresh

    async def _vouched(self, http: web.Request, credential: Credential) -> Principal:
        """Return whose *credential* it is."""
        if credential.ticket:
            return await self._tickets.redeem(credential.ticket)
        bearing = http.clone(headers={"Authorization": f"Bearer {credential.token}"})
        caller = await self._shared.callers.caller(bearing) if credential.token else None
        if caller is None:
            raise problems.NotSignedIn
        return caller

    def _tell_closed(self, connection: Connection, listener: Listener, code: int) -> None:
        try:
            listener.closed(code)
        except Exception as error:
            self._failed(error, connection.who)

    def _failed(self, error: Exception, who: str) -> None:
        self._frame.log.error("socket listener failed", action="socket-failed", route=self._frame.route, exc_info=error)
        self._shared.containment.failed(self._frame.plugin, Fault.REQUEST, error, what=self._name, who=who)


def _is_same(known: Principal, fresh: Principal) -> bool:
    return (fresh.id, fresh.actor) == (known.id, known.actor)
