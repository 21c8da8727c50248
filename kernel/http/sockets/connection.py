"""One WebSocket after its handshake: a protocol of ours on the transport that HTTP gave up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from kernel.http.principal import Principal
from kernel.http.request import Request
from kernel.http.serving import reset
from kernel.http.sockets.codes import CloseCode
from kernel.http.sockets.frames import Opcode, Reader, Violation, close_code, close_frame, frame
from kernel.http.sockets.metrics import SocketMetrics
from kernel.http.sockets.pace import Pace

WAITING: Final = 32  # messages of one client that wait for their turn; with more nothing is read for a while
PING: Final = frame(b"", Opcode.PING)


class Listener(Protocol):
    """What a plugin makes for each connection."""

    async def received(self, text: bytes) -> None:
        """Take one message, which is UTF-8. Those of one connection come one at a time, in their order."""
        ...

    def closed(self, code: int) -> None:
        """Forget the connection. Called once, after the last `received` has ended."""
        ...


@dataclass(slots=True)
class Pulse:
    """What all connections of a process go by."""

    tick: int = 0  #: one more each time that the connections are looked after
    draining: bool = False  #: the process stops: what runs is finished, and nothing more is begun
    live: set[Connection] = field(default_factory=set)
    ending: dict[Connection, int] = field(default_factory=dict)  #: and the tick at which each began to


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What says who a client is after its connection was opened: one of the two."""

    ticket: str = field(default="", repr=False)
    token: str = field(default="", repr=False)  #: as `Authorization: Bearer` would bear it


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What the connections of one socket have in common."""

    message_limit: int  #: bytes
    queue_limit: int  #: bytes
    pace: Pace  #: of what one connection may send
    hear: Callable[[Connection, Listener, bytes], Awaitable[None]]  #: never raises but to be cancelled
    tell_closed: Callable[[Connection, Listener, int], None]  #: never raises
    sign_in: Callable[[Connection, Request, Credential], Awaitable[Principal]]
    pulse: Pulse
    metrics: SocketMetrics


class Connection(asyncio.Protocol):
    """One client. It sends without waiting: whoever does not take what they are sent is cut off."""

    __slots__ = (
        "_address",
        "_code",
        "_early",
        "_even_at",
        "_gone",
        "_heard",
        "_inbox",
        "_listener",
        "_reader",
        "_task",
        "_terms",
        "_transport",
        "principal",
    )

    def __init__(self, terms: Terms, principal: Principal | None, address: str) -> None:
        self.principal = principal  #: who is signed in; another object once the client has renewed it
        self._address = address if principal is None else ""
        self._terms = terms
        self._transport: asyncio.Transport | None = None
        self._early = b""  # sent before it was accepted
        self._reader: Reader | None = Reader(terms.message_limit)
        self._listener: Listener | None = None
        self._inbox: deque[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._code: int | None = None  # why it ends
        self._gone: Callable[[], None] | None = None
        self._heard = terms.pulse.tick
        self._even_at = 0.0  # when it will have sent no more than the pace allows

    # For plugins

    def send(self, message: bytes) -> None:
        """Send one text message."""
        self.send_frames(frame(message))

    def send_frames(self, frames: bytes) -> None:
        """Send what `kernel.frame` made: the same bytes for every member of a group."""
        if self._code is not None:
            return
        if self._transport is None:
            self._early += frames
        else:
            self._transport.write(frames)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """End it; what was sent before goes out first, and messages that wait are not heard any more."""
        if self._code is not None:
            return
        if self._inbox is not None:
            self._inbox.clear()
        self._end(code, reason)

    async def sign_in(self, request: Request, credential: Credential) -> Principal:
        """Let it go on for whoever *credential* is of; *request* is the one that opened it.

        For a client that can say who it is in a message alone. Who it was known as already, it has to be still.

        Raises:
            problems.NotSignedIn: the credential is not good (any more).
            problems.Forbidden: it is another person's, or the permission of the socket is not theirs.
            problems.Unavailable: it can not be told now.
        """
        return await self._terms.sign_in(self, request, credential)

    @property
    def who(self) -> str:
        """Whose faults count together: a person, or a stranger's address."""
        return self._address if self.principal is None else str(self.principal.id)

    @property
    def code(self) -> int | None:
        """Why it ends, None while it does not."""
        return self._code

    # For the kernel

    def accept(self, listener: Listener, gone: Callable[[], None]) -> None:
        """Hear *listener*'s client from now on; call *gone* when it is gone."""
        self._listener, self._gone = listener, gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with what was sent before."""
        self._transport = carrier = cast("asyncio.Transport", transport)  # uvloop's are none by their class
        carrier.set_write_buffer_limits(high=self._terms.queue_limit)
        self._terms.pulse.live.add(self)
        self._terms.metrics.opened += 1
        if self._early:
            carrier.write(self._early)
            self._early = b""
        if self._code is not None:  # its opener has closed it
            self._say_goodbye(close_frame(self._code))
        elif self._terms.pulse.draining:
            self.close(CloseCode.RESTART, "connect again")

    def data_received(self, data: bytes) -> None:
        """Read frames; after a violation nothing that comes can be read."""
        if self._reader is None:
            return
        try:
            for opcode, payload in self._reader.read(data):
                self._take(opcode, payload)
        except Violation as violation:
            self._reader = None
            self.close(violation.code, violation.reason)

    def pause_writing(self) -> None:
        """Part from a client that does not take what it is sent: the queue is full."""
        self.close(CloseCode.SLOW, "take what you are sent")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Have everybody forget it."""
        if self._code is None:
            self._code = CloseCode.LOST
        if self._transport is not None:
            self._terms.pulse.live.discard(self)
            self._terms.pulse.ending.pop(self, None)
            self._terms.metrics.close(self._code)
            if self._gone is not None:
                self._gone()
        self._transport = self._reader = None
        self._settle()

    def beat(self, ping_after: int, close_after: int) -> None:
        """Ask a client that is silent whether it is there, and part from one that does not answer."""
        tick = self._terms.pulse.tick
        if self._task is not None:  # we are the slow ones
            self._heard = tick
        silent = tick - self._heard
        if silent == ping_after:
            self.send_frames(PING)
        elif silent >= close_after:
            self.close(CloseCode.SILENT, "answer pings")

    def abort(self) -> None:
        """Break it off."""
        if self._transport is not None:
            reset(self._transport)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What hears its messages, None while there are none."""
        return self._task

    def _take(self, opcode: Opcode, payload: bytes) -> None:
        terms = self._terms
        self._heard = terms.pulse.tick
        if opcode is Opcode.CLOSE:
            self._part(close_code(payload))
        elif self._code is not None:
            return
        elif not self._is_within_rate():
            self.close(CloseCode.TOO_MANY, f"at most {terms.pace}")
        elif opcode is Opcode.TEXT:
            self._enqueue(payload)
        elif opcode is Opcode.PING:
            self.send_frames(frame(payload, Opcode.PONG))
        elif opcode is Opcode.BINARY:
            self.close(CloseCode.UNSUPPORTED, "messages are text")

    def _is_within_rate(self) -> bool:
        pace, now = self._terms.pace, asyncio.get_running_loop().time()
        self._even_at = max(self._even_at, now) + pace.interval
        return self._even_at <= now + pace.allowance

    def _enqueue(self, text: bytes) -> None:
        if self._terms.pulse.draining:
            return  # as if it had come after the end: nothing says to the client that it was taken
        self._terms.metrics.messages += 1
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(text)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._hear())
        elif len(self._inbox) == WAITING and self._transport is not None:
            self._transport.pause_reading()

    async def _hear(self) -> None:
        """Have the listener take what waits."""
        try:
            while self._inbox and self._listener is not None:
                await self._terms.hear(self, self._listener, self._inbox.popleft())
                if len(self._inbox) == WAITING - 1 and self._transport is not None:
                    self._transport.resume_reading()
        finally:
            self._task = self._inbox = None
            self._settle()

    def _part(self, code: int) -> None:
        """Close with the client, who has said so, or has answered us."""
        if self._code is None:
            self._end(code)
        if self._transport is not None:
            self._transport.close()

    def _end(self, code: int, reason: str = "") -> None:
        self._code = code
        self._say_goodbye(close_frame(code, reason))
        self._settle()

    def _say_goodbye(self, last: bytes) -> None:
        if self._transport is not None:
            self._transport.write(last)
            self._transport.resume_reading()  # the client's answer is to be seen
            self._terms.pulse.live.discard(self)
            self._terms.pulse.ending.setdefault(self, self._terms.pulse.tick)

    def _settle(self) -> None:
        """Tell the listener of the end once it is not busy any more."""
        listener = self._listener
        if self._code is not None and self._task is None and listener is not None:
            self._listener = None
            self._terms.tell_closed(self, listener, self._code)
