"""A contributor to `personal_data/1` in memory, for the tests of those who ask all contributors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar, Final
from uuid import UUID

from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.personal_data import PERSONAL_DATA, Document, Kept, Receipt, Subject, document

NAME: Final = "test-personal-data"
KEPT: Final = Kept(what="what is in the books", why="books are kept")


class InMemoryPersonalData:
    """Has notes on people, which can be erased, and books, which are kept."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        self._notes: dict[UUID, list[str]] = {}
        self._books: dict[UUID, list[str]] = {}
        self._erased: set[UUID] = set()  #: of whom there were notes

    def note(self, user_id: UUID, text: str) -> None:
        """Note *text* on the person."""
        self._notes.setdefault(user_id, []).append(text)

    def enter(self, user_id: UUID, text: str) -> None:
        """Enter *text* in the person's books."""
        self._books.setdefault(user_id, []).append(text)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        for name, texts in (("notes", self._notes), ("books", self._books)):
            if subject.user_id in texts:
                yield document(f"{name}.json", texts[subject.user_id])

    async def erase(self, subject: Subject) -> Receipt:
        if self._notes.pop(subject.user_id, None):
            self._erased.add(subject.user_id)
        return Receipt(
            erased=("notes on you",) if subject.user_id in self._erased else (),
            kept=(KEPT,) if subject.user_id in self._books else (),
        )


class InMemoryPersonalDataPlugin(Plugin):
    """Contributes an `InMemoryPersonalData`; `contributor_of(deployment, NAME)` of the kit returns it."""

    manifest: ClassVar[Manifest] = Manifest(name=NAME, version="1", provides=(PERSONAL_DATA,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(PERSONAL_DATA, lambda: contextlib.nullcontext(ctx.own(InMemoryPersonalData)))
