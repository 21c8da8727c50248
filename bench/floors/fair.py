"""Floor: aiohttp and asyncpg by hand, one course by id and a page of them; nothing that a product needs besides.

No validation, limits, identity, metrics or error handling, and a first-in-first-out pool of bare connections.
"""

import asyncio
import collections
import os

import asyncpg
import orjson
import uvloop
from aiohttp import web

COLUMNS = "c.id, c.title, c.summary, c.description, c.category, c.price, c.published_at, u.id AS tid, u.name AS tname"
GET = f"SELECT {COLUMNS} FROM courses c JOIN users u ON u.id = c.teacher_id WHERE c.id = $1 AND c.status = 'published'"
LIST = """SELECT c.id, c.title, c.summary, c.category, c.price, c.published_at, u.id AS tid, u.name AS tname
  FROM (SELECT * FROM courses WHERE status = 'published' ORDER BY published_at DESC, id DESC LIMIT $1 OFFSET $2) c
  JOIN users u ON u.id = c.teacher_id ORDER BY c.published_at DESC, c.id DESC"""


class Pool:
    """Connections handed straight to the longest waiter."""

    def __init__(self, connections: list[asyncpg.Connection]) -> None:
        self.free = connections
        self.waiters: collections.deque[asyncio.Future[asyncpg.Connection]] = collections.deque()

    async def take(self) -> asyncpg.Connection:
        if self.free:
            return self.free.pop()
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        return await waiter

    def give(self, connection: asyncpg.Connection) -> None:
        if self.waiters:
            self.waiters.popleft().set_result(connection)
        else:
            self.free.append(connection)


def course(row: asyncpg.Record) -> dict[str, object]:
    found = {
        "id": row["id"],
        "title": row["title"],
        "summary": row["summary"],
        "category": row["category"],
        "price": row["price"],
        "publishedAt": row["published_at"],
        "teacher": {"id": row["tid"], "name": row["tname"]},
    }
    if len(row) > 8:
        found["description"] = row["description"]
    return found


class Floor:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def ping(self, request: web.Request) -> web.Response:
        return web.Response(body=b'{"ok":true}', content_type="application/json")

    async def one(self, request: web.Request) -> web.Response:
        connection = await self.pool.take()
        try:
            row = await connection.fetchrow(GET, int(request.match_info["id"]))
        finally:
            self.pool.give(connection)
        if row is None:
            return web.Response(body=b'{"error":"not found"}', status=404, content_type="application/json")
        return web.Response(body=orjson.dumps(course(row)), content_type="application/json")

    async def page(self, request: web.Request) -> web.Response:
        query = request.query
        limit, offset = min(int(query.get("limit", 20)), 100), int(query.get("offset", 0))
        connection = await self.pool.take()
        try:
            rows = await connection.fetch(LIST, limit, offset)
        finally:
            self.pool.give(connection)
        return web.Response(
            body=orjson.dumps({"items": [course(row) for row in rows]}), content_type="application/json"
        )


async def main() -> None:
    dsn, size = os.environ["BENCH_DSN"], int(os.environ["BENCH_POOL"])
    floor = Floor(Pool([await asyncpg.connect(dsn) for _ in range(size)]))
    app = web.Application()
    app.add_routes([web.get("/ping", floor.ping), web.get("/courses", floor.page), web.get("/courses/{id}", floor.one)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"]), backlog=2048).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
