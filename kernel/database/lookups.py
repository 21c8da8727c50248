"""Reads of single rows by key that share a query when they wait at the same moment."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from kernel.database.gathering import Gathering, Waiter, refuse
from kernel.database.location import Dialect
from kernel.database.plans import Plan, query_plan
from kernel.database.statements import Lookup, field_names

BATCH_LIMIT: Final = 500  # keys in one query


class Fetch(Protocol):
    """Runs a plan outside a transaction."""

    async def __call__(self, plan: Plan[Any], arguments: list[object], /) -> Sequence[Sequence[object]]: ...


class Lookups:
    """The lookups of one database: for each at most one query is under way, and who comes meanwhile shares the next."""

    def __init__(self, dialect: Dialect, fetch: Fetch) -> None:
        self._dialect = dialect
        self._fetch = fetch
        self._gathering = Gathering(self._find, limit=BATCH_LIMIT)

    def ask(self, lookup: Lookup[Any], key: object) -> asyncio.Future[Any]:
        """Return the row of *key* to come."""
        return self._gathering.ask(lookup, key)

    async def close(self) -> None:
        """Refuse everybody who waits."""
        await self._gathering.close()

    async def _find(self, lookup: Lookup[Any], batch: list[Waiter[object]]) -> None:
        key_of = _key_getter(lookup.row)
        keys = list(dict.fromkeys(key for key, _ in batch))
        try:
            plan = query_plan(lookup, self._dialect)
            records = await self._fetch(plan, plan.arguments({"keys": keys}))
            rows = {key_of(row): row for row in map(plan.decode, records)}
        except Exception as error:  # whatever it is, it belongs to those who asked
            refuse(batch, error)
            return
        for key, answer in batch:
            if not answer.done():
                answer.set_result(rows.get(key))


def _key_getter(row: type[Any]) -> Callable[[Any], object]:
    names = field_names(row)
    return operator.attrgetter(names[0]) if names else _itself


def _itself(value: object) -> object:
    return value
