"""`notifications/1`: what people are told of, and how it reaches them.

Of the events of our contracts that concern somebody the provider tells by itself. A plugin that has more to tell
contributes the *kinds* of it as `notification_kinds/1`, with their words in each language, and publishes
`NotificationRequested` in the transaction of what happened. A *channel* is a way to people beside the tray, which
everybody has; mail is there, and a plugin contributes another as `notification_channel/1`. What is served over HTTP
is in `docs/notifications.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Personal
from kernel.capabilities import Capability, Contribution

#: How soon something reaches somebody by a channel: at once, with the other news of a day or week, or not at all.
Frequency = Literal["now", "daily", "weekly", "never"]

#: The name of a kind or of a channel.
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]
#: What somebody follows, such as `instructor:0192…`: a word, and whatever tells one of them from the others.
Topic = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z-]{0,39}:[A-Za-z0-9._-]{1,80}$(?!\n)")]

#: The values of a notification that its words name in braces. Where `course_id` or `author_id` is among them, `course`
#: or `author` is added: the title or name that goes with it.
Facts = Mapping[str, str | int]


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind says in one language, with the names of facts in braces."""

    label: str  #: the kind itself, where people choose what they want to be told of
    title: str  #: one line
    text: str


class NotificationKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of notification."""

    name: Name
    path: str  #: where it leads to, from the root of the deployment, with names of facts in braces
    words: Mapping[str, Words]  #: by language (BCP 47); there is always `en`
    frequency: Frequency = "now"  #: of every channel, for whoever has not chosen
    fold: str = ""  #: names of facts in braces: what has the same comes as one, if much of it comes at once
    urgent: bool = False  #: heeds neither quiet hours nor the cap: for what cannot wait, such as a stranger's sign-in


class NotificationRequested(Event, frozen=True, kw_only=True):
    """One person, or whoever follows a topic, is to be told of something. Exactly one of the two is given."""

    name: ClassVar[str] = "notifications.notification_requested.v1"
    key: ClassVar[str] = "kind"
    personal: ClassVar[Personal] = {"user_id": {"facts": {}}, "author": {"facts": {}}}
    kind: str  #: the name of a `NotificationKind`
    user_id: UUID | None = None
    topic: str = ""
    facts: Mapping[str, str | int] = {}
    author: UUID | None = None  #: whose words are among the facts; that person is not told


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be reached."""

    user_id: UUID
    email: str
    display_name: str
    locale: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of which somebody is told, in their language."""

    kind: str
    title: str
    text: str
    link: str  #: the whole address
    at: datetime


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel carries to one person: one thing, or several that come together."""

    key: UUID  #: the same however often it is tried
    recipient: Recipient
    title: str
    items: tuple[Item, ...]
    unsubscribe: str  #: an address; a POST to it, without any more, ends these kinds on this channel (RFC 8058)


class Unreachable(Exception):
    """The person cannot be reached by the channel, and trying again is of no use."""


class NotificationChannel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """The name, such as `push`; no two channels have the same, and none is called `mail` or `tray`."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """What people call it, by language; there is always `en`."""
        ...

    async def deliver(self, notification: Notification) -> None:
        """Carry *notification* to its recipient, and nothing where it has carried one with the same key.

        What raises is tried again, with the same key, for some hours.

        Raises:
            Unreachable: the person has nothing that the channel reaches.
        """
        ...


class NotificationKinds(Protocol):
    """What a plugin tells people of."""

    def kinds(self) -> Sequence[NotificationKind]:
        """Return its kinds, always the same. No two plugins have kinds of the same name."""
        ...


class Notifications(Protocol):
    """Knows what people were told, and what they follow."""

    async def unread(self, user_id: UUID) -> int:
        """Return how many notifications the person has not read, up to 101: then there are more than a hundred."""
        ...

    async def follow(self, user_id: UUID, topic: str) -> None:
        """Tell the person from now on what concerns *topic*; nothing happens to who follows it already."""
        ...

    async def unfollow(self, user_id: UUID, topic: str) -> None:
        """Tell the person no more of *topic*; nothing happens to who does not follow it."""
        ...

    async def follows(self, user_id: UUID, topic: str) -> bool:
        """Return whether the person follows *topic*."""
        ...


def instructor_topic(user_id: UUID) -> str:
    """Return the topic that is what somebody teaches."""
    return f"instructor:{user_id}"


NOTIFICATIONS: Final[Capability[Notifications]] = Capability("notifications", 1)
NOTIFICATION_KINDS: Final[Contribution[NotificationKinds]] = Contribution("notification_kinds", 1)
NOTIFICATION_CHANNEL: Final[Contribution[NotificationChannel]] = Contribution("notification_channel", 1)
