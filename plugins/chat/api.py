"""The HTTP routes of chat, below `/api/v1/chat`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kernel import SIGNED_IN, Context, Idempotency, Route, delete, get, patch, post, problems, put
from kernel.contracts.chat import MessageRefused, RoomClosed, Silenced, TooSoon
from plugins.chat.export import ExportApi
from plugins.chat.members_api import MembersApi
from plugins.chat.moderation_api import ModerationApi
from plugins.chat.permissions import MODERATE
from plugins.chat.settings import ChatSettings

_ROOM: Final = "/rooms/{room_id}"
_MESSAGE: Final = f"{_ROOM}/messages/{{offset}}"
_READ: Final = (problems.NotFound, problems.Forbidden)
_WRITE: Final = (*_READ, problems.Invalid, RoomClosed, Silenced, TooSoon, MessageRefused)
_EXPORT_TIMEOUT: Final = 300.0  # seconds
_BODY_LIMIT: Final = 32 * 1024  # bytes; a message of 4,000 characters may take four bytes each, or twelve escaped


def routes(ctx: Context[ChatSettings]) -> tuple[Route, ...]:
    """Return every route. None keeps idempotency keys: each change may be repeated, and does nothing more then."""
    members, moderation = MembersApi(ctx), ModerationApi(ctx)
    return (
        *_reading_routes(members),
        *map(_repeatable, _writing_routes(members)),
        *_overseeing_routes(moderation, ExportApi(ctx)),
        *map(_repeatable, _moderation_routes(moderation)),
    )


def _repeatable(route: Route) -> Route:
    return replace(route, idempotency=Idempotency.NONE)


def _reading_routes(api: MembersApi) -> tuple[Route, ...]:
    return (
        get("/rooms", api.rooms, permission=SIGNED_IN, problems=(problems.InvalidCursor,)),
        get(_ROOM, api.room, permission=SIGNED_IN, problems=_READ),
        get(f"{_ROOM}/messages", api.history, permission=SIGNED_IN, problems=(*_READ, problems.InvalidCursor)),
        get(f"{_ROOM}/entries", api.since, permission=SIGNED_IN, problems=_READ),
        get(f"{_ROOM}/held/own", api.own_held, permission=SIGNED_IN, problems=(*_READ, problems.InvalidCursor)),
    )


def _writing_routes(api: MembersApi) -> tuple[Route, ...]:
    sign = f"{_MESSAGE}/reactions/{{emoji}}"
    return (
        post("/courses/{course_id}/room", api.course_room, permission=SIGNED_IN, problems=_READ),
        post(
            f"{_ROOM}/messages",
            api.post,
            permission=SIGNED_IN,
            status=201,
            problems=_WRITE,
            body_limit=_BODY_LIMIT,
        ),
        patch(_MESSAGE, api.edit, permission=SIGNED_IN, problems=_WRITE, body_limit=_BODY_LIMIT),
        delete(_MESSAGE, api.remove, permission=SIGNED_IN, problems=_READ),
        put(sign, api.react, permission=SIGNED_IN, problems=_WRITE),
        delete(sign, api.take_back, permission=SIGNED_IN, problems=_WRITE),
        put(f"{_ROOM}/read-mark", api.read, permission=SIGNED_IN, problems=_READ),
        post(f"{_MESSAGE}/reports", api.report, permission=SIGNED_IN, status=204, problems=_READ),
    )


def _overseeing_routes(api: ModerationApi, exporting: ExportApi) -> tuple[Route, ...]:
    listed = (*_READ, problems.InvalidCursor)
    return (
        get(f"{_ROOM}/held", api.held, permission=MODERATE, problems=listed),
        get(f"{_ROOM}/reports", api.reports, permission=MODERATE, problems=listed),
        get(f"{_ROOM}/export", exporting.export, permission=MODERATE, problems=_READ, timeout=_EXPORT_TIMEOUT),
    )


def _moderation_routes(api: ModerationApi) -> tuple[Route, ...]:
    held = f"{_ROOM}/held/{{held_id}}"
    decided = (*_READ, problems.Conflict)
    return (
        put(f"{_ROOM}/rules", api.set_rules, permission=MODERATE, problems=_READ),
        put(f"{_ROOM}/members/{{user_id}}", api.set_standing, permission=MODERATE, problems=_READ),
        post(f"{held}/approve", api.approve, permission=MODERATE, status=204, problems=decided),
        post(f"{held}/refuse", api.refuse, permission=MODERATE, status=204, problems=_READ),
        post(f"{_MESSAGE}/remove", api.remove, permission=MODERATE, status=204, problems=_READ),
        post(f"{_ROOM}/reports/{{report_id}}/settle", api.settle, permission=MODERATE, status=204, problems=_READ),
    )
