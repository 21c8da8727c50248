"""Courses cost less until a date: one course by the API, all others by the configuration."""

from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

import kernel
from kernel import Context, hookimpl
from kernel.contracts.audit import ActRecorded, act
from kernel.contracts.courses import CourseDeleted
from kernel.contracts.payments import PRICE_RULE, PriceLine
from kernel.database import Command, Query, Session, Timestamp, new_metadata
from lyceum_earlybird import migrations

SET_DISCOUNTS: Final = "earlybird.set"


class Discount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    until: Annotated[datetime, msgspec.Meta(tz=True)]


class EarlybirdSettings(kernel.Settings, frozen=True):
    discount: Discount | None = None  #: of every course that has none of its own


columns = (sa.Column("percent", sa.Integer, nullable=False), sa.Column("until", Timestamp, nullable=False))
discounts = sa.Table("discounts", new_metadata(), sa.Column("course_id", sa.Uuid, primary_key=True), *columns)
FIND = Query(sa.select(*columns).where(discounts.c.course_id == sa.bindparam("course")), Discount)
FORGET = Command(sa.delete(discounts).where(discounts.c.course_id == sa.bindparam("course")))
NEW = insert(discounts).values({column.name: sa.bindparam(column.name) for column in discounts.c})
SET = Command(NEW.on_conflict_do_update(index_elements=["course_id"], set_=dict(NEW.excluded.items())))


class Earlybird:
    def __init__(self, ctx: Context[EarlybirdSettings]) -> None:
        self.ctx = ctx

    async def lines(self, user_id: UUID, course_id: UUID, price: int) -> tuple[PriceLine, ...]:
        found = await self.ctx.db.first(FIND, course=course_id) or self.ctx.settings.discount
        if found is None or not found.percent or self.ctx.clock.now() >= found.until:
            return ()
        label = f"Early bird until {found.until:%Y-%m-%d %H:%M %Z}"
        return (PriceLine(label=label, amount=-(price * found.percent // 100), source="earlybird"),)

    async def set(self, request: kernel.Request, course_id: UUID, body: Discount, session: Session) -> Discount:
        """Make a course cheaper until a date, or not at all with 0 percent."""
        change = {"before": await session.first(FIND, course=course_id), "after": body}
        await session.run(SET, course_id=course_id, percent=body.percent, until=body.until)
        told = act(request, SET_DISCOUNTS, f"course:{course_id}", **msgspec.to_builtins(change))
        await self.ctx.events.publish(session, told)
        return body

    async def forget(self, session: Session, delivery: kernel.Delivery[CourseDeleted]) -> None:
        await session.run(FORGET, course=delivery.event.course_id)


class EarlybirdPlugin(kernel.Plugin[EarlybirdSettings]):
    manifest = kernel.Manifest(
        name="earlybird", version="1.0", summary="Cheaper for a time", provides=(PRICE_RULE,), publishes=(ActRecorded,)
    )

    @hookimpl
    def settings(self) -> type[EarlybirdSettings]:
        return EarlybirdSettings

    @hookimpl
    def migrations(self) -> kernel.Migrations:
        return kernel.Migrations(discounts.metadata, migrations)

    @hookimpl
    def permissions(self) -> list[kernel.Permission]:
        return [kernel.Permission(name=SET_DISCOUNTS, summary="Set discounts for a time", roles=("admin",))]

    @hookimpl
    def services(self, ctx: Context[EarlybirdSettings]) -> list[kernel.Provide[object]]:
        return [kernel.Provide(PRICE_RULE, lambda: nullcontext(ctx.own(Earlybird)))]

    @hookimpl
    def event_handlers(self, ctx: Context[EarlybirdSettings]) -> list[kernel.EventHandler]:
        return [kernel.on(CourseDeleted, ctx.own(Earlybird).forget, name="forget")]

    @hookimpl
    def routes(self, ctx: Context[EarlybirdSettings]) -> list[kernel.Route]:
        return [kernel.put("/courses/{course_id}", ctx.own(Earlybird).set, permission=SET_DISCOUNTS)]
