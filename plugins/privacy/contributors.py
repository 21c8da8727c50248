"""Who has to be asked about a person: every plugin, for itself and for what the kernel keeps in its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from kernel import TRACES, Context, Identifiers, Secrets, Traces
from kernel.contracts.mail import recipient_of
from kernel.contracts.personal_data import PERSONAL_DATA, Document, PersonalData, Receipt, Subject
from kernel.database import Command, Query
from plugins.privacy.settings import PrivacySettings
from plugins.privacy.tables import contributors

LIMIT: Final = 120.0  # seconds that one plugin has to erase; its files are scrubbed after it, however long that takes
KERNEL_FOLDER: Final = "kernel"


@dataclass(frozen=True, kw_only=True)
class Contributor:
    """One plugin that is on."""

    plugin: str
    traces: Traces
    own: tuple[PersonalData, ...]  #: what the plugin itself contributes
    secrets: Secrets

    async def export(self, subject: Subject) -> AsyncIterator[Document]:
        """Yield all that is kept of the person."""
        for data in self.own:
            async for document in data.export(subject):
                yield document
        async for name, content in self.traces.export(self._identifiers(subject)):
            yield Document(name=f"{KERNEL_FOLDER}/{name}", content=content)

    async def erase(self, subject: Subject) -> Receipt:
        """Erase; the traces last, since what the plugin does may leave some."""
        async with asyncio.timeout(LIMIT):
            receipts = [await data.erase(subject) for data in self.own]
            await self.traces.erase(self._identifiers(subject))
        return Receipt(
            erased=tuple(what for receipt in receipts for what in receipt.erased),
            kept=tuple(kept for receipt in receipts for kept in receipt.kept),
        )

    async def scrub(self) -> None:
        """Remove from the plugin's files what it erased."""
        await self.traces.scrub()

    def _identifiers(self, subject: Subject) -> Identifiers:
        alias = recipient_of(self.secrets, subject.email) if subject.email else ""
        return Identifiers(user_id=subject.user_id, email=subject.email, alias=alias)


KNOW: Final = Command(insert(contributors).values(plugin=bindparam("plugin")).on_conflict_do_nothing())
FORGET: Final = Command(sa.delete(contributors).where(contributors.c.plugin == bindparam("plugin")))
KNOWN: Final = Query(sa.select(contributors.c.plugin).order_by(contributors.c.plugin), str)


class Roll:
    """Remembers which plugins there are, so that those that are off are not forgotten."""

    def __init__(self, ctx: Context[PrivacySettings]) -> None:
        self._ctx = ctx
        self._noted: frozenset[str] = frozenset()

    async def call(self) -> Mapping[str, Contributor]:
        """Return the plugins that are on now, after noting those that are new."""
        on = contributors_on(self._ctx)
        if not on.keys() <= self._noted:
            await self._ctx.db.run_many(KNOW, [{"plugin": name} for name in on])
            self._noted = frozenset(on)
        return on

    async def absent(self) -> list[str]:
        """Return the plugins that were on once and are not now."""
        on = contributors_on(self._ctx)
        return [name for name in await self._ctx.db.all(KNOWN) if name not in on]


def contributors_on(ctx: Context[PrivacySettings]) -> Mapping[str, Contributor]:
    """Return the plugins that are on now, by name."""
    own: dict[str, list[PersonalData]] = {}
    for plugin, data in ctx.services.named(PERSONAL_DATA):
        own.setdefault(plugin, []).append(data)
    return {
        plugin: Contributor(plugin=plugin, traces=traces, own=tuple(own.get(plugin, ())), secrets=ctx.secrets)
        for plugin, traces in sorted(ctx.services.named(TRACES), key=lambda named: named[0])
    }
