"""The pages of chat: the rooms that somebody has been in, and one room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from aiohttp import web as http

from kernel import SIGNED_IN, Context, PageQuery, Request, problems, web
from plugins.chat.members_api import MembersApi
from plugins.chat.reading import Reading
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standings

_HERE: Final = Path(__file__).parent
_ROOMS_SHOWN: Final = 100


def declarations(ctx: Context[ChatSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return everything that chat gives to the site."""
    pages = ChatPages(ctx)
    return (
        web.Templates(_HERE / "templates"),
        web.StaticFiles(_HERE / "static"),
        web.Page(path="/chat", template="chat/rooms.html", handler=pages.rooms, permission=SIGNED_IN),
        web.Page(path="/chat/rooms/{room_id}", template="chat/room.html", handler=pages.room, permission=SIGNED_IN),
        web.Page(
            path="/chat/courses/{course_id}", template="chat/room.html", handler=pages.of_course, permission=SIGNED_IN
        ),
        web.Navigation(label="Chat", path="/chat", permission=SIGNED_IN, weight=300),
    )


class ChatPages:
    """Gives the pages their values."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._reading = ctx.own(Reading)
        self._standings = ctx.own(Standings)
        self._members = MembersApi(ctx)

    async def rooms(self, request: Request) -> Mapping[str, object]:
        """List the rooms that the caller has been in."""
        found = await self._reading.own_rooms(request.principal.id, PageQuery(limit=_ROOMS_SHOWN))
        return {"rooms": found.items, "more": found.next is not None}

    async def room(self, request: Request) -> Mapping[str, object]:
        """Show a room to those who may be there."""
        standing = await self._standings.of(request.principal, _number(request, "room_id"))
        return {"room": standing.room, "name": standing.name}

    async def of_course(self, request: Request) -> http.Response:
        """Lead to the room of a course."""
        room = await self._members.course_room(request, _number(request, "course_id"))
        return http.Response(status=http.HTTPSeeOther.status_code, headers={"Location": f"/chat/rooms/{room.id}"})


def _number(request: Request, name: str) -> UUID:
    try:
        return UUID(request.http.match_info[name])
    except ValueError:
        raise problems.NotFound from None
