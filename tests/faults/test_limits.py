"""Rate limits under attack (A40): over two processes, at the border of their window, without Redis, with lies."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Final

import pytest_asyncio

from tests.faults.backstage import Backstage
from tests.faults.racing import Line
from tests.faults.site import Server, Site

LIMIT: Final = 20  # refresh tokens tried by one address within …
WINDOW: Final = 3.0  # seconds: `[plugins.auth] refreshes` of the site
TOO_MANY: Final = 429


@pytest_asyncio.fixture
async def lines(servers: list[Server]) -> AsyncIterator[list[Line]]:
    """A connection to each process, once the window is empty."""
    lines = [Line(*await asyncio.open_connection("127.0.0.1", server.port)) for server in servers]
    await asyncio.sleep(WINDOW + 0.2)
    yield lines
    for line in lines:
        line.writer.close()


async def allowed(lines: list[Line], times: int) -> int:
    """Try a refresh token so many times, at *lines* in turn, from invented addresses; return how often it was tried."""
    found = 0
    for number, line in zip(range(times), itertools.cycle(lines), strict=False):
        answer = await line.ask(guess(f"203.0.113.{number}"))
        found += answer.status != TOO_MANY
    return found


def guess(address: str) -> bytes:
    """Return a request that tries a refresh token and pretends to come from *address*."""
    body = b'{"refresh_token": "AAAA"}'
    head = (
        "POST /api/v1/auth/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-Forwarded-For: {address}\r\nForwarded: for={address}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def test_limit_is_one_for_both_processes_whatever_address_is_pretended(lines: list[Line]) -> None:
    """A40: the figure is shared, and nobody is believed who names another address."""
    assert await allowed(lines, 2 * LIMIT) == LIMIT


async def test_border_of_the_window_lets_nobody_through_twice(lines: list[Line]) -> None:
    """A40: right after the first of many tries is forgotten there is room for one, not for a new window."""
    assert await allowed(lines, 1) == 1
    await asyncio.sleep(WINDOW * 0.75)
    assert await allowed(lines, LIMIT) == LIMIT - 1
    await asyncio.sleep(WINDOW * 0.3)

    assert await allowed(lines, LIMIT) == 1


async def test_limit_holds_in_each_process_while_redis_is_away(lines: list[Line], stage: Backstage, site: Site) -> None:
    """A40: at the same figure, which is logged."""
    with stage.redis_away():
        assert await allowed(lines, 2) == 2  # each finds out that Redis does not answer
        await asyncio.sleep(WINDOW + 0.2)

        assert [await allowed([line], LIMIT + 5) for line in lines] == [LIMIT, LIMIT]

    assert site.output().count("limits-fallback") >= len(lines)
