"""Events between two processes that are killed at random: `python -m bench.events`.

Counts what was published (rows that committed with their event) against what its handler did (rows that it wrote), and
measures from publication to the end of the handler.
"""

from __future__ import annotations

import asyncio
import json
import random
import select
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import click
import msgspec
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bench import shop
from kernel.database import Query
from kernel.database.opening import DatabaseSettings, open_database
from kernel.database.tables import inbox
from kernel.testing.servers import postgres, valkey

PROCESSES: Final = 2
LONGEST_STANDSTILL: Final = 30.0  # seconds in which nothing is sold or handled
GOAL_P95: Final = 1.0  # seconds, at 200 events a second


class Times(msgspec.Struct, frozen=True):
    """When one event was published and when it was handled."""

    created_at: datetime
    handled_at: datetime


TIMES: Final = Query(sa.select(inbox.c.created_at, inbox.c.handled_at).where(inbox.c.handled_at.is_not(None)), Times)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one run."""

    name: str
    per_second: float
    kills: int
    published: int
    lost: int
    doubled: int
    disordered: int
    p50: float  #: seconds
    p95: float
    longest: float

    @property
    def exact(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)


class Sellers:
    """The processes of one run."""

    def __init__(self, url: str, redis_url: str, sales: int, per_second: float) -> None:
        self.kills = 0
        self._arguments = [url, redis_url]
        self._share = [str(sales // PROCESSES), str(per_second / PROCESSES)]
        self._processes = [self._start(number) for number in range(PROCESSES)]

    def kill_one(self) -> None:
        """End one of them without warning and start it anew; not one that is only starting."""
        number = random.randrange(PROCESSES)
        process = self._processes[number]
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], 0)[0]:
            return
        self._end(process)
        self._processes[number] = self._start(number)
        self.kills += 1

    def end(self) -> None:
        for process in self._processes:
            self._end(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.communicate()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench.shop", *self._arguments, str(number), *self._share]
        return subprocess.Popen(command, stdout=subprocess.PIPE)


async def watch(url: str, sellers: Sellers, sales: int, kill: bool) -> None:
    """Wait until everything is sold and handled, killing meanwhile; give up when nothing goes on any more."""
    shop_db, ledger = [open_database(name, DatabaseSettings(url=url)) for name in ("shop", "ledger")]
    progress, since = (0, 0), time.monotonic()
    try:
        while time.monotonic() < since + LONGEST_STANDSTILL:
            await asyncio.sleep(random.uniform(3.0, 9.0) if kill else 0.5)
            sold, noted = await shop_db.one(shop.COUNT), await ledger.one(shop.COUNT)
            if sold >= sales and noted >= sold:
                await asyncio.sleep(2.0)  # whatever came twice has arrived by then
                return
            if (sold, noted) != progress:
                progress, since = (sold, noted), time.monotonic()
            if kill and sold < sales:
                sellers.kill_one()
    finally:
        await shop_db.close()
        await ledger.close()


async def outcome(name: str, url: str, per_second: float, kills: int) -> Outcome:
    """Compare what was published with what was done about it."""
    shop_db, ledger = [open_database(plugin, DatabaseSettings(url=url)) for plugin in ("shop", "ledger")]
    try:
        sold, noted = await shop_db.all(shop.SALES), await ledger.all(shop.SALES)
        times = await ledger.all(TIMES)
    finally:
        await shop_db.close()
        await ledger.close()
    delays = sorted((row.handled_at - row.created_at).total_seconds() for row in times)
    counts = Counter((sale.seller, sale.number) for sale in noted)
    return Outcome(
        name=name,
        per_second=per_second,
        kills=kills,
        published=len(sold),
        lost=len({(sale.seller, sale.number) for sale in sold} - counts.keys()),
        doubled=sum(count - 1 for count in counts.values()),
        disordered=disordered(noted),
        p50=statistics.median(delays),
        p95=delays[int(len(delays) * 0.95)],
        longest=delays[-1],
    )


def disordered(noted: list[shop.Sale]) -> int:
    """Return how many sales were written down after a later one of the same key."""
    newest: dict[tuple[int, int], int] = {}
    late = 0
    for sale in noted:
        key = (sale.seller, sale.number % shop.CUSTOMERS)
        late += sale.number < newest.get(key, -1)
        newest[key] = max(sale.number, newest.get(key, -1))
    return late


def run(name: str, sales: int, per_second: float, *, kill: bool) -> Outcome:
    """Sell and handle on servers of their own."""
    with postgres(durable=True) as server, valkey() as redis_url:
        url = server.url(asyncio.run(server.create_database()))
        asyncio.run(shop.prepare(url))
        sellers = Sellers(url, redis_url, sales, per_second)
        try:
            asyncio.run(watch(url, sellers, sales, kill))
        finally:
            sellers.end()
        return asyncio.run(outcome(name, url, per_second, sellers.kills))


def show(outcomes: list[Outcome]) -> None:
    table = Table(title="events through Redis Streams, two processes")
    for heading in ("run", "events/s", "kills", "published", "lost", "doubled", "disordered", "p50", "p95", "longest"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for found in outcomes:
        counts = (found.kills, found.published, found.lost, found.doubled, found.disordered)
        delays = (found.p50, found.p95, found.longest)
        milliseconds = (f"{delay * 1000:.0f} ms" for delay in delays)
        table.add_row(found.name, f"{found.per_second:g}", *map(str, counts), *milliseconds)
    Console().print(table)


@click.command()
@click.option("--sales", default=10_000, help="Events of the run with kills.")
@click.option("--per-second", default=200.0, help="Events published a second by both processes together.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(sales: int, per_second: float, as_json: bool) -> None:
    """Measure the delay without kills, then publish SALES events with kills; exit with 1 when a goal is not met."""
    calm = run("undisturbed", sales // 5, per_second, kill=False)
    killed = run("kill -9 of either", sales, per_second, kill=True)
    if as_json:
        click.echo(json.dumps([asdict(calm), asdict(killed)]))
    else:
        show([calm, killed])
    if not (calm.exact and killed.exact and calm.p95 < GOAL_P95 and killed.p95 < GOAL_P95):
        raise click.ClickException(f"an event was lost, doubled or out of order, or p95 is over {GOAL_P95:g} s")


if __name__ == "__main__":
    main()
