"""Erasures: of one person, as often as one is asked, with a receipt that says what came of it."""

from __future__ import annotations

import asyncio

from kernel.contracts.personal_data import Receipt, Subject
from kernel.testing.contracts.personal_data.harness import PersonalDataHarness, copy_of, shows, stranger


class ErasuresContract:
    """What every contributor keeps when it erases what it knows."""

    async def test_erasure_erases_what_is_not_kept(self, harness: PersonalDataHarness) -> None:
        """What is still in a copy after it is there for a reason."""
        ada = await harness.somebody()

        receipt = await harness.personal_data.erase(ada.subject)

        copy = await copy_of(harness, ada.subject)
        assert [value for value in ada.erased if shows(copy, value)] == []
        assert receipt.erased or not ada.erased
        assert receipt.kept or not copy
        assert says_something(receipt)

    async def test_erasure_repeated_has_the_same_receipt(self, harness: PersonalDataHarness) -> None:
        """A receipt tells what became of it all, not what the last of several attempts found left."""
        ada = await harness.somebody()
        first = await harness.personal_data.erase(ada.subject)

        for _ in range(2):
            assert await harness.personal_data.erase(ada.subject) == first
        copy = await copy_of(harness, ada.subject)
        assert [value for value in ada.erased if shows(copy, value)] == []

    async def test_erasures_at_once_are_one(self, harness: PersonalDataHarness) -> None:
        """Two processes may ask at the same moment."""
        ada = await harness.somebody()

        receipts = await asyncio.gather(*(harness.personal_data.erase(ada.subject) for _ in range(5)))

        assert receipts == receipts[:1] * 5
        assert says_something(receipts[0])
        copy = await copy_of(harness, ada.subject)
        assert [value for value in ada.erased if shows(copy, value)] == []

    async def test_erasure_touches_nobody_else(self, harness: PersonalDataHarness) -> None:
        """Neither that of a person, nor of a stranger, nor by a number alone where the address was forgotten."""
        ada, bob = await harness.somebody(), await harness.somebody()
        before = await copy_of(harness, bob.subject)
        nobody = stranger()

        for subject in (
            ada.subject,
            nobody,
            *(Subject(user_id=one.user_id, email="") for one in (ada.subject, nobody)),
        ):
            await harness.personal_data.erase(subject)
            assert await copy_of(harness, bob.subject) == before, subject


def says_something(receipt: Receipt) -> bool:
    """Return whether people learn from *receipt* what was erased, and of what was kept why."""
    texts = [*receipt.erased, *(text for kept in receipt.kept for text in (kept.what, kept.why))]
    return bool(texts) and all(text.strip() for text in texts)
