"""Commands of chat."""

from __future__ import annotations

from typing import Final

import click
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import Console, Context, new_id
from kernel.contracts.audit import command_act
from kernel.database import Command
from plugins.chat.log import LEAP
from plugins.chat.settings import ChatSettings
from plugins.chat.tables import rooms

RENEW_ALL: Final = Command(sa.update(rooms).values(epoch=bindparam("new"), last_offset=rooms.c.last_offset + LEAP))


@click.command("restored")
@click.pass_obj
def restored(console: Console) -> None:
    """Give every room a new epoch: the database was restored from a backup."""

    async def renew(ctx: Context[ChatSettings]) -> int:
        async with ctx.db.transaction() as session:
            count = await session.run(RENEW_ALL, new=new_id())
            await ctx.events.publish(session, command_act("chat.restored", "rooms:all", after={"rooms": count}))
        return count

    console.say(f"{console.run('chat', renew)} rooms begin anew; their clients read the history")


COMMANDS: Final = (restored,)
