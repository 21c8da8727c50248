"""A real SMTP server that keeps what it receives."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

PATIENCE: Final = 10.0  # seconds


@dataclass(frozen=True, kw_only=True)
class ReceivedMail:
    """One message as it arrived."""

    to: str
    sender: str
    subject: str
    text: str
    headers: dict[str, str]
    html: str = ""

    @property
    def unsubscribe(self) -> str:
        """The address that takes a POST of RFC 8058; empty where there is none."""
        return self.headers.get("List-Unsubscribe", "").replace(" ", "").strip("<>")


_CODE: Final = re.compile(r"\b\d{6}\b")


class Mailbox:
    """What the server has received, oldest first."""

    def __init__(self) -> None:
        self.messages: list[ReceivedMail] = []
        self.port = 0
        self.refuse: str | None = None  #: an SMTP reply such as `451 try later` to every message, None to take them
        self._taken: set[int] = set()
        self._arrived = asyncio.Condition()

    async def next(self, to: str | None = None, *, timeout: float = PATIENCE) -> ReceivedMail:  # noqa: ASYNC109
        """Return the oldest message to *to* (to anyone for None) that was not returned before; wait for it."""
        async with asyncio.timeout(timeout), self._arrived:
            while True:
                for number, message in enumerate(self.messages):
                    if number not in self._taken and to in (None, message.to):
                        self._taken.add(number)
                        return message
                await self._arrived.wait()

    async def code(self, to: str, *, timeout: float = PATIENCE) -> str:  # noqa: ASYNC109
        """Return the code of six digits in the oldest mail to *to* that has one; mails before it are passed over."""
        while True:
            found = _CODE.search((await self.next(to, timeout=timeout)).text)
            if found:
                return found.group()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one message; aiosmtpd calls this."""
        if self.refuse:
            return self.refuse
        content = envelope.content or b""
        parsed = email.message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=_POLICY)
        body, rich = parsed.get_body(("plain",)), parsed.get_body(("html",))
        for recipient in envelope.rcpt_tos:
            message = ReceivedMail(
                to=recipient,
                sender=envelope.mail_from or "",
                subject=str(parsed["Subject"] or ""),
                text=body.get_content().replace("\r\n", "\n") if body else "",
                headers={name: str(value) for name, value in parsed.items()},
                html=rich.get_content().replace("\r\n", "\n") if rich else "",
            )
            async with self._arrived:
                self.messages.append(message)
                self._arrived.notify_all()
        return "250 OK"


_POLICY: Final = email.policy.default


@asynccontextmanager
async def receiving() -> AsyncIterator[Mailbox]:
    """Run the server on a free port of this machine while the block runs."""
    mailbox, loop = Mailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mailbox
