"""Rate limits: in memory, in Redis, and in memory again while Redis is away."""

from __future__ import annotations

import asyncio
import os
import signal

import aiohttp
import msgspec
import pytest
import structlog
from redis.asyncio import Redis
from structlog.testing import capture_logs

from kernel import PUBLIC, SIGNED_IN, Idempotency, RateLimit, get, new_id, post
from kernel.http import limits
from kernel.http.limits import Limiter, address_key, parse_rate
from kernel.http.settings import HttpSettings
from kernel.testing.servers import valkey
from tests.kernel.http.serving import MOUNT, bearing, serving

log = structlog.get_logger()


async def fine() -> str:
    return "fine"


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What may be tried too often with a *code*."""

    code: str | None = None


async def order(body: Order) -> str:
    return "fine"


ROUTES = [
    post(
        "/code",
        fine,
        permission=PUBLIC,
        idempotency=Idempotency.NONE,
        rate_limits=(RateLimit("3/hour", by="address"), RateLimit("100/day", by="address")),
    ),
    post("/voucher", fine, permission=SIGNED_IN, idempotency=Idempotency.NONE, rate_limits=(RateLimit("2/minute"),)),
    *(
        post(
            path,
            fine,
            permission=SIGNED_IN,
            idempotency=Idempotency.NONE,
            rate_limits=(RateLimit("2/minute", scope="tries"),),
        )
        for path in ("/check", "/redeem")
    ),
    post(
        "/order",
        order,
        permission=SIGNED_IN,
        idempotency=Idempotency.NONE,
        rate_limits=(RateLimit("2/minute", member="code"), RateLimit("3/minute", by="address", member="code")),
    ),
    get("/search", fine, permission=PUBLIC, rate_limits=(RateLimit("2/minute"),)),
    post("", fine, permission=PUBLIC, idempotency=Idempotency.NONE),
    get("", fine, permission=PUBLIC),
]


@pytest.fixture(params=["memory", "redis"])
def limiter(request: pytest.FixtureRequest) -> Limiter:
    return Limiter(None if request.param == "memory" else request.getfixturevalue("redis"), log)


async def statuses(client: aiohttp.ClientSession, path: str, times: int, headers: dict[str, str]) -> list[int]:
    return [(await client.post(MOUNT + path, headers=headers)).status for _ in range(times)]


async def test_limit_of_an_address_is_one_for_all_its_callers(limiter: Limiter) -> None:
    """The fourth request within the hour is refused, whoever sends it."""
    async with serving(ROUTES, limiter=limiter) as client:
        assert await statuses(client, "/code", 3, {}) == [200, 200, 200]
        response = await client.post(f"{MOUNT}/code", headers=bearing("any"))

        assert response.status == 429
        assert (await response.json(content_type=None))["type"] == "/problems/too-many-requests"
        assert 3500 < int(response.headers["Retry-After"]) <= 3600


async def test_limit_of_a_principal_is_each_persons_own(limiter: Limiter) -> None:
    """One person's requests do not count for another, though they come from one address."""
    ada, ben = bearing("any", person=new_id()), bearing("any", person=new_id())
    async with serving(ROUTES, limiter=limiter) as client:
        assert await statuses(client, "/voucher", 3, ada) == [200, 200, 429]
        assert await statuses(client, "/voucher", 3, ben) == [200, 200, 429]


async def test_limits_of_one_scope_count_together(limiter: Limiter) -> None:
    """Whoever used them up on one route has none left on the other; a route of no scope counts by itself."""
    ada, ben = bearing("any", person=new_id()), bearing("any", person=new_id())
    async with serving(ROUTES, limiter=limiter) as client:
        assert await statuses(client, "/check", 1, ada) == [200]
        assert await statuses(client, "/redeem", 2, ada) == [200, 429]
        assert await statuses(client, "/check", 1, ada) == [429]
        assert await statuses(client, "/voucher", 2, ada) == [200, 200]
        assert await statuses(client, "/redeem", 2, ben) == [200, 200]


async def test_limit_on_a_member_of_the_body_counts_who_sends_it(limiter: Limiter) -> None:
    """By person and by address; whoever leaves it out, or sends null, is not counted."""
    ada, ben = bearing("any", person=new_id()), bearing("any", person=new_id())
    async with serving(ROUTES, limiter=limiter) as client:

        async def ordered(person: dict[str, str], *bodies: dict[str, str | None]) -> list[int]:
            return [(await client.post(f"{MOUNT}/order", json=body, headers=person)).status for body in bodies]

        assert await ordered(ada, {}, {"code": None}, {}, {"code": "A"}, {"code": "B"}) == [200] * 5
        assert await ordered(ada, {"code": "C"}, {}) == [429, 200]
        assert await ordered(ben, {"code": "A"}, {}) == [429, 200]


async def test_limit_of_a_principal_counts_strangers_by_address(limiter: Limiter) -> None:
    """A public route with a personal limit is limited for strangers too."""
    async with serving(ROUTES, limiter=limiter) as client:
        found = [(await client.get(f"{MOUNT}/search")).status for _ in range(3)]

        assert found == [200, 200, 429]


async def test_limit_is_told_while_it_lasts(limiter: Limiter) -> None:
    """Every answer of a limited route says where the caller stands with each of its limits."""
    async with serving(ROUTES, limiter=limiter) as client:
        first = await client.post(f"{MOUNT}/code")
        second = await client.post(f"{MOUNT}/code")

        assert first.headers["RateLimit-Policy"] == '"3/hour";q=3;w=3600, "100/day";q=100;w=86400'
        assert first.headers["RateLimit"].startswith('"3/hour";r=2;t=36')
        assert second.headers["RateLimit"].startswith('"3/hour";r=1;t=3')


async def test_limit_moves_with_time(limiter: Limiter) -> None:
    """The window moves: what is older than it no longer counts."""
    item = parse_rate("2/second")
    assert [(await limiter.hit(item, "key")).allowed for _ in range(3)] == [True, True, False]

    await asyncio.sleep(1.1)
    assert (await limiter.hit(item, "key")).allowed


async def test_limit_in_redis_is_one_for_all_processes(redis: Redis) -> None:
    """Two processes share one figure."""
    here, there = Limiter(redis, log), Limiter(redis, log)
    item = parse_rate("3/minute")

    assert [(await limiter.hit(item, "key")).allowed for limiter in (here, there, here, there)] == [
        True,
        True,
        True,
        False,
    ]


async def test_limit_holds_in_each_process_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Redis the same figures hold in each process; it is logged once, and Redis is asked again later."""
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.2)
    item = parse_rate("2/minute")
    with valkey() as url, capture_logs() as logs:
        client: Redis = Redis.from_url(url)
        process = int((await client.info("server"))["process_id"])
        limiter = Limiter(client, structlog.get_logger())
        assert (await limiter.hit(item, "before")).allowed

        os.kill(process, signal.SIGSTOP)  # it takes connections and answers nothing
        away = [(await limiter.hit(item, "during")).allowed for _ in range(4)]
        os.kill(process, signal.SIGCONT)
        await asyncio.sleep(0.3)
        assert (await limiter.hit(item, "after")).allowed
        await client.aclose()

    assert away == [True, True, False, False]
    assert [line["action"] for line in logs] == ["limits-fallback", "limits-recovered"]


async def test_general_limit_brakes_unsafe_requests_only() -> None:
    """A person who writes too much is stopped on every route, and may still read."""
    person, other = bearing("any", person=new_id()), bearing("any", person=new_id())
    async with serving(ROUTES, settings=HttpSettings(unsafe_rate="3/minute")) as client:
        assert await statuses(client, "", 4, person) == [200, 200, 200, 429]
        assert await statuses(client, "/voucher", 1, person) == [429]
        assert (await client.get(MOUNT, headers=person)).status == 200
        assert await statuses(client, "", 1, other) == [200]


async def test_windows_in_memory_are_forgotten_when_they_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with every address that ever came."""
    monkeypatch.setattr(limits, "CLEANING_PERIOD", 10)
    windows = limits.MemoryWindows()
    for number in range(100):
        windows.take(f"key {number}", 5, 0)

    assert len(windows) <= 10


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
    ],
)
def test_address_of_ipv6_counts_as_its_network(address: str, key: str) -> None:
    """Whoever has a /64 does not have 2^64 tries."""
    assert address_key(address) == key
