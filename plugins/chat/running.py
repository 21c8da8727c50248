"""What chat does beside requests: hear other processes, tell them, and look for what was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kernel import Context
from plugins.chat import presence as presence_module
from plugins.chat import putting_out, typing_signs
from plugins.chat.expiring import EVERY, Expiring
from plugins.chat.hub import Hub
from plugins.chat.presence import TELL_EVERY, Presence
from plugins.chat.putting_out import PuttingOut
from plugins.chat.relaying import Relaying
from plugins.chat.settings import ChatSettings
from plugins.chat.typing_signs import TypingSigns
from plugins.chat.writing import Writing


@asynccontextmanager
async def chat(ctx: Context[ChatSettings]) -> AsyncIterator[None]:
    """Run it as long as the plugin runs."""
    hub, relaying = ctx.own(Hub), ctx.own(Relaying)
    presence, typing = ctx.own(Presence), ctx.own(TypingSigns)
    ctx.events.on_broadcast(putting_out.TOPIC, ctx.own(PuttingOut).hear)
    ctx.events.on_broadcast(presence_module.TOPIC, presence.hear)
    ctx.events.on_broadcast(typing_signs.TOPIC, typing.hear)
    ctx.tasks.start(relaying.hear(), name="hearing of other processes")
    ctx.tasks.start(relaying.send(), name="telling other processes")
    ctx.tasks.every(ctx.settings.check_every, hub.check, name="looking for lost entries", sooner=hub.checked)
    ctx.tasks.every(putting_out.LOOK_EVERY, ctx.own(PuttingOut).look_again, name="looking again who is in rooms")
    ctx.tasks.every(TELL_EVERY, presence.tell, name="telling who is where")
    if ctx.settings.keep_days:
        ctx.tasks.every(EVERY, ctx.own(Expiring).expire, name="removing what was said long ago")
    try:
        yield
    finally:
        await presence.end()
        await ctx.own(Writing).close()
