"""Buyers in a storm: connections to PostgreSQL end and processes die while they buy: `python -m bench.storm`.

Fifty people buy one course after the other from two processes. Five times a second a random connection to PostgreSQL is
ended, and every ten seconds one of the processes is killed and started anew. Whoever gets no clear answer repeats the
request with its key until there is one. Then what they were told is compared with what is in the databases.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import click
import jwt
from rich.console import Console
from rich.table import Table

from bench import lyceum_data
from bench.load import require_free, wait_until_answering
from bench.servers import bench_postgres
from kernel.testing.servers import SUPERUSER, PostgresServer, valkey

BUYERS: Final = 50
PORTS: Final = (8305, 8306)
BETWEEN_CUTS: Final = 0.2  # seconds
BETWEEN_KILLS: Final = 10.0  # seconds
CALM: Final = 30.0  # seconds after which nobody may be charged and locked out
LONGEST_ANSWER: Final = 30.0  # seconds
PAUSE: Final = 0.1  # seconds before an unclear request is repeated
PATH: Final = "/api/v1/enrollments/purchases"
LYCEUM: Final = str(Path(sys.executable).with_name("lyceum"))

#: Connections of the deployment, but for the one that ends them.
CUT: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = $1 AND usename = 'lyceum' ORDER BY random() LIMIT 1
"""
SOLD: Final = """
SELECT c.purchase_id, c.user_id, c.course_id, c.amount, c.refunded, p.state, g.state = 'active' AS open
FROM p_payments.charges c
LEFT JOIN p_enrollments.purchases p ON p.id = c.purchase_id
LEFT JOIN p_enrollments.grants g ON g.purchase_id = c.purchase_id
"""
UNPAID: Final = """
SELECT count(*) FROM p_enrollments.grants g
WHERE NOT EXISTS (SELECT FROM p_payments.charges c WHERE c.purchase_id = g.purchase_id)
"""
BALANCES: Final = "SELECT user_id, balance FROM p_payments.wallets"


@dataclass(frozen=True, kw_only=True)
class Told:
    """The clear answer to one order."""

    buyer: UUID
    course: UUID
    status: int
    body: dict[str, Any]
    tries: int


@dataclass
class Storm:
    """What happened while people bought."""

    cuts: int = 0
    kills: int = 0
    told: list[Told] = field(default_factory=list)


@dataclass(frozen=True)
class Buyer:
    """A person with an access token."""

    id: UUID
    token: str


class Servers:
    """The two processes."""

    def __init__(self, configs: Sequence[Path], folder: Path, ports: Sequence[int]) -> None:
        self._configs = configs
        self._folder = folder
        self._ports = ports
        for port in ports:
            require_free(port)
        self._processes = [self._start(number) for number in range(len(configs))]

    def wait(self) -> None:
        for port in self._ports:
            wait_until_answering(f"http://127.0.0.1:{port}/-/ready")

    def kill(self, number: int) -> None:
        """End one without warning, and start it anew."""
        self._processes[number].kill()
        self._processes[number].wait()
        self._processes[number] = self._start(number)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"server-{number}.log").open("ab") as log:
            command = [LYCEUM, "--config", str(self._configs[number]), "serve"]
            return subprocess.Popen(command, stdout=log, stderr=log)


async def buy(buyer: Buyer, courses: Iterator[UUID], until: float, storm: Storm) -> None:
    """Buy one course after the other."""
    headers = {"Authorization": f"Bearer {buyer.token}"}
    timeout = aiohttp.ClientTimeout(total=LONGEST_ANSWER)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        for course in courses:
            if time.monotonic() > until:
                return
            storm.told.append(await _order(session, buyer, course))


async def _order(session: aiohttp.ClientSession, buyer: Buyer, course: UUID) -> Told:
    """Order with one key until the answer is clear."""
    headers, body = {"Idempotency-Key": str(uuid4())}, {"course_id": str(course)}
    for tries in itertools.count(1):
        url = f"http://127.0.0.1:{random.choice(PORTS)}{PATH}"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(url, json=body, headers=headers) as answer:
                said = await answer.json()
                if answer.status < 500 and "Retry-After" not in answer.headers:
                    return Told(buyer=buyer.id, course=course, status=answer.status, body=said, tries=tries)
        await asyncio.sleep(PAUSE)
    raise AssertionError("unreachable")


async def cut(server: PostgresServer, storm: Storm) -> None:
    """End a random connection again and again."""
    async with connection(server) as postgres:
        while True:
            await asyncio.sleep(BETWEEN_CUTS)
            storm.cuts += bool(await postgres.fetchval(CUT, "lyceum"))


async def kill(servers: Servers, storm: Storm) -> None:
    """Kill the processes in turn."""
    for number in itertools.cycle(range(len(PORTS))):
        await asyncio.sleep(BETWEEN_KILLS)
        await asyncio.to_thread(servers.kill, number)
        storm.kills += 1


@contextlib.asynccontextmanager
async def connection(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """Connect as somebody who sees everything."""
    opened = await asyncpg.connect(server.url("lyceum", SUPERUSER))
    try:
        yield opened
    finally:
        await opened.close()


async def rage(server: PostgresServer, servers: Servers, orders: dict[Buyer, list[UUID]], seconds: float) -> Storm:
    """Let everybody buy for so long, and return what happened."""
    storm = Storm()
    disasters = [asyncio.create_task(cut(server, storm)), asyncio.create_task(kill(servers, storm))]
    until = time.monotonic() + seconds
    try:
        async with asyncio.TaskGroup() as group:
            for buyer, courses in orders.items():
                group.create_task(buy(buyer, iter(courses), until, storm))
    finally:
        for disaster in disasters:
            disaster.cancel()
        await asyncio.gather(*disasters, return_exceptions=True)
    return storm


async def faults(server: PostgresServer, storm: Storm, before: dict[UUID, int]) -> Iterator[str]:
    """Return what does not agree between what people were told and what is in the databases."""
    async with connection(server) as postgres:
        sold = {row["purchase_id"]: row for row in await postgres.fetch(SOLD)}
        unpaid = await postgres.fetchval(UNPAID)
        after = {row["user_id"]: row["balance"] for row in await postgres.fetch(BALANCES)}
    return itertools.chain(_of_answers(storm, sold), _of_money(sold, before, after), _of_grants(unpaid))


def _of_answers(storm: Storm, sold: dict[UUID, Any]) -> Iterator[str]:
    bought = {(row["user_id"], row["course_id"]) for row in sold.values() if row["refunded"] < row["amount"]}
    confirmed = [UUID(told.body["purchase_id"]) for told in storm.told if told.status == 201]
    yield from (f"two orders were answered by {one}" for one, count in Counter(confirmed).items() if count > 1)
    yield from (f"{one} was confirmed and never charged" for one in confirmed if one not in sold)
    for told in storm.told:
        if told.status != 201 and (told.buyer, told.course) in bought:
            yield f"{told.buyer} was refused {told.course} ({told.status}) and has paid for it"


def _of_money(sold: dict[UUID, Any], before: dict[UUID, int], after: dict[UUID, int]) -> Iterator[str]:
    spent = Counter[UUID]()
    for purchase, row in sold.items():
        spent[row["user_id"]] += row["amount"] - row["refunded"]
        if row["refunded"] < row["amount"] and not (row["open"] and row["state"] == "completed"):
            yield f"{row['user_id']} was charged for {row['course_id']} and is locked out (purchase {purchase})"
    pairs = Counter((row["user_id"], row["course_id"]) for row in sold.values() if row["refunded"] < row["amount"])
    yield from (f"{user} has paid for {course} {count} times" for (user, course), count in pairs.items() if count > 1)
    for user, held in before.items():
        if held - spent[user] != after[user]:
            yield f"the wallet of {user} holds {after[user]}, not {held - spent[user]}"


def _of_grants(unpaid: int) -> Iterator[str]:
    if unpaid:
        yield f"{unpaid} grants were never paid for"


def configs(seeded: lyceum_data.Seeded, redis_url: str, folder: Path) -> list[Path]:
    """Write one configuration for each process."""
    text = seeded.config.read_text().replace('format = "json"', 'format = "json"\nlevel = "error"')
    text = text.replace(
        "[server]", f'[server]\npublic_url = "http://127.0.0.1:{lyceum_data.PORT}"'
    )  # the tokens' issuer
    paths = [folder / f"lyceum-{port}.toml" for port in PORTS]
    for path, port in zip(paths, PORTS, strict=True):
        path.write_text(
            text.replace(f"port = {lyceum_data.PORT}", f"port = {port}") + f'\n[redis]\nurl = "{redis_url}"\n'
        )
    return paths


def orders(seeded: lyceum_data.Seeded) -> dict[Buyer, list[UUID]]:
    """Return who buys which courses, in which order: each another one."""
    variables = seeded.loads["buy"].variables
    tokens = Path(variables["BENCH_TOKENS"]).read_text().splitlines()[:BUYERS]
    courses = [UUID(json.loads(line)["course_id"]) for line in Path(variables["BENCH_BODIES"]).read_text().splitlines()]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    buyers = [Buyer(UUID(claim["sub"]), token) for claim, token in zip(claims, tokens, strict=True)]
    return {buyer: random.sample(courses, len(courses)) for buyer in buyers}


async def balances(server: PostgresServer) -> dict[UUID, int]:
    async with connection(server) as postgres:
        return {row["user_id"]: row["balance"] for row in await postgres.fetch(BALANCES)}


def show(storm: Storm, found: Sequence[str], verified: bool, console: Console) -> None:
    statuses = Counter(told.status for told in storm.told)
    repeated = sum(told.tries > 1 for told in storm.told)
    table = Table("figure", "value", title="Buying in a storm")
    table.add_row("connections ended, processes killed", f"{storm.cuts}, {storm.kills}")
    table.add_row("orders answered", ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items())))
    table.add_row("answered only after unclear answers", str(repeated))
    table.add_row("faults", str(len(found)))
    table.add_row("payments verify", "agrees" if verified else "does NOT agree")
    console.print(table)
    for fault in found[:20]:
        console.print(fault)


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long people buy.")
def main(seconds: float) -> None:
    """Let people buy in a storm; exit with 1 when anybody's money or access is not what they were told."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, bench_postgres() as server, valkey() as redis_url:
        folder = Path(name)
        seeded = asyncio.run(lyceum_data.seed(server.url("lyceum"), folder, 10))
        paths = configs(seeded, redis_url, folder)
        before = asyncio.run(balances(server))
        servers = Servers(paths, folder, PORTS)
        try:
            servers.wait()
            storm = asyncio.run(rage(server, servers, orders(seeded), seconds))
            servers.wait()
            time.sleep(CALM)
        finally:
            servers.end()
        found = list(asyncio.run(faults(server, storm, before)))
        command = [LYCEUM, "--config", str(paths[0]), "payments", "verify"]
        verified = subprocess.run(command).returncode == 0
    show(storm, found, verified, Console(width=120))
    if found or not verified or not any(told.status == 201 for told in storm.told):
        sys.exit(1)


if __name__ == "__main__":
    main()
