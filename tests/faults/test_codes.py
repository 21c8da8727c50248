"""Sign-in codes under attack (A01 to A06): guessing, racing, flooding, timing, and looking for them in what is kept."""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import uuid4

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from kernel.database import Query
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth.tables import accounts, addresses
from tests.faults.backstage import Backstage
from tests.faults.racing import ROUNDS, Wish, crowd
from tests.faults.shop import PRICE, REDEEM, Shop
from tests.faults.site import Server, Site
from tests.plugins.auth.signing_in import CODES, SESSIONS, Asked, ask, grant, status

EXPIRES: Final = Query(sa.select(addresses.c.expires_at), addresses.c.expires_at.type.python_type)
ACCOUNTS: Final = Query(sa.select(sa.func.count().label("count")).select_from(accounts), int)
UNLIMITED: Final = {"auth": {"code_requests": "1000000/minute"}}  # for each client's address
QUIET: Final = {**UNLIMITED, "mail": {"delivery": "mailbox"}}  # no server to wait for
DAY: Final = 24 * 3600
ASKED: Final = 200  # times for a known address, and as often for an unknown one
TOLERANCE: Final = 0.10  # of the median time of an answer
MEASUREMENTS: Final = 6  # a busy machine may spoil one; what can be told apart, each of them tells apart


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Client]:
    client = Client(server.url)
    try:
        yield client
    finally:
        await client.close()


async def asked(client: Client, stage: Backstage, email: str) -> Asked:
    """Ask for a code for *email* and read it from the mail."""
    answer = await client.call("POST", CODES, {"email": email}, expect=202)
    found = re.search(r"\b(\d{6})\b", (await stage.mail(email)).text)
    assert found
    return Asked(answer["challenge_id"], found[1])


def somebody() -> str:
    """Return an address that nobody has used."""
    return f"{uuid4().hex}@example.org"


async def test_sixth_guess_and_the_right_code_after_it_are_refused_alike(
    servers: list[Server], stage: Backstage, site: Site
) -> None:
    """A01: the five tries are those of all processes together; the log has each of them, and never a code."""
    async with client_of(servers[0]) as one, client_of(servers[1]) as two:
        code = await asked(one, stage, somebody())
        bodies = [code.wrong()] * 6 + [code.body()] * 2
        answers = [
            await client.call("POST", SESSIONS, body, expect=401)
            for client, body in zip([one, two] * 4, bodies, strict=True)
        ]

    assert len({str({**answer, "instance": ""}) for answer in answers}) == 1
    attempts = [line for line in site.output().splitlines() if code.challenge_id in line]
    assert len(attempts) == 8
    assert [line for line in attempts if code.code in digits(line) or str(code.wrong()["code"]) in digits(line)] == []


@pytest.mark.parametrize(("seconds", "expected"), [(-1, 201), (1, 401)])
async def test_code_is_good_until_the_second_at_which_it_expires(deploy: Deploy, seconds: float, expected: int) -> None:
    """A02: a second before it, and no second after it, by the clock of the deployment."""
    deployment = await deploy("auth", "mail")
    code = await ask(deployment, "ada@example.org")
    expires = await deployment.platform.context("auth").db.one(EXPIRES)

    deployment.clock.set(expires + timedelta(seconds=seconds))

    assert await status(deployment.client(), "POST", SESSIONS, code.body()) == expected


async def test_code_at_fifty_hands_is_one_session(servers: list[Server], ports: list[int], stage: Backstage) -> None:
    """A03: of fifty who send the right code at the same moment one signs in; nobody does with it later."""
    async with client_of(servers[0]) as client, crowd(ports, 50) as racing:
        for _ in range(ROUNDS):
            code = await asked(client, stage, somebody())
            wish = Wish(path=SESSIONS, body=code.body())
            found = [answer.status for answer in await racing.race([wish] * 50)]
            assert sorted(found) == [201] + [401] * 49
            assert await status(client, "POST", SESSIONS, code.body()) == 401


@pytest.mark.sqlite_only
async def test_hundred_requests_of_a_day_are_five_mails_an_hour(deploy: Deploy) -> None:
    """A04: ten times a day somebody asks ten times, as often as the minute allows; each refusal says when to return."""
    deployment = await deploy("auth", "mail", settings=UNLIMITED)
    for _ in range(10):
        statuses = []
        for _ in range(10):
            async with deployment.client().post(CODES, json={"email": "ada@example.org"}) as answer:
                statuses.append(answer.status)
                assert answer.status == 202 or 1 <= int(answer.headers["Retry-After"]) <= 3600
            deployment.clock.advance(61)
        assert statuses == [202] * 5 + [429] * 5
        deployment.clock.advance(DAY / 10 - 610)


async def test_time_of_an_answer_does_not_tell_who_is_registered(deploy: Deploy) -> None:
    """A05: known and unknown addresses in turn: the same answers, and medians that lie within a tenth."""
    deployment = await deploy("auth", "mail", settings=QUIET, sections={"http": {"unsafe_rate": "1000000/minute"}})
    differences = []
    for _ in range(MEASUREMENTS):
        known, unknown = [somebody() for _ in range(ASKED)], [somebody() for _ in range(ASKED)]
        for email in known:
            await grant(deployment, email, "student")
        registered = await deployment.platform.context("auth").db.one(ACCOUNTS)
        differences.append(await difference(deployment, known, unknown))
        assert await deployment.platform.context("auth").db.one(ACCOUNTS) == registered, "nobody was registered"
        if differences[-1] <= TOLERANCE:
            break

    assert min(differences) <= TOLERANCE


async def difference(deployment: Deployment, known: list[str], unknown: list[str]) -> float:
    """Ask for codes, mixed; return by which part the median times differ. The answers must not differ at all."""
    wishes = [(True, email) for email in known] + [(False, email) for email in unknown]
    random.shuffle(wishes)
    client = deployment.client()
    seconds: dict[bool, list[float]] = {True: [], False: []}
    shapes: set[tuple[object, ...]] = set()
    for is_known, email in wishes:
        began = time.perf_counter()
        async with client.post(CODES, json={"email": email}) as answer:
            body = await answer.json()
        seconds[is_known].append(time.perf_counter() - began)
        shapes.add((answer.status, str(sorted(answer.headers)), str(sorted(body)), body["expires_in"]))
    assert len(shapes) == 1
    low, high = sorted(map(statistics.median, seconds.values()))
    return high / low - 1


async def test_codes_are_nowhere_in_what_is_kept(
    servers: list[Server], stage: Backstage, site: Site, shop: Shop
) -> None:
    """A06: neither codes nor vouchers nor refresh tokens stand in a database, an event, a queue, Redis or a log."""
    async with client_of(servers[0]) as client:
        code = await asked(client, stage, somebody())
        await client.call("POST", SESSIONS, code.wrong(), expect=401)
        while_it_waits = await everything_kept(site)
        tokens = await client.call("POST", SESSIONS, code.body(), expect=201)
    voucher = await shop.voucher(PRICE)
    student = await shop.student()
    await student.call("POST", REDEEM, {"code": voucher})
    await shop.settled()

    kept = while_it_waits + await everything_kept(site) + site.output()

    assert code.challenge_id in kept, "the dump has what it should have"
    assert code.code not in digits(kept)
    for secret in (voucher, voucher.replace("-", ""), tokens["refresh_token"], tokens["access_token"]):
        assert secret not in kept


def digits(text: str) -> set[str]:
    """Return the numbers of six digits in *text*, but for what is part of an id, of a time or of a measured time."""
    return set(re.findall(r"(?<![0-9a-f.:-])[0-9]{6}(?![0-9a-f])", re.sub(r'"microseconds":[0-9]+', "", text)))


async def everything_kept(site: Site) -> str:
    """Return every row of every table of every plugin, and everything in Redis, as text."""
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname ~ '^p_'"
    found = []
    for schema, table in await site.as_superuser(tables):
        found += [row for (row,) in await site.as_superuser(f'SELECT t::text FROM "{schema}"."{table}" t')]
    redis: Redis = Redis.from_url(site.redis)
    async with redis:
        for key in await redis.keys():
            found.append(str(await redis.dump(key)))
            if await redis.type(key) == b"stream":
                found.append(str(await redis.xrange(key)))
    return "\n".join(found)
