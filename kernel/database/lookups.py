"""Reads of single rows by key that share a query when they wait at the same moment."""

from __future__ import annotations

import asyncio
import operator
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from kernel import errors
from kernel.database.location import Dialect
from kernel.database.plans import Plan, query_plan
from kernel.database.statements import Lookup, field_names

BATCH_LIMIT: Final = 500  # keys in one query


class Fetch(Protocol):
    """Runs a plan outside a transaction."""

    async def __call__(self, plan: Plan[Any], arguments: list[object], /) -> Sequence[Sequence[object]]: ...


#: Somebody who waits for the row of a key.
Waiter = tuple[object, "asyncio.Future[Any]"]


class Lookups:
    """The lookups of one database: for each at most one query is under way, and who comes meanwhile shares the next.

    A query starts after its callers came, never before: nobody reads a state older than the call.
    """

    def __init__(self, dialect: Dialect, fetch: Fetch) -> None:
        self._dialect = dialect
        self._fetch = fetch
        self._waiting: dict[Lookup[Any], deque[Waiter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, lookup: Lookup[Any], key: object) -> asyncio.Future[Any]:
        """Return the row of *key* to come."""
        plan = query_plan(lookup, self._dialect)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        waiting = self._waiting.get(lookup)
        if waiting is not None:
            waiting.append((key, answer))
            return answer
        self._waiting[lookup] = deque([(key, answer)])
        task = loop.create_task(self._serve(lookup, plan))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return answer

    async def close(self) -> None:
        """Refuse everybody who waits."""
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, lookup: Lookup[Any], plan: Plan[Any]) -> None:
        waiting = self._waiting[lookup]
        key_of = _key_getter(lookup.row)
        try:
            while waiting:
                await self._answer(plan, key_of, [waiting.popleft() for _ in range(min(len(waiting), BATCH_LIMIT))])
        finally:
            del self._waiting[lookup]
            _refuse(waiting, errors.DatabaseUnavailable("the database was closed"))

    async def _answer(self, plan: Plan[Any], key_of: Callable[[Any], object], batch: list[Waiter]) -> None:
        keys = list({key: None for key, answer in batch if not answer.done()})
        if not keys:
            return
        try:
            records = await self._fetch(plan, plan.arguments({"keys": keys}))
            rows = {key_of(row): row for row in map(plan.decode, records)}
        except Exception as error:  # whatever it is, it belongs to those who asked
            _refuse(batch, error)
            return
        except asyncio.CancelledError:
            _refuse(batch, errors.DatabaseUnavailable("the database was closed"))
            raise
        for key, answer in batch:
            if not answer.done():
                answer.set_result(rows.get(key))


def _key_getter(row: type[Any]) -> Callable[[Any], object]:
    names = field_names(row)
    return operator.attrgetter(names[0]) if names else _itself


def _itself(value: object) -> object:
    return value


def _refuse(waiters: Sequence[Waiter] | deque[Waiter], error: Exception) -> None:
    for _, answer in waiters:
        if not answer.done():
            answer.set_exception(error)
