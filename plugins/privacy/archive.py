"""The archive of an export: a ZIP that is written and read in pieces, so that its size does not matter."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import PurePosixPath
from typing import IO, Final, cast

from kernel import Context, errors
from plugins.privacy.exports import CHUNK, Export
from plugins.privacy.settings import PrivacySettings

PIECE: Final = 256 * 1024  # bytes of the archive that are sealed together

#: Takes one piece.
Keep = Callable[[bytes], Awaitable[None]]


class BadName(errors.LyceumError):
    """A document's name leads out of its plugin's folder; name it as `folder/file.json`."""


class _Pending:
    """What the ZIP has written and nobody has kept yet. It can not be read or sought in."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def write(self, data: bytes) -> int:
        self.bytes += data
        return len(data)

    def flush(self) -> None:
        pass


class Archive:
    """A ZIP in the making; *keep* is given its pieces in order."""

    def __init__(self, keep: Keep) -> None:
        self.size = 0  #: bytes that were kept
        self._keep = keep
        self._pending = _Pending()
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._pending), "w", zipfile.ZIP_DEFLATED)

    async def add(self, folder: str, name: str, content: bytes) -> None:
        """Add a file.

        Raises:
            BadName: *name* leads out of *folder*.
        """
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
            raise BadName(f"{name!r}: {BadName.__doc__}")
        await asyncio.to_thread(self._zip.writestr, str(PurePosixPath(folder) / path), content)
        await self._drain(PIECE)

    async def close(self) -> None:
        """Write the end."""
        self._zip.close()
        await self._drain(1)

    async def _drain(self, least: int) -> None:
        pending = self._pending.bytes
        while len(pending) >= least:
            piece = bytes(pending[:PIECE])
            del pending[:PIECE]
            self.size += len(piece)
            await self._keep(piece)


async def pieces(ctx: Context[PrivacySettings], export: Export) -> AsyncIterator[bytes]:
    """Yield the archive of *export*, which is ready, piece by piece."""
    left, number = export.size or 0, 0
    while left:
        place = {"of_export_id": export.id, "of_attempt": export.attempts, "of_number": number}
        piece = ctx.secrets.unseal(await ctx.db.one(CHUNK, **place))
        yield piece
        left, number = left - len(piece), number + 1
