"""Transactions that a handler begins when it is ready for one, after it has asked other modules what it has to know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from kernel.clock import Clock
from kernel.database import Database, Session
from kernel.http.answers import Reply
from kernel.http.idempotency import Claim

#: Opens the transaction of the request: `session = await begin()`, once.
Begin = Callable[[], Awaitable[Session]]


class AlreadyAnswered(Exception):
    """A twin of the request was answered in between; the handler has nothing more to do."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the request was answered before")
        self.reply = reply


class LateTransaction:
    """The transaction of one request, which its handler begins; it ends with the handler."""

    def __init__(self, db: Database, claim: Claim | None, clock: Clock) -> None:
        self._db = db
        self._claim = claim
        self._clock = clock
        self._stack = AsyncExitStack()
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def begin(self) -> Session:
        """Open it, and claim the request's key in it."""
        if self._session is not None:
            raise RuntimeError("begin() was called twice; a request has one transaction")
        self._session = session = await self._stack.enter_async_context(self._db.transaction())
        if self._claim is not None:
            first = await self._claim.take(session, self._db.dialect, self._clock)
            if first is not None:
                raise AlreadyAnswered(first)
        return session

    async def keep(self, reply: Reply) -> None:
        """Store the answer for the request's key, if it has one and something was begun."""
        if self._claim is not None and self._session is not None:
            await self._claim.keep(self._session, reply)
