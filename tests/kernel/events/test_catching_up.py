"""Off means off, and back on means caught up: the log keeps what nobody was there to read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from kernel import Event, on
from kernel.database import Command, Database
from kernel.database.tables import outbox
from kernel.events.administration import UnknownName
from kernel.events.retention import Retention
from kernel.events.settings import EventSettings
from tests.kernel.events.house import House, Sold, sales, write_down


async def test_plugin_that_was_off_catches_up_in_order(house: House) -> None:
    """Its events wait in the source's log while other plugins go on."""
    before = await house.process(running=False)
    await before.sell(2)
    await before.runtime.settle()
    without = await house.process(ledger=[], others={"other": [on(Sold, write_down, name="note")]})
    await without.sell_at_once(520, first=2)
    await without.runtime.settle(timeout=60)
    meanwhile = await without.noted("other")

    back = await house.process()
    await back.sell(1, first=522)
    await back.runtime.settle(timeout=60)

    assert await back.noted() == sales(523)
    assert meanwhile == sales(522)


async def test_plugin_that_was_off_for_too_long_is_told_what_it_missed(house: House) -> None:
    """Events are kept for a time; that some are gone is an error in the log, and the rest is handled."""
    before = await house.process(running=False)
    await before.sell(1)
    await before.runtime.settle()
    without = await house.process(ledger=[], running=False)
    await without.sell(3, first=1)
    await without.runtime.settle()
    house.clock.advance(timedelta(days=31).total_seconds())
    await Retention(without.databases["shop"], settings=EventSettings(), clock=house.clock).sweep()

    with capture_logs() as logs:
        back = await house.process(running=False)
        await back.runtime.settle()

    [missed] = [log for log in logs if log.get("action") == "events.missed"]
    assert (missed["plugin"], missed["source"], missed["first"], missed["last"]) == ("ledger", "shop", 2, 3)
    assert [note.number for note in await back.noted()] == [0, 3]


async def test_log_that_was_restored_from_a_backup_is_read_from_its_beginning(house: House) -> None:
    """Its new events have positions that were read before; none is overlooked, and no old one is handled again."""
    before = await house.process(running=False)
    await before.sell(5)
    await before.runtime.settle()
    await before.databases["shop"].run(Command(sa.delete(outbox).where(outbox.c.position > 2)))

    with capture_logs() as logs:
        after = await house.process(running=False)
        await after.sell(2, first=10)
        await after.runtime.settle()

    assert [note.number for note in await after.noted()] == [0, 1, 2, 3, 4, 10, 11]
    [rewound] = [log for log in logs if log.get("action") == "events.rewound"]
    assert (rewound["source"], rewound["read"], rewound["last"]) == ("shop", 5, 4)


async def test_handler_of_an_event_that_nobody_publishes_just_waits(house: House) -> None:
    """The plugin that publishes it may be switched on later."""

    class Elsewhere(Event, frozen=True, kw_only=True):
        name: ClassVar[str] = "elsewhere.happened.v1"
        key: ClassVar[str] = "place"
        place: str

    async def never(session: object, delivery: object) -> None:
        raise AssertionError("nobody published it")

    process = await house.process(ledger=[on(Elsewhere, never, name="elsewhere"), on(Sold, write_down, name="note")])
    await process.sell(1)
    await process.runtime.settle()

    assert await process.noted() == sales(1)


@pytest.mark.parametrize("handlers", [1, 20])
async def test_lag_costs_the_same_for_many_handlers(
    house: House, handlers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics are asked for often: where nothing waits, each database answers once for all of its handlers."""
    process = await house.process(
        running=False, ledger=[on(Sold, write_down, name=f"note{number}") for number in range(handlers)]
    )
    await process.sell(1)
    await process.runtime.settle()
    asked: list[object] = []
    kind = type(process.databases["shop"])
    for method in ("all", "first"):  # `one` is `first`
        original = getattr(kind, method)

        async def count(db: Database, query: object, _original: Any = original, **values: object) -> object:
            asked.append(query)
            return await _original(db, query, **values)

        monkeypatch.setattr(kind, method, count)
    lag = await process.runtime.administration.lag()

    assert [handler.unreceived for handler in lag.handlers] == [0] * handlers
    assert len(asked) == 2 + 2  # of the shop and the ledger how far they are; of the ledger its inbox and its cursors


async def test_lag_counts_what_waits_at_every_stage(house: House) -> None:
    """Unpublished, unreceived, waiting and dead are told apart."""
    process = await house.process(running=False)
    await process.sell(3)
    unpublished = await process.runtime.administration.lag()
    without = await house.process(running=False, ledger=[])
    await without.runtime.settle()
    unreceived = await process.runtime.administration.lag()
    await process.runtime.settle()
    nothing = await process.runtime.administration.lag()

    assert [(source.plugin, source.waiting) for source in unpublished.sources] == [("shop", 3), ("ledger", 0)]
    assert unpublished.sources[0].oldest is not None
    assert unreceived.handlers[0].unreceived == 3
    [handler] = nothing.handlers
    assert (handler.plugin, handler.handler) == ("ledger", "note")
    assert (handler.unreceived, handler.waiting, handler.oldest, handler.dead) == (0, 0, None, 0)


async def test_replay_from_a_position_has_events_handled_again_in_order(house: House) -> None:
    """Handled and dead ones come again from there on."""
    process = await house.process()
    await process.sell(4)
    await process.runtime.settle()

    replayed = await process.runtime.administration.replay("shop", 3)
    await process.runtime.settle()

    assert replayed == 2
    assert [note.number for note in await process.noted()] == [0, 1, 2, 3, 2, 3]


async def test_replay_since_a_time_is_for_the_chosen_handler_only(house: House) -> None:
    """Others see nothing twice."""
    process = await house.process(others={"other": [on(Sold, write_down, name="copy")]})
    await process.sell(2)
    await process.runtime.settle()
    house.clock.advance(60)
    since = house.clock.now()
    await process.sell(2, first=2)
    await process.runtime.settle()

    replayed = await process.runtime.administration.replay("shop", since, plugin="other", handler="copy")
    await process.runtime.settle()

    assert replayed == 2
    assert [note.number for note in await process.noted("other")] == [0, 1, 2, 3, 2, 3]
    assert await process.noted() == sales(4)


async def test_replay_since_a_time_after_everything_replays_nothing(house: House) -> None:
    """There is nothing newer."""
    process = await house.process()
    await process.sell(2)
    await process.runtime.settle()
    house.clock.advance(60)

    assert await process.runtime.administration.replay("shop", house.clock.now()) == 0


async def test_replay_of_names_that_do_not_exist_is_refused(house: House) -> None:
    """The message lists those that do."""
    process = await house.process(running=False)

    with pytest.raises(UnknownName, match="'kiosk' publishes no events; shop, ledger do"):
        await process.runtime.administration.replay("kiosk", 1)
    with pytest.raises(UnknownName, match="'kiosk' handles no events; ledger do"):
        await process.runtime.administration.retry("kiosk")
    with pytest.raises(UnknownName, match="no handler copy of any plugin wants events of shop"):
        await process.runtime.administration.replay("shop", 1, handler="copy")
