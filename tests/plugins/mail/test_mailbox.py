"""The mailbox: what would have been sent, where nothing is set up to send."""

from __future__ import annotations

import pytest

from kernel.contracts.mail import MAIL
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.mail.mailbox import Mailbox
from plugins.mail.queue import MailQueue
from tests.plugins.mail.asking import AskingPlugin, ask, message, rows

KEEPING = {"mail": {"delivery": "mailbox"}}
DEVELOPMENT = {"server": {"development": True}}


async def page(deployment: Deployment, path: str) -> tuple[int, str]:
    async with deployment.client().get(path) as answer:
        return answer.status, await answer.text()


async def test_mailbox_keeps_what_is_asked_for(deploy: Deploy) -> None:
    """Newest first, sealed in the database, open for those who run the deployment; nothing waits."""
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=KEEPING)
    await ask(deployment, message(subject="First", text="Code 123456"))
    second = await ask(deployment, message(subject="Second"))
    await deployment.settle()
    mailbox = deployment.platform.context("mail").own(Mailbox)

    found = await mailbox.newest(10)

    assert [(mail.subject, mail.to) for mail in found] == [("Second", "ada@example.org"), ("First", "ada@example.org")]
    assert await mailbox.find(second) == found[0]
    assert "123456" not in str(await rows(deployment))
    assert await deployment.platform.services.get(MAIL).waiting() == 0
    assert deployment.mailbox.messages == []


async def test_mailbox_forgets_after_a_week(deploy: Deploy) -> None:
    """So that a deployment that nobody set up does not collect for ever."""
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=KEEPING)
    await ask(deployment, message())
    await deployment.settle()
    queue = deployment.platform.context("mail").own(MailQueue)
    deployment.clock.advance(6 * 24 * 3600)
    await queue.forget()
    assert len(await rows(deployment)) == 1

    deployment.clock.advance(2 * 24 * 3600)
    await queue.forget()

    assert await rows(deployment) == []


@pytest.mark.sqlite_only
async def test_page_shows_the_mailbox_in_development(deploy: Deploy) -> None:
    """The list and each mail, as text."""
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=KEEPING, sections=DEVELOPMENT)
    asked = await ask(deployment, message(subject="<b>Bold</b>", text="<script>alert(1)</script> 123456"))
    await deployment.settle()

    listed, shown = await page(deployment, "/-/mailbox"), await page(deployment, f"/-/mailbox/{asked}")

    assert (listed[0], shown[0]) == (200, 200)
    assert "&lt;b&gt;Bold&lt;/b&gt;" in listed[1]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 123456" in shown[1]
    for absent in ("nonsense", "00000000-0000-7000-8000-000000000000"):
        assert (await page(deployment, f"/-/mailbox/{absent}"))[0] == 404


@pytest.mark.sqlite_only
async def test_page_shows_html_as_its_source(deploy: Deploy) -> None:
    """Nothing of a mail becomes a part of the page, nor a link on it."""
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=KEEPING, sections=DEVELOPMENT)
    html, url = '<script>alert(1)</script><img src="x" onerror="alert(2)">', "javascript:alert(3)"
    asked = await ask(deployment, message(html=html, unsubscribe=url))
    plain = await ask(deployment, message())
    await deployment.settle()

    shown = (await page(deployment, f"/-/mailbox/{asked}"))[1]
    without = (await page(deployment, f"/-/mailbox/{plain}"))[1]

    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=" in shown
    assert "<script>alert" not in shown
    assert "<img" not in shown
    assert f"<code>{url}</code>" in shown
    assert f'="{url}' not in shown
    assert "The same in HTML" not in without
    assert "unsubscribes" not in without


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("development", "delivery"), [(False, "mailbox"), (True, "smtp")], ids=["production", "with a server"]
)
async def test_there_is_no_page_anywhere_else(deploy: Deploy, development: bool, delivery: str) -> None:
    """Whoever opened it would read everybody's codes."""
    deployment = await deploy(
        "mail",
        plugins=[AskingPlugin],
        settings={"mail": {"delivery": delivery}},
        sections={"server": {"development": development}},
    )
    asked = await ask(deployment, message())
    await deployment.settle()

    assert (await page(deployment, "/-/mailbox"))[0] == 404
    assert (await page(deployment, f"/-/mailbox/{asked}"))[0] == 404
