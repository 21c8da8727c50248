"""What an early bird pays, until when, and who may say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from kernel import errors
from kernel.contracts.courses import COURSES
from kernel.testing.choices import Tables
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses, InMemoryCoursesPlugin

DEADLINE: Final = datetime(2040, 3, 1, 12, tzinfo=UTC)
A_MOMENT_BEFORE: Final = DEADLINE - timedelta(seconds=60)
HALF: Final = {"percent": 50, "until": "2040-03-01T12:00:00Z"}


async def school(deploy: Deploy, settings: Tables | None = None) -> Deployment:
    """A school a minute before the deadline."""
    plugins = [InMemoryCoursesPlugin]
    deployment = await deploy("payments", "enrollments", "earlybird", plugins=plugins, settings=settings)
    deployment.clock.set(A_MOMENT_BEFORE)
    return deployment


@pytest_asyncio.fixture
async def deployment(deploy: Deploy) -> Deployment:
    return await school(deploy)


def make_course(deployment: Deployment, price: int = 1999) -> UUID:
    courses = deployment.platform.services.get(COURSES)
    assert isinstance(courses, InMemoryCourses)
    return courses.add(price)


async def discount(deployment: Deployment, course: UUID, terms: object = None, **options: Any) -> Any:
    """Have an administrator set *terms*."""
    administrator = deployment.client("admin")
    return await administrator.call("PUT", f"/api/v1/earlybird/courses/{course}", terms or HALF, **options)


async def lines_of(deployment: Deployment, course: UUID) -> list[tuple[int, str]]:
    """Return amount and source of each line of a student's quote."""
    quote = await quote_for(deployment.client("student"), course)
    return [(line["amount"], line["source"]) for line in quote["lines"]]


async def quote_for(client: Client, course: UUID) -> Any:
    return await client.call("GET", "/api/v1/payments/quote", params={"course_id": str(course)})


async def top_up(deployment: Deployment, student: Client, amount: int) -> None:
    batch = {"count": 1, "amount": amount}
    made = await deployment.client("admin").call("POST", "/api/v1/payments/voucher-batches", batch, headers=key())
    await student.call("POST", "/api/v1/payments/vouchers/redeem", {"code": made["codes"][0]}, headers=key())


async def buy(student: Client, course: UUID, total: int | None = None, *, expect: int = 201) -> Any:
    order = {"course_id": str(course)} | ({} if total is None else {"expected_total": total})
    return await student.call("POST", "/api/v1/enrollments/purchases", order, headers=key(), expect=expect)


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def test_quote_says_what_the_early_bird_saves_and_until_when(deployment: Deployment) -> None:
    """Cents that can not be halved stay in the price; the line names the rule."""
    course = make_course(deployment)
    assert await discount(deployment, course) == HALF

    quote = await quote_for(deployment.client("student"), course)

    assert quote["total"] == 1000
    line = {"label": "Early bird until 2040-03-01 12:00 UTC", "amount": -999, "source": "earlybird"}
    assert quote["lines"][1:] == [line]


async def test_discount_ends_with_the_moment_of_its_deadline(deployment: Deployment) -> None:
    """A minute before it is there; at the deadline it is not."""
    course = make_course(deployment)
    await discount(deployment, course)
    assert len(await lines_of(deployment, course)) == 2

    deployment.clock.set(DEADLINE)

    assert await lines_of(deployment, course) == [(1999, "list-price")]


async def test_price_that_was_seen_before_the_deadline_is_not_charged_after_it(deployment: Deployment) -> None:
    """Who expects the old price is told the new one, and nothing is taken: a price is agreed on or not paid."""
    course, student = make_course(deployment), deployment.client("student")
    await discount(deployment, course)
    await top_up(deployment, student, 5000)
    seen = (await quote_for(student, course))["total"]
    deployment.clock.set(DEADLINE)

    refused = await buy(student, course, seen, expect=409)

    assert (refused["type"], refused["quote"]["total"]) == ("/problems/price-changed", 1999)
    assert (await student.call("GET", "/api/v1/payments/wallet"))["balance"] == 5000


async def test_purchase_ordered_before_the_deadline_keeps_its_price_after_it(deployment: Deployment) -> None:
    """The price is the one of the order: whoever could not pay at once is charged what the order says."""
    course, student = make_course(deployment), deployment.client("student")
    await discount(deployment, course)
    await top_up(deployment, student, 5000)

    bought = await buy(student, course, 1000)
    deployment.clock.set(DEADLINE)

    path = f"/api/v1/enrollments/purchases/{bought['purchase_id']}"
    assert (await student.call("GET", path))["amount"] == 1000
    assert (await student.call("GET", "/api/v1/payments/wallet"))["balance"] == 4000


async def test_configuration_discounts_every_course_that_has_no_discount_of_its_own(deploy: Deploy) -> None:
    """A course of its own terms keeps them, 0 percent among them."""
    settings = {"earlybird": {"discount": {"percent": 10, "until": DEADLINE}}}
    deployment = await school(deploy, settings)
    common, half, full = (make_course(deployment, 1000) for _ in range(3))
    await discount(deployment, half)
    await discount(deployment, full, HALF | {"percent": 0})

    assert await lines_of(deployment, common) == [(1000, "list-price"), (-100, "earlybird")]
    assert await lines_of(deployment, half) == [(1000, "list-price"), (-500, "earlybird")]
    assert await lines_of(deployment, full) == [(1000, "list-price")]


async def test_discount_of_everything_leads_to_zero(deployment: Deployment) -> None:
    """Never below."""
    course = make_course(deployment)
    await discount(deployment, course, HALF | {"percent": 100})

    assert (await quote_for(deployment.client("student"), course))["total"] == 0


async def test_discount_can_be_changed_and_each_change_is_recorded(deploy: Deploy) -> None:
    """The log of acts has what it was before."""
    deployment = await deploy("payments", "audit", "earlybird", plugins=[InMemoryCoursesPlugin])
    course = make_course(deployment)
    await discount(deployment, course)
    await discount(deployment, course, HALF | {"percent": 20})
    await deployment.settle()

    acts = (await deployment.client("admin").call("GET", "/api/v1/audit/acts"))["items"]

    told = sorted((act["before"] or {}).get("percent", 0) for act in acts if act["action"] == "earlybird.set")
    assert told == [0, 50]


@pytest.mark.parametrize("role", ["student", "instructor"])
async def test_only_administrators_set_discounts(deployment: Deployment, role: str) -> None:
    """Teachers do not set the institution's prices."""
    path = f"/api/v1/earlybird/courses/{make_course(deployment)}"

    await deployment.client(role).call("PUT", path, HALF, expect=403)
    await deployment.client().call("PUT", path, HALF, expect=401)


@pytest.mark.parametrize(
    "terms", [HALF | {"percent": 101}, HALF | {"percent": -1}, HALF | {"until": "2040-03-01T12:00:00"}, {"percent": 5}]
)
async def test_terms_that_can_not_be_meant_are_refused(deployment: Deployment, terms: object) -> None:
    """More than everything, a rise in price, or a deadline in nobody's time zone."""
    course = make_course(deployment)

    await discount(deployment, course, terms, expect=422)

    assert await lines_of(deployment, course) == [(1999, "list-price")]


async def test_configuration_without_a_time_zone_is_refused_at_boot(deploy: Deploy) -> None:
    """The reason names the setting."""
    settings = {"earlybird": {"discount": {"percent": 10, "until": datetime(2040, 3, 1, 12)}}}  # noqa: DTZ001

    with pytest.raises(errors.InvalidSettings, match="until"):
        await school(deploy, settings)


async def test_discount_goes_with_its_course(deploy: Deploy) -> None:
    """A draft that is deleted leaves nothing behind."""
    deployment = await deploy("auth", "mail", "users", "courses", "payments", "earlybird")
    teacher = await deployment.sign_in("ida@school.test", roles=("instructor",))
    administrator = await deployment.sign_in("ada@school.test", roles=("admin",))
    facts = {"title": "Stars", "summary": "S", "description": "D", "category": "sailing", "price": 100}
    course = await teacher.call("POST", "/api/v1/courses", facts, expect=201)
    await administrator.call("PUT", f"/api/v1/earlybird/courses/{course['id']}", HALF)

    await teacher.call("DELETE", f"/api/v1/courses/{course['id']}")
    await deployment.settle()

    earlybird = deployment.platform.context("earlybird")
    async with earlybird.db.engine().connect() as connection:
        left = (await connection.exec_driver_sql("SELECT count(*) FROM discounts")).scalar()
    assert left == 0
