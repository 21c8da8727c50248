"""Mails outlive the process that took them, and processes share them."""

from __future__ import annotations

import asyncio

from kernel.testing.contracts.mail.deployed import DeployedMail, message


class RestartsContract:
    """What every provider keeps that people rely on."""

    async def test_mail_that_waits_survives_a_restart(self, harness: DeployedMail) -> None:
        """Once it was heard of, nothing loses it."""
        harness.outside.refuse(True)
        (mail,) = await harness.ask(message())
        await harness.deployment.stop()

        harness.outside.refuse(False)
        harness.deployment.clock.advance(3600)
        await harness.restart()
        await harness.leave(mail)

        assert harness.outside.arrived() == [message()]

    async def test_mail_that_left_does_not_leave_again_after_a_restart(self, harness: DeployedMail) -> None:
        """Nor when its event comes once more."""
        (mail,) = await harness.ask(message("First"))
        await harness.leave(mail)

        await harness.restart()
        await harness.tell_again()
        await harness.leave(mail, *await harness.ask(message("Second")))

        assert [one.subject for one in harness.outside.arrived()] == ["First", "Second"]

    async def test_mails_are_sent_once_by_two_processes(self, harness: DeployedMail) -> None:
        """Whichever of them is quicker."""
        await harness.deployment.twin()
        subjects = [str(number) for number in range(16)]

        asked = await asyncio.gather(*(harness.ask(message(subject)) for subject in subjects))
        await harness.leave(*(mail for mails in asked for mail in mails))

        assert sorted(one.subject for one in harness.outside.arrived()) == sorted(subjects)
