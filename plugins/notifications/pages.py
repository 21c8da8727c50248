"""The page `/notifications`: one's own tray, and of which kinds one gets mails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kernel import SIGNED_IN, Context, PageQuery, Request, web
from plugins.notifications.api import NotificationsApi
from plugins.notifications.settings import NotificationsSettings

_HERE: Final = Path(__file__).parent
SHOWN: Final = 50  # notices
#: What each kind is called on the page.
TITLES: Final = {
    "welcome": "Welcome",
    "enrolled": "Access to a course",
    "purchase": "Purchases",
    "refund": "Refunds",
    "voucher": "Vouchers",
    "mention": "Mentions in rooms",
    "answer": "Answers in rooms",
}


def declarations(ctx: Context[NotificationsSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return everything that notifications give to the site."""
    page = NotificationsPage(ctx)
    path = "/notifications"
    return (
        web.Templates(_HERE / "templates"),
        web.StaticFiles(_HERE / "static"),
        web.Page(path=path, template="notifications/tray.html", handler=page.show, permission=SIGNED_IN),
        web.Navigation(label="Notifications", path=path, permission=SIGNED_IN, weight=350),
    )


class NotificationsPage:
    """Gives the page its values."""

    def __init__(self, ctx: Context[NotificationsSettings]) -> None:
        self._api = NotificationsApi(ctx)

    async def show(self, request: Request) -> Mapping[str, object]:
        """Show the newest notices and the preferences of whoever asks."""
        found = await self._api.notices(request, PageQuery(limit=SHOWN))
        preferences = await self._api.preferences(request)
        return {
            "notices": found.items,
            "more": found.next is not None,
            "preferences": [(kind, TITLES[kind], preferences[kind].mail) for kind in preferences],
        }
