"""A small pool of connections, first come first served.

Connections open when they are needed, go straight from one user to the one who has waited longest, and close when
nobody has needed them for a while. There are no proxies and no reset between users: whoever breaks a connection
discards it. (The pools of asyncpg and SQLAlchemy let newcomers overtake, which shows in the slowest answers.)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar

from kernel import errors

IDLE_LIMIT: Final = 60.0  # seconds until an unused connection closes
WAIT_LIMIT: Final = 10.0  # seconds until somebody who waits is refused
_ROUND: Final = 1.0  # seconds between two looks at who waits and what idles

C = TypeVar("C")


class Driver(Protocol[C]):
    """Opens and closes connections of one kind."""

    async def connect(self) -> C:
        """Open a connection, or raise `errors.DatabaseUnavailable`."""
        ...

    def is_closed(self, connection: C) -> bool:
        """Return whether the connection is known to be dead."""
        ...

    async def close(self, connection: C) -> None:
        """Close the connection, whatever state it is in; never raise."""
        ...


class Pool(Generic[C]):
    """At most *size* connections of *driver*."""

    def __init__(self, driver: Driver[C], *, name: str, size: int, wait_limit: float = WAIT_LIMIT) -> None:
        self._driver = driver
        self._name = name
        self._size = size
        self._wait_limit = wait_limit
        self._idle: deque[tuple[C, float]] = deque()  # with the moment since when; the latest is used first
        self._waiting: deque[tuple[asyncio.Future[C], float]] = deque()  # with the moment until when
        self._open: set[C] = set()
        self._closing: set[C] = set()  # a part of the open ones
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._round: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> C | None:
        """Return an idle connection, None when there is none: then `wait`."""
        while self._idle:
            connection = self._idle.pop()[0]
            if not self._driver.is_closed(connection):
                return connection
            self.discard(connection)
        return None

    async def wait(self) -> C:
        """Return the next connection that is free for the caller.

        Raises:
            errors.DatabaseUnavailable: none came free in time, or none can be opened.
        """
        if self._closed:
            raise errors.DatabaseUnavailable(f"{self._name}: the database is closed")
        turn: asyncio.Future[C] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, monotonic() + self._wait_limit))
        self._grow()
        self._look_later()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give(turn.result())
            raise

    def give(self, connection: C) -> None:
        """Hand *connection* to whoever has waited longest, or keep it."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if self._closed:
            self.discard(connection)
        else:
            self._idle.append((connection, monotonic()))

    def discard(self, connection: C) -> None:
        """Close *connection*; its place is free when it is closed."""
        if connection in self._open and connection not in self._closing:
            self._closing.add(connection)
            self._start(self._close(connection))

    def discard_idle(self) -> None:
        """Close what idles: where one connection turned out to be dead, the others may be as well."""
        while self._idle:
            self.discard(self._idle.pop()[0])

    async def close(self) -> None:
        """Close every connection, also those in use, and refuse whoever waits or comes."""
        self._closed = True
        if self._round is not None:
            self._round.cancel()
        self._idle.clear()
        self._refuse(errors.DatabaseUnavailable(f"{self._name}: the database was closed"))
        for connection in list(self._open):
            self.discard(connection)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _grow(self) -> None:
        if self._opening < len(self._waiting) and len(self._open) + self._opening < self._size:
            self._opening += 1
            self._start(self._connect())

    async def _connect(self) -> None:
        try:
            connection = await self._driver.connect()
        except errors.DatabaseUnavailable as error:
            # Those who wait are served by the others as they come free, if there are others.
            if not self._open:
                self._refuse(error)
            return
        finally:
            self._opening -= 1
        self._open.add(connection)
        self.give(connection)

    async def _close(self, connection: C) -> None:
        try:
            await self._driver.close(connection)
        finally:
            self._open.discard(connection)
            self._closing.discard(connection)
        self._grow()

    def _refuse(self, error: errors.DatabaseUnavailable) -> None:
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_later(self) -> None:
        # One timer for all: a timer for each of those who wait would cost more than the pool itself.
        if self._round is None:
            self._round = asyncio.get_running_loop().call_later(_ROUND, self._look)

    def _look(self) -> None:
        self._round = None
        now = monotonic()
        while self._waiting and (self._waiting[0][0].done() or self._waiting[0][1] <= now):
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(self._overdue())
        while self._idle and self._idle[0][1] + IDLE_LIMIT <= now:
            self.discard(self._idle.popleft()[0])
        if self._open or self._waiting:
            self._look_later()

    def _overdue(self) -> errors.DatabaseUnavailable:
        busy = f"none of its {self._size} connections came free within {self._wait_limit:g} s"
        remedy = "inside a transaction use its session alone, make statements shorter, or raise pool_size"
        return errors.DatabaseUnavailable(f"{self._name}: {busy}; {remedy}")
