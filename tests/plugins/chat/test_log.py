"""What is said in a room: stored once, in one order, with nothing lost and nothing doubled."""

from __future__ import annotations

import asyncio

import pytest

from kernel import new_id
from kernel.testing.deploying import Deploy
from tests.plugins.chat.classroom import CHAT, open_classroom


async def test_what_is_said_has_an_offset_and_is_in_the_history(deploy: Deploy) -> None:
    """The offsets follow each other, from one on."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()

    told = [await room.say(person, text) for person, text in ((ann, "a"), (bob, "b"), (room.teacher, "c"))]

    assert [one["offset"] for one in told] == [1, 2, 3]
    assert {one["state"] for one in told} == {"posted"}
    assert await room.texts(ann) == ["a", "b", "c"]


async def test_same_client_id_is_stored_once(deploy: Deploy) -> None:
    """Whoever sends again is told what was told the first time, whatever the text."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()

    first = await room.say(ann, "once", client_id="x")
    again = await room.say(ann, "twice", client_id="x")
    of_bob = await room.say(bob, "mine", client_id="x")

    assert again == first
    assert of_bob["offset"] == 2
    assert await room.texts(ann) == ["once", "mine"]


async def test_many_at_once_leave_no_hole_and_no_double(deploy: Deploy) -> None:
    """In several rooms, some of them sent repeatedly at the same moment."""
    room = await open_classroom(deploy, settings={"messages_per_room": "10000/second"})
    people = [room.student() for _ in range(5)]
    ids = [(person, f"m{number}") for person in people for number in range(12)]

    answers = await asyncio.gather(*(room.say(person, key, client_id=key) for person, key in ids * 2))

    assert sorted({answer["offset"] for answer in answers}) == list(range(1, 61))
    assert answers[:60] == answers[60:]
    assert len(await room.history(people[0])) == 60


@pytest.mark.postgresql_only  # without Redis there is one process
async def test_two_processes_share_one_order(deploy: Deploy) -> None:
    """Each entry has an offset of its own, whichever process stored it."""
    room = await open_classroom(deploy, settings={"messages_per_room": "10000/second"})
    ann = room.student()
    twin = await room.twin()
    there = twin.deployment.client("student", user=ann.user)

    sent = [room.say(ann if number % 2 else there, str(number), client_id=f"n{number // 2}") for number in range(60)]
    answers = await asyncio.gather(*sent)

    assert sorted({answer["offset"] for answer in answers}) == list(range(1, 31))
    assert len(await room.history(ann)) == 30


async def test_returning_client_gets_exactly_what_came_since(deploy: Deploy) -> None:
    """By epoch and offset."""
    room = await open_classroom(deploy)
    ann = room.student()
    for number in range(5):
        await room.say(ann, str(number))
    epoch, _ = await room.position(ann)

    gap = await room.since(ann, epoch, 3)

    assert gap["recovered"] is True
    assert [(entry["offset"], entry["text"]) for entry in gap["entries"]] == [(4, "3"), (5, "4")]
    assert (gap["epoch"], gap["offset"]) == (epoch, 5)


async def test_client_is_told_honestly_what_can_not_be_recovered(deploy: Deploy) -> None:
    """Another epoch, a position that there is not, too long an absence: no part is given for the whole."""
    room = await open_classroom(deploy, settings={"recovery_limit": 10})
    ann = room.student()
    for number in range(12):
        await room.say(ann, str(number))
    epoch, last = await room.position(ann)

    for known in ((str(new_id()), last), (epoch, last + 1), (epoch, 1)):
        gap = await room.since(ann, *known)

        assert (gap["recovered"], gap["entries"]) == (False, [])


async def test_history_comes_in_pages(deploy: Deploy) -> None:
    """The newest first; each message is on one page."""
    room = await open_classroom(deploy)
    ann = room.student()
    for number in range(5):
        await room.say(ann, str(number))

    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = await ann.call("GET", f"{room.path}/messages", params={"limit": "2", **cursor})
        seen += [message["text"] for message in page["items"]]
        cursor = {"cursor": page["next"]}

    assert seen == ["4", "3", "2", "1", "0"]
    assert page["next"] is None


async def test_room_is_there_for_those_who_have_access_alone(deploy: Deploy) -> None:
    """Others, and a room that is not there, answer alike."""
    room = await open_classroom(deploy)
    stranger, student = room.deployment.client("student"), room.student()

    for path in (room.path, f"{CHAT}/rooms/{new_id()}"):
        await stranger.call("GET", path, expect=404)
        await stranger.call("POST", f"{path}/messages", {"client_id": "x", "text": "x"}, expect=404)
    await stranger.call("POST", f"{CHAT}/courses/{room.course}/room", expect=404)
    shown = await student.call("GET", room.path)

    assert (shown["staff"], shown["last_offset"]) == (False, 0)
    assert (await room.teacher.call("GET", room.path))["staff"] is True


async def test_whose_access_ended_is_out(deploy: Deploy) -> None:
    """And sees nothing of it any more."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "here")
    assert ann.user is not None

    room.enrollments.end(ann.user, room.course)

    await ann.call("GET", f"{room.path}/messages", expect=404)


async def test_course_has_one_room(deploy: Deploy) -> None:
    """However many open it at once."""
    room = await open_classroom(deploy)
    people = [room.student() for _ in range(4)]

    found = await asyncio.gather(*(one.call("POST", f"{CHAT}/courses/{room.course}/room") for one in people))

    assert {one["id"] for one in found} == {room.room}


async def test_own_rooms_are_listed_with_what_is_unread(deploy: Deploy) -> None:
    """The mark of what was read never goes back, nor beyond the end."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    for number in range(3):
        await room.say(bob, str(number))
    await ann.call("GET", room.path)

    for offset in (2, 1, 99):
        await ann.call("PUT", f"{room.path}/read-mark", {"offset": offset})
    (listed,) = (await ann.call("GET", f"{CHAT}/rooms"))["items"]

    assert (listed["id"], listed["last_offset"], listed["read_to"]) == (room.room, 3, 2)


async def test_student_with_the_permission_moderates_nothing(deploy: Deploy) -> None:
    """It is about the courses that one teaches: a teacher who takes another's course is a member there."""
    room = await open_classroom(deploy)
    other = room.deployment.client("instructor")
    assert other.user is not None
    room.enrollments.enrol(other.user, room.course)

    assert (await other.call("GET", room.path))["staff"] is False
    await other.call("PUT", f"{room.path}/rules", {"slow_mode": 5}, expect=404)
    await other.call("GET", f"{room.path}/export", expect=404)
