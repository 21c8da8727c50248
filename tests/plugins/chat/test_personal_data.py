"""What an erasure leaves of somebody in rooms."""

from __future__ import annotations

import pytest

from kernel.contracts.personal_data import PersonalData, Subject
from kernel.testing.contracts.personal_data import contributor_of
from kernel.testing.deploying import Deploy
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.chat.listening import Listener, eventually, join


def contributor(room: Classroom) -> PersonalData:
    return contributor_of(room.deployment, "chat")


async def test_what_an_erased_person_said_is_gone_and_everybody_begins_anew(deploy: Deploy) -> None:
    """From the log and from every memory of it; the log of others stays."""
    room = await open_classroom(deploy)
    ann, bob, listener = room.student(), room.student(), Listener()
    await room.say(ann, "secret")
    await room.say(bob, "stays")
    epoch = (await join(room, listener)).epoch
    assert ann.user is not None
    subject = Subject(user_id=ann.user, email="")

    receipts = [await contributor(room).erase(subject) for _ in range(2)]
    await eventually(lambda: any(message["type"] == "reset" for message in listener.heard))
    again = await join(room, Listener(), (epoch, 2))

    assert receipts[0] == receipts[1]
    assert await room.texts(bob) == ["stays"]
    assert again.recovered is False
    assert b"secret" not in b"".join(entry.body for entry in again.entries)
    assert (await room.say(bob, "on we go"))["offset"] > 2


async def test_institution_may_keep_what_was_said_without_the_name(deploy: Deploy) -> None:
    """And says so in the receipt."""
    room = await open_classroom(deploy, settings={"erased_messages": "keep"})
    ann = room.student()
    await room.say(ann, "knowledge")
    assert ann.user is not None

    receipt = await contributor(room).erase(Subject(user_id=ann.user, email=""))

    assert await room.texts(room.teacher) == ["knowledge"]
    assert [kept.what for kept in receipt.kept] == ["what you wrote in rooms, under your number, without your name"]


@pytest.mark.postgresql_only
async def test_hot_history_of_an_erased_person_is_dropped(deploy: Deploy) -> None:
    """Also by the second question, for what was under way at the first."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "secret")
    assert ann.user is not None
    redis = room.deployment.platform.context("chat").redis
    assert redis is not None

    await contributor(room).erase(Subject(user_id=ann.user, email=""))
    await redis.lpush(f"chat:hot:{room.room}", "secret")
    await contributor(room).erase(Subject(user_id=ann.user, email=""))

    assert await redis.exists(f"chat:hot:{room.room}") == 0
