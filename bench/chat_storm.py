"""A class that talks while Redis dies and connections break: `python -m bench.chat_storm`.

Fifty people in rooms of ten say twenty things a second each, over two processes. Redis is killed with SIGKILL and
started anew, empty, again and again, and a thousand connections are broken off. Whoever is cut off comes back with the
position they know, and sends again what was not acknowledged, a few at a time. Then what each of them saw is compared
with the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.chat_data import PORT, SeededChat, seed_chat
from bench.servers import bench_postgres
from bench.storm import Servers, connection
from kernel import CloseCode
from kernel.testing.servers import Valkey, restartable_valkey

PEOPLE: Final = 50
ROOMS: Final = 5
PORTS: Final = (PORT, PORT + 1)
PACE: Final = 0.05  # seconds between two messages of one person
BREAKS: Final = 1_000
BETWEEN_BREAKS: Final = 0.05  # seconds
BETWEEN_DEATHS: Final = 8.0  # seconds of Redis
DEAD_FOR: Final = 1.0  # seconds
CALM: Final = 40.0  # seconds within which everybody has everything, though nobody speaks any more
BACK_AFTER: Final = 0.05  # seconds
UNDER_WAY: Final = 8  # messages of one person that wait for their answer
BETWEEN: Final = 0.025  # seconds between two of them: a connection may send 50 in a second

LOG: Final = """
SELECT e.offset, e.client_id FROM p_chat.entries e WHERE e.room_id = $1 AND e.kind = 'message' ORDER BY e.offset
"""


@dataclass(eq=False)
class Person:
    """Somebody in a room: what they said, what they saw, and what they were told of gaps."""

    number: int
    token: str
    room: str
    epoch: str | None = None
    offset: int = 0
    said: int = 0
    waiting: dict[str, bytes] = field(default_factory=dict)  #: what was said and is not acknowledged, in its order
    under_way: set[str] = field(default_factory=set)  #: what of it was sent by this connection
    longest: int = 0  #: backlog
    seen: list[tuple[int, str]] = field(default_factory=list)  #: offset and client id of each message
    faults: list[str] = field(default_factory=list)
    gaps: int = 0  #: that they were told of
    resets: int = 0  #: told because the room began anew, which it has no reason to
    breaks: int = 0
    closed: Counter[int] = field(default_factory=Counter)  #: by the servers, with which codes
    socket: aiohttp.ClientWebSocketResponse | None = None
    joined: bool = False

    @property
    def name(self) -> str:
        return f"person {self.number}"


async def take_part(person: Person, session: aiohttp.ClientSession) -> None:
    """Be in the room until cancelled, and come back after each break."""
    for port in itertools.cycle(random.sample(PORTS, len(PORTS))):
        with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
            url = f"http://127.0.0.1:{port}/api/v1/chat/socket"
            async with session.ws_connect(url, headers={"Authorization": f"Bearer {person.token}"}) as socket:
                person.socket = socket
                person.under_way.clear()
                await _follow(person, socket)
                person.closed[socket.close_code or 0] += 1
        person.joined = False
        await asyncio.sleep(BACK_AFTER)


async def _follow(person: Person, socket: aiohttp.ClientWebSocketResponse) -> None:
    await _join(person, socket)
    async for frame in socket:
        message = msgspec.json.decode(frame.data)
        match message["type"]:
            case "joined":
                _enter(person, message)
            case "stored":
                person.waiting.pop(str(message["id"]), None)
            case "refused" if message["status"] != 503:
                person.faults.append(f"{person.name} was refused: {message}")
            case "refused":
                person.under_way.discard(str(message["id"]))
            case "reset":
                person.resets += 1
                await _join(person, socket)
            case "presence" | "typing":
                pass
            case _:
                _hear(person, message)


async def send(person: Person) -> None:
    """Send what the person says until cancelled, a little at a time: what was said first and is not acknowledged."""
    while True:
        await asyncio.sleep(BETWEEN)
        due = [number for number in itertools.islice(person.waiting, UNDER_WAY) if number not in person.under_way]
        if due and person.socket is not None and person.joined:
            person.under_way.add(due[0])
            with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                await person.socket.send_str(person.waiting[due[0]].decode())


async def _join(person: Person, socket: aiohttp.ClientWebSocketResponse) -> None:
    person.joined = False
    known = {"epoch": person.epoch, "offset": person.offset} if person.epoch else {}
    await socket.send_str(msgspec.json.encode({"type": "join", "id": 0, "room": person.room, **known}).decode())


def _enter(person: Person, joined: dict[str, Any]) -> None:
    if joined["recovered"] is False:
        person.gaps += 1
        person.seen.clear()
        person.offset = joined["entries"][0]["offset"] - 1 if joined["entries"] else joined["offset"]
    elif joined["recovered"] is None and joined["entries"]:
        person.offset = joined["entries"][0]["offset"] - 1
    person.epoch = joined["epoch"]
    for entry in joined["entries"]:
        _hear(person, entry)
    if person.offset != joined["offset"]:
        person.faults.append(f"{person.name} has {person.offset} and was told that there are {joined['offset']}")
    person.joined = True


def _hear(person: Person, entry: dict[str, Any]) -> None:
    if entry["offset"] != person.offset + 1:
        person.faults.append(f"{person.name} got {entry['offset']} after {person.offset}")
    person.offset = entry["offset"]
    if entry["type"] == "message":
        person.seen.append((entry["offset"], entry["client_id"]))


async def talk(person: Person, until: float) -> None:
    """Say twenty things a second, whether they can be sent or not."""
    while time.monotonic() < until:
        await asyncio.sleep(PACE * random.uniform(0.8, 1.2))
        person.said += 1
        number = str(person.said)
        message = {"type": "post", "id": person.said, "room": person.room, "text": f"{person.name} says {number}"}
        person.waiting[number] = msgspec.json.encode({**message, "client_id": f"{person.number}.{number}"})
        person.longest = max(person.longest, len(person.waiting))


async def cut(people: Sequence[Person], number: int) -> None:
    """Break connections off without a word."""
    while number:
        await asyncio.sleep(BETWEEN_BREAKS)
        person = random.choice(people)
        socket = person.socket
        connection_of = None if socket is None else socket._response.connection
        if person.joined and connection_of is not None and connection_of.transport is not None:
            person.joined = False
            connection_of.transport.abort()
            person.breaks += 1
            number -= 1


async def kill(redis: Valkey, deaths: Counter[str]) -> None:
    """Kill Redis, which forgets everything, again and again."""
    while True:
        await asyncio.sleep(BETWEEN_DEATHS)
        redis.kill()
        await asyncio.sleep(DEAD_FOR)
        redis.start()
        deaths["redis"] += 1


@dataclass(frozen=True)
class Raged:
    """What came of it."""

    people: list[Person]
    deaths: int  #: of Redis
    calm_after: float  #: seconds without a word until everybody had everything; `CALM` where they never had


async def rage(seeded: SeededChat, redis: Valkey, breaks: int) -> Raged:
    """Let everybody talk until all breaks are done, wait for calm, and return what they saw."""
    tokens, rooms = seeded.tokens.read_text().splitlines(), seeded.rooms.read_text().splitlines()
    people = [Person(number, tokens[number], rooms[number % ROOMS]) for number in range(PEOPLE)]
    until, deaths = time.monotonic() + breaks * BETWEEN_BREAKS * 1.2, Counter[str]()
    async with aiohttp.ClientSession() as session:
        present = [asyncio.create_task(take_part(person, session)) for person in people]
        present += [asyncio.create_task(send(person)) for person in people]
        killing = asyncio.create_task(kill(redis, deaths))
        cutting = asyncio.create_task(cut(people, breaks))
        await asyncio.gather(*(talk(person, until) for person in people), cutting)
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        redis.start()
        calm_after = await _calm(people)
        for task in present:
            task.cancel()
        await asyncio.gather(*present, return_exceptions=True)
    return Raged(people, deaths["redis"], calm_after)


async def _calm(people: Sequence[Person]) -> float:
    began = time.monotonic()
    while (passed := time.monotonic() - began) < CALM:
        ends = {room: {one.offset for one in people if one.room == room} for room in {one.room for one in people}}
        if not any(one.waiting for one in people) and all(len(offsets) == 1 for offsets in ends.values()):
            return passed
        await asyncio.sleep(0.1)
    return CALM


async def faults(postgres: asyncpg.Connection, people: Sequence[Person]) -> list[str]:
    """Return what does not agree between what was said, what is in the log, and what each person saw."""
    logs = {room: [tuple(row) for row in await postgres.fetch(LOG, room)] for room in {one.room for one in people}}
    return list(itertools.chain.from_iterable(_of(person, logs[person.room]) for person in people))


def _of(person: Person, log: list[tuple[int, str]]) -> Iterator[str]:
    yield from person.faults
    if person.resets:
        yield f"{person.name} was told {person.resets} times that the room begins anew"
    mine = Counter(client_id for _, client_id in log if client_id.startswith(f"{person.number}."))
    yield from (f"{client_id} is in the log {count} times" for client_id, count in mine.items() if count > 1)
    order = [int(client_id.partition(".")[2]) for client_id in mine]
    if order != sorted(order):
        yield f"{person.name} is in the log in another order than they spoke"
    if len(mine) != person.said:
        yield f"{person.name} said {person.said} things, of which {len(mine)} are in the log"
    if person.waiting:
        yield f"{person.name} was told nothing of {len(person.waiting)} things"
    first = person.seen[0][0] if person.seen else 0
    if person.seen != [entry for entry in log if entry[0] >= first]:
        yield f"{person.name} did not see the log from {first} on as it is"


def show(raged: Raged, found: Sequence[str], console: Console) -> None:
    people = raged.people
    closed = sum((person.closed for person in people), Counter[int]())
    table = Table("figure", "value", title="Talking in a storm")
    table.add_row("people, rooms, processes", f"{PEOPLE}, {ROOMS}, {len(PORTS)}")
    table.add_row("deaths of Redis", str(raged.deaths))
    table.add_row("connections broken off", str(sum(person.breaks for person in people)))
    table.add_row("connections closed for sending too much", str(closed[CloseCode.TOO_MANY]))
    table.add_row("messages said", f"{sum(person.said for person in people):,}")
    table.add_row("messages seen", f"{sum(len(person.seen) for person in people):,}")
    table.add_row("longest backlog of a person", str(max(person.longest for person in people)))
    table.add_row("gaps that somebody was told of", str(sum(person.gaps for person in people)))
    table.add_row("told that the room begins anew", str(sum(person.resets for person in people)))
    table.add_row("everybody had everything after", f"{raged.calm_after:.1f} s")
    table.add_row("lost, doubled or out of order", str(len(found)))
    console.print(table)
    for fault in found[:20]:
        console.print(fault)


@click.command()
@click.option("--breaks", default=BREAKS, show_default=True, help="How many connections are broken off.")
def main(breaks: int) -> None:
    """Let people talk in a storm; exit with 1 when anybody missed, doubled or misordered a word."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        bench_postgres() as server,
        restartable_valkey() as redis,
    ):
        folder = Path(name)
        seeded = asyncio.run(seed_chat(server.url("lyceum"), f"{redis.url}?db=1", folder, members=PEOPLE, rooms=ROOMS))
        asyncio.run(seeded.sign_in())
        servers = Servers(_configs(seeded, folder), folder, PORTS)
        try:
            servers.wait()
            raged = asyncio.run(rage(seeded, redis, breaks))
        finally:
            servers.end()
        found = asyncio.run(_compare(server, raged.people))
    show(raged, found, Console(width=120))
    if found or not raged.deaths:
        sys.exit(1)


async def _compare(server: Any, people: Sequence[Person]) -> list[str]:
    async with connection(server) as postgres:
        return await faults(postgres, people)


def _configs(seeded: SeededChat, folder: Path) -> list[Path]:
    """Write one configuration for each process."""
    text = seeded.config.read_text().replace("[server]", f'[server]\npublic_url = "http://127.0.0.1:{PORT}"')
    paths = [folder / f"lyceum-{port}.toml" for port in PORTS]
    for path, port in zip(paths, PORTS, strict=True):
        path.write_text(text.replace(f"port = {PORT}", f"port = {port}"))
    return paths


if __name__ == "__main__":
    main()
