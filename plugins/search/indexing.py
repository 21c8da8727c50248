"""Indexing: what is marked is asked of its source and takes the place of what was there.

No transaction waits for a source. A mark that came while the source was asked stays, and the subject
is asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from kernel import Context, errors, failpoint
from kernel.contracts.search import SEARCHABLE, Document, Searchable
from plugins.search import marks, store
from plugins.search.settings import SearchSettings

T = TypeVar("T")
#: The documents of each subject.
Told = Mapping[UUID, Sequence[Document]]

PAGE: Final = 500  # subjects that are marked at once
WORKERS: Final = 2
WRITTEN: Final = failpoint("search.written")  # but not committed
INSTRUCTOR: Final = "instructor"  #: the kind of subjects that are found by what they teach
_FIRST: Final = UUID(int=0)


class Indexing:
    """Keeps the read model like its sources."""

    def __init__(self, ctx: Context[SearchSettings]) -> None:
        self._ctx = ctx
        self._marked = asyncio.Event()
        self._lease = timedelta(seconds=ctx.settings.source_timeout + 60)

    def wake(self) -> None:
        """Have it look for marks now."""
        self._marked.set()

    def run_in_background(self) -> None:
        """Index whatever is marked until the plugin stops."""
        self.wake()
        self._ctx.tasks.every(self._ctx.settings.index_every, self._look, name="indexing", sooner=self._marked)

    def sources(self) -> Mapping[str, Searchable]:
        """Return who tells what there is to be found, by the kind of their subjects."""
        return {source.kind: source for source in self._ctx.services.all(SEARCHABLE)}

    async def index(self) -> int:
        """Index all that is due; return how many subjects that were. A source that fails holds up no other."""
        count = 0
        while done := await self._index_each():  # what was indexed may have marked others
            count += done
        return count

    async def _index_each(self) -> int:
        count = 0
        for kind, source in self.sources().items():
            try:
                count += await self._index_kind(kind, source)
            except Exception:
                self._ctx.log.exception("source not answered; asked again later", action="indexing", kind=kind)
        return count

    async def mark_everything(self, kind: str, source: Searchable) -> int:
        """Mark every subject of the *source*, and every one that is indexed; return how many the source has."""
        count = 0
        after: UUID | None = None
        while subjects := await self._told(source.subjects(after, PAGE)):
            count, after = count + len(subjects), subjects[-1]
            await self._mark(kind, subjects)
        indexed = _FIRST
        while known := await self._ctx.db.all(marks.INDEXED, of_kind=kind, after=indexed):
            indexed = known[-1]
            await self._mark(kind, known)
        await self._ctx.db.run(marks.KNOW_SOURCE, kind=kind)
        return count

    async def _look(self) -> None:
        known = set(await self._ctx.db.all(marks.KNOWN_SOURCES))
        for kind, source in self.sources().items():
            if kind not in known:
                await self.mark_everything(kind, source)
        await self.index()

    async def _index_kind(self, kind: str, source: Searchable) -> int:
        async with asyncio.TaskGroup() as group:  # while one waits for the database, another one thinks
            workers = [group.create_task(self._work(kind, source)) for _ in range(WORKERS)]
        return sum(worker.result() for worker in workers)

    async def _work(self, kind: str, source: Searchable) -> int:
        count = 0
        while (claim := await marks.claim(self._ctx.db, kind, self._ctx.clock.now(), self._lease)).subjects:
            told = await self._told(source.documents(claim.subjects))
            await self._write_all(claim, {subject: told.get(subject, ()) for subject in claim.subjects})
            count += len(claim.subjects)
        return count

    async def _write_all(self, claim: marks.Claim, told: Told) -> None:
        """Write what was told in one transaction; where that fails, each subject in its own, so that others get in."""
        try:
            await self._write(claim, told)
        except errors.DatabaseError:
            for subject, documents in told.items():
                await self._try(claim, subject, documents)

    async def _try(self, claim: marks.Claim, subject: UUID, documents: Sequence[Document]) -> None:
        try:
            await self._write(claim, {subject: documents})
        except Exception:
            self._ctx.log.exception(
                "not indexed; tried again later", action="indexing", kind=claim.kind, subject=str(subject)
            )

    async def _write(self, claim: marks.Claim, told: Told) -> None:
        async with self._ctx.db.transaction() as session:
            taken = await claim.take(session, list(told))
            people = await store.replace(session, claim.kind, {subject: told[subject] for subject in taken})
            if people and INSTRUCTOR in self.sources() and claim.kind != INSTRUCTOR:
                await marks.mark(session, INSTRUCTOR, people, self._ctx.clock.now())
            await WRITTEN()

    async def _mark(self, kind: str, subjects: Sequence[UUID]) -> None:
        async with self._ctx.db.transaction() as session:
            await marks.mark(session, kind, subjects, self._ctx.clock.now())

    async def _told(self, asked: Awaitable[T]) -> T:
        async with asyncio.timeout(self._ctx.settings.source_timeout):
            return await asked
