"""Settings: what would lose or betray mails is refused at boot."""

from __future__ import annotations

import msgspec
import pytest

from kernel import Secret
from plugins.mail.settings import MailSettings


def test_default_sends_nothing() -> None:
    """A deployment that nobody set up keeps its mails to look at."""
    assert MailSettings().delivery == "mailbox"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"username": "school"}, "set both or neither"),
        ({"password": Secret("x")}, "set both or neither"),
        ({"username": "a", "password": Secret("x"), "tls": "none", "host": "smtp.example"}, "travel in clear"),
        ({"sender_name": "School\r\nBcc: eve@example.org"}, "control character"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], complaint: str) -> None:
    """With the remedy."""
    with pytest.raises(ValueError, match=complaint):
        MailSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("sender", ["school", "a@b@c", "School <a@example.org>", "a@example.org\n", "a b@example.org"])
def test_sender_is_one_address(sender: str) -> None:
    """Without a name, which has a setting of its own."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"sender": sender}, MailSettings)
