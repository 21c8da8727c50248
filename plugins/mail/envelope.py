"""The mail as it goes over the wire."""

from __future__ import annotations

import re
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from uuid import UUID

from kernel import errors
from kernel.contracts.mail import Message

_URL: Final = re.compile(r"https?://[!-;=?-~]+")  # printable ASCII without spaces and angle brackets


class Unsendable(errors.LyceumError):
    """The message can not become a mail: its address or subject is not one; mend the code that asked for it."""


def compose(message: Message, *, mail_id: UUID, sender: Address, time: datetime) -> EmailMessage:
    """Return the mail of *message*. The same *mail_id* gives the same Message-ID, so a receiver can drop a repeat.

    Raises:
        Unsendable: the address is not exactly one, or a header holds a line break.
    """
    mail = EmailMessage(policy=SMTP)
    try:
        mail["Message-ID"] = f"<{mail_id}@{sender.domain}>"
        mail["Date"] = format_datetime(time)
        mail["From"] = sender
        mail["To"] = _one_address(message.to)
        mail["Subject"] = message.subject
        # Keeps vacation notices from being answered to it (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        if message.html:
            mail.add_alternative(message.html, subtype="html")
        if message.unsubscribe:
            mail["List-Unsubscribe"] = f"<{_one_url(message.unsubscribe)}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    except (ValueError, IndexError, MessageError) as error:
        raise Unsendable(str(error)) from error
    return mail


def _one_url(text: str) -> str:
    """Return *text*, which stands between angle brackets: it must not end them, nor begin another header."""
    if not _URL.fullmatch(text):
        raise ValueError(f"{text!r} is not an address that takes an unsubscription")
    return text


def _one_address(text: str) -> Address:
    address = Address(addr_spec=text)
    if not (address.username and address.domain):
        raise ValueError(f"{text!r} is not a mail address")
    return address
