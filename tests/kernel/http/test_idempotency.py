"""Idempotency keys: a request that is sent twice happens once. On both ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from kernel import SIGNED_IN, Begin, Idempotency, Request, Route, delete, new_id, post, problems
from kernel.clock import SystemClock
from kernel.database import Command, Query, Session
from kernel.database.opening import OpenDatabase
from kernel.database.tables import idempotency as kept
from kernel.database.tables import outbox
from kernel.http.answers import Answer, Cookie
from kernel.http.idempotency import RETENTION, forget_old_answers
from kernel.testing.clock import MovableClock
from tests.kernel.http.serving import MOUNT, bearing, serving

# The kernel's outbox stands in for a table of the plugin's own.
PAY: Final = Command(
    sa.insert(outbox).values(
        id=bindparam("id", type_=outbox.c.id.type),
        type="paid",
        key=bindparam("key"),
        data=b"",
        correlation_id=bindparam("id", type_=outbox.c.id.type),
        created_at=bindparam("at", type_=outbox.c.created_at.type),
    )
)
PAID: Final = Query(sa.select(sa.func.count()).select_from(outbox).where(outbox.c.type == "paid"), int)
KEPT: Final = Query(sa.select(sa.func.count()).select_from(kept), int)


class Payment(msgspec.Struct, forbid_unknown_fields=True):
    amount: int


class Receipt(msgspec.Struct):
    number: str
    amount: int


class Till:
    """Takes payments; *slow* waits in the middle of one."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.keys: list[str | None] = []
        self.asked = 0

    async def pay(self, request: Request, body: Payment, session: Session) -> Answer[Receipt]:
        self.keys.append(request.idempotency_key)
        number = new_id()
        await session.run(PAY, id=number, key=str(body.amount), at=SystemClock().now())
        self.started.set()
        await self.go_on.wait()
        if body.amount > 1000:
            raise problems.Conflict("The wallet does not hold enough.")
        return Answer(Receipt(str(number), body.amount), headers={"Location": f"/receipts/{number}"})

    async def pay_later(self, request: Request, body: Payment, begin: Begin) -> Answer[Receipt]:
        self.asked += 1
        return await self.pay(request, body, await begin())

    async def look_only(self, begin: Begin) -> str:
        self.asked += 1
        return "nothing to do"

    async def begin_twice(self, begin: Begin) -> None:
        await self.cancel(await begin())
        await self.cancel(await begin())

    async def cancel(self, session: Session) -> None:
        await session.run(PAY, id=new_id(), key="-", at=SystemClock().now())

    async def send_astray(self, session: Session) -> Answer[str]:
        await self.cancel(session)
        return Answer("gone", headers={"Location": "/receipts\r\nX-Injected: yes"})

    async def sign_in(self, session: Session) -> Answer[str]:
        return Answer("in", cookies=(Cookie("refresh", "s3cret", max_age=60),))

    def routes(self) -> list[Route]:
        return [
            post("/payments", self.pay, permission=SIGNED_IN, status=201),
            post("/purchases", self.pay, permission=SIGNED_IN, idempotency=Idempotency.REQUIRED),
            post("/later", self.pay_later, permission=SIGNED_IN, status=201),
            post("/look", self.look_only, permission=SIGNED_IN),
            post("/twice", self.begin_twice, permission=SIGNED_IN),
            delete("/payments", self.cancel, permission=SIGNED_IN),
            post("/astray", self.send_astray, permission=SIGNED_IN),
            post("/sign-in", self.sign_in, permission=SIGNED_IN),
            post("/public", self.pay, permission="public"),
        ]


PATH = f"{MOUNT}/payments"


async def test_repetition_gets_the_first_answer_and_changes_nothing(db: OpenDatabase) -> None:
    """Status, headers and body are those of the first time, and the answer says so."""
    till, headers = Till(), bearing("any") | {"Idempotency-Key": "once"}
    async with serving(till.routes(), db=db) as client:
        first = await client.post(PATH, json={"amount": 5}, headers=headers)
        second = await client.post(PATH, json={"amount": 5}, headers=headers)

        assert (first.status, second.status) == (201, 201)
        assert await first.read() == await second.read()
        assert first.headers["Location"] == second.headers["Location"]
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert await db.one(PAID) == 1
    assert till.keys == ["once"]


async def test_repetition_of_an_empty_answer_is_empty(db: OpenDatabase) -> None:
    """204 is replayed as 204."""
    headers = bearing("any") | {"Idempotency-Key": "gone"}
    async with serving(Till().routes(), db=db) as client:
        answers = [await client.delete(PATH, headers=headers) for _ in range(2)]

        assert [(answer.status, await answer.read()) for answer in answers] == [(204, b"")] * 2
    assert await db.one(PAID) == 1


async def test_key_with_another_request_is_422(db: OpenDatabase) -> None:
    """A key can not be used for a second, different request."""
    headers = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        await client.post(PATH, json={"amount": 5}, headers=headers)
        response = await client.post(PATH, json={"amount": 6}, headers=headers)

        assert (response.status, (await response.json(content_type=None))["type"]) == (
            422,
            "/problems/idempotency-key-reused",
        )
    assert await db.one(PAID) == 1


async def test_key_belongs_to_its_person_and_route(db: OpenDatabase) -> None:
    """Another person, or the same on another route, may choose the same key and is not answered from it."""
    person = bearing("any") | {"Idempotency-Key": "once"}
    stranger = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        for path, headers in ((PATH, person), (PATH, stranger), (f"{MOUNT}/purchases", person)):
            response = await client.post(path, json={"amount": 5}, headers=headers)
            assert "Idempotency-Replayed" not in response.headers
    assert await db.one(PAID) == 3


async def test_failure_keeps_nothing_and_runs_again(db: OpenDatabase) -> None:
    """A refused request has changed nothing and may be repeated with its key, even otherwise."""
    headers = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        assert (await client.post(PATH, json={"amount": 2000}, headers=headers)).status == 409
        assert (await client.post(PATH, json={"amount": "x"}, headers=headers)).status == 422
        assert (await db.one(PAID), await db.one(KEPT)) == (0, 0)
        assert (await client.post(PATH, json={"amount": 5}, headers=headers)).status == 201
    assert await db.one(PAID) == 1


async def test_answer_that_can_not_be_sent_has_changed_nothing(db: OpenDatabase) -> None:
    """It is found out before the commit: nobody is told of a failure that took effect."""
    headers = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        response = await client.post(f"{MOUNT}/astray", headers=headers)

        assert (response.status, "X-Injected" in response.headers) == (500, False)
    assert (await db.one(PAID), await db.one(KEPT)) == (0, 0)


async def test_twins_happen_once(db: OpenDatabase) -> None:
    """Of twenty at the same moment one happens; the others are refused as running or get its answer."""
    headers = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        answers = await asyncio.gather(*(client.post(PATH, json={"amount": 5}, headers=headers) for _ in range(20)))

        assert {answer.status for answer in answers} <= {201, 409}
        bodies = {await answer.read() for answer in answers if answer.status == 201}
        assert len(bodies) == 1
    assert await db.one(PAID) == 1


@pytest.mark.postgresql_only
async def test_twin_of_a_running_request_is_409_at_once(db: OpenDatabase) -> None:
    """Nobody waits for a twin; afterwards the repetition gets the answer."""
    till, headers = Till(), bearing("any") | {"Idempotency-Key": "once"}
    till.go_on.clear()
    async with serving(till.routes(), db=db) as client:
        running = asyncio.ensure_future(client.post(PATH, json={"amount": 5}, headers=headers))
        await till.started.wait()
        twin = await client.post(PATH, json={"amount": 5}, headers=headers)
        till.go_on.set()

        assert (twin.status, (await twin.json(content_type=None))["type"]) == (409, "/problems/request-in-progress")
        assert twin.headers["Retry-After"] == "1"
        assert (await running).status == 201
        again = await client.post(PATH, json={"amount": 5}, headers=headers)
        assert again.headers["Idempotency-Replayed"] == "true"


async def test_without_a_key_nothing_is_kept(db: OpenDatabase) -> None:
    """The key is the caller's choice where the route does not require one."""
    async with serving(Till().routes(), db=db) as client:
        headers = bearing("any")
        assert (await client.post(PATH, json={"amount": 5}, headers=headers)).status == 201
        assert (await client.post(PATH, json={"amount": 5}, headers=headers)).status == 201
    assert (await db.one(PAID), await db.one(KEPT)) == (2, 0)


async def test_key_that_is_required_must_be_there(db: OpenDatabase) -> None:
    """Where money moves a request without a key is refused before anything happens."""
    async with serving(Till().routes(), db=db) as client:
        response = await client.post(f"{MOUNT}/purchases", json={"amount": 5}, headers=bearing("any"))

        assert (await response.json(content_type=None))["type"] == "/problems/idempotency-key-missing"
    assert await db.one(PAID) == 0


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 256, "schlüssel"])
async def test_key_that_can_not_be_one_is_400(db: OpenDatabase, key: str) -> None:
    """A key is 1 to 255 visible ASCII characters."""
    async with serving(Till().routes(), db=db) as client:
        headers = bearing("any") | {"Idempotency-Key": key}
        assert (await client.post(PATH, json={"amount": 5}, headers=headers)).status == 400
    assert await db.one(PAID) == 0


async def test_key_of_a_stranger_is_not_kept(db: OpenDatabase) -> None:
    """On a public route a stranger's key belongs to nobody: another stranger must not be answered from it."""
    async with serving(Till().routes(), db=db) as client:
        for _ in range(2):
            response = await client.post(f"{MOUNT}/public", json={"amount": 5}, headers={"Idempotency-Key": "once"})
            assert response.status == 200
    assert (await db.one(PAID), await db.one(KEPT)) == (2, 0)


async def test_cookie_is_not_kept(db: OpenDatabase) -> None:
    """A cookie holds a secret: it is sent once and stored nowhere."""
    headers = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        first = await client.post(f"{MOUNT}/sign-in", headers=headers)
        second = await client.post(f"{MOUNT}/sign-in", headers=headers)

        assert "Set-Cookie" in first.headers
        assert "Set-Cookie" not in second.headers


async def test_answers_are_forgotten_after_a_day(db: OpenDatabase) -> None:
    """Old answers are deleted, those of the last 24 hours stay."""
    async with serving(Till().routes(), db=db) as client:
        for key in ("a", "b", "c"):
            await client.post(PATH, json={"amount": 5}, headers=bearing("any") | {"Idempotency-Key": key})
    clock = MovableClock()

    assert await forget_old_answers(db, clock) == 0
    clock.advance((RETENTION + timedelta(minutes=1)).total_seconds())
    assert await forget_old_answers(db, clock) == 3
    assert await db.one(KEPT) == 0


async def test_handler_that_begins_later_happens_once_and_asks_once(db: OpenDatabase) -> None:
    """A repetition is answered before the handler runs; another request with the key is refused before it."""
    till, headers = Till(), bearing("any") | {"Idempotency-Key": "once"}
    async with serving(till.routes(), db=db) as client:
        answers = [await client.post(f"{MOUNT}/later", json={"amount": 5}, headers=headers) for _ in range(2)]
        other = await client.post(f"{MOUNT}/later", json={"amount": 6}, headers=headers)

        assert [(answer.status, "Idempotency-Replayed" in answer.headers) for answer in answers] == [
            (201, False),
            (201, True),
        ]
        assert await answers[0].read() == await answers[1].read()
        assert other.status == 422
    assert (await db.one(PAID), await db.one(KEPT), till.asked) == (1, 1, 1)


async def test_failure_after_a_late_beginning_keeps_nothing_and_runs_again(db: OpenDatabase) -> None:
    """As with a transaction that was open from the beginning."""
    headers = bearing("any") | {"Idempotency-Key": "once"}
    async with serving(Till().routes(), db=db) as client:
        assert (await client.post(f"{MOUNT}/later", json={"amount": 2000}, headers=headers)).status == 409
        assert (await db.one(PAID), await db.one(KEPT)) == (0, 0)
        assert (await client.post(f"{MOUNT}/later", json={"amount": 5}, headers=headers)).status == 201
    assert await db.one(PAID) == 1


async def test_twins_that_begin_later_happen_once(db: OpenDatabase) -> None:
    """Though both may have asked before either began."""
    till, headers = Till(), bearing("any") | {"Idempotency-Key": "once"}
    async with serving(till.routes(), db=db) as client:
        answers = await asyncio.gather(
            *(client.post(f"{MOUNT}/later", json={"amount": 5}, headers=headers) for _ in range(20))
        )

        assert {answer.status for answer in answers} <= {201, 409}
        assert len({await answer.read() for answer in answers if answer.status == 201}) == 1
    assert await db.one(PAID) == 1


async def test_handler_that_begins_nothing_keeps_nothing(db: OpenDatabase) -> None:
    """Without a change there is nothing that could happen twice."""
    till, headers = Till(), bearing("any") | {"Idempotency-Key": "once"}
    async with serving(till.routes(), db=db) as client:
        for _ in range(2):
            assert (await client.post(f"{MOUNT}/look", headers=headers)).status == 200
    assert (await db.one(KEPT), till.asked) == (0, 2)


async def test_request_has_one_transaction(db: OpenDatabase) -> None:
    """Whoever begins a second one is told so, and the first is undone."""
    async with serving(Till().routes(), db=db) as client:
        assert (await client.post(f"{MOUNT}/twice", headers=bearing("any"))).status == 500
    assert await db.one(PAID) == 0
