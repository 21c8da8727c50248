"""A real SMTP server that keeps what it receives."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
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
    html: str = ""  #: empty without such a part
    unsubscribe: str = ""  #: where one click unsubscribes (RFC 8058); empty unless both headers say so


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
        for recipient in envelope.rcpt_tos:
            async with self._arrived:
                self.messages.append(_received(parsed, to=recipient, sender=envelope.mail_from or ""))
                self._arrived.notify_all()
        return "250 OK"


_POLICY: Final = email.policy.default
_ONE_URL: Final = re.compile(r"\s*<([^<>\s]+)>\s*")


def _received(parsed: EmailMessage, *, to: str, sender: str) -> ReceivedMail:
    return ReceivedMail(
        to=to,
        sender=sender,
        subject=str(parsed["Subject"] or ""),
        text=_content(parsed, "plain"),
        headers={name: str(value) for name, value in parsed.items()},
        html=_content(parsed, "html"),
        unsubscribe=_unsubscribe(parsed),
    )


def _content(parsed: EmailMessage, kind: str) -> str:
    body = parsed.get_body((kind,))
    return body.get_content().replace("\r\n", "\n") if body else ""


def _unsubscribe(parsed: EmailMessage) -> str:
    # As it came over the wire: the parser would put together again a URL that was folded or encoded, which most mail
    # programs do not.
    raw = {name.lower(): str(value) for name, value in parsed.raw_items()}
    url = _ONE_URL.fullmatch(raw.get("list-unsubscribe", ""))
    one_click = raw.get("list-unsubscribe-post", "").strip() == "List-Unsubscribe=One-Click"
    return url.group(1) if url and one_click else ""


@asynccontextmanager
async def receiving() -> AsyncIterator[Mailbox]:
    """Run the server on a free port of this machine while the block runs."""
    mailbox, loop = Mailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mailbox
