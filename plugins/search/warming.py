"""Warming: queries like those that people ask are answered once at the start, so that nobody waits for the first.

A statement is made from the shape of a query, which costs some hundredths of a second, and planned by PostgreSQL at
its first use; after that both are kept.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from kernel import Context
from kernel.contracts.search import Filters, Found, Query, Sort
from kernel.database import Query as Statement
from plugins.search.finding import SearchService
from plugins.search.settings import SearchSettings
from plugins.search.tables import contents
from plugins.search.words import words

SAMPLES: Final = 12  # documents
PAUSE: Final = 0.01  # seconds in which others have their turn
LONGEST: Final = 5  # words
SORTS: Final[tuple[Sort, ...]] = ("relevance", "rating", "newest", "price")
NEWEST: Final = Statement(sa.select(contents.c.shown).order_by(contents.c.document.desc()).limit(SAMPLES), bytes)

_decode: Final = msgspec.json.Decoder(Found).decode


class Warming:
    """Asks before anybody does."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._ctx = ctx
        self._search = ctx.own(SearchService)

    def run_in_background(self) -> None:
        """Begin, beside whatever is asked meanwhile."""
        self._ctx.tasks.start(self.warm(), name="warming")

    async def warm(self) -> None:
        """Ask for some documents that there are; where there are none, there is nothing to be found either."""
        found = [_decode(shown) for shown in await self._ctx.db.all(NEWEST)]
        for query in likely(found):
            await self._search.find(None, query)
            await asyncio.sleep(PAUSE)


def likely(documents: Sequence[Found]) -> Iterable[Query]:
    """Yield queries of one word and of several, whole and unfinished, with and without filters."""
    for one, length in itertools.product(documents, range(1, LONGEST + 1)):
        said = " ".join(words(f"{one.title} {one.summary}")[:length])
        for filters in (Filters(), Filters(category=(one.category,)), _narrow(one)):
            yield Query(text=f"{said} ", filters=filters)
            yield Query(text=said[:-1], filters=filters)
    for one, sort in itertools.product(documents[:1], SORTS):
        yield Query(sort=sort)
        yield Query(sort=sort, filters=_narrow(one))


def _narrow(one: Found) -> Filters:
    return Filters(category=(one.category,), language=(one.language,), max_price=one.price)
