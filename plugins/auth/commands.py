"""`lyceum auth …`: what has to be done before anybody can sign in, or when nobody can."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import click
import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Console, Context, errors
from kernel.contracts.audit import ActRecorded, command_act
from kernel.contracts.auth import Account
from kernel.database import Command, Query
from plugins.auth.accounts import ADMIN, grant, split_roles
from plugins.auth.addresses import checked
from plugins.auth.administration import Administration
from plugins.auth.keys import HANDOVER, KeyRing
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import addresses

SHOWN: Final = 100  # accounts


class Lock(msgspec.Struct, frozen=True):
    """What keeps an address from having codes."""

    failures: int
    next_at: datetime


LOCKED: Final = Query(
    sa.select(addresses.c.failures, addresses.c.next_at).where(addresses.c.email == bindparam("email")), Lock
)
UNLOCK: Final = Command(
    sa.update(addresses).where(addresses.c.email == bindparam("email")).values(failures=0, next_at=bindparam("now"))
)


class EmailType(click.ParamType[str]):
    """One mail address, in its normal form."""

    name = "email"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return checked(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("create-admin")
@click.argument("email", type=EmailType())
@click.pass_obj
def create_admin(console: Console, email: str) -> None:
    """Make EMAIL an administrator, with a new account if there is none."""
    account = console.run("auth", lambda ctx: grant(ctx, email, [ADMIN], _made_administrator))
    console.table(("id", "email", "roles"), [(str(account.id), account.email, account.roles)])
    console.say(f"To sign in, ask for a code for {email}: POST /api/v1/auth/codes.")


@click.command("rotate-key")
@click.pass_obj
def rotate_key(console: Console) -> None:
    """Sign tokens with a new key; the old one verifies until the last token made with it has expired."""

    async def rotate(ctx: Context[AuthSettings]) -> str:
        return await ctx.own(KeyRing).rotate()

    try:
        kid = console.run("auth", rotate)
    except errors.UniqueViolation as error:
        raise click.ClickException("another rotation was faster; look whether you still want one") from error
    console.table(("kid", "signs in seconds"), [(kid, int(HANDOVER.total_seconds()))])


@click.command("accounts")
@click.option("--email", default="", help="Only addresses that begin so.")
@click.option("--role", default=None, help="Only accounts with this role.")
@click.option("--after", default="", help="Begin behind this address.")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 1000))
@click.pass_obj
def list_accounts(console: Console, email: str, role: str | None, after: str, limit: int) -> None:
    """List accounts by address."""

    async def read(ctx: Context[AuthSettings]) -> list[tuple[object, ...]]:
        rows = await ctx.own(Administration).accounts(
            limit=limit, after=after, prefix=email.lower(), role=role, active=None
        )
        return [(str(row.id), row.email, sorted(split_roles(row.roles)), row.active) for row in rows]

    console.table(("id", "email", "roles", "active"), console.run("auth", read))


@click.command("unlock")
@click.argument("email", type=EmailType())
@click.pass_obj
def unlock(console: Console, email: str) -> None:
    """Let EMAIL have codes again, which too many wrong ones have locked out for a day."""

    async def forgive(ctx: Context[AuthSettings]) -> bool:
        async with ctx.db.transaction() as session:
            lock = await session.first(LOCKED, email=email)
            if lock is not None:
                await session.run(UNLOCK, email=email, now=ctx.clock.now())
                await ctx.events.publish(session, _unlocked(ctx, email, lock))
        return lock is not None

    if not console.run("auth", forgive):
        raise click.ClickException(f"{email} has not asked for a code lately; there is nothing to unlock")
    console.say(f"{email} can have a code now.")


def _made_administrator(before: Account, after: Account) -> ActRecorded:
    facts = ({"roles": list(account.roles)} for account in (before, after))
    return command_act("auth.create_admin", f"account:{after.id}", before=next(facts), after=next(facts))


def _unlocked(ctx: Context[AuthSettings], email: str, lock: Lock) -> ActRecorded:
    # the log keeps no address for ever; who knows one can compute what stands for it
    subject = f"address:{ctx.secrets.digest('audit-address', email.encode()).hex()[:32]}"
    before = {"failures": lock.failures, "next_code_at": lock.next_at.isoformat()}
    return command_act("auth.unlock", subject, before=before, after={"failures": 0})


COMMANDS: Final = (create_admin, rotate_key, list_accounts, unlock)
