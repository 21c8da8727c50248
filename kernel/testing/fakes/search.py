"""An in-memory `search/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from kernel import Context, Manifest, Plugin, Principal, Provide, hookimpl
from kernel.contracts.search import (
    EVERYBODY,
    SEARCH,
    Count,
    Document,
    Filters,
    Found,
    Hit,
    Query,
    Reason,
    Results,
    permitted,
    person,
)

FACETS: Final = ("kind", "category", "level", "language")
_SORTED: Final[Mapping[str, Callable[[Document], float]]] = {
    "relevance": lambda document: 0,
    "rating": lambda document: document.rating or 0,
    "newest": lambda document: document.published_at.timestamp() if document.published_at else 0,
    "price": lambda document: -(document.price or 0),
}


class InMemorySearch:
    """Finds what a test put there: whole words, and the beginning of the last one."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        self._documents: dict[UUID, Document] = {}

    def put(self, *documents: Document) -> None:
        """Let the documents be found."""
        self._documents |= {one.id: one for one in documents}

    def remove(self, *ids: UUID) -> None:
        """Let these be found no more."""
        for one in ids:
            self._documents.pop(one, None)

    async def find(self, caller: Principal | None, query: Query) -> Results:
        known = [one for one in self._documents.values() if may_find(caller, one) and _says(one, query.text)]
        found = [one for one in known if passes(one, query.filters)]
        order = sorted(found, key=lambda one: (self._exact(one, query), _SORTED[query.sort](one), one.id), reverse=True)
        start = query.after[1] if query.after else 0
        shown = order[start : start + query.limit]
        end = start + len(shown)
        return Results(
            hits=tuple(self._hit(one, query) for one in shown),
            next=(0, end) if end < len(order) else None,
            total=len(order),
            exact=True,
            counts={facet: _counts(facet, known, query.filters) for facet in FACETS},
            corrected={},
        )

    async def suggest(self, caller: Principal | None, text: str, limit: int) -> Sequence[Found]:
        return [hit.found for hit in (await self.find(caller, Query(text=text, limit=limit))).hits]

    @staticmethod
    def _exact(document: Document, query: Query) -> bool:
        """Return whether the document is called exactly like the query, which matters where nothing else sorts."""
        wanted = query.text.strip().casefold()
        return query.sort == "relevance" and wanted in (document.title.casefold(), document.code.casefold())

    def _hit(self, document: Document, query: Query) -> Hit:
        points = 1 + self._exact(document, query)
        why = (Reason(word=query.text, terms=(query.text,), points=points),) if query.explain else ()
        return Hit(found=_shown(document), points=points, why=why)


def may_find(caller: Principal | None, document: Document) -> bool:
    """Return whether *caller* is one of the document's readers."""
    mine = {EVERYBODY}
    if caller is not None:
        mine |= {person(caller.id), *map(permitted, caller.permissions)}
    return not mine.isdisjoint(document.readers)


def passes(document: Document, filters: Filters, *, but_for: str = "") -> bool:
    """Return whether the document passes every filter *but_for* one; what is not known passes none."""
    listed = (name for name in FACETS if name != but_for and getattr(filters, name))
    return (
        all(getattr(document, name) in getattr(filters, name) for name in listed)
        and (filters.instructor is None or any(one.id == filters.instructor for one in document.instructors))
        and _at_most(document.price, filters.max_price)
        and _at_most(document.duration_seconds, filters.max_duration_seconds)
        and (filters.min_rating is None or (document.rating or 0) >= filters.min_rating)
    )


def _at_most(value: int | None, limit: int | None) -> bool:
    return limit is None or (value is not None and value <= limit)


def _says(document: Document, text: str) -> bool:
    teachers = (one.name for one in document.instructors)
    said = " ".join((document.title, document.code, document.summary, document.text, *document.words, *teachers))
    there, asked = said.casefold().split(), text.casefold().split()
    if asked and text[-1].isalnum() and any(word.startswith(asked[-1]) for word in there):
        asked.pop()
    return all(word in there for word in asked)


def _shown(document: Document) -> Found:
    return Found(**{name: getattr(document, name) for name in Found.__struct_fields__})


def _counts(facet: str, known: Iterable[Document], filters: Filters) -> tuple[Count, ...]:
    values = Counter(getattr(one, facet) for one in known if passes(one, filters, but_for=facet))
    del values[""]
    return tuple(
        Count(value=value, count=count) for value, count in sorted(values.items(), key=lambda one: (-one[1], one[0]))
    )


class InMemorySearchPlugin(Plugin):
    """Provides `search/1` from memory; `deployment.platform.services.get(SEARCH)` is the `InMemorySearch`."""

    manifest: ClassVar[Manifest] = Manifest(name="test-search", version="1", provides=(SEARCH,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(SEARCH, lambda: contextlib.nullcontext(ctx.own(InMemorySearch)))
