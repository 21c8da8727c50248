"""What mail does about events."""

from __future__ import annotations

from kernel import Context, Delivery
from kernel.contracts.mail import MailRequested
from kernel.database import Session
from plugins.mail.queue import MailQueue
from plugins.mail.sender import Sender
from plugins.mail.settings import MailSettings


class MailHandlers:
    """Takes the mails that other plugins ask for."""

    def __init__(self, ctx: Context[MailSettings]) -> None:
        self._queue = ctx.own(MailQueue)
        self._sender = ctx.own(Sender)

    async def take(self, session: Session, delivery: Delivery[MailRequested]) -> None:
        if delivery.event.sealed:  # else whom it was for has been erased meanwhile
            await self._queue.take(session, delivery)
            session.after_commit(self._sender.wake)
