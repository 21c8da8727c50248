"""`lyceum mail …`, against a deployment that runs."""

from __future__ import annotations

import json

from kernel.testing.deploying import Deploy
from tests.plugins.mail.asking import AskingPlugin, ask, message

KEEPING = {"mail": {"delivery": "mailbox"}}


async def test_mails_are_listed_and_shown(deploy: Deploy) -> None:
    """The newest first; without an id, `show` shows the newest."""
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=KEEPING)
    first = await ask(deployment, message(subject="First", text="Code 123456"))
    await ask(deployment, message(subject="Second", text="Code 654321", html="<b>654321</b>"))
    await deployment.settle()

    listed = json.loads((await deployment.command("mail", "list", json=True)).stdout)
    newest = await deployment.command("mail", "show")
    older = await deployment.command("mail", "show", str(first))
    document = json.loads((await deployment.command("mail", "show", json=True)).stdout)

    assert [mail["subject"] for mail in listed] == ["Second", "First"]
    assert "123456" not in str(listed)
    assert "Code 654321" in newest.output
    assert "Code 123456" in older.output
    assert (document["text"], document["html"]) == ("Code 654321", "<b>654321</b>")
    assert "<b>" not in newest.output


async def test_absent_mail_is_not_shown(deploy: Deploy) -> None:
    """The message says where to look."""
    deployment = await deploy("mail", plugins=[AskingPlugin], settings=KEEPING)

    result = await deployment.command("mail", "show")

    assert result.exit_code == 1
    assert "see `lyceum mail list`" in result.output
    assert "the mailbox is empty" in (await deployment.command("mail", "list")).output
