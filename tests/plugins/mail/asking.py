"""A plugin that asks for mails, for the tests of those who send them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel import Manifest, Plugin
from kernel.contracts.mail import MailRequested, Message
from kernel.database import Query
from kernel.testing.deployment import Deployment
from plugins.mail.tables import mails


class AskingPlugin(Plugin):
    """Asks for mails."""

    manifest = Manifest(name="asking", version="1.0.0", publishes=(MailRequested,))


class Row(msgspec.Struct, frozen=True):
    """A mail as the database has it."""

    id: UUID
    state: str
    sealed: str | None
    attempts: int
    last_error: str | None


ROWS = Query(sa.select(*(mails.c[name] for name in Row.__struct_fields__)).order_by(mails.c.id), Row)


def message(
    to: str = "ada@example.org",
    subject: str = "Hello",
    text: str = "Good morning.",
    html: str = "",
    unsubscribe: str = "",
) -> Message:
    """Return a message."""
    return Message(to=to, subject=subject, text=text, html=html, unsubscribe=unsubscribe)


def request(deployment: Deployment, asked: Message) -> MailRequested:
    """Return the event that asks for it."""
    sealed = deployment.platform.context("asking").secrets.seal(msgspec.json.encode(asked))
    return MailRequested(recipient=asked.to, sealed=sealed)


async def ask(deployment: Deployment, asked: Message) -> UUID:
    """Have *asked* sent; return the id of the event."""
    ctx = deployment.platform.context("asking")
    async with ctx.db.transaction() as session:
        return await ctx.events.publish(session, request(deployment, asked))


async def rows(deployment: Deployment) -> list[Row]:
    """Return all mails of the queue."""
    return await deployment.platform.context("mail").db.all(ROWS)


async def row(deployment: Deployment) -> Row:
    """Return the only mail of the queue."""
    await deployment.settle()
    (found,) = await rows(deployment)
    return found


def smtp(port: int, **more: Any) -> dict[str, dict[str, object]]:
    """Return settings that send to a server on this machine."""
    return {"mail": {"delivery": "smtp", "host": "127.0.0.1", "port": port, "tls": "none", **more}}
