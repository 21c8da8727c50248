"""The pages: one's tray and wishes at `/notifications`, the end of what one is sent, and the count on every page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kernel import PUBLIC, SIGNED_IN, Context, PageQuery, Request, problems, web
from plugins.notifications.api import TrayApi
from plugins.notifications.channels import Channels
from plugins.notifications.deciding import TRAY
from plugins.notifications.kinds import Kinds
from plugins.notifications.links import Links
from plugins.notifications.settings import NotificationsSettings
from plugins.notifications.wishes_api import InForce, KindView, WishesApi
from plugins.notifications.wording import in_language

_HERE: Final = Path(__file__).parent
SHOWN: Final = 50  # notices
FREQUENCIES: Final = {"now": "at once", "daily": "once a day", "weekly": "once a week", "never": "not at all"}
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: What a channel is called that does not say so itself.
CHANNELS: Final = {TRAY: "On this page", "mail": "By mail"}


def declarations(ctx: Context[NotificationsSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return everything that notifications give to the site."""
    pages = NotificationPages(ctx)
    path = "/notifications"
    return (
        web.Templates(_HERE / "templates"),
        web.StaticFiles(_HERE / "static"),
        web.Page(path=path, template="notifications/tray.html", handler=pages.tray, permission=SIGNED_IN),
        web.Page(
            path=f"{path}/unsubscribe/{{token}}",
            template="notifications/unsubscribe.html",
            handler=pages.unsubscribe,
            permission=PUBLIC,
            rate="60/minute",
        ),
        web.Navigation(label="Notifications", path=path, permission=SIGNED_IN, weight=350),
        web.Slot(name="masthead", template="notifications/unread.html"),
        web.Slot(name="instructor", template="notifications/follow.html"),
    )


class NotificationPages:
    """Gives the pages their values."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._tray, self._wishes, self._kinds = ctx.own(TrayApi), ctx.own(WishesApi), ctx.own(Kinds)
        self._channels, self._links = ctx.own(Channels), Links(ctx)

    async def tray(self, request: Request) -> Mapping[str, object]:
        """Show the newest notices of whoever asks, and what they want."""
        found = await self._tray.notices(request, PageQuery(limit=SHOWN))
        preferences = await self._wishes.preferences(request)
        in_force = await self._wishes.schedule(request)
        return {
            "notices": found.items,
            "more": found.next is not None,
            "channels": self._named(preferences),
            "preferences": preferences,
            "frequencies": FREQUENCIES,
            "schedule": in_force,
            "quiet": _quiet(in_force),
            "days": DAYS,
        }

    async def unsubscribe(self, request: Request) -> Mapping[str, object]:
        """Ask whether somebody wants to be sent no more of some kinds."""
        token = request.http.match_info["token"]
        ending = self._links.read(token)
        if ending is None:
            raise problems.NotFound
        known = self._kinds.all()
        labels = [in_language(known[kind].words, "en").label for kind in ending.kinds if kind in known]
        return {"labels": labels, "channel": ending.channel, "token": token}

    def _named(self, preferences: list[KindView]) -> list[tuple[str, str]]:
        """Return the channels, each with what it is called."""
        names = preferences[0].channels if preferences else ()
        return [(name, CHANNELS.get(name) or self._channels.label(name, "en")) for name in names]


def _quiet(schedule: InForce) -> tuple[str, str]:
    """Return the quiet hours as a browser's fields show them; empty where there are none."""
    if schedule.quiet_from == schedule.quiet_until:
        return "", ""
    return _clock(schedule.quiet_from), _clock(schedule.quiet_until)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
