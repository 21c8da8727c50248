"""Order in a room: who may speak and how often, what waits, what is taken away; and that all of it is recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.audit import ActRecorded
from kernel.contracts.chat import CHAT_FILTER, Draft, Judgement, MemberMentioned, MessageAnswered, MessageRemoved
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from tests.plugins.chat.classroom import Classroom, open_classroom


class Words:
    """A filter that goes by words."""

    async def judge(self, draft: Draft) -> Judgement:
        if "hang" in draft.text:
            await asyncio.sleep(60)
        if "break" in draft.text:
            raise RuntimeError("broken")
        for action in ("hold", "drop"):
            if action in draft.text:
                return Judgement(action=action, reason=f"says {action}")
        if "redact" in draft.text:
            return Judgement(action="redact", text=draft.text.replace("redact", "***"))
        return Judgement(action="pass")


class WordsPlugin(Plugin):
    """Contributes a filter."""

    manifest: ClassVar[Manifest] = Manifest(name="words", version="1", provides=(CHAT_FILTER,))

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(CHAT_FILTER, lambda: nullcontext(Words()))


async def acts(room: Classroom) -> list[ActRecorded]:
    return await room.deployment.events.of(ActRecorded)


async def test_slow_mode_lets_each_person_write_once_in_a_while(deploy: Deploy) -> None:
    """To the second; staff as often as they like, and a repetition is none."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.rules(slow_mode=30)

    first = await room.say(ann, "a", client_id="x")
    refused = await room.refused(ann, "b", 429)
    again = await room.say(ann, "a", client_id="x")
    await room.say(bob, "c")
    for _ in range(3):
        await room.say(room.teacher, "staff")
    room.deployment.clock.advance(30)
    await room.say(ann, "d")

    assert refused["type"] == "/problems/too-soon"
    assert again == first
    assert await room.texts(ann) == ["a", "c", "staff", "staff", "staff", "d"]


@pytest.mark.postgresql_only
async def test_slow_mode_holds_across_processes(deploy: Deploy) -> None:
    """Of many at once by both, one comes through."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.rules(slow_mode=30)
    twin = await room.twin()
    there = twin.deployment.client("student", user=ann.user)

    body = [{"client_id": f"c{number}", "text": "x"} for number in range(10)]
    answers = [(ann if number % 2 else there).post(f"{room.path}/messages", json=body[number]) for number in range(10)]
    statuses = [answer.status for answer in await asyncio.gather(*answers)]

    assert sorted(statuses) == [201] + [429] * 9


async def test_flood_is_held_back_by_person_and_by_room(deploy: Deploy) -> None:
    """With the time after which to come back."""
    settings = {"messages_per_person": "3/minute", "messages_per_room": "5/minute"}
    room = await open_classroom(deploy, settings=settings)
    ann, bob, cid = room.student(), room.student(), room.student()
    for person, times in ((ann, 3), (bob, 2)):
        for _ in range(times):
            await room.say(person, "x")

    async with ann.post(f"{room.path}/messages", json={"client_id": "n", "text": "x"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    await room.refused(cid, "x", 429)
    await room.say(room.teacher, "calm down")
    room.deployment.clock.advance(60)
    await room.say(ann, "x")


async def test_muted_person_may_read_and_not_write(deploy: Deploy) -> None:
    """Until the time is over, or it is taken back."""
    room = await open_classroom(deploy)
    ann = room.student()
    until = room.deployment.clock.now() + timedelta(minutes=5)
    await stand(room, ann, muted_until=until.isoformat(), reason="noise")

    refused = await room.refused(ann, "x", 403)
    assert refused["type"] == "/problems/silenced"
    assert await room.texts(ann) == []
    await ann.call("GET", room.path)
    room.deployment.clock.advance(300)
    await room.say(ann, "again")

    (act,) = await acts(room)
    assert (act.action, act.about, act.reason) == ("chat.set_standing", ann.user, "noise")
    assert act.before == {"muted_until": None, "banned": False}


async def test_banned_person_is_out_until_it_is_taken_back(deploy: Deploy) -> None:
    """Neither to read nor to write."""
    room = await open_classroom(deploy)
    ann = room.student()
    await stand(room, ann, banned=True)

    await ann.call("GET", f"{room.path}/messages", expect=403)
    await room.refused(ann, "x", 403)
    await stand(room, ann, banned=False)
    await room.say(ann, "back")

    assert [act.after for act in await acts(room)] == [
        {"muted_until": None, "banned": True},
        {"muted_until": None, "banned": False},
    ]


async def stand(room: Classroom, person: Client, **standing: Any) -> None:
    await room.teacher.call("PUT", f"{room.path}/members/{person.user}", standing)


async def fates(room: Classroom, person: Client) -> list[tuple[str, str, str]]:
    """Return what became of the person's messages that were held, as the person learns it."""
    found = (await person.call("GET", f"{room.path}/held/own"))["items"]
    return [(one["client_id"], one["state"], one["text"]) for one in found]


async def test_messages_wait_for_approval(deploy: Deploy) -> None:
    """Nobody sees them before; what is approved stands under its sender's name, what is refused nowhere."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.rules(approval=True)

    told = [await room.say(ann, text, client_id=text) for text in ("good", "bad", "good")]
    assert [one["state"] for one in told] == ["held"] * 3
    assert await room.texts(room.teacher) == []
    good, bad = (await room.teacher.call("GET", f"{room.path}/held"))["items"]
    assert await fates(room, ann) == [("bad", "waiting", "bad"), ("good", "waiting", "good")]
    await room.teacher.call("POST", f"{room.path}/held/{good['id']}/approve")
    await room.teacher.call("POST", f"{room.path}/held/{bad['id']}/refuse", {"reason": "rude"})
    assert await fates(room, ann) == [("bad", "refused", ""), ("good", "approved", "")]
    assert await fates(room, room.student()) == []

    (said,) = await room.history(ann)
    assert (said["text"], said["sender"]) == ("good", str(ann.user))
    assert (await room.teacher.call("GET", f"{room.path}/held"))["items"] == []
    for held in (good, bad):
        await room.teacher.call("POST", f"{room.path}/held/{held['id']}/approve", expect=404)
    assert [(act.action, act.about) for act in await acts(room)][1:] == [
        ("chat.approve", ann.user),
        ("chat.refuse", ann.user),
    ]


async def test_message_that_was_stored_is_not_held_as_well(deploy: Deploy) -> None:
    """It is sent again because its answer was lost, and meanwhile messages have to be approved."""
    room = await open_classroom(deploy)
    ann = room.student()
    first = await room.say(ann, "x", client_id="x")
    await room.rules(approval=True)

    assert await room.say(ann, "x", client_id="x") == first
    assert (await room.teacher.call("GET", f"{room.path}/held"))["items"] == []


async def test_message_that_was_held_is_not_stored_as_well(deploy: Deploy) -> None:
    """Who sends it again when nothing is held any more is answered as before: what was refused does not come in."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.say(bob, "first")
    await room.rules(approval=True)
    messages: tuple[dict[str, Any], ...] = ({"client_id": "x"}, {"client_id": "y", "reply_to": 1})
    before = [await room.say(ann, "no", **message) for message in messages]
    for held in (await room.teacher.call("GET", f"{room.path}/held"))["items"]:
        await room.teacher.call("POST", f"{room.path}/held/{held['id']}/refuse", {"reason": "no"})
    await room.rules(approval=False)

    assert [await room.say(ann, "no", **message) for message in messages] == before
    assert await room.texts(ann) == ["first"]


async def test_filters_hold_drop_and_redact(deploy: Deploy) -> None:
    """One that fails or hangs holds the message: nothing passes unseen, and nothing is lost."""
    room = await open_classroom(deploy, plugins=[WordsPlugin], settings={"filter_timeout": 0.2})
    ann = room.student()

    dropped = await room.refused(ann, "drop this", 422)
    told = [(await room.say(ann, text))["state"] for text in ("fine", "redact this", "hold this", "break", "hang")]

    assert (dropped["type"], dropped["detail"]) == ("/problems/message-refused", "says drop")
    assert told == ["posted", "posted", "held", "held", "held"]
    assert await room.texts(ann) == ["fine", "*** this"]
    waiting = (await room.teacher.call("GET", f"{room.path}/held"))["items"]
    assert [(one["text"], one["why"]) for one in waiting] == [
        ("hold this", "words: says hold"),
        ("break", "words: the filter did not answer"),
        ("hang", "words: the filter did not answer"),
    ]


async def test_edit_does_not_get_round_filters_or_approval(deploy: Deploy) -> None:
    """What would be dropped or held is refused, for the message is out already."""
    room = await open_classroom(deploy, plugins=[WordsPlugin])
    ann = room.student()
    await room.say(ann, "fine")

    for text in ("drop", "hold"):
        await ann.call("PATCH", f"{room.path}/messages/1", {"text": text}, expect=422)
    await ann.call("PATCH", f"{room.path}/messages/1", {"text": "redact"})
    await room.rules(approval=True)
    await ann.call("PATCH", f"{room.path}/messages/1", {"text": "anything"}, expect=422)

    assert await room.texts(ann) == ["***"]


async def test_question_to_staff_is_seen_by_staff_and_who_asked(deploy: Deploy) -> None:
    """So is the answer; others learn that an offset is taken, and nothing else."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.say(ann, "my grade?", audience="staff")
    await room.say(room.teacher, "an A", audience="staff", reply_to=1)
    await room.say(room.teacher, "among us", audience="staff")
    epoch, _ = await room.position(bob)

    assert await room.texts(ann) == ["my grade?", "an A"]
    assert await room.texts(room.teacher) == ["my grade?", "an A", "among us"]
    assert await room.texts(bob) == []
    hidden = (await room.since(bob, epoch, 0))["entries"]
    assert [(entry["type"], entry["offset"]) for entry in hidden] == [("hidden", 1), ("hidden", 2), ("hidden", 3)]
    assert [entry["type"] for entry in (await room.since(ann, epoch, 0))["entries"]] == ["message", "message", "hidden"]
    await ann.call("PUT", f"{room.path}/messages/3/reactions/👍", expect=404)
    await room.refused(bob, "me too", 422, reply_to=1)


async def test_answer_to_a_question_for_staff_stays_for_staff(deploy: Deploy) -> None:
    """Also where whoever answers forgets to say so."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.say(ann, "my grade?", audience="staff")
    await room.say(room.teacher, "an A", reply_to=1)

    assert await room.texts(bob) == []
    assert await room.texts(ann) == ["my grade?", "an A"]


async def test_own_message_is_edited_for_a_while(deploy: Deploy) -> None:
    """Others' never."""
    room = await open_classroom(deploy, settings={"edit_minutes": 5})
    ann, bob = room.student(), room.student()
    await room.say(ann, "wrong")

    await ann.call("PATCH", f"{room.path}/messages/1", {"text": "right"})
    await bob.call("PATCH", f"{room.path}/messages/1", {"text": "mine"}, expect=403)
    await room.teacher.call("PATCH", f"{room.path}/messages/1", {"text": "mine"}, expect=403)
    room.deployment.clock.advance(301)
    await ann.call("PATCH", f"{room.path}/messages/1", {"text": "late"}, expect=403)

    (said,) = await room.history(bob)
    assert said["text"] == "right"
    assert said["edited_at"] is not None


async def test_removed_message_is_gone_from_everywhere(deploy: Deploy) -> None:
    """From the history, from what returning clients get, and from every export; other plugins are told."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    for text in ("secret-one", "stays", "secret-two"):
        await room.say(ann, text)
    epoch, _ = await room.position(bob)

    await bob.call("DELETE", f"{room.path}/messages/1", expect=403)
    await ann.call("DELETE", f"{room.path}/messages/1")
    await room.teacher.call("POST", f"{room.path}/messages/3/remove", {"reason": "rude"})
    for _ in range(2):
        await room.teacher.call("POST", f"{room.path}/messages/3/remove", {"reason": "rude"}, expect=404)

    assert await room.texts(room.teacher) == ["stays"]
    gap = await room.since(bob, epoch, 0)
    assert [entry["type"] for entry in gap["entries"]] == ["message"] * 3 + ["removed"] * 2
    exports = [await export(room, form) for form in ("csv", "json", "vtt")]
    assert "secret" not in str(gap) + "".join(exports)
    assert [told.offset for told in await room.deployment.events.of(MessageRemoved)] == [1, 3]
    (act, *_) = [act for act in await acts(room) if act.action == "chat.remove"]
    assert (act.about, act.reason, act.before) == (ann.user, "rude", {"offset": 3, "sender": str(ann.user)})


async def export(room: Classroom, form: str) -> str:
    async with room.teacher.get(f"{room.path}/export", params={"form": form}) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_signs_are_counted(deploy: Deploy) -> None:
    """One of each by each person."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.say(ann, "nice")
    for person in (ann, ann, bob):
        await person.call("PUT", f"{room.path}/messages/1/reactions/👍")
    await bob.call("PUT", f"{room.path}/messages/1/reactions/❤️")
    await bob.call("DELETE", f"{room.path}/messages/1/reactions/👍")
    await ann.call("PUT", f"{room.path}/messages/1/reactions/word", expect=422)

    (said,) = await room.history(ann)
    _, last = await room.position(ann)

    assert said["reactions"] == {"❤️": 1, "👍": 1}
    assert last == 5


async def test_no_words_are_put_to_a_message(deploy: Deploy) -> None:
    """They would be read by everybody before those who approve messages."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "a")

    for word in ("é", "👍no", "→так", "👍 no", "①"):
        await ann.call("PUT", f"{room.path}/messages/1/reactions/{word}", expect=422)
    for sign in ("👩‍🚀", "👋🏽", "🇦🇹", "™"):
        await ann.call("PUT", f"{room.path}/messages/1/reactions/{sign}")

    (said,) = await room.history(ann)
    assert said["reactions"] == dict.fromkeys(("👩‍🚀", "👋🏽", "🇦🇹", "™"), 1)


async def test_closed_room_is_for_reading(deploy: Deploy) -> None:
    """Nothing is said, edited or marked any more, and everything can be read."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "before")
    await room.rules(state="closed")

    refused = await room.refused(ann, "after", 409)
    await ann.call("PATCH", f"{room.path}/messages/1", {"text": "x"}, expect=409)

    assert refused["type"] == "/problems/room-closed"
    assert await room.texts(ann) == ["before"]


async def test_rules_are_for_those_who_teach_the_course(deploy: Deploy) -> None:
    """Another teacher finds no such room; an administrator any."""
    room = await open_classroom(deploy)
    other, admin = room.deployment.client("instructor"), room.deployment.client("admin")

    await other.call("PUT", f"{room.path}/rules", {"slow_mode": 5}, expect=404)
    await room.student().call("PUT", f"{room.path}/rules", {"slow_mode": 5}, expect=403)
    await admin.call("PUT", f"{room.path}/rules", {"slow_mode": 5, "reason": "calm"})
    await admin.call("PUT", f"{room.path}/rules", {"slow_mode": 5})

    (act,) = await acts(room)
    assert (act.action, act.actor, act.reason) == ("chat.set_rules", admin.user, "calm")
    assert act.before == {"state": "open", "slow_mode": 0, "approval": False}


async def test_report_reaches_those_who_moderate(deploy: Deploy) -> None:
    """Once by each person; it is settled by them, or by the removal of the message."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.say(ann, "rude")
    await room.say(ann, "ruder")
    for offset in (1, 1, 2):
        await bob.call("POST", f"{room.path}/messages/{offset}/reports", {"reason": "see"})

    listed = (await room.teacher.call("GET", f"{room.path}/reports"))["items"]
    assert [(one["offset"], one["reporter"], one["reason"]) for one in listed] == [
        (1, str(bob.user), "see"),
        (2, str(bob.user), "see"),
    ]
    await room.teacher.call("POST", f"{room.path}/reports/{listed[0]['id']}/settle", {"reason": "harmless"})
    await room.teacher.call("POST", f"{room.path}/messages/2/remove", {})

    assert (await room.teacher.call("GET", f"{room.path}/reports"))["items"] == []
    assert {act.action for act in await acts(room)} == {"chat.settle_report", "chat.remove"}


async def test_who_is_named_or_answered_is_told(deploy: Deploy) -> None:
    """Once, and only who is in the room; never of a message for staff, nor of oneself."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    stranger = room.deployment.client("student")
    for person in (ann, bob):
        await person.call("GET", room.path)
    await room.say(ann, "hi bob", mentions=[str(bob.user), str(stranger.user), str(ann.user)])
    for _ in range(2):
        await room.say(bob, "hi ann", reply_to=1, client_id="x")
    await room.say(ann, "to myself", reply_to=1)
    await room.say(ann, "staff", audience="staff", mentions=[str(bob.user)])

    (named,) = await room.deployment.events.of(MemberMentioned)
    (answered,) = await room.deployment.events.of(MessageAnswered)
    assert (named.user_id, named.author, named.offset, named.excerpt) == (bob.user, ann.user, 1, "hi bob")
    assert (answered.user_id, answered.author, answered.reply_to, answered.offset) == (ann.user, bob.user, 1, 2)


async def test_who_was_put_out_is_told_nothing(deploy: Deploy) -> None:
    """Of what is said behind them, whoever answers or names them."""
    room = await open_classroom(deploy)
    ann, bob = room.student(), room.student()
    await room.say(ann, "hi")
    await room.teacher.call("PUT", f"{room.path}/members/{ann.user}", {"banned": True})

    await room.say(bob, "ann is out", reply_to=1, mentions=[str(ann.user)])

    for event in (MemberMentioned, MessageAnswered):
        assert await room.deployment.events.of(event) == []


async def test_captions_lack_nothing_that_was_said_before_the_first_one(deploy: Deploy) -> None:
    """What the log has later may have been said a moment earlier, when its filters took longer."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "first")
    room.deployment.clock.advance(-2)
    await room.say(ann, "second")

    captions = await export(room, "vtt")

    assert re.findall(r"(\S+) --> .*\n.*>(\w+)</v>", captions) == [
        ("00:00:00.000", "first"),
        ("00:00:00.000", "second"),
    ]


async def test_export_is_an_act_and_comes_in_three_forms(deploy: Deploy) -> None:
    """No spreadsheet takes a message for a formula, no player one for markup."""
    room = await open_classroom(deploy)
    ann = room.student()
    await room.say(ann, "=1+1")
    room.deployment.clock.advance(61)
    await room.say(ann, "<b>bold</b> --> & so on\n\nlast")
    await room.say(ann, "for staff", audience="staff")

    table, document, captions = [await export(room, form) for form in ("csv", "json", "vtt")]

    assert "'=1+1" in table
    assert '"text":"=1+1"' in document
    assert document.startswith("[")
    assert document.endswith("]")
    assert captions.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:05.000\n")
    assert re.search(r"\n2\n00:01:01\.\d{3} --> 00:01:06\.\d{3}\n", captions)
    assert "&lt;b&gt;bold&lt;/b&gt; --&gt; &amp; so on\nlast</v>" in captions
    assert "for staff" not in captions
    assert [act.action for act in await acts(room)] == ["chat.export"] * 3
