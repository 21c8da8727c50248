"""Composing: what a channel carries, and the mail that it is, in the language of whom it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jinja2
import msgspec

from kernel import Context
from kernel.contracts.mail import LONGEST_URL, Message
from kernel.contracts.notifications import Item, Notification, NotificationKind, Recipient
from plugins.notifications.deciding import DIGESTS, QUIET
from plugins.notifications.kinds import Kinds
from plugins.notifications.links import Links
from plugins.notifications.wording import Wording, path_of, wording

_TEMPLATES: Final = Path(__file__).parent / "templates"
_LONGEST: Final = LONGEST_URL // 2  # characters of kinds in a link
_RIGHT_TO_LEFT: Final = ("ar", "fa", "he", "ur")


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in a parcel, and whom it is for."""

    parcel_id: UUID
    id: UUID
    kind: str
    facts: dict[str, str | int]
    at: datetime
    user_id: UUID
    email: str
    display_name: str
    locale: str


class Composing:
    """Puts notices into words."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._place = ctx.deployment.name
        self._address = ctx.deployment.public_url
        self._kinds, self._links = ctx.own(Kinds), Links(ctx)
        loader = jinja2.FileSystemLoader(_TEMPLATES)
        environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._template = environment.get_template("notifications/mail.html")

    def notification(self, parcel: UUID, channel: str, slot: str, members: Sequence[Member]) -> Notification:
        """Return what goes by *channel*; *members* are in the order of what happened, at least one."""
        first, known = members[0], self._kinds.all()
        words = wording(first.locale)
        items = tuple(self._item(words, member, known[member.kind]) for member in members)
        token = self._links.token(first.user_id, channel, _fitting({member.kind for member in members}))
        return Notification(
            key=parcel,
            recipient=Recipient(
                user_id=first.user_id, email=first.email, display_name=first.display_name, locale=first.locale
            ),
            title=self._title(words, slot, items),
            items=items,
            unsubscribe=self._links.unsubscribe(token),
        )

    def mail(self, notification: Notification) -> Message:
        """Return the mail that a notification is."""
        words = wording(notification.recipient.locale)
        token = notification.unsubscribe.rpartition("/")[2]
        parts = self._parts(words, notification, self._links.page(token))
        return Message(
            to=notification.recipient.email,
            subject=notification.title,
            text=_plain(words, parts),
            html=self._template.render(parts, words=words),
            unsubscribe=notification.unsubscribe,
        )

    def _item(self, words: Wording, member: Member, kind: NotificationKind) -> Item:
        said = words.say(kind, member.facts, member.locale, self._place)
        link = self._address + path_of(kind, member.facts)
        return Item(kind=member.kind, title=said.title, text=said.text, link=link, at=member.at)

    def _title(self, words: Wording, slot: str, items: Sequence[Item]) -> str:
        if slot in (*DIGESTS, QUIET):
            told: str = getattr(words, slot)
            return told.format(place=self._place, count=len(items))
        if len(items) == 1:
            return items[0].title
        return words.several.format(title=items[0].title, more=len(items) - 1)

    def _parts(self, words: Wording, notification: Notification, unsubscribe: str) -> Mapping[str, object]:
        locale = notification.recipient.locale
        return {
            "lang": locale,
            "dir": "rtl" if locale.split("-")[0].lower() in _RIGHT_TO_LEFT else "ltr",
            "place": self._place,
            "title": notification.title,
            "greeting": words.hello(notification.recipient.display_name),
            "items": notification.items,
            "reason": words.reason.format(place=self._place),
            "preferences": f"{self._address}/notifications",
            "unsubscribe": unsubscribe,
        }


def _fitting(kinds: set[str]) -> Sequence[str]:
    """Return as many of *kinds* as the header of a mail has room for."""
    chosen = sorted(kinds)
    while len("~".join(chosen)) > _LONGEST:
        chosen.pop()
    return chosen


def _plain(words: Wording, parts: Mapping[str, Any]) -> str:
    items: Sequence[Item] = parts["items"]
    told = [f"{item.text}\n\n{item.link}" if len(items) == 1 else _among_others(item) for item in items]
    end = f"{parts['reason']}\n{words.preferences}: {parts['preferences']}\n{words.unsubscribe}: {parts['unsubscribe']}"
    return "\n\n".join([str(parts["greeting"]), *told, f"--\n{end}"]) + "\n"


def _among_others(item: Item) -> str:
    return f"* {item.title}\n  {item.text}\n  {item.link}"
