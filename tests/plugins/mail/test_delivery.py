"""Delivery: one mail for each event, however often it comes and however the server behaves."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from uuid import UUID

import pytest

from kernel import Delivery, new_id
from kernel.contracts.mail import MAIL, MailRequested, Message
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.mailbox import Mailbox
from plugins.mail.envelope import Unsendable, compose
from plugins.mail.queue import MailQueue
from plugins.mail.sender import FIRST_RETRY, LONGEST_RETRY, Sender, retry_delay
from tests.plugins.mail.asking import AskingPlugin, ask, message, request, row, rows, smtp

PATIENCE = 10  # seconds


async def settled(deployment: Deployment, state: str) -> None:
    """Return when the only mail of the queue is in *state*."""
    async with asyncio.timeout(PATIENCE):
        while (await row(deployment)).state != state:  # noqa: ASYNC110  # the sender sets no Event of ours
            await asyncio.sleep(0.02)


async def tried(deployment: Deployment, attempts: int) -> None:
    """Return when the only mail of the queue was tried so often and waits again."""
    async with asyncio.timeout(PATIENCE):
        while (found := await row(deployment)).attempts < attempts or found.last_error is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def taken(deployment: Deployment, id: UUID, asked: Message) -> None:  # noqa: A002
    """Put a mail into the queue without waking the sender."""
    ctx = deployment.platform.context("mail")
    delivery = Delivery(
        id=id, event=request(deployment, asked), source="asking", key="", time=ctx.clock.now(),
        correlation_id=id, causation_id=None,
    )  # fmt: skip
    async with ctx.db.transaction() as session:
        await ctx.own(MailQueue).take(session, delivery)


async def test_mail_arrives_as_it_was_asked_for(deploy: Deploy, mailbox: Mailbox) -> None:
    """With sender, subject, text, date, and the event's id as its own; its content is erased then."""
    deployment = await deploy(
        "mail", plugins=[AskingPlugin], settings=smtp(mailbox.port, sender="noreply@school.example")
    )

    id = await ask(deployment, message(subject="Grüße ☀", text="Größe\n.\nLine\n"))  # noqa: A001

    found = await mailbox.next(to="ada@example.org")
    assert (found.subject, found.sender) == ("Grüße ☀", "noreply@school.example")
    assert found.text.replace("\r\n", "\n") == "Größe\n.\nLine\n"
    assert found.headers["Message-ID"] == f"<{id}@school.example>"
    assert found.headers["From"] == "Lyceum <noreply@school.example>"
    assert found.headers["Auto-Submitted"] == "auto-generated"
    await settled(deployment, "sent")
    kept = await row(deployment)
    assert (kept.id, kept.sealed, kept.attempts) == (id, None, 1)


async def test_event_that_comes_twice_is_one_mail(deploy: Deploy, mailbox: Mailbox) -> None:
    """Also after the mail has left."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    once, other = new_id(), new_id()
    for _ in range(2):
        await taken(deployment, once, message())
    await deployment.platform.context("mail").own(Sender).deliver_due()
    await taken(deployment, once, message())
    await taken(deployment, other, message(subject="Another"))
    await deployment.platform.context("mail").own(Sender).deliver_due()

    assert [(await mailbox.next()).subject, (await mailbox.next()).subject] == ["Hello", "Another"]
    assert len(mailbox.messages) == 2
    assert [found.state for found in await rows(deployment)] == ["sent", "sent"]


async def test_mail_waits_while_the_server_is_down(deploy: Deploy, mailbox: Mailbox) -> None:
    """It is counted as waiting, keeps its content, and leaves when the server is back."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=smtp(port))
    await ask(deployment, message())
    await tried(deployment, 1)
    assert await deployment.platform.services.get(MAIL).waiting() == 1
    assert (await row(deployment)).sealed is not None

    await deployment.restart("mail", plugins=[AskingPlugin], settings=smtp(mailbox.port))
    deployment.clock.advance(10)

    assert (await mailbox.next(to="ada@example.org")).subject == "Hello"
    await settled(deployment, "sent")
    assert await deployment.platform.services.get(MAIL).waiting() == 0


async def test_mail_is_tried_again_when_the_server_asks_for_it(deploy: Deploy, mailbox: Mailbox) -> None:
    """A reply of 4xx postpones it."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    mailbox.refuse = "451 try later"
    await ask(deployment, message())
    await tried(deployment, 1)
    assert "451" in ((await row(deployment)).last_error or "")

    mailbox.refuse = None
    deployment.clock.advance(10)
    deployment.platform.context("mail").own(Sender).wake()

    assert (await mailbox.next()).subject == "Hello"


async def test_mail_fails_when_the_server_refuses_it_for_good(deploy: Deploy, mailbox: Mailbox) -> None:
    """A reply of 5xx ends it with the reason, erases it, and does not hold up the next one."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    mailbox.refuse = "554 no such mail here"
    await ask(deployment, message())
    await settled(deployment, "failed")
    failed = await row(deployment)
    mailbox.refuse = None
    await ask(deployment, message(subject="Next"))

    assert (await mailbox.next()).subject == "Next"
    assert "554 no such mail here" in (failed.last_error or "")
    assert failed.sealed is None
    assert len(mailbox.messages) == 1


async def test_one_mail_that_has_to_wait_does_not_hold_up_others(deploy: Deploy, mailbox: Mailbox) -> None:
    """Only an unreachable server ends the round."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    sender = deployment.platform.context("mail").own(Sender)
    mailbox.refuse = "451 try later"
    for number in range(3):
        await taken(deployment, new_id(), message(subject=str(number)))

    await sender.deliver_due()

    assert [found.attempts for found in await rows(deployment)] == [1, 1, 1]


async def test_mail_is_given_up_after_days(deploy: Deploy, mailbox: Mailbox) -> None:
    """A server that never takes it does not keep its content for ever."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    sender = deployment.platform.context("mail").own(Sender)
    mailbox.refuse = "451 try later"
    await ask(deployment, message())
    await tried(deployment, 1)

    deployment.clock.advance(4 * 24 * 3600)
    await sender.deliver_due()

    found = await row(deployment)
    assert (found.state, found.sealed) == ("failed", None)
    assert "given up" in (found.last_error or "")


@pytest.mark.postgresql_only
async def test_mails_are_not_sent_twice_by_many_senders(deploy: Deploy, mailbox: Mailbox) -> None:
    """Twelve senders and forty mails: each arrives once."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    sender = deployment.platform.context("mail").own(Sender)
    for number in range(40):
        await taken(deployment, new_id(), message(subject=str(number)))

    await asyncio.gather(*(sender.deliver_due() for _ in range(12)))

    assert sorted(int(found.subject) for found in mailbox.messages) == list(range(40))
    assert {found.attempts for found in await rows(deployment)} == {1}


async def test_mail_of_a_dead_process_is_taken_over(deploy: Deploy, mailbox: Mailbox) -> None:
    """But not before its claim has ended."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    ctx = deployment.platform.context("mail")
    dead = None
    while dead is None:  # the deployment's own sender, which looks once as it starts, may have been faster
        await taken(deployment, new_id(), message())
        dead = await ctx.own(MailQueue).claim(timedelta(seconds=60))

    assert await ctx.own(Sender).deliver_due() == 0
    deployment.clock.advance(61)
    assert await ctx.own(Sender).deliver_due() == 1
    await ctx.own(MailQueue).failed(dead, "the dead one wakes up")
    assert {found.state for found in await rows(deployment)} == {"sent"}


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("ada@example.org\r\nBcc: eve@example.org", "Hello"),
        ("ada@example.org, eve@example.org", "Hello"),
        ("", "Hello"),
        ("@", "Hello"),
        ("ada@example.org", "Hello\r\nBcc: eve@example.org"),
        ("ada@example.org", "Hello\n\nbody"),
    ],
)
def test_headers_can_not_be_injected(to: str, subject: str) -> None:
    """An address is one address, and a subject one line."""
    sender, now = Address("School", "noreply", "school.example"), datetime.now(UTC)

    with pytest.raises(Unsendable):
        compose(message(to=to, subject=subject), mail_id=new_id(), sender=sender, time=now)


@pytest.mark.sqlite_only
async def test_unsendable_mail_fails_and_the_next_one_leaves(deploy: Deploy, mailbox: Mailbox) -> None:
    """What can not be opened or composed is no reason to try again."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    ctx = deployment.platform.context("asking")
    async with ctx.db.transaction() as session:
        await ctx.events.publish(session, MailRequested(recipient="a", sealed="nonsense"))
        await ctx.events.publish(session, request(deployment, message(subject="a\r\nBcc: eve@example.org")))
        await ctx.events.publish(session, request(deployment, message(subject="Fine")))

    assert (await mailbox.next()).subject == "Fine"
    await deployment.settle()
    assert sorted(found.state for found in await rows(deployment))[:2] == ["failed", "failed"]
    assert len(mailbox.messages) == 1


def test_retries_come_later_and_later() -> None:
    """They double up to the longest delay, however often."""
    delays = [retry_delay(attempts) for attempts in range(1, 2000)]

    assert delays[:3] == [FIRST_RETRY, FIRST_RETRY * 2, FIRST_RETRY * 4]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_RETRY


async def test_old_rows_are_forgotten(deploy: Deploy, mailbox: Mailbox) -> None:
    """Those of sent mails after a month, never one that waits."""
    deployment = await deploy("mail", plugins=[AskingPlugin])
    queue = deployment.platform.context("mail").own(MailQueue)
    await ask(deployment, message())
    await mailbox.next()
    await settled(deployment, "sent")
    deployment.clock.advance(29 * 24 * 3600)
    await queue.forget()
    assert len(await rows(deployment)) == 1

    mailbox.refuse = "451 later"
    await taken(deployment, new_id(), message())
    deployment.clock.advance(2 * 24 * 3600)
    await queue.forget()

    assert [found.state for found in await rows(deployment)] == ["waiting"]
