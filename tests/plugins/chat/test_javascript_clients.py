"""Clients in JavaScript, that of our pages and the one in `docs/chat.md`: they do what they promise, as they are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import pytest

from kernel import CloseCode
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.proxy import Proxy, proxying
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.chat.javascript import Follower, following
from tests.plugins.chat.listening import eventually

ROOT: Final = Path(__file__).parents[3]
MODULE: Final = ROOT / "plugins" / "chat" / "static" / "client.js"
BACKLOG: Final = 120  # messages
RATE: Final = 50  # messages of a connection in a second
Which = Literal["page", "document"]


def documented() -> str:
    """Return the class `Room` of the page."""
    text = (ROOT / "docs" / "chat.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```js\n(class Room .*?)```", text, re.DOTALL)
    return f"{code}\nexport {{ Room }};\n"


@asynccontextmanager
async def client(room: Classroom, which: Which, student: Client, folder: Path) -> AsyncIterator[tuple[Follower, Proxy]]:
    """Give a client, and the network between it and the server."""
    module = MODULE
    if which == "document":
        module = folder / "documented.mjs"
        module.write_text(documented(), encoding="utf-8")
    address = urlsplit(room.deployment.url)
    assert address.hostname is not None
    assert address.port is not None
    async with proxying((address.hostname, address.port)) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with following(module, which, url=url, token=str(student.token), room=room.room) as follower:
            yield follower, proxy


@pytest.mark.parametrize("which", ["page", "document"])
async def test_client_loses_nothing_though_its_connection_breaks(deploy: Deploy, tmp_path: Path, which: Which) -> None:
    """It says what it has to say once and in its order, and shows everything once and in order."""
    room = await open_classroom(deploy)
    student, other = room.student(), room.student()
    async with client(room, which, student, tmp_path) as (follower, proxy):
        for number in range(20):
            follower.say(f"mine {number}")
            await room.say(other, f"theirs {number}")
            if number in (5, 12):
                await eventually(lambda number=number: len(follower.offsets) > number)  # type: ignore[misc]
                proxy.reset()
        await eventually(lambda: len(follower.offsets) == 40)

    assert follower.offsets == list(range(1, 41))
    texts = await room.texts(other)
    assert [text for text in texts if text.startswith("mine")] == [f"mine {n}" for n in range(20)]
    assert [text for text in texts if text.startswith("theirs")] == [f"theirs {n}" for n in range(20)]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("which", ["page", "document"])
async def test_backlog_of_a_client_goes_out_in_its_order_and_within_the_rate(
    deploy: Deploy, tmp_path: Path, which: Which
) -> None:
    """However much was said while there was no connection; the server parts from nobody for it."""
    room = await open_classroom(deploy)
    async with client(room, which, room.student(), tmp_path) as (follower, proxy):
        follower.say("first")
        await eventually(lambda: len(follower.offsets) == 1)
        proxy.refusing = True
        proxy.reset()
        await eventually(lambda: len(follower.of("closed")) > 0)
        for number in range(BACKLOG):
            follower.say(str(number))
        proxy.refusing = False
        await eventually(lambda: len(follower.offsets) == BACKLOG + 1, seconds=60)

        assert [one["text"] for one in follower.of("message")] == ["first", *map(str, range(BACKLOG))]
        assert CloseCode.TOO_MANY not in [one["code"] for one in follower.of("closed")]
    first, *_, last = (datetime.fromisoformat(one["at"]) for one in follower.of("message")[1:])
    assert (last - first).total_seconds() >= (BACKLOG - 1) / RATE


@pytest.mark.parametrize("which", ["page", "document"])
async def test_client_that_is_told_to_wait_goes_on_in_its_order(deploy: Deploy, tmp_path: Path, which: Which) -> None:
    """What a limit refuses for a while does not come after what was said later."""
    room = await open_classroom(deploy, settings={"messages_per_person": "10/second"})
    async with client(room, which, room.student(), tmp_path) as (follower, _):
        for number in range(30):
            follower.say(str(number))
        await eventually(lambda: len(follower.offsets) == 30)

        assert [one["text"] for one in follower.of("message")] == [str(number) for number in range(30)]
