"""What administrators do is recorded with what it was before, in the transaction of the act."""

from __future__ import annotations

import sqlalchemy as sa

from kernel import Plugin
from kernel.contracts.audit import ActRecorded
from kernel.database import Command
from kernel.testing import witness
from kernel.testing.deploying import Deploy
from plugins.enrollments import tables
from tests.plugins.enrollments.shop import ENROLLMENTS, PRICE, PURCHASES, Shop, buy, new_key, open_shop, terms

WITNESS: type[Plugin] = witness.witness_of(ActRecorded)


async def acts(shop: Shop) -> list[ActRecorded]:
    """Return the acts of enrolments that were recorded."""
    await shop.settle()
    witnessed = shop.deployment.platform.context(witness.NAME).own(witness.Witnessed)
    found = [event for event in witnessed.events if isinstance(event, ActRecorded)]
    assert {act.actor for act in found if not act.origin.startswith("command line")} == {shop.admin.user}
    return [act for act in found if act.action.startswith("enrollments.")]


async def test_the_life_of_a_grant_is_recorded(deploy: Deploy) -> None:
    """Given, suspended, resumed and revoked; what changes nothing is no act."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student()

    given = await shop.grant(student, course, source="gift")
    for step, expect in (("suspend", 200), ("suspend", 409), ("resume", 200), ("revoke", 200), ("revoke", 200)):
        await shop.change(given["id"], step, expect)

    found = await acts(shop)
    assert {(act.subject, act.about) for act in found} == {(f"grant:{given['id']}", student.user)}
    assert [(act.action, act.before, act.reason) for act in found] == [
        ("enrollments.grant", None, "Scholarship."),
        ("enrollments.suspend_grant", {"state": "active"}, "So."),
        ("enrollments.resume_grant", {"state": "suspended"}, "So."),
        ("enrollments.revoke_grant", {"state": "active"}, "So."),
    ]
    assert [act.after for act in found[1:]] == [{"state": state} for state in ("suspended", "active", "revoked")]
    assert found[0].after == {
        "user_id": str(student.user),
        "course_id": str(course),
        "source": "gift",
        "starts_at": given["starts_at"],
        "ends_at": None,
    }


async def test_a_refund_is_recorded_once(deploy: Deploy) -> None:
    """A repeat of the same request is no second one, and neither is one that is refused."""
    shop = await open_shop(deploy, WITNESS)
    student = await shop.student(PRICE)
    receipt = await buy(student, shop.course())
    path, key = f"{PURCHASES}/{receipt['purchase_id']}/refund", new_key()

    for _ in range(2):
        await shop.admin.call("POST", path, {"reason": "Noise.", "amount": 900}, headers=key)
    await shop.admin.call("POST", path, {"reason": "Sorry."}, headers=new_key())
    await shop.admin.call("POST", path, {"reason": "More."}, headers=new_key(), expect=409)

    found = await acts(shop)
    assert {(act.action, act.subject, act.about) for act in found} == {
        ("enrollments.refund_purchase", f"purchase:{receipt['purchase_id']}", student.user)
    }
    assert [(act.before, act.after, act.reason) for act in found] == [
        ({"refunded": 0}, {"refunded": 900}, "Noise."),
        ({"refunded": 900}, {"refunded": PRICE}, "Sorry."),
    ]


async def test_new_terms_are_recorded(deploy: Deploy) -> None:
    """From which number of seats to which; the same number again is no act."""
    shop = await open_shop(deploy, WITNESS)
    course = shop.course()

    for seats in (3, 3, 5, None, None):
        await shop.limit(course, seats)
    await shop.admin.call("PUT", terms(course), {"seats": -1}, expect=422)

    found = await acts(shop)
    assert {(act.action, act.subject) for act in found} == {("enrollments.set_terms", f"course:{course}")}
    assert [(act.before, act.after) for act in found] == [
        ({"seats": before}, {"seats": after}) for before, after in ((None, 3), (3, 5), (5, None))
    ]


async def test_an_act_that_is_refused_is_not_recorded(deploy: Deploy) -> None:
    """It rolls back together with what it would have changed."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student(PRICE)
    await shop.limit(course, 0)

    body = {"user_id": str(student.user), "course_id": str(course), "reason": "x", "source": "gift"}
    await shop.admin.call("POST", f"{ENROLLMENTS}/grants", body, expect=409)

    assert [act.action for act in await acts(shop)] == ["enrollments.set_terms"]


async def test_what_a_command_mends_is_recorded(deploy: Deploy) -> None:
    """By whoever runs it on this machine; what is right is left as it is."""
    shop = await open_shop(deploy, WITNESS)
    wrong, right = shop.course(), shop.course()
    for course in (wrong, right):
        await shop.limit(course, 1)
    counted = sa.update(tables.terms).where(tables.terms.c.course_id == wrong).values(taken=1)
    await shop.deployment.platform.context("enrollments").db.run(Command(counted))

    await shop.deployment.command("enrollments", "recount-seats")

    (found,) = [act for act in await acts(shop) if act.action == "enrollments.recount_seats"]
    assert (found.subject, found.before) == (f"course:{wrong}", {"taken": 1})
    assert found.after == {"missing": 0, "extra": 0, "taken": 0}
    assert found.actor is None
    assert found.origin.startswith("command line: ")
