"""An in-memory `mail/1`, and a plugin that provides it where a test leaves the real one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from kernel import Context, Delivery, EventHandler, Manifest, Plugin, Provide, Unsealable, hookimpl, on
from kernel.contracts.mail import MAIL, MailRequested, Message, is_unsubscribe_url
from kernel.database import Session


class InMemoryMail:
    """Opens mails and keeps them to be looked at; while it refuses, they wait."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._secrets = ctx.secrets
        self._waiting: dict[UUID, str] = {}
        self._left: dict[UUID, Message | None] = {}  #: None for what could not be opened or sent
        self._refusing = False

    async def has_left(self, mail_id: UUID) -> bool:
        return mail_id in self._left

    async def waiting(self) -> int:
        return len(self._waiting)

    def arrived(self) -> Sequence[Message]:
        """Return all mails that have left, the oldest first."""
        return [message for message in self._left.values() if message is not None]

    def refuse(self, refusing: bool) -> None:
        """Let mails wait from now on, or let all of them leave."""
        self._refusing = refusing
        self._send()

    async def take(self, session: Session, delivery: Delivery[MailRequested]) -> None:
        """Take the mail of *delivery*, once however often it comes."""
        session.after_commit(lambda: self.put(delivery.id, delivery.event.sealed))

    def put(self, mail_id: UUID, sealed: str) -> None:
        """Have the mail leave, if there is anything to send and it has not left before."""
        if sealed and mail_id not in self._left:
            self._waiting[mail_id] = sealed
            self._send()

    def _send(self) -> None:
        while self._waiting and not self._refusing:
            mail_id = next(iter(self._waiting))
            self._left[mail_id] = self._opened(self._waiting.pop(mail_id))

    def _opened(self, sealed: str) -> Message | None:
        try:
            message = msgspec.json.decode(self._secrets.unseal(sealed), type=Message)
        except (Unsealable, msgspec.DecodeError):
            return None
        return message if not message.unsubscribe or is_unsubscribe_url(message.unsubscribe) else None


class InMemoryMailPlugin(Plugin[Any]):
    """Provides `mail/1` from memory; `deployment.platform.services.get(MAIL)` is the `InMemoryMail`."""

    manifest: ClassVar[Manifest] = Manifest(name="test-mail", version="1", provides=(MAIL,))
    kind: ClassVar[type[InMemoryMail]] = InMemoryMail  #: what it provides; a subclass may have another

    @hookimpl
    def services(self, ctx: Context[Any]) -> Iterable[Provide[Any]]:
        yield Provide(MAIL, lambda: contextlib.nullcontext(ctx.own(self.kind)))

    @hookimpl
    def event_handlers(self, ctx: Context[Any]) -> Iterable[EventHandler]:
        yield on(MailRequested, ctx.own(self.kind).take, name="take")
