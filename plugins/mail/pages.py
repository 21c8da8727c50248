"""The page `/-/mailbox`: what a deployment without an SMTP server would have sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from kernel import PUBLIC, Context, Request, problems, web
from plugins.mail.mailbox import Mailbox
from plugins.mail.settings import MailSettings

SHOWN: Final = 50  # mails


def mailbox_pages(ctx: Context[MailSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return the pages, none outside development: anyone who opens them reads the codes of everyone."""
    if not ctx.deployment.development or ctx.settings.delivery != "mailbox":
        return ()
    pages = MailboxPages(ctx)
    return (
        web.Templates(Path(__file__).parent / "templates"),
        web.Page(path="/-/mailbox", template="mail/mailbox.html", handler=pages.mailbox, permission=PUBLIC),
        web.Page(path="/-/mailbox/{mail}", template="mail/mail.html", handler=pages.mail, permission=PUBLIC),
        web.Navigation(label="Mailbox", path="/-/mailbox", permission=PUBLIC, weight=900),
    )


class MailboxPages:
    """Shows the mailbox."""

    def __init__(self, ctx: Context[MailSettings]) -> None:
        self._mailbox = ctx.own(Mailbox)

    async def mailbox(self, request: Request) -> Mapping[str, object]:
        return {"mails": await self._mailbox.newest(SHOWN)}

    async def mail(self, request: Request) -> Mapping[str, object]:
        try:
            mail_id = UUID(request.http.match_info["mail"])
        except ValueError as error:
            raise problems.NotFound from error
        found = await self._mailbox.find(mail_id)
        if found is None:
            raise problems.NotFound
        return {"mail": found}
