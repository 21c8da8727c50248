"""What this plugin itself knows of a person: the copies that were made for them, and the erasure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from kernel import Context
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from plugins.privacy.exports import FORGET_PERSON, Exports
from plugins.privacy.settings import PrivacySettings

LISTED: Final = 1000  # exports; there are a few a day, for some days

RECEIPT: Final = Receipt(
    erased=("the copies that were made for you",),
    kept=(Kept(what="that your number was erased, and what came of it", why="to be able to show that it was done"),),
)


class PrivacyPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[PrivacySettings]) -> None:
        self._ctx = ctx
        self._exports = ctx.own(Exports)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        if exports := await self._exports.own(subject.user_id, limit=LISTED, before=None):
            yield document("exports.json", exports)

    async def erase(self, subject: Subject) -> Receipt:
        await self._ctx.db.run(FORGET_PERSON, person=subject.user_id)
        return RECEIPT
