"""`lyceum up | serve | migrate | openapi`."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from kernel.testing.servers import PostgresServer
from tests.kernel.cli.conftest import Terminal
from tests.kernel.cli.processes import Lyceum, ask, running

SMALL = '[plugins]\nenabled = ["web"]\n'


def test_migrate_shows_each_revision_once(terminal: Terminal) -> None:
    """The first time every revision is listed, the second time there is nothing to do."""
    terminal.config.write_text(SMALL)
    first, second = terminal.type("--json", "migrate"), terminal.type("migrate")

    assert first.json() == [{"plugin": "web", "revision": "kernel_0001"}]
    assert (second.code, second.out) == (0, "every database is up to date\n")


def test_serve_refuses_databases_that_are_behind(terminal: Terminal) -> None:
    """Serving changes no database; the message names the command that does."""
    terminal.config.write_text(SMALL)
    done = terminal.type("serve")

    assert (done.code, done.out) == (1, "")
    assert done.err == "lyceum: the databases of web are not up to date; run `lyceum migrate`\n"


def test_serve_names_an_address_that_is_taken(terminal: Terminal) -> None:
    """A port that another program has is one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        terminal.config.write_text(f"{SMALL}[server]\nport = {port}\n")
        terminal.type("migrate")
        done = terminal.type("serve")

    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        f"lyceum: can not listen on 127.0.0.1:{port} (Address already in use); "
        "stop what uses it, or set [server] host and port"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_in_peace(terminal: Terminal, number: int) -> None:
    """It answers until it is told to stop, and ends with exit code 0 and without a traceback."""
    terminal.config.write_text(SMALL)
    terminal.type("migrate")
    with running(terminal.folder, ["serve"]) as lyceum:
        lyceum.wait_for()
        status, page = ask(lyceum.port, "/")
        code = lyceum.stop(number)

    assert (status, code) == (200, 0)
    assert b"Welcome to Lyceum" in page
    assert "Traceback" not in lyceum.output()


def test_up_migrates_serves_and_says_where_to_go(terminal: Terminal) -> None:
    """Each place in the navigation that is open to everybody is a line, whichever plugin has it."""
    terminal.config.write_text(f'{SMALL}[server]\nname = "Fern"\n')
    with running(terminal.folder, ["up"]) as lyceum:
        lyceum.wait_for_text("Stop with Ctrl-C.")
        url, code = f"http://127.0.0.1:{lyceum.port}", lyceum.stop(signal.SIGINT)

    assert code == 0
    places = [f"  Home     {url}/", f"  API      {url}/api/docs"]
    assert lyceum.output().splitlines() == ["", f"Fern is at {url}", *places, "Stop with Ctrl-C."]


def titles(lyceum: Lyceum) -> list[str]:
    found = json.loads(ask(lyceum.port, "/api/v1/courses")[1])
    return sorted(course["title"] for course in found["items"])


def test_up_shows_an_example_in_development_within_seconds(terminal: Terminal) -> None:
    """A fresh checkout has something to look at, which a plugin like any other makes."""
    terminal.config.write_text("[server]\ndevelopment = true\n")
    with running(terminal.folder, ["up"]) as lyceum:
        lyceum.wait_for_text("an example is there")
        told, found, code = lyceum.output(), titles(lyceum), lyceum.stop(signal.SIGINT)

    assert (len(found), code) == (3, 0)
    assert f"  Mailbox  http://127.0.0.1:{lyceum.port}/-/mailbox\n" in told


def test_up_is_one_process(terminal: Terminal) -> None:
    """More of them are served by `lyceum serve`."""
    terminal.config.write_text(f'{SMALL}[server]\nworkers = 2\n[redis]\nurl = "redis://localhost"\n')
    done = terminal.type("up")

    assert done.code == 1
    assert done.err == "lyceum: `lyceum up` is one process; run `lyceum migrate` and `lyceum serve`\n"


def test_workers_need_redis(terminal: Terminal) -> None:
    """Several processes that can not tell each other anything are refused."""
    done = terminal.type("serve", "--workers", "2")

    assert done.code == 1
    assert "[server] workers is 2 (the command line): more than one process needs Redis" in done.err


def test_workers_need_postgresql(terminal: Terminal) -> None:
    """Several processes on one SQLite file are refused."""
    terminal.config.write_text(f'{SMALL}[redis]\nurl = "redis://localhost"\n')
    done = terminal.type("serve", "--workers", "2")

    assert done.code == 1
    assert done.err == (
        "lyceum: the databases of web are SQLite files, which one process alone may serve; "
        "set [database] url to a PostgreSQL database, or 1 worker\n"
    )


def test_openapi_describes_the_plugins_that_are_on(terminal: Terminal) -> None:
    """The document holds the routes of exactly those plugins."""
    terminal.config.write_text('[plugins]\nenabled = ["mail", "auth"]\n')
    document = terminal.type("openapi").json()

    assert document["openapi"].startswith("3.1")
    assert "/api/v1/auth/codes" in document["paths"]
    assert not [path for path in document["paths"] if "/courses" in path]


@pytest.fixture
def production(postgres_server: PostgresServer, redis_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a deployment on PostgreSQL and a Redis-protocol server."""
    database = asyncio.run(postgres_server.create_database())
    yield {
        "LYCEUM_DATABASE__URL": postgres_server.url(database),
        "LYCEUM_REDIS__URL": redis_url,
        "LYCEUM_SERVER__SECRET": "env:SECRET",
        "SECRET": "long-enough-and-only-for-the-tests-of-lyceum",
    }
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()


def test_workers_reload_without_losing_a_request(
    terminal: Terminal, production: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP replaces the processes under load and no request fails; the configuration is read anew."""
    terminal.config.write_text(SMALL)
    for name, value in production.items():
        monkeypatch.setenv(name, value)
    assert terminal.type("migrate").code == 0
    with running(terminal.folder, ["serve", "--workers", "2"]) as lyceum, ThreadPoolExecutor(4) as people:
        lyceum.wait_for()
        asked = [people.submit(ask, lyceum.port, "/-/live") for _ in range(400)]
        terminal.config.write_text(f'{SMALL}[server]\nname = "Renamed"\n')
        lyceum.process.send_signal(signal.SIGHUP)
        lyceum.wait_until(lambda: b"Renamed" in ask(lyceum.port, "/")[1])
        answers = {one.result()[0] for one in asked}
        code = lyceum.stop(signal.SIGTERM)

    assert (answers, code) == ({200}, 0)
    assert "Traceback" not in lyceum.output()


def test_workers_that_could_not_start_are_refused_with_one_line(
    terminal: Terminal, production: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told once, as by a single process, before any worker is there."""
    terminal.config.write_text(SMALL)
    for name, value in production.items():
        monkeypatch.setenv(name, value)
    done = terminal.type("serve", "--workers", "2")

    assert (done.code, done.out) == (1, "")
    assert done.err == "lyceum: the databases of web are not up to date; run `lyceum migrate`\n"
