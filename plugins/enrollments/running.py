"""The runner: does the errands that handlers have left, and those that a dead process has left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from kernel import Context
from plugins.enrollments.buying import Buying
from plugins.enrollments.errands import Errand, Errands, Kind
from plugins.enrollments.leaving import Leaving
from plugins.enrollments.refunding import Refunding
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.snapshots import Snapshots


class Runner:
    """Runs errands; one that fails is tried again later and holds up no other."""

    def __init__(self, ctx: Context[EnrollmentsSettings]) -> None:
        self._log = ctx.log
        self._errands = ctx.own(Errands)
        self._works: Mapping[Kind, Callable[[UUID, str], Awaitable[None]]] = {
            "course": ctx.own(Snapshots).renew,
            "refunded": ctx.own(Refunding).follow,
            "give-back": ctx.own(Buying).give_back,
            "refund": ctx.own(Leaving).refund,
        }

    async def run(self) -> None:
        """Try every errand once."""
        async for errand in self._errands.all():
            await self._try(errand)

    async def _try(self, errand: Errand) -> None:
        try:
            await self._works[errand.kind](errand.subject, errand.reason)
            await self._errands.done(errand)
        except Exception:
            facts = {"kind": errand.kind, "subject": str(errand.subject)}
            self._log.exception("errand waits for the next try", action="errand", **facts)
