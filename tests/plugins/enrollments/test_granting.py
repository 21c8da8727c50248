"""Access that administrators give and take, and the lists of enrolments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from uuid import UUID

import pytest

from kernel import Plugin
from kernel.contracts.enrollments import AccessEnded, GrantRevoked, GrantWaits, UserEnrolled
from kernel.contracts.users import USERS, Person
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.enrollments.granting import GRANT, Granting
from tests.plugins.courses.school import somebody
from tests.plugins.enrollments.shop import ENROLLMENTS, PRICE, Shop, balance, buy, new_key, open_shop

GRANTS = f"{ENROLLMENTS}/grants"
WITNESS: type[Plugin] = witness.witness_of(UserEnrolled, GrantRevoked, AccessEnded)


async def told(shop: Shop) -> list[str]:
    """Return the names of the events that were told."""
    await shop.deployment.settle()
    witnessed = shop.deployment.platform.context(witness.NAME).own(witness.Witnessed)
    return sorted(type(event).__name__ for event in witnessed.events)


async def test_an_administrator_gives_access(deploy: Deploy) -> None:
    """At once, without money, and it is told."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student()

    given = await shop.grant(student, course)

    assert (given["source"], given["state"], given["reason"]) == ("staff", "active", "Scholarship.")
    assert (await shop.access(student, course))["access"] == {"allowed": True, "reason": "staff", "until": None}
    assert await told(shop) == ["UserEnrolled"]


async def test_access_is_given_for_courses_and_times_that_exist(deploy: Deploy) -> None:
    """A grant for nothing helps nobody."""
    shop = await open_shop(deploy)
    good = {"user_id": somebody(), "course_id": str(shop.course()), "reason": "x"}

    for wrong, field in (
        ({"course_id": somebody()}, "body.course_id"),
        ({"reason": " "}, "body.reason"),
        ({"source": "purchase"}, "body.source"),
        ({"starts_at": "2026-02-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}, "body"),
        ({"ends_at": "0001-01-01T00:00:00+14:00"}, "body"),
        ({"ends_at": "2026-01-01T00:00:00"}, "body.ends_at"),
    ):
        problem = await shop.admin.call("POST", GRANTS, {**good, **wrong}, expect=422)
        assert [error["field"] for error in problem["errors"]] == [field], wrong


class Slow:
    """A provider of `users/1` that takes its time, and knows everybody for as long as it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.knows = True

    async def people(self, ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        self.asked.set()
        await self.may_answer.wait()
        return {one: Person(id=one, display_name="Ada") for one in ids if self.knows}


async def test_while_it_is_asked_who_gets_access_others_are_served(deploy: Deploy) -> None:
    """However long it takes: no transaction waits for another module."""
    shop = await open_shop(deploy)
    course, student, users = shop.course(), await shop.student(), Slow()
    given = await shop.grant(student, course)
    shop.deployment.platform.services.provide(USERS, users)
    waiting = asyncio.create_task(shop.grant(student, course))
    await users.asked.wait()

    async with asyncio.timeout(2):
        await shop.change(given["id"], "suspend")

    users.may_answer.set()
    await waiting


async def test_a_grant_that_is_repeated_is_answered_alike(deploy: Deploy) -> None:
    """Also when the person does not exist any more; whoever does not exist is given none."""
    shop = await open_shop(deploy)
    course, student, users = shop.course(), await shop.student(), Slow()
    users.may_answer.set()
    shop.deployment.platform.services.provide(USERS, users)
    body, key = {"user_id": str(student.user), "course_id": str(course), "reason": "x"}, new_key()

    first = await shop.admin.call("POST", GRANTS, body, expect=201, headers=key)
    users.knows = False
    again = await shop.admin.call("POST", GRANTS, body, expect=201, headers=key)
    refused = await shop.admin.call("POST", GRANTS, body, expect=422, headers=new_key())

    assert again == first
    assert refused["errors"][0]["field"] == "body.user_id"


async def test_a_revoked_grant_counts_no_longer(deploy: Deploy) -> None:
    """The reason is kept; revoking it again changes nothing and tells nothing."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student()
    given = await shop.grant(student, course)

    for reason in ("Left.", "Left again."):
        await shop.admin.call("POST", f"{GRANTS}/{given['id']}/revoke", {"reason": reason})

    explained = await shop.access(student, course)
    assert explained["access"]["reason"] == "revoked"
    assert explained["grants"][0]["grant"]["reason"] == "Left."
    assert await told(shop) == ["AccessEnded", "GrantRevoked", "UserEnrolled"]


async def test_access_ends_with_the_last_grant(deploy: Deploy) -> None:
    """While another one counts, only the revocation is told."""
    shop = await open_shop(deploy, WITNESS)
    course, student = shop.course(), await shop.student(PRICE)
    given = await shop.grant(student, course, ends_at="2999-01-01T00:00:00Z")
    receipt = await buy(student, course)

    await shop.admin.call("POST", f"{GRANTS}/{given['id']}/revoke", {"reason": "Bought it."})
    assert (await shop.access(student, course))["access"]["reason"] == "purchase"
    assert (await told(shop)).count("AccessEnded") == 0

    await shop.admin.call("POST", f"{GRANTS}/{receipt['grant_id']}/revoke", {"reason": "Misuse."})
    assert (await told(shop)).count("AccessEnded") == 1


async def test_a_purchase_whose_access_was_revoked_can_be_repeated(deploy: Deploy) -> None:
    """And its money can still be given back."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student(2 * PRICE)
    first = await buy(student, course)
    await shop.admin.call("POST", f"{GRANTS}/{first['grant_id']}/revoke", {"reason": "Misuse."})

    await buy(student, course)
    path = f"{ENROLLMENTS}/purchases/{first['purchase_id']}"
    await shop.admin.call("POST", f"{path}/refund", {"reason": "Mercy."}, headers=new_key())

    assert (await student.call("GET", path))["state"] == "refunded"
    assert await balance(student) == PRICE
    assert (await shop.access(student, course))["access"]["allowed"]


async def test_a_suspended_grant_can_be_resumed(deploy: Deploy) -> None:
    """Suspending twice, resuming what is active and anything with what is revoked are conflicts."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()
    given = await shop.grant(student, course)

    async def take(step: str, expect: int = 200) -> None:
        await shop.admin.call("POST", f"{GRANTS}/{given['id']}/{step}", {"reason": "So."}, expect=expect)

    await take("resume", 409)
    await take("suspend")
    await take("suspend", 409)
    assert (await shop.access(student, course))["access"]["reason"] == "suspended"
    await take("resume")
    assert (await shop.access(student, course))["access"]["allowed"]
    await take("revoke")
    await take("resume", 409)
    await take("suspend", 409)


async def reason(shop: Shop, student: Client, course: UUID) -> str:
    """Return why the student has access or has not."""
    return str((await shop.access(student, course))["access"]["reason"])


async def test_time_gives_and_takes_access(deploy: Deploy) -> None:
    """A grant counts from its beginning to its end; each is told once, when it has come."""
    shop = await open_shop(deploy, WITNESS, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    later, end = now + timedelta(hours=1), now + timedelta(hours=2)
    await shop.grant(student, course, starts_at=later.isoformat(), ends_at=end.isoformat())

    for why, events in (
        ("not-started", []),
        ("staff", ["UserEnrolled"]),
        ("expired", ["AccessEnded", "UserEnrolled"]),
    ):
        await shop.sweep()
        assert await reason(shop, student, course) == why
        assert await told(shop) == events
        shop.deployment.clock.advance(3700)


async def test_a_grant_that_begins_later_is_told_to_wait(deploy: Deploy) -> None:
    """Once, when it is given, with its moment in UTC; what is suspended and resumed meanwhile is not given anew."""
    shop = await open_shop(deploy, witness.witness_of(GrantWaits, UserEnrolled), sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    begins = now + timedelta(hours=1)
    there = begins.astimezone(timezone(timedelta(hours=14))).isoformat()
    given = await shop.grant(student, course, source="gift", starts_at=there)
    for step in ("suspend", "resume"):
        await shop.change(given["id"], step)

    assert await told(shop) == ["GrantWaits"]
    (waits,) = shop.deployment.platform.context(witness.NAME).own(witness.Witnessed).events
    assert student.user is not None
    assert waits == GrantWaits(
        user_id=student.user, course_id=course, grant_id=UUID(given["id"]), source="gift", starts_at=begins
    )
    assert waits.starts_at.utcoffset() == timedelta(0)
    shop.deployment.clock.advance(3700)
    await shop.sweep()
    assert await told(shop) == ["GrantWaits", "UserEnrolled"]


async def test_a_grant_that_counts_does_not_wait(deploy: Deploy) -> None:
    """Whether it has no beginning, one that has come, or one that is now."""
    shop = await open_shop(deploy, witness.witness_of(GrantWaits))
    now = shop.deployment.clock.now()
    for begins in (None, now, now - timedelta(hours=1)):
        await shop.grant(await shop.student(), shop.course(), starts_at=begins and begins.isoformat())

    assert await told(shop) == []


async def test_a_grant_that_came_to_nothing_does_not_wait(deploy: Deploy) -> None:
    """Without a seat there is no grant, and nothing is told."""
    shop = await open_shop(deploy, witness.witness_of(GrantWaits))
    course, student = shop.course(), await shop.student()
    await shop.limit(course, 0)
    body = {"user_id": str(student.user), "course_id": str(course), "reason": "x", "source": "gift"}

    await shop.admin.call("POST", GRANTS, {**body, "starts_at": "2998-01-01T00:00:00Z"}, expect=409)

    assert await told(shop) == []


async def test_access_that_never_began_does_not_end(deploy: Deploy) -> None:
    """Whoever was told of nothing is told of no end either, whether it is taken before or passes unseen."""
    shop = await open_shop(deploy, WITNESS, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    later, end = now + timedelta(hours=1), now + timedelta(hours=2)
    times = {"starts_at": later.isoformat(), "ends_at": end.isoformat()}
    _, taken = [await shop.grant(student, course, **times) for _ in range(2)]

    await shop.admin.call("POST", f"{GRANTS}/{taken['id']}/suspend", {"reason": "So."})
    await shop.admin.call("POST", f"{GRANTS}/{taken['id']}/revoke", {"reason": "So."})
    shop.deployment.clock.advance(3 * 3600)
    await shop.sweep()

    assert await told(shop) == ["GrantRevoked"]


async def test_a_suspension_lasts_through_the_beginning(deploy: Deploy) -> None:
    """What begins while it is suspended is told of when it is resumed; resumed before, when it begins."""
    shop = await open_shop(deploy, WITNESS, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    given = await shop.grant(student, course, starts_at=(now + timedelta(hours=1)).isoformat())

    async def take(step: str) -> list[str]:
        await shop.admin.call("POST", f"{GRANTS}/{given['id']}/{step}", {"reason": "So."})
        await shop.sweep()
        return await told(shop)

    assert [await take(step) for step in ("suspend", "resume", "suspend")] == [[], [], []]
    shop.deployment.clock.advance(3700)
    await shop.sweep()
    assert await told(shop) == []
    assert await take("resume") == ["UserEnrolled"]


async def test_what_is_over_is_neither_given_nor_resumed(deploy: Deploy) -> None:
    """The answer names the moment; the end, told at the suspension, is not told again."""
    shop = await open_shop(deploy, WITNESS, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    body = {"user_id": str(student.user), "course_id": str(course), "reason": "x", "ends_at": now.isoformat()}
    refused = await shop.admin.call("POST", GRANTS, body, expect=422)
    given = await shop.grant(student, course, ends_at=(now + timedelta(hours=1)).isoformat())
    await shop.admin.call("POST", f"{GRANTS}/{given['id']}/suspend", {"reason": "So."})

    shop.deployment.clock.advance(3700)
    await shop.sweep()
    late = await shop.admin.call("POST", f"{GRANTS}/{given['id']}/resume", {"reason": "So."}, expect=409)

    assert refused["errors"] == [{"field": "body.ends_at", "message": "is past; choose a later moment"}]
    assert late["detail"].startswith("The grant's ends_at is past (")
    assert await reason(shop, student, course) == "suspended"
    assert await told(shop) == ["AccessEnded", "UserEnrolled"]


async def test_the_end_of_several_grants_is_told_once(deploy: Deploy) -> None:
    """However many run out between two looks of the sweeper, and whatever is revoked after that."""
    shop = await open_shop(deploy, WITNESS, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    ends = [(now + timedelta(hours=hours)).isoformat() for hours in (1, 2, 3)]
    given = [await shop.grant(student, course, ends_at=end) for end in ends]

    shop.deployment.clock.advance(4 * 3600)
    await shop.admin.call("POST", f"{GRANTS}/{given[0]['id']}/revoke", {"reason": "So."})
    await shop.sweep()
    await shop.admin.call("POST", f"{GRANTS}/{given[1]['id']}/revoke", {"reason": "So."})

    assert (await told(shop)).count("AccessEnded") == 1


async def test_the_end_of_what_took_anothers_place_unseen_is_told(deploy: Deploy) -> None:
    """The first is revoked while the second counts, whose beginning and end come before the sweeper looks."""
    shop = await open_shop(deploy, WITNESS, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    first = await shop.grant(student, course)
    later, end = ((now + timedelta(hours=hours)).isoformat() for hours in (1, 3))
    await shop.grant(student, course, starts_at=later, ends_at=end)

    shop.deployment.clock.advance(2 * 3600)
    await shop.change(first["id"], "revoke")
    assert await told(shop) == ["GrantRevoked", "UserEnrolled", "UserEnrolled"]
    shop.deployment.clock.advance(2 * 3600)
    await shop.sweep()

    assert (await told(shop)).count("AccessEnded") == 1


async def test_the_own_list_shows_each_course_once(deploy: Deploy) -> None:
    """The newest first, page by page, without what was revoked and without others'."""
    shop = await open_shop(deploy)
    student, other = await shop.student(), await shop.student()
    first, second, third = (shop.course() for _ in range(3))
    for course in (first, second, first, third):
        await shop.grant(student, course)
    await shop.grant(other, shop.course())
    gone = await shop.grant(student, shop.course())
    await shop.admin.call("POST", f"{GRANTS}/{gone['id']}/revoke", {"reason": "Mistake."})

    page = await student.call("GET", f"{ENROLLMENTS}/mine", params={"limit": 2})
    rest = await student.call("GET", f"{ENROLLMENTS}/mine", params={"limit": 2, "cursor": page["next"]})

    assert [item["course_id"] for item in page["items"] + rest["items"]] == [str(third), str(first), str(second)]
    assert rest["next"] is None


async def test_lists_show_the_grant_that_counts(deploy: Deploy) -> None:
    """Whatever came after it; the newest where several count or none does."""
    shop = await open_shop(deploy, sweep_every=600)
    course, student, now = shop.course(), await shop.student(), shop.deployment.clock.now()
    later, end = ((now + timedelta(hours=hours)).isoformat() for hours in (2, 1))
    kept = await shop.grant(student, course, ends_at=later)
    brief = await shop.grant(student, course, source="gift", ends_at=end)
    suspended = await shop.grant(student, course, source="gift")
    await shop.admin.call("POST", f"{GRANTS}/{suspended['id']}/suspend", {"reason": "So."})

    async def shown() -> list[str]:
        own = await student.call("GET", f"{ENROLLMENTS}/mine")
        roster = await shop.admin.call("GET", f"{ENROLLMENTS}/courses/{course}")
        return [item["grant_id"] for item in own["items"] + roster["items"]]

    assert await shown() == [brief["id"]] * 2
    shop.deployment.clock.advance(3700)
    assert await shown() == [kept["id"]] * 2
    shop.deployment.clock.advance(3700)
    assert await shown() == [suspended["id"]] * 2


async def test_explanations_are_ones_own(deploy: Deploy) -> None:
    """Others' are for those who manage enrolments, whether or not the person exists."""
    shop = await open_shop(deploy)
    course, student, other = shop.course(), await shop.student(), await shop.student()
    await shop.grant(student, course)
    query = {"course_id": str(course), "user_id": str(student.user)}

    path = f"{ENROLLMENTS}/access/explain"

    own = await student.call("GET", path, params=query)
    seen = await shop.admin.call("GET", path, params=query)
    await other.call("GET", path, params=query, expect=403)
    await other.call("GET", path, params={**query, "user_id": somebody()}, expect=403)
    nothing = await shop.admin.call("GET", path, params={**query, "user_id": somebody()})

    assert own == seen
    assert nothing["access"] == {"allowed": False, "reason": "no-grant", "until": None}


async def test_a_roster_is_for_those_who_teach_the_course(deploy: Deploy) -> None:
    """And for administrators; for other instructors the course does not exist."""
    shop = await open_shop(deploy)
    course, student = shop.course(), await shop.student()
    given = await shop.grant(student, course)
    offer = await shop.courses.offer(course)
    assert offer is not None
    path = f"{ENROLLMENTS}/courses/{course}"

    listed = await shop.deployment.client("instructor", user=offer.instructors[0]).call("GET", path)

    assert [(item["grant_id"], item["user_id"]) for item in listed["items"]] == [(given["id"], str(student.user))]
    assert await shop.admin.call("GET", path) == listed
    await shop.deployment.client("instructor").call("GET", path, expect=404)
    await student.call("GET", path, expect=403)


@pytest.mark.postgresql_only
async def test_of_two_last_grants_revoked_at_once_one_ends_the_access(deploy: Deploy) -> None:
    """The end is told exactly once."""
    shop = await open_shop(deploy, WITNESS)
    for number in range(1, 6):
        course, student = shop.course(), await shop.student()
        given = [await shop.grant(student, course) for _ in range(2)]

        revoke = (f"{GRANTS}/{grant['id']}/revoke" for grant in given)
        await asyncio.gather(*(shop.admin.call("POST", path, {"reason": "Left."}) for path in revoke))

        assert (await told(shop)).count("AccessEnded") == number


@pytest.mark.postgresql_only
async def test_a_refund_ends_what_is_resumed_meanwhile(deploy: Deploy) -> None:
    """It waits for the other change of the grant and revokes what that left."""
    shop = await open_shop(deploy, sweep_every=600)
    ctx = shop.deployment.platform.context("enrollments")
    for _ in range(20):
        course, student = shop.course(), await shop.student(PRICE)
        receipt = await buy(student, course)
        await shop.admin.call("POST", f"{GRANTS}/{receipt['grant_id']}/suspend", {"reason": "So."})
        path = f"{ENROLLMENTS}/purchases/{receipt['purchase_id']}/refund"

        async with ctx.db.transaction() as session:
            grant = await session.one(GRANT, grant_id=UUID(receipt["grant_id"]))
            await ctx.own(Granting).resume(session, grant, "So.")
            refund = asyncio.create_task(shop.admin.call("POST", path, {"reason": "Sorry."}, headers=new_key()))
            await asyncio.sleep(0.1)
        await refund

        assert await reason(shop, student, course) == "revoked"
