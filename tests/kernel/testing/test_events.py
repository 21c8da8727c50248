"""Events under test: recorded, delivered twice, and in another order."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from kernel import PUBLIC, Context, Delivery, Event, EventHandler, Manifest, Plugin, Request, Route, hookimpl, on, post
from kernel.contracts.courses import CourseDeleted, CourseSubmitted
from kernel.database import Session
from kernel.testing.deploying import Deploy
from kernel.testing.events import shuffle
from kernel.testing.inboxes import telling


class Lights(Event, frozen=True, kw_only=True):
    """The lights were switched."""

    name: ClassVar[str] = "lamp.lights.v1"
    key: ClassVar[str] = "room"
    room: str
    number: int


class Ears:
    """Hear everything, and refuse what they are told to refuse."""

    def __init__(self, ctx: Context[Any]) -> None:
        self.ctx = ctx
        self.heard: list[Event] = []
        self.refuse: type[Event] | None = None

    async def hear(self, session: Session, delivery: Delivery[Event]) -> None:
        if self.refuse is not None and isinstance(delivery.event, self.refuse):
            raise ValueError("not that")
        self.heard.append(delivery.event)

    async def switch(self, request: Request, session: Session) -> None:
        """Switch the lights."""
        await self.ctx.events.publish(session, Lights(room="hall", number=len(self.heard)))


class LampPlugin(Plugin):
    """Publishes an event, and hears it and others."""

    manifest: ClassVar[Manifest] = Manifest(name="lamp", version="1", publishes=(Lights,))

    @hookimpl
    def event_handlers(self, ctx: Context) -> Iterable[EventHandler]:
        ears = ctx.own(Ears)
        return [on(kind, ears.hear, name=kind.__name__.lower()) for kind in (Lights, CourseSubmitted, CourseDeleted)]

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        return [post("", ctx.own(Ears).switch, permission=PUBLIC)]


async def test_all_that_was_published_is_recorded(deploy: Deploy) -> None:
    """With who told it, whichever plugin it was."""
    deployment = await deploy("courses", plugins=[LampPlugin])
    instructor = await deployment.as_user("instructor")
    await instructor.call("POST", "/api/v1/lamp")
    await instructor.call("POST", "/api/v1/courses", {"title": "Ferns"})

    published = await deployment.events.published()

    assert [(one.source, one.event.name) for one in published] == [
        ("lamp", "lamp.lights.v1"),
        ("courses", "courses.course_created.v1"),
    ]
    assert await deployment.events.of(Lights) == [Lights(room="hall", number=0)]


async def test_made_up_events_come_to_those_who_want_them(deploy: Deploy) -> None:
    """Nobody has to be there who publishes them; they come in the order given."""
    deployment = await deploy(plugins=[LampPlugin])
    course = uuid4()
    events = [CourseSubmitted(course_id=course), CourseSubmitted(course_id=uuid4())]

    await deployment.events.deliver(*events)

    assert deployment.platform.context("lamp").own(Ears).heard == events
    assert await deployment.events.published() == []


async def test_what_was_handled_is_handled_once_more(deploy: Deploy) -> None:
    """Through the inbox, each by the handler that had it; only of the kinds that are asked for."""
    deployment = await deploy(plugins=[LampPlugin])
    submitted, deleted = CourseSubmitted(course_id=uuid4()), CourseDeleted(course_id=uuid4())
    await deployment.events.deliver(submitted, deleted)

    assert await deployment.events.redeliver(CourseDeleted) == 1
    assert deployment.platform.context("lamp").own(Ears).heard == [submitted, deleted, deleted]
    assert await deployment.events.redeliver() == 2
    assert len(deployment.platform.context("lamp").own(Ears).heard) == 5


async def test_refusal_fails_the_test_and_says_why(deploy: Deploy) -> None:
    """A second delivery that a handler can not bear does not go unnoticed."""
    deployment = await deploy(plugins=[LampPlugin])
    ears = deployment.platform.context("lamp").own(Ears)
    await deployment.events.deliver(CourseDeleted(course_id=uuid4()))
    ears.refuse = CourseDeleted

    with pytest.raises(AssertionError, match=r"coursedeleted of lamp refused courses\.course_deleted\.v1.*not that"):
        await deployment.events.redeliver()


async def test_event_behind_a_refused_one_does_not_pass_for_handled(deploy: Deploy) -> None:
    """It waits for the one of its key to be tried again."""
    deployment = await deploy(plugins=[LampPlugin])
    ears, course = deployment.platform.context("lamp").own(Ears), uuid4()
    ears.refuse = CourseDeleted
    with pytest.raises(AssertionError, match="not that"):
        await deployment.events.deliver(CourseDeleted(course_id=course))
    ears.refuse = None

    with pytest.raises(AssertionError, match="what came before it waits"):
        await deployment.events.deliver(CourseDeleted(course_id=course))


async def test_shuffled_events_keep_the_order_of_their_keys(deploy: Deploy) -> None:
    """Everything comes, some of it twice or three times, and between keys in another order."""
    deployment = await deploy(plugins=[LampPlugin])
    events = [Lights(room=room, number=number) for number in range(3) for room in ("hall", "cellar")]

    count = await deployment.events.shuffled(7, *events)

    heard = [event for event in deployment.platform.context("lamp").own(Ears).heard if isinstance(event, Lights)]
    assert len(heard) == count > len(events)
    assert set(heard) == set(events)
    for room in ("hall", "cellar"):
        numbers = [event.number for event in heard if event.room == room]
        assert numbers == sorted(numbers)
    assert list(dict.fromkeys(heard)) != events


async def test_handled_events_can_be_shuffled_too(deploy: Deploy) -> None:
    """The same seed gives the same order."""
    deployment = await deploy(plugins=[LampPlugin])
    ears = deployment.platform.context("lamp").own(Ears)
    await deployment.events.deliver(*(CourseDeleted(course_id=uuid4()) for _ in range(4)))
    orders: list[list[Event]] = []
    for _ in range(2):
        ears.heard.clear()
        await deployment.events.shuffled(3)
        orders.append(list(ears.heard))

    assert orders[0] == orders[1]
    assert len(orders[0]) > len(set(orders[0])) == 4


@pytest.mark.parametrize("seed", range(20))
def test_no_seed_takes_an_event_from_its_place_in_its_line(seed: int) -> None:
    """Lines are of one source, key and handler."""
    lines = [("lamp", "a"), ("lamp", "b"), ("desk", "a")]
    told = [
        telling(Lights(room="hall", number=number), plugin, handler, event_id=UUID(int=number), source="test")
        for number in range(3)
        for plugin, handler in lines
    ]

    order = shuffle(told, random.Random(seed))

    for plugin, handler in lines:
        numbers = [one.event_id.int for one in order if (one.plugin, one.handler) == (plugin, handler)]
        assert numbers == sorted(numbers)
        assert set(numbers) == {0, 1, 2}
