"""Mails wait while nobody takes them; what can not be sent holds nothing up."""

from __future__ import annotations

from typing import Final

from kernel.contracts.mail import LONGEST_URL, MailRequested, recipient_of
from kernel.testing import teller
from kernel.testing.contracts.mail.deployed import DeployedMail, message

#: Each would get something else into the header, or is nothing that a mail program can POST to.
NO_URLS: Final = (
    "https://a.example/\r\nBcc: eve@example.org",
    "https://a.example/\nBcc: eve@example.org",
    "https://a.example/\n",
    "https://a.example/>, <https://b.example/",
    "https://a.example/=?utf-8?q?=0D=0ABcc:_eve@example.org?=",
    "https://a.example/a b",
    "https://a.example/ü",
    "https://a.example/".ljust(LONGEST_URL + 1, "a"),
    "https://",
    "mailto:off@example.org",
    "javascript:alert(1)",
    "/unsubscribe",
)


class WaitingContract:
    """What every provider keeps about mails that can not leave now, or not at all."""

    async def test_mail_waits_until_it_is_taken(self, harness: DeployedMail) -> None:
        """It is counted, has not left, and leaves once when the way is free."""
        harness.outside.refuse(True)
        (first,) = await harness.ask(message("First"))
        assert not await harness.mail.has_left(first)
        assert await harness.mail.waiting() == 1

        harness.outside.refuse(False)
        harness.deployment.clock.advance(3600)
        (second,) = await harness.ask(message("Second", to="bob@example.org"))
        await harness.leave(first, second)

        assert sorted(one.subject for one in harness.outside.arrived()) == ["First", "Second"]
        assert await harness.mail.waiting() == 0

    async def test_mail_to_somebody_who_was_erased_is_none(self, harness: DeployedMail) -> None:
        """Nothing is left to send, and nothing waits for it."""
        secrets = harness.deployment.platform.context(teller.NAME).secrets
        await harness.tell(MailRequested(recipient=recipient_of(secrets, "ada@example.org"), sealed=""))

        await harness.leave(*await harness.ask(message("Next")))

        assert [one.subject for one in harness.outside.arrived()] == ["Next"]
        assert await harness.mail.waiting() == 0

    async def test_mail_that_can_not_be_opened_is_given_up(self, harness: DeployedMail) -> None:
        """Whoever waits for it need not for ever, and the next one leaves."""
        (broken,) = await harness.tell(MailRequested(recipient="ada", sealed="nonsense"))

        await harness.leave(broken, *await harness.ask(message("Next")))

        assert [one.subject for one in harness.outside.arrived()] == ["Next"]
        assert await harness.mail.waiting() == 0

    async def test_mail_that_tells_no_url_to_unsubscribe_is_given_up(self, harness: DeployedMail) -> None:
        """What is no URL, or has more in it than one, gets into no header; the next one leaves."""
        broken = await harness.ask(*(message(unsubscribe=text) for text in NO_URLS))

        await harness.leave(*broken, *await harness.ask(message("Next")))

        assert harness.outside.arrived() == [message("Next")]
        assert await harness.mail.waiting() == 0
