"""`lyceum enrollments …`: what waits, and what is wrong, on the command line."""

from __future__ import annotations

import sys
from typing import Final

import click

from kernel import Console, Context, PageQuery
from kernel.contracts.audit import ActRecorded, command_act
from plugins.enrollments.in_flight import InFlight, MoneyInFlight
from plugins.enrollments.recounting import Recount, mend
from plugins.enrollments.settings import EnrollmentsSettings

SHOWN: Final = 100  # purchases; whoever has more has one cause for them


@click.command("in-flight")
@click.pass_obj
def in_flight(console: Console) -> None:
    """List the purchases that are neither completed nor given up; exit code 1 if one takes too long."""

    async def oldest(ctx: Context[EnrollmentsSettings]) -> list[InFlight]:
        return (await ctx.own(MoneyInFlight).list(PageQuery(limit=SHOWN))).items

    found = console.run("enrollments", oldest)
    rows = [(str(one.id), round(one.age), one.overdue, one.amount, one.currency, str(one.user_id)) for one in found]
    console.table(("purchase", "seconds", "overdue", "amount", "currency", "person"), rows, empty="nothing in flight")
    if any(one.overdue for one in found):
        sys.exit(1)


@click.command("recount-seats")
@click.pass_obj
def recount_seats(console: Console) -> None:
    """Compare the seats of each course with who takes it, and mend what is wrong; exit code 1 if something was."""

    async def told(ctx: Context[EnrollmentsSettings]) -> list[Recount]:
        return await mend(ctx, _act)

    found = console.run("enrollments", told)
    rows = [(str(one.course_id), one.missing, one.extra, one.counted, one.taken) for one in found]
    console.table(("course", "missing", "extra", "counted", "taken"), rows, empty="all seats are right")
    if found:
        sys.exit(1)


def _act(found: Recount) -> ActRecorded:
    facts = {"missing": found.missing, "extra": found.extra, "taken": found.taken}
    before = {"taken": found.counted}
    return command_act("enrollments.recount_seats", f"course:{found.course_id}", before=before, after=facts)


COMMANDS: Final = (in_flight, recount_seats)
