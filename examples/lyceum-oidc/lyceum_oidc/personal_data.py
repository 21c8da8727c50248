"""Links of a person: handed out, and erased whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from kernel import Context
from kernel.contracts.personal_data import Document, Kept, Receipt, Subject, document
from lyceum_oidc.flows import FORGET_FLOWS
from lyceum_oidc.links import FORGET, Links
from lyceum_oidc.settings import OidcSettings

_RECEIPT: Final = Receipt(
    erased=("which sign-ins of other systems were linked to your account",),
    kept=(
        Kept(
            what="what those systems know of you",
            why="it is not within this platform; ask the institution about them",
        ),
    ),
)


class OidcPersonalData:
    """Contributes to `personal_data/1`."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._db = ctx.db
        self._links = ctx.own(Links)

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        if found := await self._links.of(subject.user_id):
            yield document("linked-sign-ins.json", found)

    async def erase(self, subject: Subject) -> Receipt:
        async with self._db.transaction() as session:
            await session.run(FORGET_FLOWS, person=subject.user_id)
            await session.run(FORGET, person=subject.user_id)
        return _RECEIPT
