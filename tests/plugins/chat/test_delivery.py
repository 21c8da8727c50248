"""Delivery: everybody in a room gets every entry, in order and once, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.database import Command
from kernel.testing.deploying import Deploy
from plugins.chat.hot import PREFIX, RedisHotHistory
from plugins.chat.log import Log, Reached
from plugins.chat.relaying import Relaying
from plugins.chat.tables import entries, rooms
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.chat.listening import Listener, eventually, hub, join


async def test_who_is_in_the_room_hears_what_is_said(deploy: Deploy) -> None:
    """With the sender's name, and the client id by which the sender knows it."""
    room = await open_classroom(deploy)
    ann, listener = room.student(), Listener()
    await join(room, listener)

    await room.say(ann, "hello", client_id="x")
    await listener.until(1)

    (said,) = [message for message in listener.heard if message["type"] == "message"]
    assert (said["offset"], said["text"], said["client_id"]) == (1, "hello", "x")
    assert said["sender"]["id"] == str(ann.user)


async def test_who_comes_back_gets_the_gap_and_then_goes_on(deploy: Deploy) -> None:
    """While others keep writing: nothing is lost or doubled in between."""
    room = await open_classroom(deploy)
    ann = room.student()
    for number in range(20):
        await room.say(ann, str(number))
    epoch = (await join(room, Listener())).epoch

    writing = asyncio.gather(*(room.say(ann, f"more {number}") for number in range(30)))
    listeners = [Listener() for _ in range(8)]
    found = [await join(room, listener, (epoch, 5)) for listener in listeners]
    await writing

    for listener, recovered in zip(listeners, found, strict=True):
        await listener.until(50)
        before = [entry["offset"] for entry in listener.entries(recovered)]
        assert recovered.recovered is True
        assert before + listener.offsets() == list(range(6, 51))


async def test_gap_is_found_in_the_log_where_memory_does_not_reach(deploy: Deploy) -> None:
    """The hot history is shorter than what a client may have missed."""
    room = await open_classroom(deploy, settings={"hot_history": 50, "recovery_limit": 200})
    ann, listener = room.student(), Listener()
    for number in range(120):
        await room.say(ann, str(number))
    epoch = (await join(room, Listener())).epoch

    recovered = await join(room, listener, (epoch, 10))

    assert recovered.recovered is True
    assert [entry["offset"] for entry in listener.entries(recovered)] == list(range(11, 121))


async def test_too_long_an_absence_is_no_recovery(deploy: Deploy) -> None:
    """The last entries are given, and it is said that they are not all."""
    room = await open_classroom(deploy, settings={"recovery_limit": 10})
    ann, listener = room.student(), Listener()
    for number in range(70):
        await room.say(ann, str(number))
    epoch = (await join(room, Listener())).epoch

    recovered = await join(room, listener, (epoch, 1))

    assert recovered.recovered is False
    assert [entry["offset"] for entry in listener.entries(recovered)] == list(range(21, 71))


async def test_position_that_is_not_there_is_no_recovery(deploy: Deploy) -> None:
    """Neither another epoch's nor one behind the end."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "a")
    epoch = (await join(room, Listener())).epoch

    for known in ((new_id(), 1), (epoch, 2)):
        recovered = await join(room, Listener(), known)
        assert (recovered.recovered, recovered.offset, len(recovered.entries)) == (False, 1, 1)


async def test_entries_that_come_in_another_order_are_put_in_order(deploy: Deploy) -> None:
    """What is ahead waits for what is missing; what comes twice is passed over."""
    room = await open_classroom(deploy)
    ann, listener = room.student(), Listener()
    epoch = (await join(room, listener)).epoch
    feed = hub(room).feed(UUID(room.room))
    assert feed is not None
    hub(room)._feeds.clear()  # what is said now reaches nobody
    for number in range(4):
        await room.say(ann, str(number))
    hub(room)._feeds[UUID(room.room)] = feed
    batch = await room.deployment.platform.context("chat").own(Log).after(UUID(room.room), epoch, 0, 10)

    for place in (1, 0, 1, 3, 2):
        hub(room).hear(type(batch)(batch.room_id, batch.epoch, [batch.entries[place]]))
    await asyncio.sleep(0)  # what was taken goes out when the turn of the loop ends

    assert listener.offsets() == [1, 2, 3, 4]


async def test_hole_is_filled_from_the_log(deploy: Deploy) -> None:
    """Without waiting for the next look at the log."""
    room = await open_classroom(deploy, settings={"check_every": 30})
    ann, listener = room.student(), Listener()
    await join(room, listener)
    lost = hub(room)._feeds.pop(UUID(room.room))
    await room.say(ann, "lost")
    hub(room)._feeds[UUID(room.room)] = lost

    await room.say(ann, "next")
    await listener.until(2)

    assert listener.offsets() == [1, 2]


async def test_silent_loss_is_found_and_mended(deploy: Deploy) -> None:
    """Even if nothing more is said in the room, and without the client's doing anything."""
    room = await open_classroom(deploy, settings={"check_every": 0.2})
    ann, listener = room.student(), Listener()
    await join(room, listener)
    lost = hub(room)._feeds.pop(UUID(room.room))
    await room.say(ann, "lost")
    hub(room)._feeds[UUID(room.room)] = lost

    await listener.until(1)

    assert listener.offsets() == [1]


async def test_log_that_was_set_back_begins_a_new_epoch(deploy: Deploy) -> None:
    """As after a restore: clients are told, and no offset is ever given again."""
    room = await open_classroom(deploy, settings={"check_every": 0.2})
    ann, listener = room.student(), Listener()
    for number in range(3):
        await room.say(ann, str(number))
    epoch = (await join(room, listener)).epoch

    await _restore(room, 1)
    await eventually(lambda: any(message["type"] == "reset" for message in listener.heard))
    told = await room.say(ann, "after")
    again = await join(room, Listener(), (epoch, 3))

    assert told["epoch"] != str(epoch)
    assert told["offset"] > 3
    assert again.recovered is False
    assert await room.texts(ann) == ["0", "after"]


async def test_who_came_into_a_new_epoch_stays_in_it(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is found out twice at once that the log is another one, and the second is late."""
    room = await open_classroom(deploy, settings={"check_every": 30})
    ann, listener, number = room.student(), Listener(), UUID(room.room)
    await room.say(ann, "before")
    await join(room, Listener())
    log = room.deployment.platform.context("chat").own(Log)
    find, looked, came = log.reached, asyncio.Event(), asyncio.Event()
    reached = await find(number)
    assert reached is not None
    await log.renew(reached, reached.last_offset, new_id())

    async def find_late(room_id: UUID) -> Reached | None:
        found = await find(room_id)
        looked.set()
        await came.wait()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(log, "reached", find_late)
        late = asyncio.create_task(hub(room).catch_up(number))
        await looked.wait()
    await hub(room).catch_up(number)
    await join(room, listener)
    came.set()
    await late
    await room.say(ann, "after")

    await eventually(lambda: any(message["type"] == "message" for message in listener.heard))


async def test_log_that_goes_on_while_it_is_read_is_not_taken_for_one_that_was_set_back(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said in that moment is delivered before it is known how far the log went; nobody begins anew for it."""
    room = await open_classroom(deploy)
    ann, listener, log = room.student(), Listener(), Log.reached
    for number in range(3):
        await room.say(ann, str(number))
    epoch = (await join(room, listener)).epoch

    async def overtaken(self: Log, room_id: UUID) -> Reached | None:
        found = await log(self, room_id)
        said = await room.say(ann, "meanwhile")
        await listener.until(said["offset"])
        return found

    monkeypatch.setattr(Log, "reached", overtaken)
    await hub(room).catch_up(UUID(room.room))
    monkeypatch.undo()

    assert (await room.position(ann))[0] == str(epoch)
    assert not [message for message in listener.heard if message["type"] == "reset"]
    assert len(await room.history(ann)) > 4, "it was overtaken twice"


async def test_command_gives_every_room_a_new_epoch(deploy: Deploy) -> None:
    """For a restore of which nothing that runs could know; it is an act."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "before")
    epoch, last = await room.position(ann)

    result = await room.deployment.command("chat", "restored")
    gap = await room.since(ann, epoch, last)

    assert (result.exit_code, result.output.strip()) == (0, "1 rooms begin anew; their clients read the history")
    assert gap["recovered"] is False
    assert (await room.say(ann, "after"))["offset"] > last + 1
    assert [act.action for act in await room.deployment.events.of(ActRecorded)] == ["chat.restored"]


async def _restore(room: Classroom, last: int) -> None:
    """Set the log back to what a backup has."""
    db = room.deployment.platform.context("chat").db
    behind = (entries.c.room_id == bindparam("of_room"), entries.c.offset > bindparam("last"))
    await db.run(Command(sa.delete(entries).where(*behind)), of_room=UUID(room.room), last=last)
    back = sa.update(rooms).where(rooms.c.id == bindparam("of_room")).values(last_offset=bindparam("last"))
    await db.run(Command(back), of_room=UUID(room.room), last=last)


async def test_removed_and_edited_texts_are_in_no_memory(deploy: Deploy) -> None:
    """Who comes later gets them as they stand now, also from the hot history."""
    room = await open_classroom(deploy)
    ann, listener, later = room.student(), Listener(), Listener()
    await join(room, listener)
    await room.say(ann, "secret")
    await room.say(ann, "wrong")

    await ann.call("DELETE", f"{room.path}/messages/1")
    await ann.call("PATCH", f"{room.path}/messages/2", {"text": "right"})
    await listener.until(4)
    recovered = await join(room, later)

    assert [message["type"] for message in listener.heard if "offset" in message][2:] == ["removed", "edited"]
    removed, edited, *_ = later.entries(recovered)
    assert "text" not in removed
    assert edited["text"] == "right"
    assert b"secret" not in b"".join(entry.body for entry in recovered.entries)


async def test_edits_of_a_removed_message_do_not_say_it_any_more(deploy: Deploy) -> None:
    """Who comes later learns that there were edits; of an edited one each says what the message says now."""
    room = await open_classroom(deploy)
    ann, listener = room.student(), Listener()
    await join(room, listener)
    for text in ("secret", "wrong"):
        await room.say(ann, text)
    for offset, text in ((1, "secret too"), (2, "wrong again"), (2, "right")):
        await ann.call("PATCH", f"{room.path}/messages/{offset}", {"text": text})

    await ann.call("DELETE", f"{room.path}/messages/1")
    await listener.until(6)
    later = Listener()
    told = later.entries(await join(room, later))

    assert [entry.get("text") for entry in told] == [None, "right", None, "right", "right", None]
    assert [entry["type"] for entry in told] == ["message", "message", "edited", "edited", "edited", "removed"]


async def _sent(room: Classroom) -> None:
    """Return when Redis has all that was committed."""
    relaying = room.deployment.platform.context("chat").own(Relaying)
    await eventually(lambda: not relaying._waiting and not relaying.sending)


@pytest.mark.postgresql_only
async def test_two_processes_deliver_the_same(deploy: Deploy) -> None:
    """In the same order, each entry once, also to those who are in by the other process."""
    room = await open_classroom(deploy, settings={"messages_per_room": "10000/second"})
    ann = room.student()
    twin = await room.twin()
    there = twin.deployment.client("student", user=ann.user)
    here_listener, there_listener = Listener(), Listener()
    await join(room, here_listener)
    await join(twin, there_listener)

    await asyncio.gather(*(room.say(ann if number % 2 else there, str(number)) for number in range(60)))
    await here_listener.until(60)
    await there_listener.until(60)

    assert here_listener.offsets() == there_listener.offsets() == list(range(1, 61))
    texts = [[entry["text"] for entry in one.heard if "text" in entry] for one in (here_listener, there_listener)]
    assert texts[0] == texts[1]


@pytest.mark.postgresql_only
async def test_process_that_opens_a_room_finds_the_hot_history_in_redis(deploy: Deploy) -> None:
    """Without a hole, as far as the log goes; and from the log where Redis has forgotten it."""
    room = await open_classroom(deploy)
    ann = room.student()
    for number in range(10):
        await room.say(ann, str(number))
    context = room.deployment.platform.context("chat")
    assert context.redis is not None
    position = await join(room, Listener())
    hot = RedisHotHistory(context.redis, 300)
    await _sent(room)
    found = await hot.read(UUID(room.room), position.epoch)

    await context.redis.delete(f"{PREFIX}{room.room}")
    twin = await room.twin()
    listener = Listener()
    recovered = await join(twin, listener)

    assert [entry.offset for entry in found] == list(range(1, 11))
    assert [entry["offset"] for entry in listener.entries(recovered)] == list(range(1, 11))
    assert len(await hot.read(UUID(room.room), position.epoch)) == 10


@pytest.mark.postgresql_only
async def test_removal_drops_the_hot_history_in_redis(deploy: Deploy) -> None:
    """And what was read from the log before can not bring the text back."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "secret")
    context = room.deployment.platform.context("chat")
    assert context.redis is not None
    hot = RedisHotHistory(context.redis, 300)
    epoch = (await join(room, Listener())).epoch
    before = await context.own(Log).last(UUID(room.room), epoch, 10)

    await ann.call("DELETE", f"{room.path}/messages/1")
    await _sent(room)
    await hot.fill(before)

    assert await hot.read(UUID(room.room), epoch) == []
