"""What was said in a room as a file: CSV, JSON or WebVTT, read and sent page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec
from aiohttp import web

from kernel import Context, Request, stream_csv
from kernel.contracts.audit import act
from plugins.chat.entries import LoggedEntry
from plugins.chat.moments import Moment, require_usable
from plugins.chat.reading import Reading
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standings

PAGE: Final = 500  # messages
TITLES: Final = ("offset", "at", "sender", "name", "audience", "reply_to", "edited_at", "text")
CUE: Final = timedelta(seconds=5)  # for which a message is shown beside a recording


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which form, and of a table of times from when on."""

    form: Literal["csv", "json", "vtt"] = "csv"
    #: of WebVTT: when the recording begins; else it begins with the first message
    start: Moment | None = None

    def __post_init__(self) -> None:
        require_usable("start", self.start)


class ExportApi:
    """Hands out what was said, to those who moderate the room."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._ctx = ctx
        self._reading = ctx.own(Reading)
        self._standings = ctx.own(Standings)

    async def export(self, request: Request, room_id: UUID, query: ExportQuery) -> web.StreamResponse:
        """Download all messages of a room as they stand now: a table, JSON, or captions beside a recording."""
        await self._standings.of_moderator(request.principal, room_id)
        async with self._ctx.db.transaction() as session:
            told = act(request, "chat.export", f"room:{room_id}", after={"form": query.form})
            await self._ctx.events.publish(session, told)
        name = f"chat-{room_id}"
        if query.form == "csv":
            return await stream_csv(request.http, name, TITLES, self._rows(room_id))
        if query.form == "json":
            return await _stream(request.http, f"{name}.json", "application/json", self._json(room_id))
        return await _stream(request.http, f"{name}.vtt", "text/vtt", self._captions(room_id, query.start))

    async def _pages(self, room_id: UUID) -> AsyncIterator[list[LoggedEntry]]:
        after = 0
        while found := await self._reading.whole(room_id, after, PAGE):
            yield found
            after = found[-1].offset

    async def _rows(self, room_id: UUID) -> AsyncIterator[Iterable[tuple[object, ...]]]:
        async for found in self._pages(room_id):
            yield [tuple(_facts(entry).values()) for entry in found]

    async def _json(self, room_id: UUID) -> AsyncIterator[bytes]:
        before = b"["
        async for found in self._pages(room_id):
            yield before + b",\n".join(msgspec.json.encode(_facts(entry)) for entry in found)
            before = b",\n"
        yield b"[]" if before == b"[" else b"]"

    async def _captions(self, room_id: UUID, start: datetime | None) -> AsyncIterator[bytes]:
        """Yield captions of what was said to everybody: what was for staff is no part of a recording."""
        yield b"WEBVTT\n"
        begins = start
        async for found in self._pages(room_id):
            public = [entry for entry in found if entry.audience == "room" and (start is None or entry.at >= start)]
            if public:
                begins = begins or public[0].at
                yield b"".join(caption(entry, begins) for entry in public)


def _facts(entry: LoggedEntry) -> Mapping[str, object]:
    return {
        "offset": entry.offset,
        "at": entry.at,
        "sender": entry.actor,
        "name": entry.name,
        "audience": entry.audience,
        "reply_to": entry.reply_to,
        "edited_at": entry.edited_at,
        "text": entry.text or "",
    }


def caption(entry: LoggedEntry, start: datetime) -> bytes:
    """Return *entry* as a cue, so many seconds after *start* as it was said.

    A later entry may have been said a moment before the first one: its filters took longer.
    """
    begins = max(entry.at - start, timedelta(0))
    text = "\n".join(line for line in _escaped(entry.text or "").splitlines() if line.strip())
    speaker = _escaped(" ".join(entry.name.split())) or "…"
    return f"\n{entry.offset}\n{_time(begins)} --> {_time(begins + CUE)}\n<v {speaker}>{text}</v>\n".encode()


def _escaped(text: str) -> str:
    """Return *text* without anything that WebVTT would read as markup or as the end of the cue's times."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(since: timedelta) -> str:
    milliseconds = since // timedelta(milliseconds=1)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


async def _stream(http: web.Request, name: str, media_type: str, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send *pieces* as the file *name*; where one can not be read, the connection breaks off."""
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
    )
    if http.method == "HEAD":
        return response
    try:
        await response.prepare(http)
        async for piece in pieces:
            await response.write(piece)
        await response.write_eof()
    except BaseException:
        if http.transport is not None:
            http.transport.abort()
        raise
    return response
