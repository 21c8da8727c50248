"""Channels: the ways to people beside the tray. Mail is ours; plugins contribute others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kernel import Context
from kernel.contracts.notifications import NOTIFICATION_CHANNEL, NotificationChannel
from plugins.notifications.deciding import TRAY
from plugins.notifications.wording import in_language

MAIL: Final = "mail"
_OURS: Final = (TRAY, MAIL)


class Channels:
    """Every channel; looked for at use, since plugins start one after another."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._services = ctx.services

    def contributed(self) -> Mapping[str, NotificationChannel]:
        """Return the channels of plugins by name; of several of one name the first counts."""
        found: dict[str, NotificationChannel] = {}
        for channel in self._services.all(NOTIFICATION_CHANNEL):
            if channel.name not in _OURS:
                found.setdefault(channel.name, channel)
        return found

    def label(self, name: str, locale: str) -> str:
        """Return what people call a channel of a plugin; its name where it is off."""
        channel = self.contributed().get(name)
        return in_language(channel.labels, locale) if channel is not None else name

    def names(self) -> tuple[str, ...]:
        """Return the names of all channels but the tray."""
        return (MAIL, *self.contributed())
