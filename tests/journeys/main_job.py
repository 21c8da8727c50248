"""The main job of the platform, as the people who do it see it: over HTTP and by email, and in no other way.

Which plugin provides `payments/1` makes no difference to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from kernel.testing.clients import Client
from kernel.testing.deployment import Deployment

API: Final = "/api/v1"
PRICE: Final = 4900
JSON = dict[str, Any]


@dataclass(frozen=True)
class People:
    """Who takes part."""

    administrator: Client
    instructor: Client
    student: Client


async def main_job(deployment: Deployment) -> None:
    """Somebody teaches, somebody pays, somebody learns."""
    people = await gather_people(deployment)
    course = await make_course(deployment, people)
    await look_around(deployment, people, course)
    await top_up(people)
    await buy_and_learn(deployment, people, course)


async def gather_people(deployment: Deployment) -> People:
    """The first administrator is made on the command line and makes an instructor; a student simply signs up."""
    made = await deployment.command("auth", "create-admin", "ada@school.test")
    assert made.exit_code == 0, made.output
    administrator = await deployment.sign_in("ada@school.test")
    applicant = await deployment.sign_in("ida@school.test")
    await applicant.call("GET", f"{API}/courses/mine", expect=403)

    roles = {"roles": ["instructor", "student"]}
    await administrator.call("PUT", f"{API}/auth/accounts/{applicant.user}/roles", roles)
    deployment.clock.advance(61)  # a new code may be asked for once a minute
    instructor = await deployment.sign_in("ida@school.test")
    await deployment.settle()
    await instructor.call("PATCH", f"{API}/users/me", {"display_name": "Ida Rhodes"})
    student = await deployment.sign_in("tom@school.test")
    return People(administrator, instructor, student)


async def make_course(deployment: Deployment, people: People) -> JSON:
    """The instructor makes a course and hands it in; the administrator publishes it."""
    facts = {
        "title": "Celestial navigation",
        "summary": "Find your way by the stars.",
        "description": "Sextant, almanac and patience.",
        "category": "sailing",
        "price": PRICE,
    }
    course = await people.instructor.call("POST", f"{API}/courses", facts, expect=201)
    path = f"{API}/courses/{course['id']}"
    section = await people.instructor.call("POST", f"{path}/sections", {"title": "The sky"}, expect=201)
    lessons = (
        {"title": "Welcome aboard", "kind": "video", "preview": True},
        {"title": "The sextant", "kind": "article", "text": "Hold it upright."},
        {"title": "First night at sea", "kind": "live"},
    )
    for lesson in lessons:
        await people.instructor.call("POST", f"{path}/sections/{section['id']}/lessons", lesson, expect=201)
    await people.student.call("GET", path, expect=404)

    await people.instructor.call("POST", f"{path}/submit")
    waiting = await people.administrator.call("GET", f"{API}/courses/review-queue")
    assert [card["id"] for card in waiting["items"]] == [course["id"]]
    await people.administrator.call("POST", f"{path}/publish")
    await deployment.settle()
    published: JSON = await deployment.client().call("GET", path)
    return published


async def look_around(deployment: Deployment, people: People, course: JSON) -> None:
    """Everyone finds the course and its preview; its other lessons stay shut."""
    listed = await deployment.client().call("GET", f"{API}/courses")
    assert [card["title"] for card in listed["items"]] == ["Celestial navigation"]
    assert [person["name"] for person in course["instructors"]] == ["Ida Rhodes"]

    preview, sextant, _ = course["sections"][0]["lessons"]
    lessons = f"{API}/courses/{course['id']}/lessons"
    await deployment.client().call("GET", f"{lessons}/{preview['id']}")
    await deployment.client().call("GET", f"{lessons}/{sextant['id']}", expect=401)
    await people.student.call("GET", f"{lessons}/{sextant['id']}", expect=403)


async def top_up(people: People) -> None:
    """The administrator makes vouchers; the student redeems one, once."""
    batch = {"count": 2, "amount": PRICE + 100, "tag": "open day"}
    made = await people.administrator.call(
        "POST", f"{API}/payments/voucher-batches", batch, expect=201, headers=new_key()
    )
    code = {"code": made["codes"][0]}
    await people.student.call("POST", f"{API}/payments/vouchers/redeem", code, headers=new_key())
    await people.student.call("POST", f"{API}/payments/vouchers/redeem", code, headers=new_key(), expect=409)


async def buy_and_learn(deployment: Deployment, people: People, course: JSON) -> None:
    """The student asks for the price, buys, and opens every lesson; the wallet holds what is left."""
    student, before = people.student, await balance(people.student)
    quote = await student.call("GET", f"{API}/payments/quote", params={"course_id": course["id"]})
    order, key = {"course_id": course["id"], "expected_total": quote["total"]}, new_key()

    receipt = await student.call("POST", f"{API}/enrollments/purchases", order, expect=201, headers=key)
    again = await student.call("POST", f"{API}/enrollments/purchases", order, expect=201, headers=key)

    assert again == receipt
    assert await balance(student) == before - quote["total"]
    for lesson in course["sections"][0]["lessons"]:
        opened = await student.call("GET", f"{API}/courses/{course['id']}/lessons/{lesson['id']}")
        assert opened["title"] == lesson["title"]
    await deployment.settle()
    own = await student.call("GET", f"{API}/enrollments/mine")
    assert [(item["title"], item["source"]) for item in own["items"]] == [("Celestial navigation", "purchase")]
    roster = await people.instructor.call("GET", f"{API}/enrollments/courses/{course['id']}")
    assert [item["user_id"] for item in roster["items"]] == [str(student.user)]


async def balance(client: Client) -> int:
    """Return what is in the client's wallet."""
    return int((await client.call("GET", f"{API}/payments/wallet"))["balance"])


def new_key() -> dict[str, str]:
    """Return the header of a request that was never sent before."""
    return {"Idempotency-Key": str(uuid4())}
