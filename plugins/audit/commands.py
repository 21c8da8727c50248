"""`lyceum audit …`: the log on the command line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import click
import msgspec

from kernel import Console, Context
from plugins.audit.log import Act, AuditLog
from plugins.audit.verify import END, Fault, Known, verify

SHOWN: Final = 100  # acts
FAULTS: Final = 1000  # that are listed; whoever has more has one cause for them
_MOMENTS: Final = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"))


class KnownType(click.ParamType[Known]):
    """A link that was noted, as `verify` prints it."""

    name = "number:link"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Known:
        number, _, link = str(value).partition(":")
        try:
            return Known(int(number), bytes.fromhex(link))
        except ValueError:
            self.fail(f"{value!r} is not of the form NUMBER:LINK, as `lyceum audit verify` prints it", param, ctx)


class Report(msgspec.Struct, frozen=True):
    """What was looked at, and what is not as it was written."""

    acts: int
    end: str  #: the last number and link; note it elsewhere
    faults: list[Fault]


@click.command("verify")
@click.option("--known", type=KnownType(), default=None, help="An end of the log that was noted before.")
@click.pass_obj
def verify_log(console: Console, known: Known | None) -> None:
    """Compute every link of the log anew; exit code 1 if an act was changed, removed or slipped in."""

    async def check(ctx: Context) -> Report:
        end = await ctx.db.one(END)
        faults: list[Fault] = []
        async for fault in verify(ctx.db, known):
            faults.append(fault)
            if len(faults) == FAULTS:
                break
        return Report(end.number, f"{end.number}:{end.link.hex()}", faults)

    report = console.run("audit", check)
    if console.json:
        console.document(report)
    elif report.faults:
        console.table(("where", "what"), [(fault.where, fault.what) for fault in report.faults])
        console.say("The log was tampered with.")
    else:
        console.say(f"The log is as it was written: {report.acts} acts. Note its end elsewhere: {report.end}")
    if report.faults:
        sys.exit(1)


@click.command("list")
@click.option("--actor", type=click.UUID, default=None, help="Only what this person did.")
@click.option("--subject", default=None, help="Only what was done to this, such as account:ID.")
@click.option("--about", type=click.UUID, default=None, help="Only what concerned this person's grants and purchases.")
@click.option("--action", default=None, help="Only this, such as auth.set_roles.")
@click.option("--since", type=_MOMENTS, default=None, help="Only from this moment on, UTC.")
@click.option("--until", type=_MOMENTS, default=None, help="Only before this moment, UTC.")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 10_000))
@click.pass_obj
def list_acts(
    console: Console,
    actor: UUID | None,
    subject: str | None,
    about: UUID | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> None:
    """List acts, the newest first."""
    filters: dict[str, Any] = {
        "actor": actor,
        "subject": subject,
        "about": about,
        "action": action,
        "since": since and since.replace(tzinfo=UTC),
        "until": until and until.replace(tzinfo=UTC),
    }

    async def read(ctx: Context) -> list[Act]:
        return await ctx.own(AuditLog).find(limit=limit, **filters)

    columns = (
        "number",
        "time",
        "action",
        "subject",
        "about",
        "actor",
        "acting as",
        "origin",
        "reason",
        "before",
        "after",
    )
    console.table(columns, [_line(act) for act in console.run("audit", read)], empty="no such act")


def _line(act: Act) -> tuple[object, ...]:
    return (
        act.number,
        act.happened_at.isoformat(timespec="seconds"),
        act.action,
        act.subject,
        act.about and str(act.about),
        act.actor and str(act.actor),
        act.acting_as and str(act.acting_as),
        act.origin,
        act.reason,
        act.before,
        act.after,
    )


COMMANDS: Final = (verify_log, list_acts)
