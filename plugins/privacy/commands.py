"""`lyceum privacy …`: what has to be said about plugins that will never be on again."""

from __future__ import annotations

from typing import Final

import click

from kernel import Console, Context
from kernel.contracts.audit import command_act
from plugins.privacy.contributors import FORGET, Roll
from plugins.privacy.erasures import FORGET_STEPS, RESUME_ALL, SETTLE_STEPS
from plugins.privacy.settings import PrivacySettings


@click.command("forget")
@click.argument("plugin")
@click.pass_obj
def forget_plugin(console: Console, plugin: str) -> None:
    """Wait no longer for PLUGIN, which is off for good: delete its database first, nobody will be erased there."""

    async def forget(ctx: Context[PrivacySettings]) -> list[str] | None:
        absent = await ctx.own(Roll).absent()
        if plugin not in absent:
            return absent
        async with ctx.db.transaction() as session:
            await session.run(FORGET, plugin=plugin)
            await session.run(SETTLE_STEPS, of_plugin=plugin)
            await session.run(FORGET_STEPS, of_plugin=plugin)
            await session.run(RESUME_ALL, now=ctx.clock.now())
            await ctx.events.publish(session, command_act("privacy.forget_plugin", f"plugin:{plugin}"))
        return None

    absent = console.run("privacy", forget)
    if absent is not None:
        names = ", ".join(absent) or "none"
        raise click.ClickException(f"{plugin} is not among the plugins that were on once and are off now: {names}")
    console.say(f"Erasures do not wait for {plugin} any more.")


COMMANDS: Final = (forget_plugin,)
