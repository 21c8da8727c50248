"""Mails leave: as they were asked for, once, and in order."""

from __future__ import annotations

from kernel import new_id
from kernel.contracts.mail import LONGEST_URL
from kernel.testing.contracts.mail.deployed import DeployedMail, message


class LeavingContract:
    """What every provider keeps about mails that can be sent."""

    async def test_mail_leaves_as_it_was_asked_for(self, harness: DeployedMail) -> None:
        """Address, subject and text, in any script."""
        asked = message("Grüße ☀", to="ada@example.org", text="Größe\n.\nΤέλος")

        (mail,) = await harness.ask(asked)
        await harness.leave(mail)

        assert harness.outside.arrived() == [asked]
        assert await harness.mail.waiting() == 0

    async def test_mail_in_html_is_in_text_too(self, harness: DeployedMail) -> None:
        """Whoever reads it chooses."""
        asked = message(text="Grüße\n.\nΤέλος", html="<p>Grüße &amp; <b>Τέλος</b></p>\n.\n" + "<i>long</i> " * 200)

        await harness.leave(*await harness.ask(asked, message("Of text alone")))

        assert harness.outside.arrived() == [asked, message("Of text alone")]

    async def test_mail_says_where_to_unsubscribe(self, harness: DeployedMail) -> None:
        """Both headers are there, and the URL is whole however long it is."""
        base = "https://learn.example.org/unsubscribe?token="
        short, longest = message(unsubscribe=base + "a.b~c%20d"), message(unsubscribe=base.ljust(LONGEST_URL, "a"))

        await harness.leave(*await harness.ask(short, longest, message("None")))

        assert harness.outside.arrived() == [short, longest, message("None")]

    async def test_mail_of_another_version_leaves(self, harness: DeployedMail) -> None:
        """One that waited for an upgrade knows fewer fields, one of a plugin that is ahead more."""
        before = {"to": "ada@example.org", "subject": "Before", "text": "Good morning."}
        after = {"to": "ada@example.org", "subject": "After", "text": "Good morning.", "later": "unheard of"}

        await harness.leave(await harness.ask_as(before), await harness.ask_as(after))

        assert harness.outside.arrived() == [message("Before"), message("After")]

    async def test_mail_that_nobody_asked_for_has_not_left(self, harness: DeployedMail) -> None:
        """The answer is about that mail, not about any."""
        (mail,) = await harness.ask(message())
        await harness.leave(mail)

        assert not await harness.mail.has_left(new_id())

    async def test_each_mail_that_is_asked_for_leaves(self, harness: DeployedMail) -> None:
        """Two alike are two."""
        mails = await harness.ask(message(), message(), message(to="bob@example.org"))
        await harness.leave(*mails)

        arrived = harness.outside.arrived()
        assert sorted(one.to for one in arrived) == ["ada@example.org", "ada@example.org", "bob@example.org"]

    async def test_mail_that_is_asked_for_again_by_the_same_event_left_already(self, harness: DeployedMail) -> None:
        """However often an event comes, there is one mail."""
        mails = await harness.ask(message("First"), message("Second"))
        await harness.leave(*mails)

        await harness.tell_again()
        await harness.leave(*await harness.ask(message("Last")))

        assert [one.subject for one in harness.outside.arrived()] == ["First", "Second", "Last"]

    async def test_mails_to_one_person_leave_in_order(self, harness: DeployedMail) -> None:
        """The newest code is in the newest mail."""
        subjects = [str(number) for number in range(8)]

        await harness.leave(*await harness.ask(*(message(subject) for subject in subjects)))

        assert [one.subject for one in harness.outside.arrived()] == subjects
