"""`lyceum mail …`: the mailbox on the command line."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import click

from kernel import Console, Context
from plugins.mail.mailbox import Kept, Mailbox
from plugins.mail.settings import MailSettings

SHOWN: Final = 20  # mails


@click.command("list")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 1000))
@click.pass_obj
def list_mails(console: Console, limit: int) -> None:
    """List the mails of the mailbox, the newest first."""

    async def read(ctx: Context[MailSettings]) -> list[Kept]:
        return await ctx.own(Mailbox).newest(limit)

    mails = console.run("mail", read)
    rows = [(str(mail.id), mail.time.isoformat(timespec="seconds"), mail.to, mail.subject) for mail in mails]
    console.table(("id", "time", "to", "subject"), rows, empty="the mailbox is empty")


@click.command("show")
@click.argument("mail_id", metavar="[ID]", type=click.UUID, required=False)
@click.pass_obj
def show_mail(console: Console, mail_id: UUID | None) -> None:
    """Show the mail ID of the mailbox, or the newest one."""

    async def read(ctx: Context[MailSettings]) -> Kept | None:
        mailbox = ctx.own(Mailbox)
        if mail_id is not None:
            return await mailbox.find(mail_id)
        return next(iter(await mailbox.newest(1)), None)

    mail = console.run("mail", read)
    if mail is None:
        raise click.ClickException("there is no such mail in the mailbox; see `lyceum mail list`")
    if console.json:
        console.document(mail)
    else:
        console.say(f"To: {mail.to}\nSubject: {mail.subject}\nDate: {mail.time.isoformat()}\n\n{mail.text}")


COMMANDS: Final = (list_mails, show_mail)
