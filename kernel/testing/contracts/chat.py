"""The kits of `chat/1` and `chat_filter/1`: rooms in which no word is lost, and what looks at the words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec
import pytest

from kernel import CloseCode, Event, Listener, Principal, new_id, problems
from kernel.contracts.chat import Chat, ChatFilter, Draft, Position, Posted, Room, RoomClosed, RoomOpened, RoomWasClosed
from kernel.contracts.chat_socket import TEXT_LIMIT

E = TypeVar("E", bound=Event)

MANY: Final = 20  # messages at once
PATIENCE: Final = 1.0  # seconds that a filter has, as in our provider


class ChatHarness(Protocol):
    """What the kit needs beside the provider itself."""

    @property
    def chat(self) -> Chat:
        """The provider."""
        ...

    async def course(self) -> UUID:
        """Return a course that there is."""
        ...

    async def member(self, course_id: UUID) -> UUID:
        """Return a new person with access to the course."""
        ...

    async def events(self) -> Sequence[Event]:
        """Return all events that the provider has published."""
        ...


class ChatContract:
    """Supply the fixture `harness`: a `ChatHarness` of a provider that nobody has used yet."""

    async def test_room_is_opened_once(self, harness: ChatHarness) -> None:
        """However many ask for it at once; the others are told, once."""
        course, subject = await harness.course(), new_id()
        asked = [
            harness.chat.open_room(kind="live", subject=subject, course_id=course, title="Class") for _ in range(5)
        ]

        rooms = await asyncio.gather(*asked)
        (told,) = await _told(harness, RoomOpened)

        assert len({room.id for room in rooms}) == 1
        assert await harness.chat.room(rooms[0].id) == rooms[0]
        assert (told.room_id, told.kind, told.subject, told.course_id) == (rooms[0].id, "live", subject, course)

    async def test_rooms_of_other_kinds_and_subjects_are_others(self, harness: ChatHarness) -> None:
        """One thing may have a room of each kind."""
        course = await harness.course()
        asked = (("live", course), ("project", course), ("live", new_id()))

        rooms = [
            await harness.chat.open_room(kind=kind, subject=one, course_id=course, title="") for kind, one in asked
        ]

        assert len({room.id for room in rooms}) == 3

    async def test_room_that_is_not_there_is_none(self, harness: ChatHarness) -> None:
        """It is no error to ask for it, or to close it."""
        assert await harness.chat.room(new_id()) is None
        assert await harness.chat.position(new_id()) is None
        assert await harness.chat.messages(new_id()) == []
        await harness.chat.close_room(new_id())

    async def test_what_is_said_stands_in_the_order_of_its_offsets(self, harness: ChatHarness) -> None:
        """Each is one more than that before, from the beginning on; the position is that of the last."""
        room, ann = await _room(harness)
        before = await _position(harness, room)

        told = [await harness.chat.post(room.id, sender=ann, text=str(n), client_id=f"c{n}") for n in range(3)]
        said = await harness.chat.messages(room.id)
        after = await _position(harness, room)

        assert [one.offset for one in told] == [before.offset + 1, before.offset + 2, before.offset + 3]
        assert {one.epoch for one in told} == {before.epoch} == {after.epoch}
        assert after.offset == told[-1].offset
        assert [(one.offset, one.text, one.sender) for one in said] == [
            (one.offset, str(number), ann) for number, one in enumerate(told)
        ]

    async def test_messages_come_behind_an_offset(self, harness: ChatHarness) -> None:
        """No more than were asked for."""
        room, ann = await _room(harness)
        told = [await harness.chat.post(room.id, sender=ann, text=str(n), client_id=f"c{n}") for n in range(5)]
        offset = told[1].offset
        assert offset is not None

        said = await harness.chat.messages(room.id, after=offset, limit=2)

        assert [one.text for one in said] == ["2", "3"]

    async def test_client_id_is_stored_once(self, harness: ChatHarness) -> None:
        """By each person in each room: repeated, the first answer is given, whatever the text."""
        (room, ann), (other, _) = await _room(harness), await _room(harness)
        bob, cid = await harness.member(room.course_id), await harness.member(other.course_id)

        first = await harness.chat.post(room.id, sender=ann, text="once", client_id="x")
        again = await harness.chat.post(room.id, sender=ann, text="twice", client_id="x")
        of_bob = await harness.chat.post(room.id, sender=bob, text="bob", client_id="x")
        elsewhere = await harness.chat.post(other.id, sender=cid, text="cid", client_id="x")

        assert again == first
        assert first.offset != of_bob.offset
        assert [one.text for one in await harness.chat.messages(room.id)] == ["once", "bob"]
        assert elsewhere.state == "posted"

    async def test_many_at_once_leave_no_hole_and_no_double(self, harness: ChatHarness) -> None:
        """Each is sent twice at the same moment."""
        room, ann = await _room(harness)
        before = await _position(harness, room)
        asked = [
            harness.chat.post(room.id, sender=ann, text=str(number), client_id=f"c{number}")
            for number in [*range(MANY), *range(MANY)]
        ]

        told: list[Posted] = await asyncio.gather(*asked)
        said = await harness.chat.messages(room.id)

        assert sorted({one.offset or 0 for one in told}) == list(range(before.offset + 1, before.offset + MANY + 1))
        assert told[:MANY] == told[MANY:]
        assert len(said) == MANY

    async def test_room_is_for_those_who_have_access_to_its_course(self, harness: ChatHarness) -> None:
        """Others learn no more of it than of a room that is not there."""
        room, _ = await _room(harness)
        stranger = await harness.member(await harness.course())

        for room_id in (room.id, new_id()):
            with pytest.raises(problems.NotFound):
                await harness.chat.post(room_id, sender=stranger, text="x", client_id="x")

        assert await harness.chat.messages(room.id) == []

    async def test_closed_room_can_be_read(self, harness: ChatHarness) -> None:
        """Nothing is said in it any more; what was stored before is still acknowledged; others are told once."""
        room, ann = await _room(harness)
        before = await harness.chat.post(room.id, sender=ann, text="before", client_id="x")

        for _ in range(2):
            await harness.chat.close_room(room.id)
        with pytest.raises(RoomClosed):
            await harness.chat.post(room.id, sender=ann, text="after", client_id="y")
        again = await harness.chat.post(room.id, sender=ann, text="before", client_id="x")
        found = await harness.chat.room(room.id)

        assert again == before
        assert found is not None
        assert found.state == "closed"
        assert [one.text for one in await harness.chat.messages(room.id)] == ["before"]
        assert [told.room_id for told in await _told(harness, RoomWasClosed)] == [room.id]

    async def test_who_converses_speaks_and_hears(self, harness: ChatHarness) -> None:
        """Each hears what is said from the moment of joining on, once and in order, also what is posted otherwise."""
        room, ann = await _room(harness)
        bob = await harness.member(room.course_id)
        of_ann, of_bob = await _Conversation.of(harness, ann), await _Conversation.of(harness, bob)

        before = (await of_ann.ask("join", room))["offset"]
        await of_bob.ask("join", room)
        stored = await of_ann.ask("post", room, client_id="x", text="from Ann")
        await harness.chat.post(room.id, sender=bob, text="from Bob", client_id="y")
        heard = [await one.messages(2) for one in (of_ann, of_bob)]

        assert (stored["type"], stored["state"], stored["offset"]) == ("stored", "posted", before + 1)
        expected = [(before + 1, str(ann), "from Ann"), (before + 2, str(bob), "from Bob")]
        assert [[(one["offset"], one["sender"]["id"], one["text"]) for one in told] for told in heard] == [expected] * 2

    async def test_who_comes_back_is_given_exactly_what_came_since(self, harness: ChatHarness) -> None:
        """Behind the offset that is known; of another epoch nothing is known, and that is said."""
        room, ann = await _room(harness)
        told = [await harness.chat.post(room.id, sender=ann, text=str(n), client_id=f"c{n}") for n in range(5)]
        conversation = await _Conversation.of(harness, ann)

        since = await conversation.ask("join", room, epoch=told[1].epoch, offset=told[1].offset)
        nothing = await conversation.ask("join", room, epoch=told[4].epoch, offset=told[4].offset)
        other = await conversation.ask("join", room, epoch=new_id(), offset=told[1].offset)
        unknown = await conversation.ask("join", room)

        assert [one.get("text") for one in since["entries"]] == ["2", "3", "4"]
        assert [one["recovered"] for one in (since, nothing, other, unknown)] == [True, True, False, None]
        assert nothing["entries"] == []
        assert {one["offset"] for one in (since, nothing, other, unknown)} == {told[4].offset}

    async def test_conversation_refuses_what_can_not_be(self, harness: ChatHarness) -> None:
        """As an answer: a room of others, a room that was not joined, what can not be read."""
        room, ann = await _room(harness)
        conversation = await _Conversation.of(harness, ann)
        stranger = await _Conversation.of(harness, await harness.member(await harness.course()))

        answers = [
            await stranger.ask("join", room),
            await conversation.ask("post", room, client_id="x", text="x"),
            await conversation.ask("shout", room),
        ]
        await harness.chat.post(room.id, sender=ann, text="x", client_id="y")

        assert [(one["type"], one["status"]) for one in answers] == [("refused", s) for s in (404, 409, 400)]
        assert stranger.heard() == conversation.heard() == []

    async def test_who_has_left_hears_nothing(self, harness: ChatHarness) -> None:
        """Neither after leaving the room, nor after the end of the conversation."""
        room, ann = await _room(harness)
        leaving, closing, staying = [await _Conversation.of(harness, ann) for _ in range(3)]
        for one in (leaving, closing, staying):
            await one.ask("join", room)

        await leaving.ask("leave", room)
        closing.listener.closed(CloseCode.NORMAL)
        await harness.chat.post(room.id, sender=ann, text="x", client_id="x")
        await staying.messages(1)

        assert leaving.heard() == closing.heard() == []


class _Conversation:
    """Somebody who converses; fulfils `Line`."""

    listener: Listener

    def __init__(self, person: Principal) -> None:
        self.principal: Principal | None = person
        self.told: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    @classmethod
    async def of(cls, harness: ChatHarness, person: UUID) -> _Conversation:
        """Begin a conversation with *person*."""
        principal = Principal(id=person, session=new_id(), roles=frozenset({"student"}), permissions=frozenset())
        found = cls(principal)
        found.listener = await harness.chat.converse(principal, found)
        return found

    def send(self, message: bytes) -> None:
        self.told.append(msgspec.json.decode(message))
        self._news.set()

    async def ask(self, kind: str, room: Room, **members: object) -> dict[str, Any]:
        """Send a message; return its answer, which has to be there then."""
        number = len(self.told)
        await self.listener.received(msgspec.json.encode({"type": kind, "id": number, "room": room.id, **members}))
        answers = [one for one in self.told[number:] if one.get("id", ...) in (number, None)]
        assert len(answers) == 1, f"to {kind} there should be one answer when it was received: {answers}"
        return answers[0]

    def heard(self) -> list[dict[str, Any]]:
        """Return the messages that came by themselves."""
        return [one for one in self.told if one["type"] == "message"]

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """Return so many of them, once they have come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * PATIENCE):
                while len(self.heard()) < count:
                    self._news.clear()
                    await self._news.wait()
        assert len(self.heard()) >= count, f"{count} messages should have come by themselves, and {self.heard()} came"
        return self.heard()


class ChatFilterHarness(Protocol):
    """What the kit needs beside the filter itself."""

    @property
    def chat_filter(self) -> ChatFilter:
        """The filter."""
        ...


class ChatFilterContract:
    """Supply the fixture `harness`: a `ChatFilterHarness`."""

    @pytest.mark.parametrize("text", ["good morning", "x", "é" * TEXT_LIMIT, "<b>", "👍\n\n\t", "%s {} \\"])
    async def test_filter_judges_whatever_is_said(self, harness: ChatFilterHarness, text: str) -> None:
        """In time, with one of the four actions; what it redacts it leaves something of, not too long."""
        async with asyncio.timeout(PATIENCE):
            judgement = await harness.chat_filter.judge(_draft(text))

        assert judgement.action in ("pass", "hold", "drop", "redact")
        assert judgement.action != "redact" or 0 < len(judgement.text.strip()) <= TEXT_LIMIT

    async def test_filter_judges_many_at_once(self, harness: ChatFilterHarness) -> None:
        """None of them waits for the others."""
        async with asyncio.timeout(PATIENCE):
            judged = await asyncio.gather(*(harness.chat_filter.judge(_draft(str(n))) for n in range(MANY)))

        assert len(judged) == MANY


def _draft(text: str) -> Draft:
    return Draft(room_id=new_id(), course_id=new_id(), sender=new_id(), text=text, audience="room")


async def _room(harness: ChatHarness) -> tuple[Room, UUID]:
    """Return a room with somebody in it."""
    course = await harness.course()
    room = await harness.chat.open_room(kind="course", subject=course, course_id=course, title="A course")
    return room, await harness.member(course)


async def _position(harness: ChatHarness, room: Room) -> Position:
    found = await harness.chat.position(room.id)
    assert found is not None
    return found


async def _told(harness: ChatHarness, kind: type[E]) -> list[E]:
    return [event for event in await harness.events() if isinstance(event, kind)]
