"""The messages of the WebSocket: what is asked is answered, and what happens in the rooms comes in between."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel import Principal, new_id
from kernel.contracts.courses import CourseChanged
from kernel.contracts.enrollments import AccessEnded
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from plugins.chat.conversation import Conversation
from plugins.chat.joining import Joining
from plugins.chat.presence import Presence, There
from plugins.chat.putting_out import PuttingOut
from plugins.chat.standing import Standing, Standings
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.chat.listening import eventually, hub


class Line:
    """A connection that keeps what is sent."""

    def __init__(self, room: Classroom, client: Client, *permissions: str) -> None:
        context = room.deployment.platform.context("chat")
        context.own(type(hub(room))).frame = lambda body: body + b"\n"
        assert client.user is not None
        self.principal: Principal | None = Principal(
            id=client.user, session=new_id(), roles=frozenset(), permissions=frozenset(permissions)
        )
        self.room = room.room
        self.told: list[Any] = []
        self.conversation = Conversation(context, self, self.principal)
        self.user_id = client.user
        self._asked = 0

    def send(self, message: bytes) -> None:
        self.told.append(json.loads(message))

    def send_frames(self, frames: bytes) -> None:
        self.told += [json.loads(line) for line in frames.splitlines()]

    async def ask(self, kind: str, **members: Any) -> Any:
        """Ask, and return the answer."""
        self._asked += 1
        asked = {"type": kind, "id": self._asked, "room": self.room, **members}
        await self.conversation.received(json.dumps(asked).encode())
        (answer,) = [told for told in self.told if told.get("id") == self._asked]
        return answer

    def of(self, *kinds: str) -> list[Any]:
        return [told for told in self.told if told["type"] in kinds]


async def test_message_is_acknowledged_and_delivered_to_all(deploy: Deploy) -> None:
    """To the sender as well, who knows it by the client id."""
    room = await open_classroom(deploy)
    ann, bob = Line(room, room.student()), Line(room, room.student())
    joined = [await line.ask("join") for line in (ann, bob)]

    stored = await ann.ask("post", client_id="x", text="hello")
    await eventually(lambda: bool(bob.of("message")))

    assert [(one["offset"], one["recovered"], one["entries"]) for one in joined] == [(0, None, [])] * 2
    assert (stored["type"], stored["state"], stored["offset"]) == ("stored", "posted", 1)
    for line in (ann, bob):
        (said,) = line.of("message")
        assert (said["text"], said["client_id"], said["offset"]) == ("hello", "x", 1)


async def test_returning_client_gets_exactly_the_gap(deploy: Deploy) -> None:
    """With edits, removals and signs that happened meanwhile."""
    room = await open_classroom(deploy)
    ann, student = Line(room, room.student()), room.student()
    before, bob = Line(room, student), Line(room, student)
    joined = await before.ask("join")
    await ann.ask("join")
    for number in range(3):
        await ann.ask("post", client_id=f"c{number}", text=str(number))
    before.conversation.closed(1006)
    await ann.ask("edit", offset=3, text="three")
    await ann.ask("remove", offset=2)
    await ann.ask("react", offset=3, emoji="👍")

    back = await bob.ask("join", epoch=joined["epoch"], offset=3)

    assert back["recovered"] is True
    assert [(entry["type"], entry["offset"], entry["target"]) for entry in back["entries"]] == [
        ("edited", 4, 3),
        ("removed", 5, 2),
        ("reacted", 6, 3),
    ]
    assert [told["type"] for told in bob.told] == ["joined"]


async def test_refusal_says_what_is_wrong_and_the_conversation_goes_on(deploy: Deploy) -> None:
    """Whatever comes: no JSON, no UTF-8, unknown members, endless nesting, no such room."""
    room = await open_classroom(deploy)
    ann = Line(room, room.student())
    nonsense = (b"x", b"\xff", b"[]", b'{"type":"none"}', b"[" * 100_000, b'{"type":"join","id":9,"room":"x"}')

    for text in nonsense:
        await ann.conversation.received(text)
    missing = await ann.ask("join", room=str(new_id()))
    early = await ann.ask("post", client_id="x", text="x")
    await ann.ask("join")
    empty = await ann.ask("post", client_id="x", text="fine")

    refusals = ann.of("refused")[: len(nonsense)]
    assert [told["problem"] for told in refusals] == ["/problems/bad-request"] * len(nonsense)
    assert [told["id"] for told in refusals] == [None] * 5 + [9]
    assert (missing["type"], missing["status"]) == ("refused", 404)
    assert (early["type"], early["status"]) == ("refused", 409)
    assert empty["type"] == "stored"


@pytest.mark.parametrize("text", ["", "  \n", "a\0b", "x" * 4001])
async def test_text_that_says_nothing_or_too_much_is_refused(deploy: Deploy, text: str) -> None:
    """Over the socket as over HTTP."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    await ann.ask("join")

    await ann.conversation.received(
        json.dumps({"type": "post", "id": 9, "room": room.room, "client_id": "x", "text": text}).encode()
    )
    await room.refused(student, text, 422)

    assert [told["status"] for told in ann.of("refused")] == [400]
    assert await room.texts(student) == []


async def test_limit_says_when_to_come_back(deploy: Deploy) -> None:
    """In the answer itself."""
    room = await open_classroom(deploy, settings={"messages_per_person": "1/minute"})
    ann = Line(room, room.student())
    await ann.ask("join")
    await ann.ask("post", client_id="a", text="a")

    refused = await ann.ask("post", client_id="b", text="b")

    assert (refused["problem"], refused["retry_after"]) == ("/problems/too-soon", 60)


async def test_muting_takes_effect_at_once(deploy: Deploy) -> None:
    """On whoever is in the room already."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    await ann.ask("join")
    until = (room.deployment.clock.now() + timedelta(hours=1)).isoformat()

    await room.teacher.call("PUT", f"{room.path}/members/{student.user}", {"muted_until": until})
    (seat,) = ann.conversation._seats
    await eventually(lambda: seat.standing.muted_until is not None)
    refused = await ann.ask("post", client_id="x", text="x")

    assert refused["problem"] == "/problems/silenced"


async def test_who_is_put_out_hears_nothing_more(deploy: Deploy) -> None:
    """And is told so."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    await ann.ask("join")

    await room.teacher.call("PUT", f"{room.path}/members/{student.user}", {"banned": True})
    await eventually(lambda: bool(ann.of("gone")))
    await room.say(room.teacher, "secret")

    assert ann.of("message") == []
    assert (await ann.ask("join"))["status"] == 403


async def test_question_to_staff_is_hidden_from_others(deploy: Deploy) -> None:
    """They learn that an offset is taken, so that they do not think it lost."""
    room = await open_classroom(deploy)
    ann, bob = Line(room, room.student()), Line(room, room.student())
    teacher = Line(room, room.teacher, "chat.moderate")
    for line in (ann, bob, teacher):
        await line.ask("join")

    await ann.ask("post", client_id="x", text="secret", audience="staff")
    await eventually(lambda: bool(bob.of("hidden")))

    assert [one["offset"] for one in bob.of("hidden")] == [1]
    assert "secret" not in json.dumps(bob.told)
    for line in (ann, teacher):
        assert [one["text"] for one in line.of("message")] == ["secret"]


async def test_people_see_who_comes_and_goes(deploy: Deploy) -> None:
    """Told together, once a second at most; two connections are one person."""
    room = await open_classroom(deploy)
    student = room.student()
    ann, bob, twin = Line(room, room.student()), Line(room, student), Line(room, student)
    await ann.ask("join")
    await bob.ask("join")
    await twin.ask("join")

    await eventually(lambda: any(told["people"] == 2 for told in ann.of("presence")))
    bob.conversation.closed(1000)
    twin.conversation.closed(1000)
    await eventually(lambda: any(str(student.user) in told["left"] for told in ann.of("presence")))

    joined = [person["id"] for told in ann.of("presence") for person in told["joined"]]
    assert joined.count(str(student.user)) == 1
    assert ann.of("presence")[-1]["people"] == 1


@pytest.mark.postgresql_only
async def test_person_in_two_processes_is_one_person(deploy: Deploy) -> None:
    """Who goes in one of them has not left; who goes in both has."""
    room = await open_classroom(deploy)
    student, watcher = room.student(), room.student()
    beside = await room.twin()
    ann = Line(room, watcher)
    bob, twin = Line(room, student), Line(beside, student)
    for line in (ann, bob, twin):
        await line.ask("join")
    other = Line(beside, beside.teacher, "chat.moderate")
    await other.ask("join")
    await eventually(lambda: any(told["people"] == 3 for told in ann.of("presence")))
    await eventually(lambda: any(told["people"] == 3 for told in other.of("presence")))
    assert max(told["people"] for line in (ann, other) for told in line.of("presence")) == 3

    bob.conversation.closed(1000)
    other.conversation.closed(1000)
    await eventually(lambda: any(str(room.teacher.user) in told["left"] for told in ann.of("presence")))
    assert ann.of("presence")[-1]["people"] == 2
    assert not any(str(student.user) in told["left"] for told in ann.of("presence"))
    twin.conversation.closed(1000)

    await eventually(lambda: any(str(student.user) in told["left"] for told in ann.of("presence")))
    assert ann.of("presence")[-1]["people"] == 1


@pytest.mark.postgresql_only
async def test_people_of_a_process_that_died_are_forgotten(deploy: Deploy) -> None:
    """A minute after it was last heard of."""
    room = await open_classroom(deploy)
    presence = room.deployment.platform.context("chat").own(Presence)
    ann = Line(room, room.student())
    await ann.ask("join")
    gone = There(process=new_id(), room=UUID(room.room), people=new_id().bytes + ann.user_id.bytes)
    presence.hear(msgspec.json.encode(gone))
    assert presence.people(UUID(room.room)) == 2
    room.deployment.clock.advance(61)

    await eventually(lambda: presence.people(UUID(room.room)) == 1)


async def test_others_see_who_is_writing(deploy: Deploy) -> None:
    """Not more often than every two seconds."""
    room = await open_classroom(deploy)
    ann, bob = Line(room, room.student()), Line(room, room.student())
    for line in (ann, bob):
        await line.ask("join")

    for _ in range(3):
        await ann.conversation.received(json.dumps({"type": "typing", "room": room.room}).encode())
    await eventually(lambda: bool(bob.of("typing")))

    (told,) = bob.of("typing")
    assert told["user_id"] == str(ann.user_id)


async def test_connection_may_be_in_so_many_rooms(deploy: Deploy) -> None:
    """One more is refused."""
    room = await open_classroom(deploy, settings={"rooms_per_connection": 1})
    ann = Line(room, room.teacher, "chat.moderate_any")
    await ann.ask("join")
    other = await room.another()

    assert (await ann.ask("join", room=other))["status"] == 409
    await ann.ask("leave")
    assert (await ann.ask("join", room=other))["type"] == "joined"


async def test_who_is_put_out_while_coming_in_is_out(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was found out already that they may come in, and they are not in the room yet."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    joining = room.deployment.platform.context("chat").own(Joining)
    join, putting_out = joining.join, room.deployment.platform.context("chat").own(PuttingOut)

    async def join_late(*arguments: Any) -> Any:
        heard = putting_out.heard
        await room.teacher.call("PUT", f"{room.path}/members/{student.user}", {"banned": True})
        await eventually(lambda: putting_out.heard > heard)
        return await join(*arguments)

    monkeypatch.setattr(joining, "join", join_late)
    await ann.ask("join")
    await eventually(lambda: bool(ann.of("gone")))
    refused = await ann.ask("post", client_id="x", text="hello")

    assert refused["type"] == "refused"


async def test_mute_counts_that_comes_while_it_is_looked(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before it and arrives after it changes nothing."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    await ann.ask("join")
    standings = room.deployment.platform.context("chat").own(Standings)
    find, looked, muted = standings.of, asyncio.Event(), asyncio.Event()

    async def find_late(*arguments: Any) -> Standing:
        found = await find(*arguments)
        looked.set()
        await muted.wait()
        return found

    room.deployment.clock.advance(61)
    with monkeypatch.context() as patched:
        patched.setattr(standings, "of", find_late)
        posting = asyncio.create_task(ann.ask("post", client_id="x", text="hello"))
        await looked.wait()
    until = (room.deployment.clock.now() + timedelta(hours=1)).isoformat()
    await room.teacher.call("PUT", f"{room.path}/members/{student.user}", {"muted_until": until})
    (seat,) = ann.conversation._seats
    await eventually(lambda: seat.standing.muted_until is not None)
    muted.set()

    assert (await posting)["problem"] == "/problems/silenced"


async def test_who_may_be_there_is_looked_at_again(deploy: Deploy) -> None:
    """Also where the news of it was lost: nobody goes on reading for long."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    await ann.ask("join")
    assert student.user is not None

    room.enrollments.end(student.user, room.course)  # the fake tells nobody
    room.deployment.clock.advance(301)
    await room.deployment.platform.context("chat").own(PuttingOut).look_again()
    await eventually(lambda: bool(ann.of("gone")))

    feed = hub(room).feed(UUID(room.room))
    assert feed is None or feed.members == ()  # it may be closed already


async def test_whose_access_ended_is_put_out(deploy: Deploy) -> None:
    """As soon as it is told."""
    room = await open_classroom(deploy)
    student = room.student()
    ann = Line(room, student)
    await ann.ask("join")
    assert student.user is not None

    room.enrollments.end(student.user, room.course)
    told = AccessEnded(user_id=student.user, course_id=room.course, reason="")
    await room.deployment.events.deliver(told)

    await eventually(lambda: bool(ann.of("gone")))


async def test_room_of_a_course_bears_its_title(deploy: Deploy) -> None:
    """Also when it has another one."""
    room = await open_classroom(deploy)
    changed = CourseChanged(course_id=room.course, title="Another title", price=0, currency="EUR")

    await room.deployment.events.deliver(changed)

    assert (await room.teacher.call("GET", room.path))["title"] == "Another title"
