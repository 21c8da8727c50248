"""`mail/1`: email that leaves once for each event, however often it is tried.

There is nothing to call: publish `MailRequested` in the transaction that gives the reason for the mail.
"""

from __future__ import annotations

from typing import ClassVar, Final, Protocol

import msgspec

from kernel import Event
from kernel.capabilities import Capability


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One email to one person."""

    to: str  #: the address alone
    subject: str
    text: str


class MailRequested(Event, frozen=True, kw_only=True):
    """Somebody is to get an email. *sealed* is `seal(message)`: it may hold codes that no log or copy may show."""

    name: ClassVar[str] = "mail.mail_requested.v1"
    key: ClassVar[str] = "recipient"
    recipient: str  #: a digest of the address: mails to one person leave in order
    sealed: str


class Mail(Protocol):
    """Takes every `MailRequested` and sends it once."""

    async def waiting(self) -> int:
        """Return how many mails have not left yet."""
        ...


MAIL: Final[Capability[Mail]] = Capability("mail", 1)
