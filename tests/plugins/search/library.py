"""A library: a source whose documents a test puts there, and the real search over it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import UUID

from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.search import (
    SEARCH,
    SEARCHABLE,
    Document,
    Query,
    Results,
    Search,
    SubjectChanged,
)
from kernel.http.principal import Principal
from kernel.testing.contracts.search import document
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.search import marks
from plugins.search.settings import SearchSettings

PATH: Final = "/api/v1/search"
PATIENCE: Final = 60  # seconds


@dataclass
class Shelf:
    """Fulfils `Searchable`."""

    ctx: Context[Any]
    kind: str = "book"
    books: dict[UUID, tuple[Document, ...]] = field(default_factory=dict)
    asked: int = 0  #: times that the search asked for documents
    waiting: asyncio.Event | None = None  #: until it is set, nothing is answered

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        told = {one: self.books[one] for one in subjects if one in self.books}
        self.asked += 1
        if self.waiting is not None:
            await self.waiting.wait()
        return told

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        return sorted(one for one in self.books if after is None or one > after)[:limit]


class ShelfPlugin(Plugin):
    """Contributes a `Shelf`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="test-shelf", version="1", provides=(SEARCHABLE,), publishes=(SubjectChanged,)
    )

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(SEARCHABLE, lambda: contextlib.nullcontext(ctx.own(Shelf)))


@dataclass
class Library:
    """A deployment with the search and a shelf."""

    deployment: Deployment

    @property
    def shelf(self) -> Shelf:
        return self.deployment.platform.context("test-shelf").own(Shelf)

    @property
    def search(self) -> Search:
        return self.deployment.platform.services.get(SEARCH)

    async def put(self, *documents: Document) -> None:
        """Put each document on the shelf as a subject of its own, and wait until it is indexed."""
        self.shelf.books |= {one.id: (one,) for one in documents}
        await self.tell(*(one.id for one in documents))
        await self.indexed()

    async def stock(self, *documents: Document) -> None:
        """Put so many documents on the shelf that nobody tells of each, and have the index made from it."""
        self.shelf.books |= {one.id: (one,) for one in documents}
        done = await self.deployment.command("search", "rebuild", "--kind", "book", json=True)
        assert done.exit_code == 0, done.output
        await self.indexed()

    async def remove(self, *ids: UUID) -> None:
        """Take what has these ids off the shelf, and wait until the search knows."""
        for one in ids:
            del self.shelf.books[one]
        await self.tell(*ids)
        await self.indexed()

    async def tell(self, *subjects: UUID) -> None:
        """Say that the subjects changed."""
        ctx = self.shelf.ctx
        async with ctx.db.transaction() as session:
            for subject in subjects:
                await ctx.events.publish(session, SubjectChanged(kind="book", subject_id=subject))

    async def indexed(self) -> None:
        """Wait until nothing is left to be indexed."""
        await indexed(self.deployment)

    async def titles(self, text: str, caller: Principal | None = None, **asked: Any) -> list[str]:
        """Return the titles of what is found."""
        return [hit.found.title for hit in (await self.find(text, caller, **asked)).hits]

    async def find(self, text: str, caller: Principal | None = None, **asked: Any) -> Results:
        """Search."""
        return await self.search.find(caller, Query(text=text, **asked))


async def open_library(deploy: Deploy) -> Library:
    """Start a deployment with the search and a shelf."""
    return Library(await deploy("search", plugins=[ShelfPlugin], settings={"search": {"index_every": 0.1}}))


async def indexed(deployment: Deployment) -> None:
    """Wait until every event is handled and nothing is left to be indexed."""
    await deployment.settle()
    ctx: Context[SearchSettings] = deployment.platform.context("search")
    async with asyncio.timeout(PATIENCE):
        while await ctx.db.one(marks.WAITING):  # noqa: ASYNC110 - it sets no Event of ours
            await asyncio.sleep(0.02)


def book(title: str, **facts: Any) -> Document:
    """Return a document that everybody may find."""
    return document(title, **facts)
