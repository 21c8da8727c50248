"""`lyceum payments …`: the ledger on the command line."""

from __future__ import annotations

import sys
from typing import Final

import click
import msgspec

from kernel import Console, Context
from plugins.payments.chain import Seal
from plugins.payments.settings import PaymentsSettings
from plugins.payments.verify import Fault, Progress, verify

SHOWN: Final = 1000  # faults; whoever has more has one cause for them


class Report(msgspec.Struct, frozen=True):
    """What was looked at, and what does not agree."""

    rows: dict[str, int]
    faults: list[Fault]
    more: int  #: faults over those that are listed


@click.command("verify")
@click.pass_obj
def verify_ledger(console: Console) -> None:
    """Recompute every balance, and say what does not agree; exit code 1 if something does not."""
    with console.progress("Verifying the ledger") as step:

        async def check(ctx: Context[PaymentsSettings]) -> Report:
            return await _report(ctx, Progress(on_step=step))

        report = console.run("payments", check)
    _show(console, report)
    if report.faults:
        sys.exit(1)


async def _report(ctx: Context[PaymentsSettings], progress: Progress) -> Report:
    faults: list[Fault] = []
    more = 0
    async for fault in verify(ctx.db, Seal(ctx.secrets), progress):
        if len(faults) < SHOWN:
            faults.append(fault)
        else:
            more += 1
    return Report(progress.rows, faults, more)


def _show(console: Console, report: Report) -> None:
    if console.json:
        console.document(report)
        return
    seen = ", ".join(f"{count} {name}" for name, count in report.rows.items())
    if not report.faults:
        console.say(f"The ledger agrees: {seen}.")
        return
    console.table(("where", "what"), [(fault.where, fault.what) for fault in report.faults])
    console.say(f"The ledger does not agree: {len(report.faults) + report.more} faults in {seen}.")


COMMANDS: Final = (verify_ledger,)
