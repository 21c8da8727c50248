"""Lyceum's side of the comparison: the same courses and wallets as the peers have, in the plugins' own tables."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from aiohttp.test_utils import make_mocked_request
from sqlalchemy import bindparam

from bench import peers_data
from bench.ledger_data import Books
from bench.load import Load
from bench.peers_data import SeedCourse, seed_courses
from kernel import Context, Principal, Request, new_id
from kernel.config import load
from kernel.contracts.payments_http import NewVoucherBatch
from kernel.database import Command
from kernel.http.pages import encode_cursor
from kernel.lifecycle import Platform
from plugins.auth.tables import accounts
from plugins.auth.tokens import AccessTokens
from plugins.courses.documents import CourseRow, InstructorView, LessonRow, Parts, SectionRow, render
from plugins.courses.reading import Place
from plugins.courses.tables import course_instructors, courses, lessons, sections
from plugins.payments.batches import Batches

PORT: Final = 8304
PAGE: Final = 20
PAGES: Final = 10
BATCH: Final = 2_000  # rows for each statement
VOUCHERS: Final = 100_000
BATCH_OF_VOUCHERS: Final = 10_000
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)

CONFIG: Final = """
[server]
port = {port}
secret = "file:{folder}/secret"

[database]
url = "{url}"
pool_size = {pool}

[http]
unsafe_rate = "100000000/minute"   # one client stands for all buyers

[plugins.payments]
redeem_per_person = ["100000000/minute"]
redeem_per_address = ["100000000/minute"]

[log]
format = "json"
"""


@dataclass(frozen=True)
class Seeded:
    """Where the config lies, and what wrk sends for each job."""

    config: Path
    loads: dict[str, Load]


async def seed(url: str, folder: Path, pool: int) -> Seeded:
    """Make and fill the databases behind *url*; write config, paths, tokens and bodies into *folder*."""
    config = folder / "lyceum.toml"
    (folder / "secret").write_text(os.urandom(32).hex())
    config.write_text(CONFIG.format(port=PORT, folder=folder, url=url, pool=pool))
    platform = Platform.boot(load([config], {}))
    await platform.migrate()
    async with platform.running(background=False):
        made = await _courses(platform.context("courses"))
        buyers = await _wallets(platform.context("payments"), url)
        codes = await _codes(platform.context("payments"), buyers[0])
        await register(platform.context("auth"), buyers[:: peers_data.EACH_BUYER])
        signed_in = await tokens(platform.context("auth"), buyers[:: peers_data.EACH_BUYER])
    return Seeded(config, _loads(folder, made, signed_in, codes))


def _loads(
    folder: Path, made: Sequence[tuple[SeedCourse, UUID]], signed_in: Sequence[str], codes: Sequence[str]
) -> dict[str, Load]:
    def written(name: str, lines: Iterator[str]) -> str:
        path = folder / f"lyceum-{name}"
        path.write_text("\n".join(lines))
        return str(path)

    bodies = (json.dumps({"course_id": str(course_id)}) for _, course_id in made)
    gets = (f"/api/v1/courses/{course_id}" for _, course_id in made)
    buy = {
        "BENCH_TOKENS": written("tokens", iter(signed_in)),
        "BENCH_BODIES": written("bodies", bodies),
        "BENCH_PATH": "/api/v1/enrollments/purchases",
    }
    redeem = {
        "BENCH_TOKENS": buy["BENCH_TOKENS"],
        "BENCH_BODIES": written("codes", (json.dumps({"code": code}) for code in codes)),
        "BENCH_PATH": "/api/v1/payments/vouchers/redeem",
        "BENCH_PLACE": str(folder / "lyceum-codes-used"),
    }
    return {
        "get": Load(script="get.lua", variables={"BENCH_PATHS": written("gets", gets)}),
        "list": Load(script="get.lua", variables={"BENCH_PATHS": written("pages", _pages(made))}),
        "buy": Load(script="buy.lua", variables=buy),
        "redeem": Load(script="redeem.lua", variables=redeem),
    }


def _pages(made: Sequence[tuple[SeedCourse, UUID]]) -> Iterator[str]:
    """Yield the first pages of the catalogue, each by its cursor."""
    newest = sorted(((course.published_at, course_id) for course, course_id in made), reverse=True)
    yield f"/api/v1/courses?limit={PAGE}"
    for number in range(1, PAGES):
        moment, course_id = newest[number * PAGE - 1]
        place = Place(int(moment.timestamp()) * 1_000_000, course_id)
        yield f"/api/v1/courses?limit={PAGE}&cursor={encode_cursor(place)}"


async def fill(ctx: Context[Any], table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert *rows*, which all have the same columns."""
    command = Command(sa.insert(table).values({name: bindparam(name) for name in rows[0]}))
    for begin in range(0, len(rows), BATCH):
        await ctx.db.run_many(command, rows[begin : begin + BATCH])


async def _courses(ctx: Context[Any]) -> list[tuple[SeedCourse, UUID]]:
    teachers = [InstructorView(id=new_id(), name=f"User {number}") for number in range(peers_data.TEACHERS)]
    made = [(course, new_id()) for course in seed_courses()]
    rows: dict[sa.Table, list[Mapping[str, object]]] = {courses: [], course_instructors: [], sections: [], lessons: []}
    for course, course_id in made:
        for table, row in _course_rows(course, course_id, teachers[course.teacher]):
            rows[table].append(row)
    for table, found in rows.items():
        await fill(ctx, table, found)
    return made


def _course_rows(
    course: SeedCourse, course_id: UUID, teacher: InstructorView
) -> Iterator[tuple[sa.Table, Mapping[str, object]]]:
    """Yield the rows of one course with one section and one lesson."""
    section = SectionRow(new_id(), "Part 1")
    lesson = LessonRow(new_id(), section.id, "Lesson 1", "article", True, "")
    row = CourseRow(
        id=course_id,
        title=course.title,
        summary=course.summary,
        description=course.description,
        category=course.category,
        level="all",
        language="en",
        price=course.price,
        currency="EUR",
        status="published",
        version=1,
        created_at=BEGAN,
        updated_at=BEGAN,
        published_at=course.published_at,
        review_note=None,
        offer=b"",
    )
    shown = render(row, Parts(tags=(), instructors=(teacher,), sections=(section,), lessons=(lesson,)))
    made = {"card": shown.card, "document": shown.document, "offer": shown.offer}
    yield courses, msgspec.structs.asdict(row) | made
    yield course_instructors, {"user_id": teacher.id, "course_id": course_id, "position": 0}
    yield sections, {"id": section.id, "course_id": course_id, "title": section.title, "position": 0}
    yield (
        lessons,
        {
            "id": lesson.id,
            "course_id": course_id,
            "section_id": section.id,
            "title": lesson.title,
            "kind": lesson.kind,
            "preview": True,
            "summary": "",
            "text": "",
            "position": 0,
        },
    )


async def _wallets(ctx: Context[Any], url: str) -> list[UUID]:
    """Give every buyer a wallet with money in it, by a ledger that verifies."""
    books, buyers = Books(ctx.secrets), [new_id() for _ in range(peers_data.USERS)]
    for buyer in buyers:
        books.adjust(buyer, peers_data.BALANCE)
    await books.write(url)
    return buyers


async def _codes(ctx: Context[Any], maker: UUID) -> list[str]:
    """Return the codes of top-ups that are good once each."""
    batches, codes = ctx.own(Batches), list[str]()
    nobody = Principal(id=maker, session=maker, roles=frozenset(), permissions=frozenset())
    for number in range(VOUCHERS // BATCH_OF_VOUCHERS):
        new, http = NewVoucherBatch(count=BATCH_OF_VOUCHERS, amount=100), make_mocked_request("POST", "/")
        request = Request(new_id(), http, "127.0.0.1", nobody, idempotency_key=f"bench-{number}")
        async with ctx.db.transaction() as session:
            made, _ = await batches.create(session, new, request)
            codes += made.codes
    return codes


async def register(ctx: Context[Any], ids: Sequence[UUID]) -> None:
    """Make accounts with the numbers *ids*."""
    rows = [{"id": user, "email": f"{user}@example.org", "created_at": BEGAN, "active": True} for user in ids]
    await fill(ctx, accounts, rows)


async def tokens(ctx: Context[Any], ids: Sequence[UUID]) -> list[str]:
    """Return an access token for each account; they hold for ten minutes."""
    issuing = ctx.own(AccessTokens)
    return [await issuing.issue(user, new_id(), ("student",)) for user in ids]


def main() -> None:
    """Seed the database of the URL given, to look at it by hand."""
    print(asyncio.run(seed(sys.argv[1], Path(sys.argv[2]), pool=10)))


if __name__ == "__main__":
    main()
