"""Suspension: whoever is out stays out, and so does the money, until somebody decides."""

from __future__ import annotations

from datetime import timedelta

from kernel.testing.deploying import Deploy
from tests.plugins.enrollments.shop import ENROLLMENTS, PRICE, balance, buy, new_key, open_shop, settle


async def test_who_was_suspended_does_not_leave_with_the_money(deploy: Deploy) -> None:
    """Leaving is no way out of a suspension; once it is over, everything is as before."""
    shop = await open_shop(deploy)
    student, course = await shop.student(PRICE), shop.course()
    grant = (await buy(student, course))["grant_id"]
    await shop.change(grant, "suspend")
    path = f"{ENROLLMENTS}/courses/{course}/leave"

    refused = await student.call("POST", path, {}, expect=409)

    assert refused["type"] == "/problems/access-suspended"
    assert (await shop.access(student, course))["access"]["reason"] == "suspended"
    await shop.change(grant, "resume")
    left = await student.call("POST", path, {})
    assert left["ended"] == [grant]
    await settle(shop.deployment)
    assert await balance(student) == PRICE


async def test_who_was_suspended_does_not_come_back_by_buying(deploy: Deploy) -> None:
    """Neither with money nor with a voucher, whatever the suspended grant came from; nothing is taken."""
    shop = await open_shop(deploy)
    student, course = await shop.student(PRICE), shop.course()
    gift = await shop.grant(student, course, source="gift")
    await shop.change(gift["id"], "suspend")
    code = await shop.voucher(kind="enrol", course_ids=[str(course)])

    bought = await buy(student, course, expect=409)
    voucher = {"code": code}
    redeemed = await student.call("POST", f"{ENROLLMENTS}/vouchers/redeem", voucher, expect=409, headers=new_key())

    assert bought["type"] == redeemed["type"] == "/problems/access-suspended"
    assert await balance(student) == PRICE
    await shop.change(gift["id"], "revoke")
    await buy(student, course)


async def test_who_was_suspended_takes_no_seat_anew(deploy: Deploy) -> None:
    """The same where a course has a number of seats."""
    shop = await open_shop(deploy)
    student, course = await shop.student(PRICE), shop.course()
    await shop.limit(course, 5)
    gift = await shop.grant(student, course, source="gift")
    await shop.change(gift["id"], "suspend")

    refused = await buy(student, course, expect=409)

    assert refused["type"] == "/problems/access-suspended"


async def test_list_says_which_courses_are_open_now(deploy: Deploy) -> None:
    """What has not begun, is suspended or is over stands in it, and does not count."""
    shop = await open_shop(deploy)
    student = await shop.student()
    open_, suspended, over = shop.course(), shop.course(), shop.course()
    ends = shop.deployment.clock.now() + timedelta(hours=1)
    await shop.grant(student, open_)
    await shop.change((await shop.grant(student, suspended))["id"], "suspend")
    await shop.grant(student, over, source="trial", ends_at=ends.isoformat())
    shop.deployment.clock.advance(3600)

    shown = await student.call("GET", f"{ENROLLMENTS}/mine")

    assert {item["course_id"]: item["counts"] for item in shown["items"]} == {
        str(open_): True,
        str(suspended): False,
        str(over): False,
    }
