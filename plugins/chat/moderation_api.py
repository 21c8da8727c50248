"""The routes by which order is kept in a room, for those who teach its course."""

from __future__ import annotations

from uuid import UUID

from kernel import Context, Page, PageQuery, Request, page
from kernel.contracts.audit import act
from kernel.contracts.chat_http import WithReason
from plugins.chat.changing import Changing
from plugins.chat.holding import WAITING, Held
from plugins.chat.moderating import REPORTS, Moderating, NewStanding, Report, Rules
from plugins.chat.settings import ChatSettings
from plugins.chat.standing import Standing, Standings


class ModerationApi:
    """Answers those who moderate."""

    def __init__(self, ctx: Context[ChatSettings]) -> None:
        self._db = ctx.db
        self._standings = ctx.own(Standings)
        self._moderating = ctx.own(Moderating)
        self._changing = ctx.own(Changing)

    async def set_rules(self, request: Request, room_id: UUID, body: Rules) -> None:
        """Set whether the room is open, how often one may write, and whether messages wait for approval."""
        await self._moderating.set_rules(request, await self._standing(request, room_id), body)

    async def set_standing(self, request: Request, room_id: UUID, user_id: UUID, body: NewStanding) -> None:
        """Mute a person for some time, put them out of the room, or take that back."""
        await self._moderating.set_standing(request, await self._standing(request, room_id), user_id, body)

    async def held(self, request: Request, room_id: UUID, query: PageQuery) -> Page[Held]:
        """List the messages that wait for approval, the longest waiting first."""
        await self._standing(request, room_id)
        after = query.after(UUID) or UUID(int=0)
        found = await self._db.all(WAITING, room_id=room_id, after=after, limit=query.limit + 1)
        return page(found, query, lambda held: held.id)

    async def approve(self, request: Request, room_id: UUID, held_id: UUID) -> None:
        """Let a message that waits into the room."""
        await self._moderating.approve(request, await self._standing(request, room_id), held_id)

    async def refuse(self, request: Request, room_id: UUID, held_id: UUID, body: WithReason) -> None:
        """Let a message that waits never come into the room."""
        await self._moderating.refuse(request, await self._standing(request, room_id), held_id, body.reason)

    async def remove(self, request: Request, room_id: UUID, offset: int, body: WithReason) -> None:
        """Take anybody's message away, saying why: from every history, and from every export."""
        standing = await self._standing(request, room_id)
        await self._changing.remove(
            standing,
            offset,
            lambda target: act(
                request,
                "chat.remove",
                f"room:{room_id}",
                before=target.facts(),
                reason=body.reason,
                about=target.actor,
            ),
        )

    async def reports(self, request: Request, room_id: UUID, query: PageQuery) -> Page[Report]:
        """List what members have reported and nobody has settled, the oldest first."""
        await self._standing(request, room_id)
        after = query.after(UUID) or UUID(int=0)
        found = await self._db.all(REPORTS, room_id=room_id, after=after, limit=query.limit + 1)
        return page(found, query, lambda report: report.id)

    async def settle(self, request: Request, room_id: UUID, report_id: UUID, body: WithReason) -> None:
        """Say that a report needs nothing more."""
        await self._moderating.settle(request, await self._standing(request, room_id), report_id, body.reason)

    async def _standing(self, request: Request, room_id: UUID) -> Standing:
        return await self._standings.of_moderator(request.principal, room_id)
