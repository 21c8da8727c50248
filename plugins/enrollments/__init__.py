"""Enrolments: who may take which course, and the purchases by which people come to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar, Final

import click

from kernel import Context, EventHandler, Manifest, Migrations, Permission, Plugin, Provide, Route, hookimpl, on
from kernel.contracts import enrollments as contract
from kernel.contracts.audit import ActRecorded
from kernel.contracts.courses import COURSE_ACCESS, COURSES
from kernel.contracts.payments import PAYMENTS, ChargeRefunded, PurchaseCharged
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.contracts.users import USERS
from plugins.enrollments import api, migrations
from plugins.enrollments.buying import Buying
from plugins.enrollments.commands import COMMANDS
from plugins.enrollments.errands import Errands
from plugins.enrollments.in_flight import MoneyInFlight
from plugins.enrollments.permissions import PERMISSIONS
from plugins.enrollments.personal_data import EnrollmentsPersonalData
from plugins.enrollments.recounting import mend
from plugins.enrollments.refunding import Refunding
from plugins.enrollments.running import Runner
from plugins.enrollments.service import EnrollmentAccess
from plugins.enrollments.settings import EnrollmentsSettings
from plugins.enrollments.snapshots import FACTS, Snapshots
from plugins.enrollments.sweeping import Sweeper
from plugins.enrollments.tables import metadata

RECOUNT_EVERY: Final = 3600.0  # seconds between two looks for seats that are wrong, which no seat should ever be


class EnrollmentsPlugin(Plugin[EnrollmentsSettings]):
    """Provides `enrollments/1` and contributes to `course_access/1`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="enrollments",
        version="0.1.0",
        summary="Who may take which course, and buying them.",
        provides=(contract.ENROLLMENTS, COURSE_ACCESS, PERSONAL_DATA),
        requires=(COURSES, PAYMENTS),
        wants=(USERS,),
        publishes=(
            ActRecorded,
            contract.AccessEnded,
            contract.GrantRevoked,
            contract.GrantWaits,
            contract.PurchaseFailed,
            contract.UserEnrolled,
        ),
    )

    @hookimpl
    def settings(self) -> type[EnrollmentsSettings]:
        return EnrollmentsSettings

    @hookimpl
    def migrations(self) -> Migrations:
        return Migrations(metadata, migrations)

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return PERMISSIONS

    @hookimpl
    def services(self, ctx: Context[EnrollmentsSettings]) -> Iterable[Provide[object]]:
        access = EnrollmentAccess(ctx.db, ctx.clock)
        return (
            Provide(contract.ENROLLMENTS, lambda: nullcontext(access)),
            Provide(COURSE_ACCESS, lambda: nullcontext(access)),
            Provide(PERSONAL_DATA, lambda: nullcontext(EnrollmentsPersonalData(ctx))),
        )

    @hookimpl
    def event_handlers(self, ctx: Context[EnrollmentsSettings]) -> Iterable[EventHandler]:
        buying, snapshots = ctx.own(Buying), ctx.own(Snapshots)
        return (
            on(PurchaseCharged, buying.charged, name="charged", settled=buying.settled),
            on(ChargeRefunded, ctx.own(Refunding).refunded, name="refunded"),
            *(on(fact, snapshots.changed, name=fact.name) for fact in FACTS),
        )

    @hookimpl
    def routes(self, ctx: Context[EnrollmentsSettings]) -> Iterable[Route]:
        return api.routes(ctx)

    @hookimpl
    def lifespan(self, ctx: Context[EnrollmentsSettings]) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def sweeping() -> AsyncIterator[None]:
            ctx.tasks.every(ctx.settings.sweep_every, Sweeper(ctx).sweep, name="sweeper")
            ctx.tasks.every(ctx.settings.sweep_every, ctx.own(MoneyInFlight).watch, name="watch over money in flight")
            ctx.tasks.every(RECOUNT_EVERY, lambda: mend(ctx), name="recount of seats")
            left = ctx.own(Errands).left
            ctx.tasks.every(ctx.settings.sweep_every, Runner(ctx).run, name="runner of errands", sooner=left)
            yield

        return sweeping()

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        return COMMANDS
