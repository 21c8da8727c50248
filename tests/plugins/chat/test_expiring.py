"""What was said long ago goes, where the institution does not keep it, and nobody is told that they have everything."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel.database import Command
from kernel.testing.deploying import Deploy
from plugins.chat import expiring
from plugins.chat.changing import Changing
from plugins.chat.expiring import Expiring
from plugins.chat.tables import entries
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.chat.listening import Listener, eventually, join

DAY = 24 * 3600


async def kept_for(deploy: Deploy, days: int) -> Classroom:
    """Return a room whose words are kept so long."""
    return await open_classroom(deploy, settings={"keep_days": days})


async def expire(room: Classroom) -> None:
    """Do what is done every hour."""
    await room.deployment.platform.context("chat").own(Expiring).expire()


async def test_what_is_older_than_it_is_kept_goes_from_everywhere(deploy: Deploy) -> None:
    """From the history, the export, the log and every memory of it; what is younger stays where it stands."""
    room = await kept_for(deploy, 30)
    ann, listener = room.student(), Listener()
    await room.say(ann, "long ago")
    room.deployment.clock.advance(20 * DAY)
    young = await room.say(ann, "the other day")
    before = await join(room, listener)
    room.deployment.clock.advance(11 * DAY)

    await expire(room)
    await eventually(lambda: any(message["type"] == "reset" for message in listener.heard))
    again = await join(room, Listener(), (before.epoch, 1))

    assert [(one["offset"], one["text"]) for one in await room.history(ann)] == [(young["offset"], "the other day")]
    export = await room.teacher.call("GET", f"{room.path}/export", params={"form": "json"})
    assert [one["text"] for one in export] == ["the other day"]
    assert (again.recovered, again.epoch == before.epoch) == (False, False)
    assert b"long ago" not in b"".join(entry.body for entry in again.entries)
    assert (await room.say(ann, "on we go"))["offset"] > young["offset"] + 1, "no offset leads to another message"


async def test_position_before_what_went_is_not_recovered(deploy: Deploy) -> None:
    """Over HTTP as well: what is missing is never passed over in silence."""
    room = await kept_for(deploy, 1)
    ann = room.student()
    for number in range(5):
        await room.say(ann, str(number))
    epoch, _ = await room.position(ann)
    room.deployment.clock.advance(2 * DAY)
    await room.say(ann, "today")

    await expire(room)

    assert (await room.since(ann, epoch, 2))["recovered"] is False
    assert await room.texts(ann) == ["today"]


@pytest.mark.parametrize("way", ["socket", "HTTP"])
async def test_log_whose_beginning_has_just_gone_is_no_recovery(deploy: Deploy, way: str) -> None:
    """In the moment in which it went and its epoch is not known here yet."""
    room = await open_classroom(deploy, settings={"hot_history": 50, "recovery_limit": 100})
    ann = room.student()
    for number in range(60):
        await room.say(ann, str(number))
    found = await join(room, Listener())
    db = room.deployment.platform.context("chat").db
    await db.run(expiring.REMOVE, room_id=UUID(room.room), up_to=5)

    if way == "HTTP":
        assert (await room.since(ann, str(found.epoch), 1))["recovered"] is False
        assert (await room.since(ann, str(found.epoch), 5))["recovered"] is True
    else:
        assert (await join(room, Listener(), (found.epoch, 1))).recovered is False
        assert (await join(room, Listener(), (found.epoch, 5))).recovered is True


async def test_much_that_is_old_goes_page_by_page_with_all_that_belongs_to_it(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs, reports and edits too, in every room; clients begin anew once."""
    monkeypatch.setattr(expiring, "PAGE", 3)
    monkeypatch.setattr(expiring, "ROOMS_AT_ONCE", 1)
    room = await kept_for(deploy, 7)
    ann, other = room.student(), await room.another()
    for number in range(7):
        await room.say(ann, str(number))
    await ann.call("PUT", f"{room.path}/messages/1/reactions/👍")
    await ann.call("POST", f"{room.path}/messages/2/reports", {"reason": "why not"})
    await ann.call("PATCH", f"{room.path}/messages/3", {"text": "three"})
    await room.teacher.call("POST", f"/api/v1/chat/rooms/{other}/messages", {"client_id": "a", "text": "there"})
    epoch, last = await room.position(ann)
    room.deployment.clock.advance(8 * DAY)

    await expire(room)
    after = await room.position(ann)
    await expire(room)

    assert await room.history(ann) == []
    assert (await room.teacher.call("GET", f"/api/v1/chat/rooms/{other}/messages"))["items"] == []
    assert (after[0] != epoch, after[1] > last) == (True, True)
    assert await room.position(ann) == after, "nothing more was old"


async def test_message_that_nobody_approves_for_so_long_goes_too(deploy: Deploy) -> None:
    """It is no more to be read than one that was said."""
    room = await kept_for(deploy, 7)
    await room.rules(approval=True)
    await room.say(room.student(), "may I?")
    room.deployment.clock.advance(6 * DAY)
    await room.say(room.student(), "may I, too?")
    room.deployment.clock.advance(2 * DAY)

    await expire(room)

    waiting = await room.teacher.call("GET", f"{room.path}/held")
    assert [one["text"] for one in waiting["items"]] == ["may I, too?"]


async def test_every_word_is_kept_unless_a_setting_says_otherwise(deploy: Deploy) -> None:
    """As long as the room: nothing is removed by itself."""
    room = await open_classroom(deploy)
    assert room.deployment.platform.context("chat").settings.keep_days == 0


@pytest.mark.postgresql_only
async def test_what_went_is_in_no_list_of_redis(deploy: Deploy) -> None:
    """From which another process would take it."""
    room = await kept_for(deploy, 1)
    await room.say(room.student(), "long ago")
    redis = room.deployment.platform.context("chat").redis
    assert redis is not None
    async with asyncio.timeout(10):  # stored is what the log has; the list follows
        while not await redis.exists(f"chat:hot:{room.room}"):  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.01)
    room.deployment.clock.advance(2 * DAY)

    await expire(room)

    assert await redis.exists(f"chat:hot:{room.room}") == 0


async def test_message_that_goes_while_somebody_reacts_is_not_there(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it had gone before: it became too old to be kept."""
    room = await open_classroom(deploy)
    ann = room.student()
    said = await room.say(ann, "old")
    context = room.deployment.platform.context("chat")
    changing = context.own(Changing)
    find = changing.target

    async def find_and_lose(*arguments: Any) -> Any:
        found = await find(*arguments)
        await context.db.run(Command(sa.delete(entries).where(entries.c.offset == said["offset"])))
        return found

    monkeypatch.setattr(changing, "target", find_and_lose)
    await ann.call("PUT", f"{room.path}/messages/{said['offset']}/reactions/👍", expect=404)
    said = await room.say(ann, "old too")
    await ann.call("POST", f"{room.path}/messages/{said['offset']}/reports", {"reason": "x"}, expect=404)
