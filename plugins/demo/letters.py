"""The mails to the people of the example, read where `mail/1` is asked to send them."""

from __future__ import annotations

import asyncio

import msgspec

from kernel import Context, Delivery
from kernel.contracts.mail import MailRequested, Message
from kernel.database import Session


class Letters:
    """Keeps nothing: a mail that nobody expects is not even opened."""

    def __init__(self, ctx: Context) -> None:
        self._secrets = ctx.secrets
        self._expected: dict[str, asyncio.Future[str]] = {}

    def expect(self, to: str) -> asyncio.Future[str]:
        """Return what will be the text of the next mail to the address *to*."""
        letter = self._expected[to] = asyncio.get_running_loop().create_future()
        return letter

    async def take(self, session: Session, delivery: Delivery[MailRequested]) -> None:
        if self._expected and delivery.event.sealed:
            message = msgspec.json.decode(self._secrets.unseal(delivery.event.sealed), type=Message)
            letter = self._expected.pop(message.to, None)
            if letter is not None and not letter.done():
                letter.set_result(message.text)
