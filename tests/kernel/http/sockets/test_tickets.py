"""Tickets: good once, for thirty seconds, in every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from kernel import Principal, new_id, problems
from kernel.http.sockets.tickets import LIFE, PREFIX, Tickets
from kernel.testing.clock import MovableClock


@pytest.fixture
def ada() -> Principal:
    """Somebody for whom another stands in."""
    clock = MovableClock()
    return Principal(
        id=new_id(),
        session=new_id(),
        roles=frozenset({"student", "tutor"}),
        permissions=frozenset({"notes.read"}),
        actor=UUID(int=2),
        expires=clock.now(),
    )


@pytest_asyncio.fixture(params=["redis", "memory"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Tickets, Tickets]]:
    """Two processes of one deployment; without Redis there is one."""
    clock = MovableClock()
    if request.param == "memory":
        tickets = Tickets(None, clock)
        yield tickets, tickets
        return
    client: Redis = Redis.from_url(request.getfixturevalue("redis_url"))
    yield Tickets(client, clock), Tickets(client, clock)
    await client.aclose()


async def test_ticket_says_who_got_it_once(both: tuple[Tickets, Tickets], ada: Principal) -> None:
    """Everything of the person, in the other process; then it is nobody's."""
    here, there = both
    ticket = await here.issue(ada)

    assert await there.redeem(ticket) == ada
    for tickets in both:
        with pytest.raises(problems.NotSignedIn):
            await tickets.redeem(ticket)


async def test_ticket_at_fifty_hands_opens_once(both: tuple[Tickets, Tickets], ada: Principal) -> None:
    """However they race."""
    ticket = await both[0].issue(ada)

    found = await asyncio.gather(*(both[n % 2].redeem(ticket) for n in range(50)), return_exceptions=True)

    assert [one for one in found if isinstance(one, Principal)] == [ada]
    assert sum(isinstance(one, problems.NotSignedIn) for one in found) == 49


async def test_ticket_that_nobody_issued_is_refused(both: tuple[Tickets, Tickets]) -> None:
    """Whatever it looks like."""
    for ticket in ("", "x", "\ud800", "a" * 5000):
        with pytest.raises(problems.NotSignedIn):
            await both[0].redeem(ticket)


async def test_ticket_lives_thirty_seconds(ada: Principal) -> None:
    """And what was never used is forgotten."""
    clock = MovableClock()
    tickets = Tickets(None, clock)
    late, good = await tickets.issue(ada), await tickets.issue(ada)
    clock.advance(LIFE - 1)
    assert await tickets.redeem(good) == ada
    clock.advance(2)
    with pytest.raises(problems.NotSignedIn):
        await tickets.redeem(late)


async def test_redis_forgets_a_ticket_by_itself_and_never_has_it_in_words(redis_url: str, ada: Principal) -> None:
    """Whoever reads Redis can open nothing."""
    client: Redis = Redis.from_url(redis_url)
    await client.flushall()
    ticket = await Tickets(client, MovableClock()).issue(ada)
    (key,) = await client.keys(f"{PREFIX}*")

    assert 0 < await client.ttl(key) <= LIFE
    assert ticket not in f"{key!r} {await client.get(key)!r}"
    await client.aclose()


async def test_redis_that_is_away_is_said(ada: Principal) -> None:
    """Nobody is let in, and nobody is told that their ticket is bad."""
    client: Redis = Redis.from_url("redis://127.0.0.1:1")
    tickets = Tickets(client, MovableClock())

    with pytest.raises(problems.Unavailable):
        await tickets.issue(ada)
    with pytest.raises(problems.Unavailable):
        await tickets.redeem("x")
    await client.aclose()
