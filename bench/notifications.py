"""How fast a hundred thousand people are told of one event on PostgreSQL: `python -m bench.notifications`.

They follow somebody who publishes a course. Counted is from the event to the last notice in a tray, with what was
decided for mail: first a digest of the day, which is the usual case for it, then a mail for each of them at once. The
time is that of the process, on one core; PostgreSQL has another. Then the unread count of one person is asked for over
HTTP, again and again, and the processor's time for it counted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click
import sqlalchemy as sa
import structlog
from rich.console import Console

from bench.servers import bench_postgres
from kernel import new_id
from kernel.contracts.courses import CoursePublished
from kernel.contracts.notifications import instructor_topic
from kernel.database import Command, Query
from kernel.testing import teller
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.ends import PostgresEnd
from kernel.testing.fakes.mail import InMemoryMailPlugin
from kernel.testing.mailbox import receiving
from kernel.testing.servers import PostgresServer, valkey
from plugins.notifications.circulating import BATCH
from plugins.notifications.following import FOLLOW
from plugins.notifications.handlers import REGISTER
from plugins.notifications.sending import Sending
from plugins.notifications.tables import choices, circulars, followings, notices, parcels

PEOPLE: Final = 100_000
RATE_GOAL: Final = 2_000.0  # people told in a second of the process's time
COUNT_GOAL: Final = 1.0  # milliseconds of the processor for one unread count
MEMORY_GOAL: Final = 32.0  # MiB more at the end than after the first tenth
ASKED: Final = 2_000
SETTLED: Final = 2_000  # people that are told before anything is measured
PAUSE: Final = 0.05  # seconds between two looks
QUIET: Final = {"log": {"level": "warning"}}
UNTOLD: Final = Query(sa.select(notices.c.id).where(notices.c.told_at.is_(None)).limit(1), UUID)
CIRCULATING: Final = Query(sa.select(circulars.c.step).limit(1), int)
WAITING: Final = Query(sa.select(parcels.c.id).where(parcels.c.ended_at.is_(None), parcels.c.slot == "").limit(1), UUID)
MAILED: Final = Query(sa.select(sa.func.count().label("count")).where(parcels.c.result == "sent"), int)
AT_ONCE: Final = Command(
    sa.insert(choices).from_select(
        ["user_id", "kind", "channel", "frequency"],
        sa.select(
            followings.c.user_id,
            sa.literal_column("'course-published'"),
            sa.literal_column("'mail'"),
            sa.literal_column("'now'"),
        ),
    )
)


@dataclass(frozen=True)
class Told:
    """What telling them came to."""

    people: int
    seconds: float
    cpu: float  #: seconds of the process
    grown: float  #: MiB of the process from the first tenth to the end

    @property
    def rate(self) -> float:
        """People in a second of the process's time."""
        return self.people / self.cpu


@asynccontextmanager
async def deployed(server: PostgresServer, redis_url: str) -> AsyncIterator[Deployment]:
    """Run a deployment that tells nothing by itself."""
    settings = {"notifications": {"look_every": 600}}
    async with receiving() as mailbox, Deploy(PostgresEnd(server, redis_url, {}), mailbox) as deploy:
        plugins = [teller.teller_of(CoursePublished), InMemoryMailPlugin]
        yield await deploy("notifications", plugins=plugins, settings=settings, sections=QUIET)


async def follow(ctx: Any, teacher: UUID, people: int) -> list[UUID]:
    """Return people who follow *teacher*."""
    ids = [new_id() for _ in range(people)]
    since = ctx.clock.now() - timedelta(days=1)
    for first in range(0, people, 5_000):
        some = ids[first : first + 5_000]
        contacts = [{"user_id": one, "email": f"{one}@example.org", "display_name": "", "locale": "en"} for one in some]
        await ctx.db.run_many(REGISTER, contacts)
        topic = instructor_topic(teacher)
        await ctx.db.run_many(FOLLOW, [{"topic": topic, "user_id": one, "since": since} for one in some])
    return ids


async def tell(deployment: Deployment, teacher: UUID, people: int) -> Told:
    """Publish a course of *teacher* and measure until everybody was told."""
    ctx = deployment.platform.context("notifications")
    watch = asyncio.create_task(_memory(ctx, people // BATCH // 10))
    began, cpu = time.perf_counter(), time.process_time()
    course = CoursePublished(course_id=new_id(), title="Knots", price=0, currency="EUR", instructor_ids=(teacher,))
    await teller.tell(deployment, course)
    while await ctx.db.first(CIRCULATING) is not None or await ctx.db.first(UNTOLD) is not None:  # noqa: ASYNC110  # the database tells nobody
        await asyncio.sleep(PAUSE)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return Told(people, seconds, used, _resident() - await watch)


async def _memory(ctx: Any, steps: int) -> float:
    """Return the MiB of this process after so many steps of the circular."""
    while (await ctx.db.first(CIRCULATING) or 0) < steps:  # noqa: ASYNC110  # the database tells nobody
        await asyncio.sleep(PAUSE)
    return _resident()


def _resident() -> float:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def unread(deployment: Deployment, person: UUID) -> float:
    """Return the milliseconds of the processor, of this process and so with the client's, for one unread count."""
    client = deployment.client("student", user=person)
    for _ in range(100):
        await client.call("GET", "/api/v1/notifications/unread")
    began = time.process_time()
    for _ in range(ASKED):
        await client.call("GET", "/api/v1/notifications/unread")
    return (time.process_time() - began) / ASKED * 1000


async def measure(server: PostgresServer, redis_url: str, people: int, console: Console) -> bool:
    """Print the figures; return whether the goals are met."""
    async with deployed(server, redis_url) as deployment:
        ctx = deployment.platform.context("notifications")
        settled, teacher = new_id(), new_id()
        await follow(ctx, settled, SETTLED)
        await tell(deployment, settled, SETTLED)
        ids = await follow(ctx, teacher, people)
        digest = await tell(deployment, teacher, people)
        _print(console, "in trays, with a digest by mail for each", digest)
        await ctx.db.run(AT_ONCE)
        at_once = await tell(deployment, teacher, people)
        _print(console, "in trays, with a mail on its way for each", at_once)
        await _drain(ctx, console, people)
        count = await unread(deployment, ids[0])
        console.print(f"unread count over HTTP: {count:.2f} ms of processor, the client's share included (goal < 1)")
    met = digest.rate >= RATE_GOAL and at_once.rate >= RATE_GOAL and count < COUNT_GOAL
    return met and max(digest.grown, at_once.grown) <= MEMORY_GOAL


async def _drain(ctx: Any, console: Console, people: int) -> None:
    """Wait until all mails were asked for."""
    began, cpu, before = time.perf_counter(), time.process_time(), await ctx.db.one(MAILED)
    ctx.own(Sending).wake()
    while await ctx.db.first(WAITING) is not None:  # noqa: ASYNC110  # the database tells nobody
        await asyncio.sleep(PAUSE)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    left = people - before
    if left:
        console.print(f"mails still to be asked for then: {left:,}, in {seconds:.1f} s, {used:.1f} s of processor")


def _print(console: Console, what: str, told: Told) -> None:
    console.print(
        f"{told.people:,} people told {what}: {told.seconds:.1f} s, {told.people / told.seconds:,.0f}/s; processor "
        f"{told.cpu:.1f} s, {told.rate:,.0f}/s on one core (goal {RATE_GOAL:,.0f}); memory {told.grown:+.1f} MiB"
    )


@click.command()
@click.option("--people", default=PEOPLE, show_default=True)
def main(people: int) -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console()
    with bench_postgres() as server, valkey() as redis_url:
        met = asyncio.run(measure(server, redis_url, people, console))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(f"peak memory of the process: {peak:.0f} MiB")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
