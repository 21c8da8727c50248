"""A failing event is tried again with growing delays and holds up only its own key, until it is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from kernel import Delivery, on
from kernel.database import Command, Query, Session
from kernel.database.tables import inbox, outbox
from kernel.events.settings import EventSettings
from kernel.events.worker import TOGETHER, TOGETHER_SECONDS, Row, _following, delay_after
from tests.kernel.containment.test_blame import Speechless
from tests.kernel.events.house import House, Note, Opened, Sold, ids, sales, until, write_down

ATTEMPTS = Query(sa.select(inbox.c.attempts).order_by(inbox.c.seq), int)
QUICK = EventSettings(attempts=2)
AN_HOUR = 3600.0


class Stubborn:
    """Writes down, then fails for some numbers until it is told to relent."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = set(numbers)

    async def __call__(self, session: Session, delivery: Delivery[Sold]) -> None:
        await write_down(session, delivery)
        if delivery.event.number in self.numbers:
            raise RuntimeError(f"no number {delivery.event.number} today")


def test_delays_grow_from_a_second_to_five_minutes() -> None:
    """Eight attempts take about eight minutes; jitter keeps processes apart."""
    delays = [delay_after(attempts, EventSettings()) for attempts in range(1, 10)]

    assert 0.8 <= delays[0] <= 1.2
    assert all(240 <= delay <= 360 for delay in delays[6:])
    assert len({delay_after(1, EventSettings()) for _ in range(20)}) > 1


async def test_failed_event_is_tried_again_later_and_leaves_nothing_behind(house: House) -> None:
    """What the handler wrote before it failed is rolled back; the second attempt counts once."""
    stubborn = Stubborn(0)
    process = await house.process(ledger=[on(Sold, stubborn, name="note")])

    await process.sell(1)
    await process.runtime.settle()
    before = await process.noted()
    stubborn.numbers.clear()
    await process.runtime.settle()
    too_early = await process.noted()
    house.clock.advance(2)
    await process.runtime.settle()

    assert (before, too_early) == ([], [])
    assert await process.noted() == sales(1)
    assert await process.databases["ledger"].all(ATTEMPTS) == [2]


async def test_later_events_of_the_key_wait_behind_a_failed_one_and_other_keys_pass(house: House) -> None:
    """Order holds for each key, and only for it."""
    stubborn = Stubborn(0)
    process = await house.process(ledger=[on(Sold, stubborn, name="note")])

    await process.sell(2, "ada")
    await process.sell(2, "bob", first=10)
    await process.runtime.settle()
    await process.sell(1, "ada", first=2)
    await process.runtime.settle()
    held = await process.noted()
    stubborn.numbers.clear()
    house.clock.advance(AN_HOUR)
    await process.runtime.settle()

    assert held == [Note("bob", 10), Note("bob", 11)]
    assert await process.noted() == held + sales(3, "ada")


async def test_event_whose_error_can_not_be_told_is_dead_all_the_same(house: House) -> None:
    """Else it would be tried for ever, and nobody would learn of it."""

    async def fail(session: Session, delivery: Delivery[Sold]) -> None:
        raise Speechless

    process = await house.process(ledger=[on(Sold, fail, name="note")], settings=EventSettings(attempts=1))

    await process.sell(1)
    await process.runtime.settle()

    [dead] = await process.runtime.administration.dead()
    assert dead.last_error == "Speechless, which can not say what it is"


async def test_event_that_fails_too_often_is_dead_and_lets_later_ones_pass(house: House) -> None:
    """It is logged loudly, listed with its reason, and can be retried when the cause is mended."""
    stubborn = Stubborn(0)
    process = await house.process(ledger=[on(Sold, stubborn, name="note")], settings=QUICK)

    with capture_logs() as logs:
        await process.sell(2)
        await process.runtime.settle()
        house.clock.advance(AN_HOUR)
        await process.runtime.settle()

    [dead] = await process.runtime.administration.dead()
    assert (dead.plugin, dead.handler, dead.attempts) == ("ledger", "note", 2)
    assert dead.last_error == "RuntimeError: no number 0 today"
    assert await process.noted() == [Note("ada", 1)]
    assert [log["action"] for log in logs] == ["event.failed", "event.dead"]
    assert logs[-1]["log_level"] == "error"

    stubborn.numbers.clear()
    assert await process.runtime.administration.retry("ledger", ids([dead])) == 1
    await process.runtime.settle()
    assert await process.noted() == [Note("ada", 1), Note("ada", 0)]
    assert await process.runtime.administration.dead() == []


async def test_retry_of_all_takes_every_dead_event_of_the_plugin(house: House) -> None:
    """Without ids everything that is dead gets its attempts again."""
    stubborn = Stubborn(0, 1, 2)
    process = await house.process(ledger=[on(Sold, stubborn, name="note")], settings=EventSettings(attempts=1))
    await process.sell(3)
    await process.runtime.settle()

    stubborn.numbers.clear()
    retried = await process.runtime.administration.retry("ledger")
    await process.runtime.settle()

    assert retried == 3
    assert await process.noted() == sales(3)


async def test_data_that_is_no_event_of_the_type_is_dead_at_once(house: House) -> None:
    """Trying again would not help; the reason says what is wrong with it."""
    process = await house.process(running=False)
    await process.sell(2)
    spoil = sa.update(outbox).where(outbox.c.seq == 1).values(data=b'{"customer": "ada"}')
    await process.databases["shop"].run(Command(spoil))

    await process.runtime.settle()

    [dead] = await process.runtime.administration.dead("ledger")
    assert dead.attempts == 1
    assert dead.last_error is not None
    assert "the data is not a shop.sold.v1: Object missing required field `number`" in dead.last_error
    assert await process.noted() == [Note("ada", 1)]


async def test_event_of_another_type_than_the_handler_takes_is_dead_at_once(house: House) -> None:
    """A handler's name was given to another handler while events waited for the former."""
    former = await house.process(running=False, ledger=[on(Sold, Stubborn(0), name="note")])
    await former.sell(1)
    await former.runtime.settle()
    house.clock.advance(AN_HOUR)

    async def never(session: Session, delivery: Delivery[Opened]) -> None:
        raise AssertionError("the event is none of mine")

    process = await house.process(running=False, ledger=[on(Opened, never, name="note")])
    await process.runtime.settle()

    [dead] = await process.runtime.administration.dead()
    assert dead.last_error == "Undeliverable: the event is a shop.sold.v1, the handler note takes shop.opened.v1"


async def test_handler_that_takes_too_long_has_failed(house: House) -> None:
    """The time limit ends it, and its transaction."""

    async def hang(session: Session, delivery: Delivery[Sold]) -> None:
        await write_down(session, delivery)
        await asyncio.Event().wait()

    settings = EventSettings(handler_timeout=0.1, attempts=1)
    process = await house.process(ledger=[on(Sold, hang, name="hang")], settings=settings)
    await process.sell(1)
    await process.runtime.settle()

    [dead] = await process.runtime.administration.dead()
    assert dead.last_error == "the handler did not end within 0.1 s"
    assert await process.noted() == []


async def test_handler_whose_own_work_was_cancelled_has_failed(house: House) -> None:
    """The worker goes on: nobody wanted it to end."""

    async def trip(session: Session, delivery: Delivery[Sold]) -> None:
        if delivery.event.number == 0:
            raise asyncio.CancelledError
        await write_down(session, delivery)

    process = await house.process(ledger=[on(Sold, trip, name="trip")], settings=EventSettings(attempts=1))
    await process.sell(2)
    await process.runtime.settle()

    assert await process.noted() == [Note("ada", 1)]
    [dead] = await process.runtime.administration.dead()
    assert dead.last_error == "RuntimeError: something that the handler waited for was cancelled"


async def test_slow_and_failing_plugins_do_not_delay_the_others(house: House) -> None:
    """Each plugin has its own workers."""
    gate = asyncio.Event()

    async def wait(session: Session, delivery: Delivery[Sold]) -> None:
        await gate.wait()

    async def fail(session: Session, delivery: Delivery[Sold]) -> None:
        raise RuntimeError("always")

    others = {"slow": [on(Sold, wait, name="wait")], "failing": [on(Sold, fail, name="fail")]}
    process = await house.process(others=others)
    await process.sell(5)

    async def all_noted() -> bool:
        return await process.noted() == sales(5)

    await until(all_noted)
    gate.set()
    await process.runtime.settle()


@pytest.mark.postgresql_only
async def test_slow_handler_does_not_delay_another_of_its_plugin(house: House) -> None:
    """They have a worker each; on SQLite they share its one writer."""
    gate = asyncio.Event()

    async def wait(session: Session, delivery: Delivery[Sold]) -> None:
        await gate.wait()

    process = await house.process(ledger=[on(Sold, wait, name="wait"), on(Sold, write_down, name="note")])
    await process.sell(5)

    async def all_noted() -> bool:
        return await process.noted() == sales(5)

    await until(all_noted)
    gate.set()
    await process.runtime.settle()


async def test_handler_that_runs_when_the_process_stops_may_finish(house: House) -> None:
    """Its work commits, and no other event is begun."""
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slowly(session: Session, delivery: Delivery[Sold]) -> None:
        begun.set()
        await gate.wait()
        await write_down(session, delivery)

    process = await house.process(ledger=[on(Sold, slowly, name="slowly")], running=False)
    async with process.runtime.running():
        await process.sell(3)
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, gate.set)

    assert await process.noted() == sales(1)


class Recorder:
    """Writes down, and remembers in which transaction."""

    def __init__(self, seconds: float = 0) -> None:
        self.sessions: list[Session] = []
        self.seconds = seconds

    async def __call__(self, session: Session, delivery: Delivery[Sold]) -> None:
        self.sessions.append(session)
        await write_down(session, delivery)
        await asyncio.sleep(self.seconds)


async def test_events_that_wait_together_are_handled_in_one_transaction(house: House) -> None:
    """Those of one key follow each other; nothing is handled twice."""
    recorder = Recorder()
    process = await house.process(ledger=[on(Sold, recorder, name="note")], running=False)

    for number in range(10):
        await process.sell(2, f"customer {number}", first=2 * number)
    await process.runtime.settle()

    assert len(recorder.sessions) == 20
    assert len(set(map(id, recorder.sessions))) == 1
    assert [note.number for note in await process.noted()] == list(range(20))


async def test_failure_counts_for_the_event_that_caused_it_alone(house: House) -> None:
    """What was handled in the same transaction is handled again, once each, without a failed attempt."""
    process = await house.process(ledger=[on(Sold, Stubborn(2), name="note")])

    for number in range(5):
        await process.sell(1, f"customer {number}", first=number)
    await process.runtime.settle()

    assert [note.number for note in await process.noted()] == [0, 1, 3, 4]
    assert await process.databases["ledger"].all(ATTEMPTS) == [1] * 5


async def test_slow_handlers_share_no_transaction(house: House) -> None:
    """A transaction takes no further event when its time is up: locks are not held for the sum of many handlers."""
    recorder = Recorder(TOGETHER_SECONDS * 0.7)
    process = await house.process(ledger=[on(Sold, recorder, name="note")], running=False)

    for number in range(4):
        await process.sell(1, f"customer {number}", first=number)
    await process.runtime.settle()

    assert len(set(map(id, recorder.sessions))) > 1
    assert sorted(note.number for note in await process.noted()) == [0, 1, 2, 3]


async def test_many_events_behind_a_failed_one_hide_nobody_elses(house: House) -> None:
    """However many come while their key waits for its next attempt, other keys' events are found at once."""
    stubborn = Stubborn(0)
    process = await house.process(ledger=[on(Sold, stubborn, name="note")])

    await process.sell(1, "ada")
    await process.runtime.settle()
    await process.sell_at_once(3 * TOGETHER, first=1)
    await process.runtime.settle()
    await process.sell(1, "bob", first=1000)
    await process.runtime.settle()
    held = await process.noted()
    stubborn.numbers.clear()
    house.clock.advance(AN_HOUR)
    await process.runtime.settle()

    assert held == [Note("bob", 1000)]
    assert await process.noted() == [*held, *sales(3 * TOGETHER + 1, "ada")]


async def test_events_that_are_settled_when_they_arrive_never_reach_the_inbox(house: House) -> None:
    """They are asked for once for all that arrive together; the others are asked for again when they are handled."""
    asked: list[int] = []

    async def even(session: Session, deliveries: Sequence[Delivery[Sold]]) -> set[UUID]:
        asked.append(len(deliveries))
        return {delivery.id for delivery in deliveries if delivery.event.number % 2 == 0}

    process = await house.process(ledger=[on(Sold, write_down, name="note", settled=even)], running=False)

    await process.sell(6)
    await process.runtime.settle()

    assert asked == [6, 3]
    assert [note.number for note in await process.noted()] == [1, 3, 5]
    assert await process.databases["ledger"].all(ATTEMPTS) == [1] * 3


async def test_events_that_are_settled_while_they_wait_need_no_handling(house: House) -> None:
    """They are done like those that were handled."""
    asked: list[int] = []

    async def later(session: Session, deliveries: Sequence[Delivery[Sold]]) -> set[UUID]:
        asked.append(len(deliveries))
        return {delivery.id for delivery in deliveries} if len(asked) > 1 else set()

    process = await house.process(ledger=[on(Sold, write_down, name="note", settled=later)], running=False)

    await process.sell(4)
    await process.runtime.settle()

    assert asked == [4, 4]
    assert await process.noted() == []
    assert await process.databases["ledger"].all(ATTEMPTS) == [1] * 4


async def test_failure_to_tell_what_is_settled_is_tried_again(house: House) -> None:
    """It fails the events that it was asked for, as a handler does."""
    stubborn = [True]

    async def none(session: Session, deliveries: Sequence[Delivery[Sold]]) -> set[UUID]:
        if stubborn:
            raise RuntimeError("who knows")
        return set()

    process = await house.process(ledger=[on(Sold, write_down, name="note", settled=none)])

    await process.sell(2)
    await process.runtime.settle()
    before = await process.noted()
    stubborn.clear()
    house.clock.advance(AN_HOUR)
    await process.runtime.settle()

    assert before == []
    assert await process.noted() == sales(2)


def test_event_whose_predecessor_is_left_out_is_left_out_as_well() -> None:
    """Another process may hold one from the middle of a key's queue; nobody takes what stands behind it."""
    queue = [_row(3, None), _row(8, 5), _row(9, 8), _row(4, None, key="bob"), _row(6, 4, key="bob")]

    assert [row.seq for row in _following(queue)] == [3, 4, 6]


def _row(seq: int, before: int | None, key: str = "ada") -> Row:
    return Row(
        seq=seq,
        id=uuid4(),
        source="shop",
        type=Sold.name,
        key=key,
        data=b"{}",
        correlation_id=uuid4(),
        causation_id=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        attempts=0,
        before=before,
    )
