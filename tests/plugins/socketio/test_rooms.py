"""Rooms by Socket.IO, with the client from its makers: nothing is lost, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kernel import CloseCode, new_id
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.socketio.noding import node


async def school(deploy: Deploy) -> Classroom:
    """Deploy Socket.IO beside the chat."""
    return await open_classroom(deploy, "socketio")


def bearer(client: Client) -> dict[str, str]:
    """Return what *client* says of itself as it connects."""
    assert client.token is not None
    return {"token": client.token}


async def test_client_joins_speaks_and_hears(deploy: Deploy, folder: Path) -> None:
    """What it sends is acknowledged, and everybody hears it, by whichever transport they came."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    url = room.deployment.url
    async with node(folder, url, auth=bearer(ann)) as one, node(folder, url, auth=bearer(bob)) as two:
        joined = await one.join(room.room)
        await two.join(room.room)
        stored = await one.ask("post", room=room.room, client_id="a", text="Good morning, Bob")
        heard = await two.hears(1)
        await room.say(bob, "صباح الخير")

        assert (joined["recovered"], joined["offset"], joined["entries"]) == (None, 0, [])
        assert (stored["type"], stored["state"], stored["offset"]) == ("stored", "posted", 1)
        assert (heard["text"], heard["sender"]["id"]) == ("Good morning, Bob", str(ann.user))
        assert (await one.hears(2))["text"] == "صباح الخير"
        assert one.entries() == [("message", 1), ("message", 2)]


async def test_client_that_was_cut_off_gets_exactly_what_it_missed(deploy: Deploy, folder: Path) -> None:
    """It comes back by itself, says how far it knows the room, and is given the rest."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    async with node(folder, room.deployment.url, auth=bearer(ann), reconnectionDelay=1000) as one:
        joined = await one.join(room.room)
        await room.say(bob, "before")
        await one.hears(1)
        begun = len(one.told)
        one.do("break")
        await one.happens("disconnect", after=begun)
        for number in range(5):
            await room.say(bob, f"missed {number}")
        await one.happens("connect", after=begun)
        back = await one.join(room.room, epoch=joined["epoch"], offset=1)
        await room.say(bob, "after")
        await one.hears(7)

        assert back["recovered"] is True
        assert [(entry["offset"], entry["text"]) for entry in back["entries"]] == [
            (number + 2, f"missed {number}") for number in range(5)
        ]
        assert one.entries() == [("message", 1), ("message", 7)]


async def test_client_that_can_not_be_given_everything_is_told(deploy: Deploy, folder: Path) -> None:
    """The log is another one than it knew."""
    room = await school(deploy)
    ann = room.student()
    await room.say(ann, "something")
    async with node(folder, room.deployment.url, auth=bearer(ann)) as one:
        back = await one.join(room.room, epoch=str(new_id()), offset=1)

        assert (back["recovered"], [entry["offset"] for entry in back["entries"]]) == (False, [1])


@pytest.mark.postgresql_only
async def test_clients_of_two_processes_are_in_the_same_room(deploy: Deploy, folder: Path) -> None:
    """Who comes back by another process is given what was missed there."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    beside = await room.twin()
    async with (
        node(folder, room.deployment.url, auth=bearer(ann)) as one,
        node(folder, beside.deployment.url, auth=bearer(bob)) as two,
    ):
        joined = await one.join(room.room)
        await two.join(room.room)
        for number in range(10):
            await (one, two)[number % 2].ask("post", room=room.room, client_id=f"c{number}", text=str(number))
        await one.hears(10)
        await two.hears(10)
        async with node(folder, beside.deployment.url, auth=bearer(ann)) as again:
            back = await again.join(room.room, epoch=joined["epoch"], offset=4)

    everything = [("message", offset) for offset in range(1, 11)]
    assert one.entries() == two.entries() == everything
    assert (back["recovered"], [entry["offset"] for entry in back["entries"]]) == (True, [5, 6, 7, 8, 9, 10])


async def test_acknowledgement_of_joining_comes_before_what_happens_then(deploy: Deploy, folder: Path) -> None:
    """Though everybody speaks at that moment: nothing is missing between the two, and nothing double."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    async with node(folder, room.deployment.url, auth=bearer(ann)) as one:
        await one.happens("connect")
        said = [asyncio.create_task(room.say(bob, str(number))) for number in range(30)]
        joined = await one.join(room.room)
        await asyncio.gather(*said)
        if joined["offset"] < 30:
            await one.hears(30)

        place = next(place for place, told in enumerate(one.told) if told["kind"] == "ack")
        assert [told["kind"] for told in one.told[:place]] == ["connect"]
        assert [entry["offset"] for entry in joined["entries"]] == list(range(1, joined["offset"] + 1))
        assert one.entries() == [("message", offset) for offset in range(joined["offset"] + 1, 31)]


async def test_who_awaits_no_acknowledgement_gets_the_answer_as_an_event(deploy: Deploy, folder: Path) -> None:
    """It bears the `id` that the client gave; who gave none can not be answered, and is told so."""
    room = await school(deploy)
    async with node(folder, room.deployment.url, auth=bearer(room.student())) as one:
        one.do("send", event="join", body={"room": room.room, "id": 7})
        joined = await one.until(lambda told: told.get("event") == "joined")
        one.do("send", event="leave", body={"room": room.room})
        refused = await one.until(lambda told: told.get("event") == "refused")

        assert joined["body"]["id"] == 7
        assert refused["body"]["id"] is None


async def test_what_is_refused_is_acknowledged_with_the_reason(deploy: Deploy, folder: Path) -> None:
    """A room of others, an event that there is not, a body that is wrong; and typing is answered with nothing."""
    room = await school(deploy)
    async with node(folder, room.deployment.url, auth=bearer(room.student())) as one:
        await one.join(room.room)
        answers = [
            await one.ask("join", room=str(new_id())),
            await one.ask("shout", room=room.room),
            await one.ask("post", room=room.room, client_id="a", text=""),
            await one.ask("typing", room=room.room),
        ]

        assert [answer and (answer["type"], answer["status"]) for answer in answers] == [
            ("refused", 404),
            ("refused", 400),
            ("refused", 400),
            None,
        ]


async def test_process_that_stops_sends_its_clients_away_to_come_back(deploy: Deploy, folder: Path) -> None:
    """They are told that it restarts, connect to whoever serves then, and have missed nothing."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    enrolled, offers = room.enrollments._enrolled, room.courses._offers
    async with node(folder, room.deployment.url, auth=bearer(ann)) as one:
        joined = await one.join(room.room)
        begun = len(one.told)
        await room.begin_again(enrolled, offers)
        gone = await one.happens("disconnect", after=begun)
        await one.happens("connect", after=begun)
        await room.say(bob, "Here we are again")
        back = await one.join(room.room, epoch=joined["epoch"], offset=0)

        assert gone["code"] == CloseCode.RESTART
        assert (back["recovered"], [entry["text"] for entry in back["entries"]]) == (True, ["Here we are again"])


async def test_client_that_disconnects_is_out_of_its_rooms_until_it_joins_again(deploy: Deploy, folder: Path) -> None:
    """The others see it go."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    async with (
        node(folder, room.deployment.url, auth=bearer(ann)) as one,
        node(folder, room.deployment.url, auth=bearer(bob)) as two,
    ):
        await two.join(room.room)
        joined = await one.join(room.room)
        await two.until(lambda told: told.get("event") == "presence" and str(ann.user) in str(told["body"]["joined"]))
        one.do("disconnect")
        gone = await two.until(lambda told: told.get("event") == "presence" and str(ann.user) in told["body"]["left"])
        await room.say(bob, "Where is she?")
        begun = len(one.told)
        one.do("connect")
        await one.happens("connect", after=begun)
        back = await one.join(room.room, epoch=joined["epoch"], offset=0)

        assert gone["body"]["people"] == 1
        assert one.entries() == []
        assert [entry["text"] for entry in back["entries"]] == ["Where is she?"]


async def test_removed_and_edited_messages_reach_socket_io(deploy: Deploy, folder: Path) -> None:
    """Each kind of entry is an event of its own; what is for others is hidden, and its offset is not missed."""
    room = await school(deploy)
    ann, bob = room.student(), room.student()
    async with (
        node(folder, room.deployment.url, auth=bearer(ann)) as one,
        node(folder, room.deployment.url, auth=bearer(bob)) as two,
    ):
        await one.join(room.room)
        await two.join(room.room)
        await one.ask("post", room=room.room, client_id="a", text="Helo")
        await one.ask("edit", room=room.room, offset=1, text="Hello")
        await two.ask("react", room=room.room, offset=1, emoji="👍")
        await one.ask("post", room=room.room, client_id="b", text="Just between us", audience="staff")
        await one.ask("remove", room=room.room, offset=1)
        await two.hears(5)

        kinds = ("message", "edited", "reacted", "hidden", "removed")
        assert two.entries() == [(kind, offset) for offset, kind in enumerate(kinds, 1)]
        assert "Just between us" not in str(two.told)
