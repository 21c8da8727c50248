"""What auth does in the background: it keeps up with other processes, and forgets what is over."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from kernel import Context
from plugins.auth.codes import Codes
from plugins.auth.devices import Devices
from plugins.auth.keys import KeyRing
from plugins.auth.revocations import POLL, TOPIC, Revocations
from plugins.auth.sessions import Sessions
from plugins.auth.settings import AuthSettings

CLEANING: Final = 600.0  # seconds


@contextlib.asynccontextmanager
async def watching(ctx: Context[AuthSettings]) -> AsyncIterator[None]:
    """Know the keys and revocations before the first request, and keep up with them."""
    keys, revocations = ctx.own(KeyRing), ctx.own(Revocations)
    codes, sessions, devices = ctx.own(Codes), ctx.own(Sessions), ctx.own(Devices)

    async def keep_up() -> None:
        await revocations.read()
        await keys.load()

    async def clean() -> None:
        await codes.forget()
        await sessions.forget()
        await devices.forget()
        await keys.forget()

    await keep_up()
    ctx.events.on_broadcast(TOPIC, revocations.wake)
    ctx.tasks.every(POLL, keep_up, name="keep up with keys and revocations")
    ctx.tasks.every(CLEANING, clean, name="clean up")
    yield
