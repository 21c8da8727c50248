"""`mail/1`: email that leaves once for each event, however often it is tried.

There is nothing to call: publish `MailRequested` in the transaction that gives the reason for the mail. There is no
HTTP surface either. A mail that can not leave now waits, over restarts, and mails to one person leave in the order in
which they were asked for; one that can not be opened or sent at all is given up and holds nothing up. A
`MailRequested` whose *sealed* is empty asks for nothing.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final, Protocol
from uuid import UUID

import msgspec

from kernel import Event, Personal, Secrets
from kernel.capabilities import Capability


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One email to one person."""

    to: str  #: the address alone
    subject: str
    text: str
    html: str = ""  #: the same in HTML, for programs that show it; empty for a mail of text alone
    #: Where one POST ends mails like this one (RFC 8058), as `is_unsubscribe_url` demands; empty for a mail that has to
    #: come. Mail programs offer it on https alone.
    unsubscribe: str = ""


class MailRequested(Event, frozen=True, kw_only=True):
    """Somebody is to get an email. *sealed* is `seal(message)`: it may hold codes that no log or copy may show."""

    name: ClassVar[str] = "mail.mail_requested.v1"
    key: ClassVar[str] = "recipient"
    personal: ClassVar[Personal] = {"recipient": {"sealed": ""}}
    recipient: str  #: `recipient_of(address)`: mails to one person leave in order
    sealed: str  #: empty once the person was erased: there is nothing to send any more


#: So that the header, on a line of its own, is no longer than a line may be (998 characters, RFC 5322).
LONGEST_URL: Final = 900
_URL: Final = re.compile(r"https?://(?!.*=\?)[A-Za-z0-9\[][!-;=?-~]*")


def is_unsubscribe_url(text: str) -> bool:
    """Return whether *text* is a URL of http or https that can stand in a header, of `LONGEST_URL` characters at most.

    It is in ASCII, and spaces, line breaks, `<`, `>` and `=?` are quoted: they would end the URL there, begin another
    header, or be read as an encoded word.
    """
    return len(text) <= LONGEST_URL and _URL.fullmatch(text) is not None


def recipient_of(secrets: Secrets, email: str) -> str:
    """Return the digest that stands for the address *email*."""
    return secrets.digest("mail-recipient", email.encode()).hex()


def requested(secrets: Secrets, message: Message) -> MailRequested:
    """Return the event that asks for *message*, which nobody but the provider of `mail/1` can read."""
    return MailRequested(recipient=recipient_of(secrets, message.to), sealed=secrets.seal(msgspec.json.encode(message)))


class Mail(Protocol):
    """Takes every `MailRequested` and sends it once."""

    async def has_left(self, mail_id: UUID) -> bool:
        """Return whether the mail that the event *mail_id* asked for was sent, or given up, or kept to be looked at."""
        ...

    async def waiting(self) -> int:
        """Return how many mails have not left yet."""
        ...


MAIL: Final[Capability[Mail]] = Capability("mail", 1)
