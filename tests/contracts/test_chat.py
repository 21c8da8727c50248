"""`chat/1` and `chat_filter/1`: kept by ours and by the fake, and by none that breaks a promise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from msgspec import Struct

from kernel import Event, Listener, Principal, new_id
from kernel.contracts.chat import (
    CHAT,
    Chat,
    ChatFilter,
    Draft,
    Judgement,
    Line,
    Message,
    Position,
    Posted,
    Room,
    RoomClosed,
    RoomOpened,
    RoomWasClosed,
)
from kernel.contracts.chat_socket import FromClient, Said
from kernel.testing import witness
from kernel.testing.contracts.chat import ChatContract, ChatFilterContract
from kernel.testing.contracts.in_memory import InMemoryChatHarness
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.chat import InMemoryChat
from kernel.testing.fakes.chat_conversation import InMemoryConversation
from tests.contracts.broken import Test, assert_found
from tests.plugins.chat.classroom import Classroom, open_classroom


@dataclass
class ClassroomHarness:
    """Our provider."""

    classroom: Classroom

    @property
    def chat(self) -> Chat:
        return self.classroom.deployment.platform.services.get(CHAT)

    async def course(self) -> UUID:
        return self.classroom.courses.add(0)

    async def member(self, course_id: UUID) -> UUID:
        person = new_id()
        self.classroom.enrollments.enrol(person, course_id)
        return person

    async def events(self) -> Sequence[Event]:
        await self.classroom.deployment.settle()
        seen = self.classroom.deployment.platform.context(witness.NAME).own(witness.Witnessed).events
        return [event for event in seen if getattr(event, "subject", None) != self.classroom.course]


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> ClassroomHarness:
    return ClassroomHarness(await open_classroom(deploy, plugins=[witness.witness_of(RoomOpened, RoomWasClosed)]))


class TestOurs(ChatContract):
    """The service."""


class TestTheFake(ChatContract):
    """From memory."""

    @pytest.fixture
    def harness(self) -> InMemoryChatHarness:
        return InMemoryChatHarness()


class OpensAnother(InMemoryChat):
    """Opens a room for everybody who asks."""

    async def open_room(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> Room:
        return await super().open_room(kind=kind, subject=new_id(), course_id=course_id, title=title)


class OpensOneForAll(InMemoryChat):
    """Does not look at the kind."""

    async def open_room(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> Room:
        return await super().open_room(kind="any", subject=subject, course_id=course_id, title=title)


class StoresTwice(InMemoryChat):
    """Does not know client ids."""

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        self._stored.clear()
        return await super().post(room_id, sender=sender, text=text, client_id=client_id)


class OneClientIdForAll(InMemoryChat):
    """Takes one person's client id for another's."""

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        for (room, _, known), stored in self._stored.items():
            if (room, known) == (room_id, client_id):
                return stored
        return await super().post(room_id, sender=sender, text=text, client_id=client_id)


class LooksTooEarly(InMemoryChat):
    """Looks whether it is stored, and stores it a moment later."""

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        if (room_id, sender, client_id) in self._stored:
            return self._stored[room_id, sender, client_id]
        await asyncio.sleep(0)
        self._stored.pop((room_id, sender, client_id), None)
        return await super().post(room_id, sender=sender, text=text, client_id=client_id)


class LetsEverybodyIn(InMemoryChat):
    """Asks nobody."""

    async def _may_enter(self, user_id: UUID, course_id: UUID) -> bool:
        return True


class ForgetsWhereItWas(InMemoryChat):
    """Returns all messages, wherever one has got to."""

    async def messages(self, room_id: UUID, *, after: int = 0, limit: int = 100) -> Sequence[Message]:
        return await super().messages(room_id, limit=limit)


class LosesTheLast(InMemoryChat):
    """Acknowledges what it does not store."""

    async def messages(self, room_id: UUID, *, after: int = 0, limit: int = 100) -> Sequence[Message]:
        return list(await super().messages(room_id, after=after, limit=limit))[:-1]


class NeverCloses(InMemoryChat):
    """Lets people go on."""

    async def post(self, room_id: UUID, *, sender: UUID, text: str, client_id: str) -> Posted:
        try:
            return await super().post(room_id, sender=sender, text=text, client_id=client_id)
        except RoomClosed:
            return Posted(state="posted", at=self._clock.now(), epoch=self._epochs[room_id], offset=99)


class OpensSilently(InMemoryChat):
    """Tells nobody."""

    async def open_room(self, *, kind: str, subject: UUID, course_id: UUID, title: str) -> Room:
        room = await super().open_room(kind=kind, subject=subject, course_id=course_id, title=title)
        self.events.clear()
        return room


class Interrupts(InMemoryConversation):
    """Speaks in rooms that it did not join."""

    async def _do(self, asked: FromClient) -> Struct:
        self._joined.add(asked.room)
        return await super()._do(asked)


class LetsTalkUnjoined(InMemoryChat):
    """Takes what is said to a room that was not joined."""

    async def converse(self, person: Principal, line: Line) -> Listener:
        return Interrupts(self, person, line)


class GoesOnTelling(InMemoryChat):
    """Tells those who have gone."""

    def leave(self, conversation: InMemoryConversation, room_id: UUID) -> None:
        return None


class TellsNobody(InMemoryChat):
    """Stores what is said, and lets nobody hear it."""

    async def enter(self, conversation: InMemoryConversation, room_id: UUID) -> Position:
        reached = await super().enter(conversation, room_id)
        self.leave(conversation, room_id)
        return reached


class ForgetsOne(InMemoryChat):
    """Does not give the last of what was missed."""

    def entries(self, room_id: UUID) -> list[Said]:
        return super().entries(room_id)[:-1]


KIT = ChatContract()
FAULTS: dict[type[InMemoryChat], Test[Any]] = {
    OpensAnother: KIT.test_room_is_opened_once,
    OpensOneForAll: KIT.test_rooms_of_other_kinds_and_subjects_are_others,
    StoresTwice: KIT.test_client_id_is_stored_once,
    OneClientIdForAll: KIT.test_client_id_is_stored_once,
    LooksTooEarly: KIT.test_many_at_once_leave_no_hole_and_no_double,
    LetsEverybodyIn: KIT.test_room_is_for_those_who_have_access_to_its_course,
    ForgetsWhereItWas: KIT.test_messages_come_behind_an_offset,
    LosesTheLast: KIT.test_what_is_said_stands_in_the_order_of_its_offsets,
    NeverCloses: KIT.test_closed_room_can_be_read,
    OpensSilently: KIT.test_room_is_opened_once,
    LetsTalkUnjoined: KIT.test_conversation_refuses_what_can_not_be,
    GoesOnTelling: KIT.test_who_has_left_hears_nothing,
    TellsNobody: KIT.test_who_converses_speaks_and_hears,
    ForgetsOne: KIT.test_who_comes_back_is_given_exactly_what_came_since,
}


@pytest.mark.parametrize("broken", FAULTS, ids=lambda broken: broken.__name__)
async def test_kit_finds_what_a_provider_breaks(broken: type[InMemoryChat]) -> None:
    """The test fails with the broken provider, and passes with the whole one."""
    await assert_found(FAULTS[broken], whole=InMemoryChatHarness(), broken=InMemoryChatHarness(broken))


class Whispers:
    """A filter that redacts what is loud."""

    async def judge(self, draft: Draft) -> Judgement:
        return Judgement(action="redact", text=draft.text.lower())


class Blanks(Whispers):
    """Leaves nothing."""

    async def judge(self, draft: Draft) -> Judgement:
        return Judgement(action="redact")


class Sleeps(Whispers):
    """Takes its time."""

    async def judge(self, draft: Draft) -> Judgement:
        await asyncio.sleep(10)
        return Judgement(action="pass")


@dataclass
class FilterHarness:
    """Fulfils `ChatFilterHarness`."""

    chat_filter: ChatFilter


class TestFilter(ChatFilterContract):
    """One that keeps the contract."""

    @pytest.fixture
    def harness(self) -> FilterHarness:
        return FilterHarness(Whispers())


@pytest.mark.parametrize("broken", [Blanks, Sleeps])
async def test_kit_finds_what_a_filter_breaks(broken: type[ChatFilter]) -> None:
    """One that leaves nothing, one that does not answer in time."""
    with pytest.raises((AssertionError, TimeoutError)):
        await ChatFilterContract().test_filter_judges_whatever_is_said(FilterHarness(broken()), "good morning")
