"""What an administrator may set of the mail."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from kernel import Secret, Settings

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class MailSettings(Settings, frozen=True):
    """`[plugins.mail]`."""

    delivery: Literal["mailbox", "smtp"] = "mailbox"  #: `mailbox` sends nothing: it keeps mails to look at
    host: str = "localhost"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    tls: Literal["none", "starttls", "tls"] = "starttls"
    ca_file: str | None = None  #: the certificate of one's own authority; None for those that the machine trusts
    username: str | None = None
    password: Secret | None = None
    sender: Annotated[str, msgspec.Meta(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$(?!\n)")] = "lyceum@localhost"
    sender_name: str = ""  #: shown beside the sender's address; empty for the deployment's name
    timeout: Annotated[float, msgspec.Meta(gt=0, le=300)] = 30.0  # seconds, for each step of the conversation
    mailbox_days: Annotated[int, msgspec.Meta(ge=1)] = 7  #: how long the mailbox keeps a mail

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("'username' and 'password' go together; set both or neither")
        if self.password is not None and self.tls == "none" and self.host not in _LOOPBACK:
            raise ValueError("a password would travel in clear; set 'tls' to 'starttls' or 'tls'")
        if any(ord(char) < 32 for char in self.sender_name):
            raise ValueError("'sender_name' has a control character; use plain text")
