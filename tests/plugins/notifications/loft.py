"""A plugin of a stranger, with kinds of its own and a channel: pigeons."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from uuid import UUID

from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.notifications import (
    NOTIFICATION_CHANNEL,
    NOTIFICATION_KINDS,
    Frequency,
    Notification,
    NotificationKind,
    Unreachable,
    Words,
)


def kind(name: str, title: str, *, fold: str = "", frequency: Frequency = "now") -> NotificationKind:
    words = {"en": Words(label=f"Pigeons: {name}", title=title, text="It sits on the roof.")}
    return NotificationKind(name=name, path="/pigeons/{bird}", words=words, fold=fold, frequency=frequency)


KINDS: Final = (
    kind("landed", "{bird} has landed"),
    kind("weekly-count", "{count} pigeons", frequency="weekly"),
    kind("welcome", "a name that is taken"),
    kind("unfoldable", "{bird}", fold="{0}"),
    kind("wordless", "{bird[3]}"),
)


class Roost:
    """Contributes the kinds."""

    def kinds(self) -> Sequence[NotificationKind]:
        return KINDS


@dataclass
class Pigeons:
    """Contributes the channel, and keeps what it carried."""

    name: str = "pigeon"
    labels: Mapping[str, str] = field(default_factory=lambda: {"en": "By pigeon"})
    carried: list[Notification] = field(default_factory=list)
    tried: list[UUID] = field(default_factory=list)
    storms: int = 0  #: attempts that fail
    nowhere: set[UUID] = field(default_factory=set)  #: people whom no pigeon finds

    async def deliver(self, notification: Notification) -> None:
        await asyncio.sleep(0)
        self.tried.append(notification.key)
        if notification.recipient.user_id in self.nowhere:
            raise Unreachable("no roof")
        if self.storms:
            self.storms -= 1
            raise ConnectionError("a storm")
        if notification.key not in {one.key for one in self.carried}:
            self.carried.append(notification)


class LoftPlugin(Plugin):
    """Tells of pigeons, and by them."""

    manifest: ClassVar[Manifest] = Manifest(
        name="loft", version="1", provides=(NOTIFICATION_KINDS, NOTIFICATION_CHANNEL)
    )

    @hookimpl
    def services(self, ctx: Context[Any]) -> Iterable[Provide[object]]:
        yield Provide(NOTIFICATION_KINDS, lambda: nullcontext(Roost()))
        yield Provide(NOTIFICATION_CHANNEL, lambda: nullcontext(Pigeons()))
