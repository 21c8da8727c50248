"""The sender: brings waiting mails to the SMTP server, again and again while it is down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from email.headerregistry import Address
from random import SystemRandom
from typing import Final

import msgspec

from kernel import Context, Unsealable
from kernel.contracts.mail import Message
from plugins.mail.envelope import Unsendable, compose
from plugins.mail.queue import Claimed, MailQueue
from plugins.mail.settings import MailSettings
from plugins.mail.smtp import Postponed, Refused, SmtpConnection, Unreachable

POLL: Final = 5.0  # seconds after which a sender looks for mails that are due again
FIRST_RETRY: Final = timedelta(seconds=2)
LONGEST_RETRY: Final = timedelta(minutes=15)
GIVE_UP: Final = timedelta(days=3)
CLEANING: Final = 3600.0  # seconds
REASON_LENGTH: Final = 300
#: A claim outlasts the longest conversation: connect, TLS, login, sender, recipient, data, and some.
STEPS: Final = 10

_random: Final = SystemRandom()


class Sender:
    """Sends the mails of one process; several processes share the queue."""

    def __init__(self, ctx: Context[MailSettings]) -> None:
        self._settings = ctx.settings
        self._queue = ctx.own(MailQueue)
        self._secrets = ctx.secrets
        self._clock = ctx.clock
        self._tasks = ctx.tasks
        self._log = ctx.log
        self._lease = timedelta(seconds=ctx.settings.timeout * STEPS)
        username, _, domain = ctx.settings.sender.partition("@")
        self._sender = Address(ctx.settings.sender_name or ctx.deployment.name, username, domain)
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Have the sender look for mails now."""
        self._due.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._tasks.every(CLEANING, self._queue.forget, name="forget old mails")
        if self._settings.delivery == "smtp":
            self._due.set()
            self._tasks.every(POLL, self.deliver_due, name="send mails", sooner=self._due)
        yield

    async def deliver_due(self) -> int:
        """Send every mail that is due, unless the server is unreachable; return how many left."""
        count = 0
        async with SmtpConnection(self._settings) as connection:
            while (mail := await self._queue.claim(self._lease)) is not None:
                try:
                    count += await self._deliver(connection, mail)
                except Postponed as error:
                    await self._postpone(mail, str(error))
                    if isinstance(error, Unreachable):
                        break
        return count

    async def _deliver(self, connection: SmtpConnection, mail: Claimed) -> bool:
        try:
            message = msgspec.json.decode(self._secrets.unseal(mail.sealed), type=Message)
            envelope = compose(message, mail_id=mail.id, sender=self._sender, time=mail.created_at)
            await connection.send(envelope, message.to)
        except (Refused, Unsendable, Unsealable, msgspec.DecodeError) as error:
            await self._fail(mail, str(error))
            return False
        await self._queue.sent(mail)
        self._log.info("mail sent", action="mail", mail=str(mail.id), attempts=mail.attempts)
        return True

    async def _postpone(self, mail: Claimed, reason: str) -> None:
        if self._clock.now() - mail.created_at > GIVE_UP:
            await self._fail(mail, f"given up after {GIVE_UP.days} days; last: {reason}")
            return
        delay = retry_delay(mail.attempts)
        await self._queue.postpone(mail, delay * _random.uniform(0.8, 1.2), reason[:REASON_LENGTH])
        self._log.warning("mail postponed", action="mail", mail=str(mail.id), attempts=mail.attempts, reason=reason)

    async def _fail(self, mail: Claimed, reason: str) -> None:
        await self._queue.failed(mail, reason[:REASON_LENGTH])
        self._log.error("mail failed", action="mail", mail=str(mail.id), attempts=mail.attempts, reason=reason)


def retry_delay(attempts: int) -> timedelta:
    """Return how long a mail waits after it was tried *attempts* times."""
    doublings = min(attempts - 1, 20)  # beyond that the longest delay is reached anyway
    return min(FIRST_RETRY * int(2**doublings), LONGEST_RETRY)
