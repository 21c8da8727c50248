"""Courses with a number of seats."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from structlog.testing import capture_logs

from kernel.database import Command
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.payments import InMemoryPayments
from plugins.enrollments import tables
from plugins.enrollments.recounting import mend
from plugins.enrollments.tables import seats
from tests.plugins.courses.school import somebody
from tests.plugins.enrollments.shop import ENROLLMENTS, PRICE, PURCHASES, balance, buy, new_key, open_shop, terms
from tests.plugins.enrollments.test_faults import Faulty, die


async def test_a_full_course_is_not_sold(deploy: Deploy) -> None:
    """Whoever comes too late keeps the money, and buys with the same key once there is a seat."""
    shop = await open_shop(deploy)
    course, first, second = shop.course(), await shop.student(PRICE), await shop.student(PRICE)

    set_ = await shop.limit(course, 1)
    await buy(first, course)
    refused = await buy(second, course, expect=409, key="again")

    assert set_ == {"course_id": str(course), "seats": 1, "taken": 0}
    assert (refused["type"], refused["detail"]) == ("/problems/course-full", "All seats are taken (1).")
    assert (await balance(second), await shop.taken(course)) == (PRICE, 1)
    assert not (await shop.access(second, course))["grants"]
    await shop.limit(course, 2)
    await buy(second, course, key="again")
    assert await shop.taken(course) == 2


async def test_what_one_has_is_told_before_that_the_course_is_full(deploy: Deploy) -> None:
    """And a repeated purchase is answered alike, however full the course is meanwhile."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(2 * PRICE)
    await shop.limit(course, 1)

    first = await buy(student, course, key="mine")
    again = await buy(student, course, key="mine")
    other = await buy(student, course, expect=409)

    assert again == first
    assert other["type"] == "/problems/already-enrolled"
    assert (await balance(student), await shop.taken(course)) == (PRICE, 1)


async def test_a_person_has_one_seat_however_many_grants(deploy: Deploy) -> None:
    """It is free when the last of them is gone."""
    shop = await open_shop(deploy)
    course, student, other = shop.course(), await shop.student(PRICE), await shop.student(PRICE)
    await shop.limit(course, 1)
    gift = await shop.grant(student, course, source="gift", ends_at="2999-01-01T00:00:00Z")
    receipt = await buy(student, course)

    await shop.change(gift["id"], "revoke")
    assert await shop.taken(course) == 1
    await buy(other, course, expect=409)
    await shop.change(receipt["grant_id"], "revoke")

    assert await shop.taken(course) == 0
    await buy(other, course)


async def test_staff_take_no_seats(deploy: Deploy) -> None:
    """Everyone else who is given access does, at once, also if it begins later or is suspended."""
    shop = await open_shop(deploy)
    course, teacher, student = shop.course(), await shop.student(), await shop.student()
    await shop.limit(course, 1)
    body = {"course_id": str(course), "reason": "Friend.", "source": "gift"}

    await shop.grant(teacher, course)
    gift = await shop.grant(student, course, source="gift", starts_at="2998-01-01T00:00:00Z")
    full = await shop.admin.call("POST", f"{ENROLLMENTS}/grants", {**body, "user_id": somebody()}, expect=409)
    await shop.change(gift["id"], "suspend")
    still = await shop.admin.call("POST", f"{ENROLLMENTS}/grants", {**body, "user_id": somebody()}, expect=409)
    await shop.change(gift["id"], "resume")

    assert {full["type"], still["type"]} == {"/problems/course-full"}
    assert await shop.taken(course) == 1


async def test_a_seat_is_free_when_time_has_run_out(deploy: Deploy) -> None:
    """Also if the grant is suspended at that moment, when nobody can resume it any more."""
    shop = await open_shop(deploy, sweep_every=600)
    end = (shop.deployment.clock.now() + timedelta(hours=1)).isoformat()
    course, students = shop.course(), [await shop.student() for _ in range(2)]
    await shop.limit(course, 2)
    given = [await shop.grant(student, course, source="trial", ends_at=end) for student in students]
    await shop.change(given[1]["id"], "suspend")

    before = await shop.taken(course)
    shop.deployment.clock.advance(3700)
    await shop.sweep()

    assert (before, await shop.taken(course)) == (2, 0)
    await shop.change(given[1]["id"], "resume", expect=409)


async def test_a_seat_is_free_when_the_purchase_comes_to_nothing(deploy: Deploy) -> None:
    """For want of money at once, after a death by the sweeper, and with the money when it goes back."""
    shop = await open_shop(deploy, sweep_every=600)
    real, faulty = shop.payments(), Faulty(shop.payments())
    course, poor, rich = shop.course(), await shop.student(), await shop.student(PRICE)
    await shop.limit(course, 1)

    await buy(poor, course, expect=409)
    assert await shop.taken(course) == 0
    faulty.before_charge = die
    shop.replace_payments(faulty)
    await buy(rich, course, expect=500)
    shop.replace_payments(real)
    assert await shop.taken(course) == 1
    shop.deployment.clock.advance(20)
    await shop.sweep()
    assert await shop.taken(course) == 0
    receipt = await buy(rich, course)
    path = f"{PURCHASES}/{receipt['purchase_id']}/refund"
    await shop.admin.call("POST", path, {"reason": "Sorry."}, headers=new_key())

    assert await shop.taken(course) == 0


async def test_a_refund_of_what_was_never_given_frees_the_seat(deploy: Deploy) -> None:
    """The process dies after the charge, and the money goes back before anybody finishes the purchase."""
    shop = await open_shop(deploy, sweep_every=600)
    course, student = shop.course(), await shop.student()
    await shop.limit(course, 1)
    silent = InMemoryPayments(shop.courses)
    assert student.user is not None
    silent.fund(student.user, PRICE)
    faulty = Faulty(silent)
    faulty.after_charge = die
    shop.replace_payments(faulty)
    await buy(student, course, expect=500)
    assert await shop.taken(course) == 1
    pending = await shop.admin.call("GET", PURCHASES, params={"state": "pending"})

    await silent.refund(UUID(pending["items"][0]["id"]), None, key="elsewhere", reason="Sorry.")
    shop.deployment.clock.advance(20)
    await shop.sweep()

    assert await shop.taken(course) == 0
    assert not (await shop.access(student, course))["grants"]


async def test_a_limit_counts_who_is_there_already(deploy: Deploy) -> None:
    """Nobody loses a seat, and with fewer seats than people nobody gets one."""
    shop = await open_shop(deploy)
    course, students = shop.course(), [await shop.student(PRICE) for _ in range(3)]
    for student in students[:2]:
        await buy(student, course)
    await shop.grant(students[0], course, source="gift")
    await shop.grant(students[2], course)

    free = await shop.admin.call("GET", terms(course))
    limited = await shop.limit(course, 1)
    refused = await shop.admin.call(
        "POST",
        f"{ENROLLMENTS}/grants",
        {"user_id": somebody(), "course_id": str(course), "reason": "x", "source": "gift"},
        expect=409,
    )
    lifted = await shop.limit(course, None)

    assert [free["seats"], limited["seats"], lifted["seats"]] == [None, 1, None]
    assert [free["taken"], limited["taken"], lifted["taken"]] == [2, 2, 2]
    assert refused["type"] == "/problems/course-full"
    assert [(await shop.access(student, course))["access"]["allowed"] for student in students] == [True] * 3
    await buy(await shop.student(PRICE), course)


async def test_a_course_without_seats_left_can_be_closed(deploy: Deploy) -> None:
    """With no seats at all nobody gets in."""
    shop = await open_shop(deploy)
    course = shop.course()

    await shop.limit(course, 0)

    await buy(await shop.student(PRICE), course, expect=409)
    for wrong in (-1, 1.5, 10**9, "five"):
        await shop.admin.call("PUT", terms(course), {"seats": wrong}, expect=422)
    assert (await shop.admin.call("GET", terms(course)))["seats"] == 0


async def test_terms_are_set_by_those_who_teach_the_course(deploy: Deploy) -> None:
    """And by administrators; for other instructors, as for everyone if there is none, the course does not exist."""
    shop = await open_shop(deploy)
    course = shop.course()
    offer = await shop.courses.offer(course)
    assert offer is not None
    teacher, other = (shop.deployment.client("instructor", user=user) for user in (offer.instructors[0], None))

    own = await teacher.call("PUT", terms(course), {"seats": 3})

    assert await teacher.call("GET", terms(course)) == await shop.admin.call("GET", terms(course)) == own
    for method in ("GET", "PUT"):
        body = {"seats": 1} if method == "PUT" else None
        await other.call(method, terms(course), body, expect=404)
        await shop.admin.call(method, terms(UUID(somebody())), body, expect=404)
        await (await shop.student()).call(method, terms(course), body, expect=403)


async def test_wrong_seats_are_mended_and_logged(deploy: Deploy) -> None:
    """Too many, too few, a wrong number: afterwards they are right, and there is nothing more to say."""
    shop = await open_shop(deploy)
    courses = [shop.course() for _ in range(4)]
    for course in courses:
        await shop.limit(course, 5)
        await buy(await shop.student(PRICE), course)
    ctx = shop.deployment.platform.context("enrollments")

    for wrong in (
        sa.delete(seats).where(seats.c.course_id == courses[0]),
        sa.insert(seats).values(course_id=courses[1], user_id=UUID(somebody())),
        sa.update(tables.terms).where(tables.terms.c.course_id == courses[2]).values(taken=4),
    ):
        await ctx.db.run(Command(wrong))
    with capture_logs() as logs:
        first = await shop.deployment.command("enrollments", "recount-seats", json=True)
        second = await shop.deployment.command("enrollments", "recount-seats")

    assert (first.exit_code, second.exit_code, second.output) == (1, 0, "all seats are right\n")
    found = {one.pop("course"): one for one in msgspec.json.decode(first.output)}
    assert found == {
        str(courses[0]): {"missing": 1, "extra": 0, "counted": 1, "taken": 1},
        str(courses[1]): {"missing": 0, "extra": 1, "counted": 1, "taken": 1},
        str(courses[2]): {"missing": 0, "extra": 0, "counted": 4, "taken": 1},
    }
    assert [line["log_level"] for line in logs if line.get("action") == "seats"] == ["error"] * 3
    assert [await shop.taken(course) for course in courses] == [1] * 4
    assert await mend(ctx) == []
