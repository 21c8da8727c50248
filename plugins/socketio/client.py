"""One client: who it is, what it asks, and what it is told."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from socketio import exceptions

from kernel import (
    CloseCode,
    Connection,
    Context,
    Credential,
    Listener,
    NoSettings,
    Principal,
    Request,
    errors,
    problems,
)
from kernel.contracts.chat import CHAT
from kernel.contracts.chat_socket import refused
from plugins.socketio import packets
from plugins.socketio.packets import Asked, Unreadable
from plugins.socketio.wire import Wire

CONNECT_SECONDS: Final = 10.0  # that a client has to say who it is
AUTHENTICATE: Final = "authenticate"  # the event that renews a connection
_CONNECT: Final = "40"
#: What clients send: the end, a pong, and of messages CONNECT, DISCONNECT and EVENT. The rest would break the library.
_ALONE, _BEGINNINGS = frozenset({"1", "3"}), (_CONNECT, "41", "42")


class Authenticated(msgspec.Struct, frozen=True, tag_field="type", tag="authenticated"):
    """The connection was renewed."""

    expires_in: int | None  #: seconds until it has to be again; None for never


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says of itself as it connects, and when it renews."""

    ticket: str = ""
    token: str = ""


_decode_auth: Final = msgspec.json.Decoder(Auth).decode


class Client:
    """Hears one connection."""

    def __init__(self, ctx: Context[NoSettings], request: Request, connection: Connection) -> None:
        self.wire = Wire(connection)
        self._ctx = ctx
        self._request = request
        self._connection = connection
        self._conversation: Listener | None = None
        self._tried = False  # to connect
        self._failure: Exception | None = None
        self._asked: Asked | None = None
        self._awaited: int | None = None  # the acknowledgement that is due
        self._patience = asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._part_from_a_stranger)

    # For the kernel

    async def received(self, text: bytes) -> None:
        """Have the library read a packet, and do what it asks."""
        packet = text.decode()
        if (wrong := self._what_is_wrong(packet)) is not None:
            return self._part(wrong)
        await self.wire.give(packet)
        if self._failure is not None:
            raise self._failure
        asked, self._asked = self._asked, None
        if asked is not None and self._conversation is not None:
            await self._do(asked, self._conversation)
        return None

    def closed(self, code: int) -> None:
        """Leave everything."""
        self._patience.cancel()
        self.wire.end()
        if self._conversation is not None:
            self._conversation.closed(code)

    # For the chat

    @property
    def principal(self) -> Principal | None:
        return self._connection.principal

    def send(self, message: bytes) -> None:
        """Send a message: as the acknowledgement that is due if it is the answer, else as an event."""
        told, due = packets.decode_told(message), self._awaited
        if due is not None and (told.id == due or _is_refusal_of_all(told)):
            self._acknowledge(due, message)
        else:
            self._connection.send(packets.event(told.type, message))

    # For the library

    async def connects(self, auth: msgspec.Raw | None) -> None:
        """Find out who it is, and begin to converse; raises the library's `ConnectionRefusedError`."""
        try:
            person = await self._signed_in(auth or b"{}")
            self._conversation = await self._ctx.services.get(CHAT).converse(person, self)
        except problems.Problem as problem:
            raise _refusal(problem) from problem
        except errors.LyceumError as error:
            raise _refusal(problems.Unavailable("Try again.")) from error
        except Exception as error:
            self._failure = error  # `received` raises it where the kernel sees it, and ends the connection
            raise exceptions.ConnectionRefusedError from error
        self._patience.cancel()

    def asks(self, asked: Asked | Unreadable) -> None:
        """Keep it for `received`."""
        if isinstance(asked, Unreadable):
            return self._part(asked.reason)
        self._asked = asked
        return None

    def leaves(self) -> None:
        """End the connection: it has nothing else to do."""
        self._connection.close(CloseCode.NORMAL)

    def _what_is_wrong(self, packet: str) -> str | None:
        """Return why *packet* may not reach the library; None for one that may."""
        if packet in _ALONE:
            return None
        if not packet.startswith(_BEGINNINGS):
            return "it is no packet that a client sends"
        if not packet.startswith(_CONNECT):
            return "connect first" if self._conversation is None else None
        again, self._tried = self._tried, True
        return "connect once" if again else None

    async def _do(self, asked: Asked, conversation: Listener) -> None:
        self._awaited = asked.ack
        if asked.name == AUTHENTICATE:
            await self._renew(asked)
        else:
            await conversation.received(asked.message())
        if self._awaited is not None:  # to some things there is no answer
            self._acknowledge(self._awaited)

    async def _signed_in(self, auth: bytes | msgspec.Raw) -> Principal:
        """Return who it is: by what it says, or by what its handshake bore."""
        try:
            given = _decode_auth(auth)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise problems.BadRequest(f"auth: {error}") from error
        if given.ticket or given.token:
            return await self._connection.sign_in(self._request, Credential(ticket=given.ticket, token=given.token))
        if self.principal is None:
            raise problems.NotSignedIn("Give a ticket or an access token: auth: { ticket }.")
        return self.principal

    async def _renew(self, asked: Asked) -> None:
        """Let the connection go on for the same person."""
        try:
            person = await self._signed_in(packets.encode(asked.body))
        except problems.Problem as problem:
            answer: msgspec.Struct = refused(asked.ack, problem)
        else:
            left = None if person.expires is None else (person.expires - self._ctx.clock.now()).total_seconds()
            answer = Authenticated(expires_in=None if left is None else int(left))
        if asked.ack is None:
            self.send(packets.encode(answer))
        else:
            self._acknowledge(asked.ack, packets.encode(answer))

    def _acknowledge(self, ack: int, message: bytes = b"") -> None:
        self._awaited = None
        self._connection.send(packets.acknowledgement(ack, message))

    def _part_from_a_stranger(self) -> None:
        self._part(f"say within {CONNECT_SECONDS:.0f} s who you are")

    def _part(self, reason: str) -> None:
        self._connection.close(CloseCode.POLICY, reason)


def _is_refusal_of_all(told: packets.Told) -> bool:
    """Return whether it says that a message could not be read, so that it has no `id` to answer."""
    return told.type == "refused" and told.id is None


def _refusal(problem: problems.Problem) -> Exception:
    """Return what the library makes a CONNECT_ERROR of: `error.data` has the problem."""
    told = msgspec.to_builtins(refused(None, problem))
    refusal: Exception = exceptions.ConnectionRefusedError(problem.title, told)
    return refusal
