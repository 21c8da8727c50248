"""The mail as it goes over the wire."""

from __future__ import annotations

from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

from kernel import errors
from kernel.contracts.mail import LONGEST_URL, Message, is_unsubscribe_url


class Unsendable(errors.LyceumError):
    """The message can not become a mail: its address, subject or URL is not one; mend the code that asked for it."""


class _AsItIs(BaseHeader):
    """A header on one line, however long.

    Any other is folded at 78 characters, and what is longer without a space becomes encoded words, which mail programs
    do not look for in a URL.
    """

    max_count: ClassVar[Literal[1] | None] = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds.update(decoded=value, parse_tree=None)  # the tree is for folding, and would decode what looks encoded

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS: Final = HeaderRegistry()
_HEADERS.map_to_type("List-Unsubscribe", _AsItIs)
_POLICY: Final = SMTP.clone(header_factory=_HEADERS)


def compose(message: Message, *, mail_id: UUID, sender: Address, time: datetime) -> EmailMessage:
    """Return the mail of *message*. The same *mail_id* gives the same Message-ID, so a receiver can drop a repeat.

    Raises:
        Unsendable: the address is not exactly one, or a header holds a line break, or what is to unsubscribe is no URL.
    """
    mail = EmailMessage(policy=_POLICY)
    try:
        mail["Message-ID"] = f"<{mail_id}@{sender.domain}>"
        mail["Date"] = format_datetime(time)
        mail["From"] = sender
        mail["To"] = _one_address(message.to)
        mail["Subject"] = message.subject
        # Keeps vacation notices from being answered to it (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        _let_unsubscribe(mail, message.unsubscribe)
        _fill(mail, message)
    except (ValueError, IndexError, MessageError) as error:
        raise Unsendable(str(error)) from error
    return mail


def _let_unsubscribe(mail: EmailMessage, url: str) -> None:
    if not url:
        return
    if not is_unsubscribe_url(url):
        # Which one it is stays unsaid: whoever reads the log could unsubscribe the person.
        raise ValueError(
            f"'unsubscribe' is no URL for a header; give one of http or https, of at most {LONGEST_URL} characters in "
            "ASCII, and quote spaces, line breaks, '<', '>' and '=?' in it with urllib.parse.quote"
        )
    mail["List-Unsubscribe"] = f"<{url}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _fill(mail: EmailMessage, message: Message) -> None:
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")  # the last is what a program prefers to show


def _one_address(text: str) -> Address:
    address = Address(addr_spec=text)
    if not (address.username and address.domain):
        raise ValueError(f"{text!r} is not a mail address")
    return address
