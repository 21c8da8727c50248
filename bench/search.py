"""How fast the search finds, among 100,000 and 1,000,000 courses on PostgreSQL: `python -m bench.search`.

The index is filled by a rebuild, searched, and then rebuilt once more while it is searched: every answer during that
must be the one that it was before. Beside it `ts_rank` orders the same courses by a weighted tsvector with GIN.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import click
import structlog
from rich.console import Console

from bench.search_data import (
    CLASSES,
    SearchCourse,
    course_id,
    number_of,
    queries,
    search_course,
    search_courses,
    words_of,
)
from bench.servers import bench_postgres
from kernel import Context, Manifest, Plugin, Provide, hookimpl
from kernel.contracts.search import EVERYBODY, SEARCHABLE, Document, Filters, Query, Sort, Teacher
from kernel.testing.deploying import Deploy
from kernel.testing.ends import PostgresEnd
from kernel.testing.mailbox import receiving
from kernel.testing.servers import PostgresServer, valkey
from plugins.search import marks
from plugins.search.finding import SearchService
from plugins.search.indexing import Indexing
from plugins.search.vectors import key
from plugins.search.words import stem

SIZES: Final = (100_000, 1_000_000)
P99_GOALS: Final[Mapping[int, float]] = {100_000: 5.0, 1_000_000: 20.0}  # milliseconds
RATIO_GOAL: Final = 30.0  # as fast as ts_rank, by words in 12 % of all courses, at 1,000,000
ASKED: Final = 300  # times for each kind of query
FILTERS: Final = Filters(category=("category-3",), language=("en",), max_price=10_000)
TABLES: Final = ("postings", "documents", "contents", "slips")

VECTOR: Final = """
    CREATE TABLE peer (number bigint PRIMARY KEY, told tsvector NOT NULL);
"""
ADD_VECTOR: Final = """
    INSERT INTO peer SELECT number, setweight(to_tsvector('simple', title), 'A')
        || setweight(to_tsvector('simple', summary), 'B') || setweight(to_tsvector('simple', body), 'D')
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS told (number, title, summary, body)
"""
BY_RANK: Final = """
    SELECT number FROM peer, to_tsquery('simple', $1) AS asked
    WHERE told @@ asked ORDER BY ts_rank(told, asked) DESC, number DESC LIMIT 20
"""
#: The best of a word, without the index that has them in order.
BEST: Final = """
    SELECT document FROM (SELECT document, impact FROM postings WHERE term = $1 OFFSET 0) AS every
    ORDER BY impact DESC, document DESC LIMIT 20
"""
NUMBERS: Final = "SELECT id, number FROM documents WHERE id = ANY($1)"


@dataclass(frozen=True)
class Speed:
    """How long queries of one kind took, in milliseconds."""

    kind: str
    p50: float
    p99: float


class Catalogue:
    """A source of so many courses, which it keeps nowhere."""

    kind = "course"

    def __init__(self, courses: int) -> None:
        self._courses = courses

    async def documents(self, subjects: Sequence[UUID]) -> Mapping[UUID, Sequence[Document]]:
        known = (one for one in subjects if 0 < number_of(one) <= self._courses)
        return {one: (document(search_course(number_of(one))),) for one in known}

    async def subjects(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        known = 0 if after is None else number_of(after)
        return [course_id(number) for number in range(known + 1, min(known + limit, self._courses) + 1)]


class CataloguePlugin(Plugin):
    """Contributes the catalogue."""

    manifest: ClassVar[Manifest] = Manifest(name="bench-catalogue", version="1", provides=(SEARCHABLE,))
    courses: ClassVar[int] = 0

    @hookimpl
    def services(self, ctx: Context) -> Iterable[Provide[Any]]:
        yield Provide(SEARCHABLE, lambda: nullcontext(Catalogue(self.courses)))


def document(course: SearchCourse) -> Document:
    """Return a course as a source tells it."""
    teacher = Teacher(id=uuid5(NAMESPACE_URL, course.instructor), name=course.instructor)
    return Document(
        id=course.id,
        kind="course",
        title=course.title,
        path=f"/courses/{course.id}",
        summary=course.summary,
        code=course.code,
        language=course.language,
        category=course.category,
        level=course.level,
        price=course.price,
        currency="EUR",
        rating=course.rating,
        duration_seconds=course.duration_seconds,
        instructors=(teacher,),
        published_at=course.published_at,
        readers=(EVERYBODY,),
        text=course.text,
    )


@dataclass
class Searched:
    """A deployment whose search has its index."""

    ctx: Context[Any]
    connection: asyncpg.Connection  #: as the search itself sees the database
    courses: int

    @property
    def search(self) -> SearchService:
        return self.ctx.own(SearchService)

    async def rebuild(self) -> float:
        """Make the index from its source; return how many seconds that took."""
        began, indexing = time.perf_counter(), self.ctx.own(Indexing)
        for kind, source in indexing.sources().items():
            await indexing.mark_everything(kind, source)
        await indexing.index()
        while await self.ctx.db.one(marks.WAITING):  # noqa: ASYNC110 - its own task takes part, and sets no Event
            await asyncio.sleep(0.5)
        return time.perf_counter() - began

    async def settle(self) -> None:
        """Let PostgreSQL do what it does by itself some time after so many changes."""
        for table in TABLES:
            await self.connection.execute(f"VACUUM ANALYZE {table}")

    async def sizes(self) -> Mapping[str, float]:
        """Return the size of each table with its indexes, in MB."""
        asked = "SELECT pg_total_relation_size($1::regclass) / 1e6::float"
        return {table: await self.connection.fetchval(asked, table) for table in TABLES}

    async def speed(self, kind: str, asked: Sequence[Query]) -> Speed:
        """Ask one query after the other, after some that are not counted."""
        for query in asked[:30]:
            await self.search.find(None, query)
        times = sorted([await self._time(query) for query in asked])
        return Speed(kind, times[len(times) // 2], times[len(times) * 99 // 100])

    async def _time(self, query: Query) -> float:
        began = time.perf_counter()
        await self.search.find(None, query)
        return (time.perf_counter() - began) * 1000

    async def ranked(self, kind: str) -> float:
        """Return how many milliseconds `ts_rank` takes for a word of a class, the median."""
        times = []
        for word in words_of(kind):
            began = time.perf_counter()
            await self.connection.fetch(BY_RANK, word)
            times.append((time.perf_counter() - began) * 1000)
        return sorted(times)[len(times) // 2]


@asynccontextmanager
async def searched(server: PostgresServer, redis_url: str, courses: int) -> AsyncIterator[Searched]:
    """Start a deployment with so many courses, of which nothing is indexed yet."""
    CataloguePlugin.courses = courses
    settings = {"search": {"index_every": 600}}
    async with receiving() as mailbox, Deploy(PostgresEnd(server, redis_url, {}), mailbox) as deploy:
        deployment = await deploy("search", plugins=[CataloguePlugin], settings=settings)
        ctx = deployment.platform.context("search")
        location = cast("Any", ctx.db)._location
        connection = await asyncpg.connect(location.url)
        await connection.execute(f'SET search_path = "{location.schema}"')
        yield Searched(ctx, connection, courses)
        await connection.close()


def kinds() -> Mapping[str, Sequence[Query]]:
    """Return what is asked, by kinds."""
    asked: dict[str, Sequence[Query]] = {}
    for name in CLASSES:
        asked[name] = [Query(text=f"{word} ") for word in words_of(name)] * (ASKED // 12)
    for words in range(1, 6):
        typed = list(queries(ASKED, words))
        asked[f"{words} words"] = [Query(text=f"{text} ") for text in typed]
        asked[f"{words} unfinished"] = [Query(text=text[:-2]) for text in typed]
        asked[f"{words} and filters"] = [Query(text=f"{text} ", filters=FILTERS) for text in typed]
    asked["five of the commonest"] = [Query(text=" ".join(words_of("huge 60 %", 5)) + " ")] * ASKED
    orders: Sequence[Sort] = ("relevance", "rating", "newest", "price")
    for sort in orders:
        asked[f"everything by {sort}"] = [Query(sort=sort, filters=FILTERS)] * ASKED
    return asked


async def wrong_best(one: Searched) -> list[str]:
    """Return the words whose first page is not the best twenty."""
    wrong = []
    for word in (word for kind in CLASSES for word in words_of(kind, 5)):
        best = [row[0] for row in await one.connection.fetch(BEST, key(stem(word)))]
        hits = (await one.search.find(None, Query(text=f"{word} "))).hits
        numbers = dict(await one.connection.fetch(NUMBERS, [hit.found.id for hit in hits]))
        if [numbers[hit.found.id] for hit in hits] != best:
            wrong.append(word)
    return wrong


async def rebuild_while_serving(one: Searched) -> tuple[float, int, list[str]]:
    """Return how long a rebuild took, how often was asked meanwhile, and what was answered otherwise than before."""
    asked = [Query(text=f"{text} ") for words in (1, 2, 3) for text in queries(50, words)]
    before = [await _answer(one, query) for query in asked]
    count, wrong = 0, list[str]()
    rebuilding = asyncio.create_task(one.rebuild())
    while not rebuilding.done():
        query = asked[count % len(asked)]
        if await _answer(one, query) != before[count % len(asked)]:
            wrong.append(query.text)
        count += 1
        await asyncio.sleep(0.05)
    return await rebuilding, count, wrong


async def _answer(one: Searched, query: Query) -> tuple[object, ...]:
    found = await one.search.find(None, query)
    return (found.total, [hit.found.id for hit in found.hits], dict(found.counts))


async def rank_peer(one: Searched) -> None:
    """Put the same courses into a table with a weighted tsvector."""
    await one.connection.execute(VECTOR)
    rows: list[tuple[int, str, str, str]] = []
    for number, course in enumerate(search_courses(one.courses), 1):
        rows.append((number, course.title, course.summary, course.text))
        if len(rows) == 5000 or number == one.courses:
            await one.connection.execute(ADD_VECTOR, *map(list, zip(*rows, strict=True)))
            rows.clear()
    await one.connection.execute("CREATE INDEX ON peer USING gin (told)")
    await one.connection.execute("VACUUM ANALYZE peer")


async def measure(server: PostgresServer, redis_url: str, courses: int, *, peer: bool) -> bool:
    """Print the figures for so many courses; return whether the goals are met."""
    say = Console(width=160).print
    async with searched(server, redis_url, courses) as one:
        say(f"\n{courses:,} courses")
        seconds = await one.rebuild()
        await one.settle()
        sizes = await one.sizes()
        told = ", ".join(f"{table} {size:,.0f} MB" for table, size in sizes.items())
        say(f"indexed in {seconds:,.0f} s: {1000 * seconds / courses:.2f} ms a course; {_peak()}; {told}")
        speeds = [await one.speed(kind, asked) for kind, asked in kinds().items()]
        for speed in speeds:
            say(f"  {speed.kind:24} p50 {speed.p50:7.2f} ms   p99 {speed.p99:7.2f} ms")
        worst, goal = max(speed.p99 for speed in speeds), P99_GOALS.get(courses, P99_GOALS[1_000_000])
        met = worst <= goal
        say(f"the slowest kind's p99 is {worst:.1f} ms (goal {goal:.0f}): {_met(met)}")
        wrong = await wrong_best(one)
        say(f"the best twenty of a word, against a look at all of its postings: {_met(not wrong)}")
        if peer:
            met = await _beside_rank(one, speeds) and met
        seconds, count, others = await rebuild_while_serving(one)
        say(
            f"rebuilt in {seconds:,.0f} s while {count:,} searches were answered, {len(others)} of them otherwise than "
            f"before; {_peak()}: {_met(not others)}"
        )
    return met and not wrong and not others


async def _beside_rank(one: Searched, speeds: Sequence[Speed]) -> bool:
    await rank_peer(one)
    met = True
    for kind in CLASSES:
        ours = next(speed.p50 for speed in speeds if speed.kind == kind)
        theirs = await one.ranked(kind)
        due = kind.startswith("common") and one.courses == max(SIZES)
        enough = theirs / ours >= RATIO_GOAL or not due
        verdict = f" (goal {RATIO_GOAL:.0f}): {_met(enough)}" if due else ""
        Console(width=160).print(
            f"  {kind:12} ts_rank {theirs:8.2f} ms, ours {ours:.2f}: {theirs / ours:.1f} x{verdict}"
        )
        met = met and enough
    return met


def _peak() -> str:
    return f"memory of the process at its peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:,.0f} MB"


def _met(met: bool) -> str:
    return "met" if met else "NOT met"


@click.command()
@click.option("--courses", multiple=True, type=int, default=SIZES, show_default=True)
@click.option("--peer/--no-peer", default=True, help="Whether ts_rank is measured beside.")
def main(courses: tuple[int, ...], peer: bool) -> None:
    """Fill, search and rebuild, and exit with 1 where a goal is not met."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with bench_postgres() as server, valkey() as redis_url:
        met = [asyncio.run(measure(server, redis_url, size, peer=peer)) for size in courses]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
