"""Making exports, in the background: all plugins one after another, whole or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import msgspec

from kernel import Context, errors
from kernel.contracts.auth import AUTH
from kernel.contracts.personal_data import Subject
from plugins.privacy.archive import Archive
from plugins.privacy.contributors import Contributor, Roll
from plugins.privacy.exports import (
    CLAIM,
    EXTEND,
    FINISH,
    FORGET,
    FORGET_CHUNKS,
    FORGET_PERSON,
    KEEP_CHUNK,
    LEASE,
    PUT_OFF,
    Export,
)
from plugins.privacy.retrying import delay_after
from plugins.privacy.settings import PrivacySettings
from plugins.privacy.tables import FAILED, WAITING

ATTEMPTS: Final = 8


class PluginFailed(errors.LyceumError):
    """A plugin could not hand out what it knows; the log says why. The export is tried again as a whole."""


class Overtaken(errors.LyceumError):
    """Another process makes the export, or the person was erased; nothing is to be done."""


class Exporting:
    """Makes what was asked for; any number of processes may try at once."""

    def __init__(self, ctx: Context[PrivacySettings]) -> None:
        self._ctx = ctx
        self._roll = ctx.own(Roll)
        self.asked = asyncio.Event()

    async def run(self) -> None:
        """Make every export that is due, and forget those that are over."""
        await self._ctx.db.run(FORGET, now=self._ctx.clock.now())
        while (export := await self._claim()) is not None:
            await self._try(export)

    async def _claim(self) -> Export | None:
        now = self._ctx.clock.now()
        return await self._ctx.db.first(CLAIM, now=now, until=now + LEASE)

    async def _try(self, export: Export) -> None:
        try:
            await self._make(export)
        except Overtaken:
            self._ctx.log.info("export left to another", action="export", export=str(export.id))
        except Exception as error:
            reason = str(error) if isinstance(error, PluginFailed) else type(error).__name__
            self._ctx.log.warning("export failed", action="export", export=str(export.id), reason=reason)
            await self._put_off(export, reason)

    async def _make(self, export: Export) -> None:
        account = await self._ctx.services.get(AUTH).account(export.user_id)
        if account is None or not account.active:
            await self._ctx.db.run(FORGET_PERSON, person=export.user_id)
            raise Overtaken
        subject = Subject(user_id=account.id, email=account.email)
        size = await self._write(export, subject)
        now = self._ctx.clock.now()
        until = now + timedelta(days=self._ctx.settings.archive_days)
        if not await self._ctx.db.run(FINISH, export=export.id, claim=export.attempts, now=now, until=until, size=size):
            raise Overtaken
        self._ctx.log.info("export made", action="export", export=str(export.id), bytes=size)

    async def _write(self, export: Export, subject: Subject) -> int:
        await self._ctx.db.run(FORGET_CHUNKS, export=export.id, through=export.attempts)
        archive = Archive(_Keeper(self._ctx, export))
        plugins = await self._roll.call()
        files: dict[str, list[str]] = {}
        for name, contributor in plugins.items():
            files[name] = await self._add(archive, contributor, subject, export)
        manifest = self._manifest(export, subject, files, await self._roll.absent())
        await archive.add("", "manifest.json", manifest)
        await archive.close()
        return archive.size

    async def _add(self, archive: Archive, contributor: Contributor, subject: Subject, export: Export) -> list[str]:
        """Add all that one plugin hands out; return the names of the files."""
        names = []
        await self._extend(export)
        try:
            async with asyncio.timeout(LEASE.total_seconds()):
                async for document in contributor.export(subject):
                    await archive.add(contributor.plugin, document.name, document.content)
                    names.append(document.name)
        except Exception as error:
            raise PluginFailed(f"{contributor.plugin}: {type(error).__name__}") from error
        return names

    async def _extend(self, export: Export) -> None:
        until = self._ctx.clock.now() + LEASE
        if not await self._ctx.db.run(EXTEND, export=export.id, claim=export.attempts, until=until):
            raise Overtaken

    def _manifest(self, export: Export, subject: Subject, files: dict[str, list[str]], off: list[str]) -> bytes:
        told = {
            "deployment": self._ctx.deployment.name,
            "user_id": subject.user_id,
            "email": subject.email,
            "asked_at": export.created_at,
            "made_at": self._ctx.clock.now(),
            "plugins": {name: {"files": names} for name, names in files.items()},
            "switched_off": off,
        }
        return msgspec.json.format(msgspec.json.encode(told))

    async def _put_off(self, export: Export, reason: str) -> None:
        until = self._ctx.clock.now() + delay_after(export.attempts)
        state = FAILED if export.attempts >= ATTEMPTS else WAITING
        values = {"new_state": state, "until": until, "why": reason}
        async with self._ctx.db.transaction() as session:
            await session.run(PUT_OFF, export=export.id, claim=export.attempts, **values)
            await session.run(FORGET_CHUNKS, export=export.id, through=export.attempts)


class _Keeper:
    """Keeps the pieces of one attempt, sealed."""

    def __init__(self, ctx: Context[PrivacySettings], export: Export) -> None:
        self._ctx = ctx
        self._export = export
        self._number = 0

    async def __call__(self, piece: bytes) -> None:
        sealed = self._ctx.secrets.seal(piece)
        place = {"export_id": self._export.id, "attempt": self._export.attempts, "number": self._number}
        await self._ctx.db.run(KEEP_CHUNK, **place, sealed=sealed)
        self._number += 1
