"""Mails leave: as they were asked for, once, and in order."""

from __future__ import annotations

from kernel import new_id
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
