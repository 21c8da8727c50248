"""What happens to statements when connections break, and where connections end."""

from __future__ import annotations

import asyncio
import threading
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import errors
from kernel.database import Database, Query
from kernel.database.opening import OpenDatabase
from tests.kernel.database.conftest import Open
from tests.kernel.database.library import ADD_BOOK, COUNT, SET_COPIES, STOCK, TITLES

PID = Query(sa.select(sa.func.pg_backend_pid()), int)
SLEEP = Query(sa.select(sa.literal_column("1")).where(sa.func.pg_sleep(bindparam("seconds")).is_not(None)), int)


async def kill_connections(url: str) -> None:
    """End every connection of the library, as a restart of the server does."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lyceum library'"
            " AND datname = current_database()"
        )
    finally:
        await connection.close()


@pytest.mark.postgresql_only
async def test_read_survives_a_restart_of_the_server(db: Database, url: str) -> None:
    """A read alone runs again on a fresh connection when its own turns out to be dead."""
    await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
    for _ in range(3):
        await kill_connections(url)

        assert await db.all(TITLES) == ["Emma"]


@pytest.mark.postgresql_only
async def test_read_that_is_under_way_survives_the_loss_of_its_connection(db: Database, url: str) -> None:
    """The connection may also break while the server works on the read."""
    reading = asyncio.create_task(db.first(SLEEP, seconds=0.5))
    await asyncio.sleep(0.2)
    await kill_connections(url)

    assert await reading == 1


@pytest.mark.postgresql_only
async def test_transaction_begins_anew_after_a_restart_of_the_server(db: Database, url: str) -> None:
    """A dead connection shows itself before anything was done: the transaction begins on another."""
    await db.one(COUNT)
    await kill_connections(url)

    async with db.transaction() as session:
        await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)

    assert await db.all(TITLES) == ["Emma"]


@pytest.mark.postgresql_only
async def test_lost_connection_ends_the_transaction(db: Database, url: str) -> None:
    """What was not committed is gone, the caller is told, and the next transaction works."""

    async def lose() -> None:
        async with db.transaction() as session:
            await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
            await kill_connections(url)
            await session.one(COUNT)

    with pytest.raises(errors.DatabaseUnavailable, match="library: "):
        await lose()

    assert await db.one(COUNT) == 0
    assert await db.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1) == 1


@pytest.mark.postgresql_only
async def test_cancelled_statement_is_cancelled_on_the_server(open_db: Open, url: str) -> None:
    """Its connection is discarded, the next one in line gets a new one, and the server stops working on it."""
    db = await open_db(pool_size=1)
    sleeping = asyncio.create_task(db.first(SLEEP, seconds=20))
    await asyncio.sleep(0.2)
    sleeping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sleeping
    async with asyncio.timeout(10):
        assert await db.one(COUNT) == 0


@pytest.mark.postgresql_only
async def test_statements_share_few_connections(open_db: Open) -> None:
    """However many run at once, the pool opens no more than it may."""
    db = await open_db(pool_size=2)

    pids = {pid for (pid,) in await asyncio.gather(*(db.all(PID) for _ in range(40)))}

    assert len(pids) <= 2


@pytest.mark.postgresql_only
async def test_cancelled_read_harms_no_other_reader(db: Database) -> None:
    """Readers come and go; those who stay get their rows."""
    books = [uuid4() for _ in range(20)]
    await db.run_many(ADD_BOOK, [{"id": book, "title": str(n), "copies": n} for n, book in enumerate(books)])
    readers = [asyncio.ensure_future(db.lookup(STOCK, book)) for book in books]
    await asyncio.sleep(0)
    for reader in readers[::2]:
        reader.cancel()

    found = await asyncio.gather(*readers[1::2])

    assert [stock.copies for stock in found if stock is not None] == list(range(1, 20, 2))


async def test_statements_under_load_all_get_their_answer(db: Database) -> None:
    """Reads and writes of many tasks at once end well on few connections."""
    book = uuid4()
    await db.run(ADD_BOOK, id=book, title="Emma", copies=0)

    async def work(number: int) -> None:
        await db.run(SET_COPIES, id=book, copies=number)
        assert await db.all(TITLES) == ["Emma"]
        assert await db.lookup(STOCK, book) is not None

    await asyncio.gather(*(work(number) for number in range(60)))


async def test_closed_database_refuses_and_leaves_nothing_open(open_db: Open) -> None:
    """After `close` there is no thread and no connection left, and a statement says so."""
    before = set(threading.enumerate())
    db: OpenDatabase = await open_db()
    await asyncio.gather(*(db.one(COUNT) for _ in range(8)))
    async with db.transaction() as session:
        await session.run(ADD_BOOK, id=uuid4(), title="Emma", copies=1)
    async with db.engine().connect() as connection:
        assert (await connection.execute(sa.text("SELECT count(*) FROM books"))).scalar() == 1

    await db.close()
    await db.close()

    with pytest.raises(errors.DatabaseUnavailable, match="library: the database is closed"):
        await db.one(COUNT)
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=10)  # told to end, it may need a moment
    assert not any(thread.is_alive() for thread in left)
