"""Whatever is done to one person's access to one course in whichever order, it says what its grants come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.contracts.enrollments import AccessEnded, UserEnrolled
from kernel.database import Query
from kernel.database.tables import outbox
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.enrollments.recounting import mend
from tests.plugins.enrollments.shop import (
    ENROLLMENTS,
    JSON,
    PRICE,
    PURCHASES,
    Shop,
    buy,
    new_key,
    open_shop,
)

HOUR: Final = 3600

hours = st.integers(min_value=0, max_value=4)
which = st.integers(min_value=0, max_value=7)
steps = st.one_of(
    st.tuples(st.just("give"), st.sampled_from(["staff", "gift", "trial", "voucher"]), hours, hours),
    st.tuples(st.just("buy")),
    st.tuples(st.sampled_from(["revoke", "suspend", "resume"]), which),
    st.tuples(st.just("refund"), st.booleans()),
    st.tuples(st.just("leave")),
    st.tuples(st.just("wait"), hours),
    st.tuples(st.just("lapse"), hours),
)


class Told(msgspec.Struct, frozen=True):
    """An event as it was written down."""

    type: str
    data: bytes


@dataclass
class Model:
    """What a person has for a course, as simple as can be, and the real thing beside it."""

    shop: Shop
    student: Client
    course: UUID
    grants: dict[str, JSON] = field(default_factory=dict)
    receipts: list[JSON] = field(default_factory=list)

    async def give(self, source: str, start: int, length: int) -> None:
        now = self.shop.deployment.clock.now()
        starts = now + timedelta(hours=start) if start else None
        endless = source != "trial" and not length
        ends = None if endless else now + timedelta(hours=start + length + 1)
        times = {"starts_at": starts, "ends_at": ends}
        facts = {name: moment.isoformat() for name, moment in times.items() if moment}
        grant = await self.shop.grant(self.student, self.course, source=source, **facts)
        self.grants[grant["id"]] = {"source": source, "state": "active", "starts": starts or now, "ends": ends}

    async def buy(self) -> None:
        has_for_good = any(
            grant["ends"] is None
            and grant["starts"] <= self.shop.deployment.clock.now()
            and (grant["state"] == "active" or (grant["source"] == "purchase" and grant["state"] != "revoked"))
            for grant in self.grants.values()
        )
        refused = has_for_good or self.suspended(staff=True)
        receipt = await buy(self.student, self.course, expect=409 if refused else 201)
        if not refused:
            self.receipts.append(receipt)
            now = self.shop.deployment.clock.now()
            self.grants[receipt["grant_id"]] = {"source": "purchase", "state": "active", "starts": now, "ends": None}

    async def change(self, step: str, number: int) -> None:
        if not self.grants:
            return
        chosen = list(self.grants)[number % len(self.grants)]
        grant = self.grants[chosen]
        over = grant["ends"] is not None and grant["ends"] <= self.shop.deployment.clock.now()
        allowed = {"revoke": True, "suspend": grant["state"] == "active", "resume": grant["state"] == "suspended"}
        possible = allowed[step] and not (step == "resume" and over)
        await self.shop.change(chosen, step, 200 if possible else 409)
        if possible:
            grant["state"] = {"revoke": "revoked", "suspend": "suspended", "resume": "active"}[step]

    async def refund(self, whole: bool) -> None:
        if not self.receipts:
            return
        receipt = self.receipts[-1]
        body = {"reason": "Random."} if whole else {"reason": "Random.", "amount": 100}
        path = f"{PURCHASES}/{receipt['purchase_id']}/refund"
        async with self.shop.admin.post(path, json=body, headers=new_key()) as answer:
            assert answer.status in (200, 409)
        if whole:
            self.grants[receipt["grant_id"]]["state"] = "revoked"

    async def leave(self) -> None:
        now = self.shop.deployment.clock.now()
        path = f"{ENROLLMENTS}/courses/{self.course}/leave"
        if self.suspended(staff=False):
            await self.student.call("POST", path, {}, expect=409)
            return
        await self.student.call("POST", path, {})
        for grant in self.grants.values():
            if grant["source"] != "staff" and not (grant["ends"] is not None and grant["ends"] <= now):
                grant["state"] = "revoked"

    async def wait(self, hours: int) -> None:
        """Let time pass, and the sweeper see it."""
        self.shop.deployment.clock.advance(hours * HOUR)
        await self.shop.sweep()

    async def lapse(self, hours: int) -> None:
        """Let time pass unseen."""
        self.shop.deployment.clock.advance(hours * HOUR)

    def counts(self, grant: JSON) -> bool:
        now = self.shop.deployment.clock.now()
        return bool(
            grant["state"] == "active" and grant["starts"] <= now and (grant["ends"] is None or grant["ends"] > now)
        )

    def suspended(self, *, staff: bool) -> bool:
        now = self.shop.deployment.clock.now()
        return any(
            (staff or grant["source"] != "staff")
            and grant["state"] == "suspended"
            and (grant["ends"] is None or grant["ends"] > now)
            for grant in self.grants.values()
        )

    def seated(self) -> bool:
        now = self.shop.deployment.clock.now()
        return any(
            grant["source"] != "staff"
            and grant["state"] != "revoked"
            and (grant["ends"] is None or grant["ends"] > now)
            for grant in self.grants.values()
        )

    async def agrees(self) -> None:
        """The access is what counts, grant by grant."""
        explained = await self.shop.access(self.student, self.course)
        assert {one["grant"]["id"]: one["grant"]["state"] for one in explained["grants"]} == {
            id_: grant["state"] for id_, grant in self.grants.items()
        }
        assert {one["grant"]["id"] for one in explained["grants"] if one["counts"]} == {
            id_ for id_, grant in self.grants.items() if self.counts(grant)
        }
        assert explained["access"]["allowed"] == any(map(self.counts, self.grants.values()))

    async def agrees_in_the_end(self) -> None:
        """Once everything was seen, seats, events and money say the same."""
        await self.shop.sweep()
        await self.shop.settle()
        await self.agrees()
        assert await self.shop.taken(self.course) == int(self.seated())
        assert await mend(self.shop.deployment.platform.context("enrollments")) == []
        assert await last_told(self.shop, self.course) == any(map(self.counts, self.grants.values()))


#: What was told, in the order in which it happened; to handlers of different events it may come in another one.
TOLD: Final = Query(
    sa.select(outbox.c.type, outbox.c.data)
    .where(outbox.c.type.in_([sa.literal_column(f"'{event.name}'") for event in (UserEnrolled, AccessEnded)]))
    .order_by(outbox.c.seq),
    Told,
)


async def last_told(shop: Shop, course: UUID) -> bool:
    """Return whether the last that was told is that the person has access; an end follows a beginning only."""
    has = False
    for told in await shop.deployment.platform.context("enrollments").db.all(TOLD):
        if msgspec.json.decode(told.data)["course_id"] == str(course):
            assert told.type == UserEnrolled.name or has, "access ended that nobody was told of"
            has = told.type == UserEnrolled.name
    return has


@pytest_asyncio.fixture
async def shop(deploy: Deploy) -> Shop:
    """Return one shop for all examples; its sweeper runs only when a step calls it."""
    return await open_shop(deploy, sweep_every=600)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(plan=st.lists(steps, min_size=3, max_size=14))
async def test_access_is_the_sum_of_grants_after_any_sequence(shop: Shop, plan: list[tuple[Any, ...]]) -> None:
    """Ending one grant never ends another, and beginning and end are told in turn."""
    shop = replace(shop, admin=shop.deployment.client("admin"))  # nobody does that much in a minute
    course = shop.course()
    await shop.limit(course, 1)
    model = Model(shop, await shop.student(PRICE * 8), course)
    for name, *facts in plan:
        act: Callable[..., Awaitable[None]]
        if name in ("revoke", "suspend", "resume"):
            await model.change(name, *facts)
        else:
            act = getattr(model, name)
            await act(*facts)
        await model.agrees()
    await model.agrees_in_the_end()
