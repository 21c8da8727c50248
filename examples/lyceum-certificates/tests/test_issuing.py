"""From an enrolment to a certificate: once, with the names of the day, whatever dies meanwhile."""

from __future__ import annotations

import msgspec
import pytest
from school import School, ended, enrolled, make_school, text_of

from kernel.contracts.personal_data import Subject
from kernel.testing.deploying import Deploy


async def test_enrolment_is_certified_by_itself(school: School) -> None:
    """Nobody asks for it: the event is enough."""
    _, course, certificate = await school.certified()

    assert (certificate["person"], certificate["course"]) == ("Ada Long", "Geometry")
    assert certificate["course_id"] == str(course)
    assert certificate["link"].startswith(f"{school.deployment.url}/certificates/")
    assert certificate["withdrawn_at"] is None


async def test_event_that_comes_twice_makes_one_certificate(school: School) -> None:
    """Neither the same event again nor a second grant for the course."""
    person, course = school.person(), school.course()
    event = enrolled(person, course)

    await school.deployment.events.deliver(event, event)
    await school.enrol(person, course)
    await school.issue()

    assert len(await school.mine(person)) == 1


async def test_certificate_is_withdrawn_when_access_ends_and_valid_again_afterwards(school: School) -> None:
    """Under the same number, since the first enrolment."""
    person, course, first = await school.certified()
    school.deployment.clock.advance(3600)
    await school.end(person, course)
    [withdrawn] = await school.mine(person)
    school.deployment.clock.advance(3600)
    await school.enrol(person, course)
    [again] = await school.mine(person)

    assert (withdrawn["state"], withdrawn["number"]) == ("withdrawn", first["number"])
    assert withdrawn["withdrawn_at"] > first["enrolled_at"]
    assert again == first


async def test_enrolment_told_late_does_not_make_valid_what_is_over(school: School) -> None:
    """An event that was dead and is replayed after a newer one changes nothing."""
    person, course = school.person(), school.course()
    school.deployment.clock.advance(3600)
    await school.end(person, course)
    school.deployment.clock.advance(-1800)
    await school.enrol(person, course)
    await school.issue()

    assert await school.mine(person) == []


async def test_enrolment_after_one_that_ended_unissued_counts_from_its_own_day(school: School) -> None:
    """What was over before anybody was certified is certified by nothing."""
    person, course = school.person(""), school.course()
    await school.enrol(person, course)
    [early] = await school.mine(person)
    await school.end(person, course)
    assert await school.mine(person) == []
    school.deployment.clock.advance(86_400)
    school.world.names[person] = "Ada Long"

    await school.enrol(person, course)
    certificate = await school.until(person, lambda one: one["state"] == "valid")

    assert certificate["enrolled_at"] > early["enrolled_at"]


async def test_certificate_waits_until_the_person_has_a_name(school: School) -> None:
    """A certificate for nobody would be worth nothing."""
    person, course = school.person("  "), school.course()
    await school.enrol(person, course)
    await school.issue()
    [waiting] = await school.mine(person)
    await school.client(person).call("GET", f"/api/v1/certificates/{waiting['id']}/pdf", expect=409)

    school.world.names[person] = "Ada Long"
    await school.issue()

    assert (waiting["state"], waiting["issued_at"]) == ("waiting", None)
    assert [one["state"] for one in await school.mine(person)] == ["valid"]


async def test_certificate_that_waits_holds_up_no_other(school: School) -> None:
    """Neither a nameless person nor an unknown course."""
    nameless, somebody, course = school.person(""), school.person(), school.course()
    await school.enrol(nameless, course)
    await school.enrol(somebody, course)
    await school.issue()

    assert [one["state"] for one in await school.mine(nameless)] == ["waiting"]
    assert [one["state"] for one in await school.mine(somebody)] == ["valid"]


async def test_issued_certificate_keeps_its_names(school: School) -> None:
    """What was certified is what was so on that day."""
    person, course, certificate = await school.certified()
    before = await school.pdf(school.client(person), certificate["id"])

    school.world.names[person], school.world.titles[course] = "Ada Short", "Algebra"
    await school.enrol(person, course)
    await school.issue()

    assert await school.mine(person) == [certificate]
    assert await school.pdf(school.client(person), certificate["id"]) == before


async def test_certificate_of_a_process_that_stopped_in_the_midst_is_issued_by_the_next(school: School) -> None:
    """The row waits: neither a silent module nor a restart loses it."""
    person, course = school.person(), school.course()
    school.world.silent = True
    await school.enrol(person, course)
    with pytest.raises(ConnectionError):
        await school.issue()
    [before] = await school.mine(person)

    await school.deployment.stop()
    school.world.silent = False
    await school.restart()
    after = await school.until(person, lambda one: one["state"] == "valid")

    assert before["state"] == "waiting"
    assert after["number"] == before["number"]


async def test_two_processes_issue_one_certificate(school: School) -> None:
    """Both may ask; what is written is written once."""
    twin = await school.deployment.twin()
    person, _, certificate = await school.certified()
    await school.issue()

    assert await twin.client("student", user=person).call("GET", "/api/v1/certificates/mine") == {
        "items": [{**certificate}],
        "next": None,
    }
    await twin.stop()


async def test_settings_choose_courses_issuer_and_signature(deploy: Deploy) -> None:
    """A course that is left out is not certified; what was certified before can still be withdrawn."""
    school = await make_school(deploy, issuer="Fern Academy", signature="Dr. Grace Hill")
    person, course, certificate = await school.certified()
    pdf = await school.pdf(school.client(person), certificate["id"])
    school.settings["courses"] = [str(school.course("Algebra"))]
    await school.restart()

    botany = school.course("Botany")
    await school.deployment.events.deliver(enrolled(person, botany), ended(person, botany), ended(person, course))

    assert [(one["course"], one["state"]) for one in await school.mine(person)] == [("Geometry", "withdrawn")]
    [rows] = [document async for document in school.personal_data().export(Subject(user_id=person, email=""))][:1]
    assert len(msgspec.json.decode(rows.content)) == 1
    assert "Dr. Grace Hill" in text_of(pdf)
