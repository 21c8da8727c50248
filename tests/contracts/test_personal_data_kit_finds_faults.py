"""The kit of `personal_data/1` says of each of these contributors, which break one promise, that it is broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from kernel import Context
from kernel.contracts.personal_data import Document, Receipt, Subject, document
from kernel.testing.contracts.personal_data import PersonalDataContract, PersonalDataHarness, copies
from kernel.testing.fakes.personal_data import InMemoryPersonalData
from tests.contracts.broken import FOUND
from tests.contracts.memory_personal_data import InMemoryHarness

Test = Callable[[PersonalDataHarness], Awaitable[None]]
KIT = PersonalDataContract()


class ForgetsItsBooks(InMemoryPersonalData):
    """Hands out what it would erase, and no more."""

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        async for one in super().export(subject):
            if one.name == "notes.json":
                yield one


class HandsOutEverybody(InMemoryPersonalData):
    """Takes an address that is not known for everybody's."""

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        for number, person in enumerate(self._notes if not subject.email else ()):
            yield document(f"{number}.json", self._notes[person])
        async for one in super().export(subject):
            yield one


class HandsOutEmptyFiles(InMemoryPersonalData):
    """Has a file for those of whom it knows nothing."""

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        yield document("notes.json", self._notes.get(subject.user_id, []))
        yield document("books.json", self._books.get(subject.user_id, []))


class CallsEverythingTheSame(InMemoryPersonalData):
    """Has one name for all its files."""

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        async for one in super().export(subject):
            yield msgspec.structs.replace(one, name="data.json")


class LeavesItsFolder(InMemoryPersonalData):
    """Writes where another plugin's files are."""

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        async for one in super().export(subject):
            yield msgspec.structs.replace(one, name=f"../{one.name}")


class LocksWhileItIsRead(InMemoryPersonalData):
    """Holds a transaction from the first file to the last."""

    def __init__(self, ctx: Context[Any] | None = None) -> None:
        super().__init__(ctx)
        self._turn = asyncio.Lock()

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        async with self._turn:
            async for one in super().export(subject):
                yield one


class SaysThatItErased(InMemoryPersonalData):
    """Writes a receipt, and nothing else."""

    async def erase(self, subject: Subject) -> Receipt:
        return Receipt(erased=("notes on you",))


class KeepsWithoutAWord(InMemoryPersonalData):
    """Does not say what is left."""

    async def erase(self, subject: Subject) -> Receipt:
        return Receipt(erased=(await super().erase(subject)).erased)


class CountsWhatIsLeft(InMemoryPersonalData):
    """Says what this attempt found, and the next one finds nothing."""

    async def erase(self, subject: Subject) -> Receipt:
        self._erased.clear()
        return await super().erase(subject)


class ErasesEverybody(InMemoryPersonalData):
    """Forgets to say of whom, where there is no address."""

    async def erase(self, subject: Subject) -> Receipt:
        if not subject.email:
            self._notes.clear()
        return await super().erase(subject)


FAULTS: dict[type[InMemoryPersonalData], Test] = {
    ForgetsItsBooks: KIT.test_copy_shows_what_is_known,
    HandsOutEverybody: KIT.test_copy_of_a_stranger_is_empty,
    HandsOutEmptyFiles: KIT.test_copy_of_a_stranger_is_empty,
    CallsEverythingTheSame: KIT.test_copy_consists_of_files_that_machines_read,
    LeavesItsFolder: KIT.test_copy_consists_of_files_that_machines_read,
    LocksWhileItIsRead: KIT.test_copy_that_is_read_slowly_holds_nothing_up,
    SaysThatItErased: KIT.test_erasure_erases_what_is_not_kept,
    KeepsWithoutAWord: KIT.test_erasure_erases_what_is_not_kept,
    CountsWhatIsLeft: KIT.test_erasure_repeated_has_the_same_receipt,
    ErasesEverybody: KIT.test_erasure_touches_nobody_else,
}


@pytest.mark.parametrize(("provider", "test"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", "kit"))
async def test_kit_fails_a_contributor_that_breaks_a_promise(
    provider: type[InMemoryPersonalData], test: Test, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test that holds the promise fails with the broken contributor, and passes with the whole one."""
    monkeypatch.setattr(copies, "PATIENCE", 0.1)
    await test(InMemoryHarness())
    with pytest.raises((*FOUND, TimeoutError)):
        await test(InMemoryHarness(provider))
