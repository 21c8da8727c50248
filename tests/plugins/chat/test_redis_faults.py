"""Redis dies, comes back empty, hangs, cuts its subscribers: nobody misses a word, or hears one twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import pytest

from kernel.contracts.chat import Posted
from kernel.testing.deploying import Deploy
from plugins.chat.posting import NewMessage, Posting
from plugins.chat.standing import Standing, Standings
from tests.plugins.chat.classroom import Classroom, open_classroom
from tests.plugins.chat.listening import Listener, eventually, hub, join
from tests.plugins.chat.mortal import MortalValkey, mortal_valkey

pytestmark = pytest.mark.postgresql_only

SETTINGS: Final = {"check_every": 0.5, "messages_per_room": "100000/second", "recovery_limit": 1000}
SENDERS: Final = 50
PACE: Final = 20.0  # messages of each in a second
LASTING: Final = 5.0  # seconds
RECONNECTS: Final = 1000


@pytest.fixture(scope="module")
def valkey() -> Iterator[MortalValkey]:
    with mortal_valkey() as found:
        yield found


@pytest.fixture(scope="module")
def redis_url(valkey: MortalValkey) -> str:
    return valkey.url


@dataclass
class Pupil:
    """A client that comes back whenever its connection breaks, with the position that it knows."""

    room: Classroom
    epoch: UUID | None = None
    heard: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    doubtful: int = 0  #: how often it was told that something may be missing
    _listener: Listener | None = None

    async def connect(self) -> None:
        self._leave()
        known = None if self.epoch is None else (self.epoch, self.heard[-1] if self.heard else 0)
        listener = Listener()
        found = await join(self.room, listener, known)
        self.epoch = found.epoch
        self.doubtful += found.recovered is False
        self._listener = listener
        self._note(listener.entries(found))

    def catch_up(self) -> None:
        """Note what was heard by now."""
        if self._listener is not None:
            told, self._listener.heard = self._listener.heard, []
            self._note([one for one in told if "offset" in one])

    def _leave(self) -> None:
        if self._listener is not None:
            hub(self.room).leave(UUID(self.room.room), self._listener)
            self.catch_up()

    def _note(self, entries: list[dict[str, object]]) -> None:
        self.heard += [int(str(entry["offset"])) for entry in entries]
        self.texts += [str(entry["text"]) for entry in entries]


@dataclass
class Speaker:
    """Somebody who sends at a pace, and again what was not acknowledged."""

    room: Classroom
    standing: Standing
    acknowledged: dict[str, Posted] = field(default_factory=dict)

    async def speak(self, until: float) -> None:
        posting = self.room.deployment.platform.context("chat").own(Posting)
        loop, number = asyncio.get_running_loop(), 0
        while loop.time() < until:
            key = f"{self.standing.user_id.hex[-6:]}-{number}"
            self.acknowledged[key] = await posting.post(self.standing, NewMessage(client_id=key, text=key))
            number += 1
            await asyncio.sleep(1 / PACE)


async def speaker(room: Classroom) -> Speaker:
    person = room.student()
    assert person.user is not None
    standings = room.deployment.platform.context("chat").own(Standings)
    return Speaker(room, await standings.of_user(person.user, UUID(room.room)))


@asynccontextmanager
async def reconnecting(pupils: list[Pupil]) -> AsyncIterator[list[int]]:
    """Have one after another of *pupils* come back anew while the block runs; give their number so far."""
    count, chance = [0], random.Random(1)

    async def go_on() -> None:
        while True:
            await chance.choice(pupils).connect()
            count[0] += 1
            await asyncio.sleep(0.001)

    task = asyncio.create_task(go_on())
    try:
        yield count
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nobody_misses_a_word_while_redis_is_killed_and_comes_back_empty(
    deploy: Deploy, valkey: MortalValkey
) -> None:
    """A29: fifty people with twenty messages a second each, by two processes, and a thousand reconnects meanwhile."""
    room = await open_classroom(deploy, settings=SETTINGS)
    twin = await room.twin()
    speakers = [await speaker(one) for one in (room, twin) for _ in range(SENDERS // 2)]
    steady = [Pupil(one) for one in (room, twin) for _ in range(10)]
    restless = [Pupil(one) for one in (room, twin) for _ in range(20)]
    for pupil in (*steady, *restless):
        await pupil.connect()

    until = asyncio.get_running_loop().time() + LASTING
    async with reconnecting(restless) as count:
        speaking = asyncio.gather(*(one.speak(until) for one in speakers))
        await asyncio.sleep(LASTING / 3)
        valkey.kill()
        await asyncio.sleep(LASTING / 5)
        valkey.start()
        await speaking
        await eventually(lambda: count[0] >= RECONNECTS)
    acknowledged = {key: posted for one in speakers for key, posted in one.acknowledged.items()}
    last = max(posted.offset or 0 for posted in acknowledged.values())
    for pupil in (*steady, *restless):
        await eventually(lambda pupil=pupil: bool(pupil.catch_up() or pupil.heard[-1:] == [last]))  # type: ignore[misc]

    assert len(acknowledged) == last
    for pupil in (*steady, *restless):
        assert pupil.heard == list(range(1, last + 1))
        assert pupil.doubtful == 0
        assert [acknowledged[text].offset for text in pupil.texts] == pupil.heard


async def test_other_process_hears_within_seconds_what_redis_lost(deploy: Deploy, valkey: MortalValkey) -> None:
    """Nothing more is said, and no client does anything."""
    room = await open_classroom(deploy, settings=SETTINGS)
    ann, twin, listener = room.student(), await room.twin(), Listener()
    await join(twin, listener)

    valkey.kill()
    await room.say(ann, "lost")
    await listener.until(1)
    valkey.start()
    await room.say(ann, "found")
    await listener.until(2)

    assert listener.offsets() == [1, 2]


async def test_subscribers_that_are_cut_miss_nothing(deploy: Deploy, valkey: MortalValkey) -> None:
    """The client of Redis comes back by itself, and says nothing of what it missed."""
    room = await open_classroom(deploy, settings=SETTINGS)
    ann, twin, listener = room.student(), await room.twin(), Listener()
    await join(twin, listener)
    redis = room.deployment.platform.context("chat").redis
    assert redis is not None

    for number in range(30):
        if number % 3 == 0:
            await redis.client_kill_filter(_type="pubsub")
        await room.say(ann, str(number))
    await listener.until(30)

    assert listener.offsets() == list(range(1, 31))
    assert [one["text"] for one in listener.heard if "text" in one] == [str(number) for number in range(30)]


async def test_flushed_redis_loses_nothing(deploy: Deploy, valkey: MortalValkey) -> None:
    """The hot history begins anew, and is filled from the log."""
    room = await open_classroom(deploy, settings=SETTINGS)
    ann, listener = room.student(), Listener()
    for number in range(5):
        await room.say(ann, str(number))
    redis = room.deployment.platform.context("chat").redis
    assert redis is not None

    await redis.flushall()
    await room.say(ann, "5")
    twin = await room.twin()
    found = await join(twin, listener)

    assert [entry["text"] for entry in listener.entries(found)] == ["0", "1", "2", "3", "4", "5"]
