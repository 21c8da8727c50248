"""Money under attack and in races (A19 to A21, A24, A25): what must happen once happens once, in one process and two.

A22, processes that die in the midst of it, is in `test_crashes.py`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import asyncpg
import pytest

from tests.faults.racing import ROUNDS, Answer, Wish, crowd
from tests.faults.shop import PRICE, PURCHASES, REDEEM, Shop, Student
from tests.faults.site import Site


def outcomes(answers: Sequence[Answer]) -> Counter[str]:
    """Count the answers: by status where they succeeded, else by their problem."""
    return Counter(str(answer.status) if answer.status < 400 else answer.problem for answer in answers)


def refund(student: Student, admin_token: str, purchase: str, amount: int | None = None) -> Wish:
    """Return the request that gives back *amount* of a purchase."""
    body = {"reason": "Sorry.", **({} if amount is None else {"amount": amount})}
    return Wish(path=f"{PURCHASES}/{purchase}/refund", body=body, token=admin_token)


async def test_money_for_five_buys_five_of_fifty(shop: Shop, ports: list[int]) -> None:
    """A19: of fifty purchases of different courses at once, those succeed that the wallet pays for."""
    courses, code = await shop.courses(50), await shop.voucher(5 * PRICE, uses=ROUNDS)

    async with crowd(ports, 50) as racing:
        for _ in range(ROUNDS):
            student = await shop.student(code)
            answers = await racing.race([student.order(course) for course in courses])
            bought = [answer.body["course_id"] for answer in answers if answer.status == 201]
            assert outcomes(answers) == {"201": 5, "insufficient-funds": 45}
            assert await student.balance() == 0
            assert sorted(await student.owns()) == sorted(bought)

    assert await shop.faults() == []


async def test_voucher_for_one_is_redeemed_by_one_of_fifty(shop: Shop, ports: list[int]) -> None:
    """A20: fifty people type the same code at the same moment."""
    students = [await shop.student() for _ in range(50)]

    async with crowd(ports, 50) as racing:
        for _ in range(ROUNDS):
            body = {"code": await shop.voucher(PRICE)}
            answers = await racing.race([Wish(path=REDEEM, body=body, token=one.token) for one in students])
            assert outcomes(answers) == {"200": 1, "voucher-refused": 49}

    assert sum([await student.balance() for student in students]) == ROUNDS * PRICE
    assert await shop.faults() == []


async def test_key_of_a_purchase_makes_one_of_twenty(shop: Shop, ports: list[int]) -> None:
    """A21: twins are answered alike; another order with the key is refused; another person's key is another."""
    course, other = await shop.courses(2)
    code = await shop.voucher(2 * PRICE, uses=2 * ROUNDS)

    async with crowd(ports, 20) as racing:
        for key in (str(uuid4()) for _ in range(ROUNDS)):
            student, namesake = await shop.student(code), await shop.student(code)
            answers = await racing.race([student.order(course, key)] * 20)
            (another,) = await racing.race([student.order(other, key)])
            (others,) = await racing.race([namesake.order(course, key)])
            assert outcomes(answers) == {"201": 20}
            assert len({answer.body["purchase_id"] for answer in answers}) == 1
            assert (another.status, another.problem) == (422, "idempotency-key-reused")
            assert others.status == 201
            assert others.body["purchase_id"] != answers[0].body["purchase_id"]
            assert (await student.balance(), await student.owns()) == (PRICE, [course])

    assert await shop.faults() == []


async def test_key_of_a_redemption_makes_one_of_twenty(shop: Shop, ports: list[int]) -> None:
    """A21, where the redemption keeps the key: twins wait for the first and get its answer, and so do later ones."""
    async with crowd(ports, 20) as racing:
        for key in (str(uuid4()) for _ in range(ROUNDS)):
            student, code = await shop.student(), await shop.voucher(PRICE, uses=5)
            wish = Wish(path=REDEEM, body={"code": code}, token=student.token, key=key)
            answers = await racing.race([wish] * 20)
            (again,) = await racing.race([wish])
            other = Wish(path=REDEEM, body={"code": "another"}, token=student.token, key=key)
            (another,) = await racing.race([other])
            assert outcomes(answers) == {"200": 20}
            assert all(answer.body == again.body for answer in answers)
            assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
            assert again.headers["idempotency-replayed"] == "true"
            assert (another.status, another.problem) == (422, "idempotency-key-reused")
            assert await student.balance() == PRICE

    assert await shop.faults() == []


async def test_whole_refund_happens_once_of_ten(shop: Shop, ports: list[int]) -> None:
    """A24: nothing is refunded twice or over the rest, and the access ends with the whole price."""
    course, code = await shop.course(), await shop.voucher(PRICE, uses=ROUNDS)
    admin = await shop.people.token("admin")

    async with crowd(ports, 10) as racing:
        for _ in range(ROUNDS):
            student = await shop.student(code)
            (bought,) = await racing.race([student.order(course)])
            purchase = bought.body["purchase_id"]
            answers = await racing.race([refund(student, admin, purchase)] * 10)
            (twice,) = await racing.race([refund(student, admin, purchase)])
            assert outcomes(answers) == {"200": 1, "nothing-to-refund": 9}
            assert twice.problem == "nothing-to-refund"
            assert (await student.balance(), await student.owns()) == (PRICE, [])

    assert await shop.faults() == []


async def test_parts_of_a_refund_never_come_to_more_than_the_price(shop: Shop, ports: list[int]) -> None:
    """A24: of ten refunds of a third at once three succeed; what is left is too little for a fourth."""
    course, code, third = await shop.course(), await shop.voucher(PRICE, uses=ROUNDS), PRICE // 3
    admin = await shop.people.token("admin")

    async with crowd(ports, 10) as racing:
        for _ in range(ROUNDS // 2):
            student = await shop.student(code)
            (bought,) = await racing.race([student.order(course)])
            answers = await racing.race([refund(student, admin, bought.body["purchase_id"], third)] * 10)
            assert outcomes(answers) == {"200": 3, "nothing-to-refund": 7}
            assert (await student.balance(), await student.owns()) == (3 * third, [course])

    assert await shop.faults() == []


async def test_history_is_denied_to_the_role_that_wrote_it(site: Site, shop: Shop) -> None:
    """A25: as the payments' own role of the running deployment, entries can be neither changed nor deleted."""
    await shop.student(await shop.voucher(PRICE))
    connection = await asyncpg.connect(site.postgres.url(site.database), server_settings=as_plugin("payments"))
    try:
        entries = await connection.fetchval("SELECT count(*) FROM entries")
        for statement in ("UPDATE entries SET amount = amount + 1", "DELETE FROM entries", "TRUNCATE entries"):
            with pytest.raises(asyncpg.PostgresError, match=r"append-only|permission denied"):
                await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM entries") == entries > 0
    finally:
        await connection.close()


async def test_no_plugin_sees_the_schema_of_another(site: Site) -> None:
    """A25: every pair of plugins of the deployment, reading and writing."""
    schemas = [name for (name,) in await site.as_superuser("SELECT nspname FROM pg_namespace WHERE nspname ~ '^p_'")]
    seen = []
    for own, other in itertools.permutations(schemas, 2):
        query = (
            "SELECT has_schema_privilege($1::text, $2::text, 'USAGE') OR has_schema_privilege($1::text, $2::text, "
            "'CREATE') OR pg_has_role($1::text, $2::text, 'MEMBER')"
        )
        seen += [(own, other) for (may,) in await site.as_superuser(query, own, other) if may]

    assert len(schemas) >= 6
    assert seen == []


def as_plugin(name: str) -> dict[str, str]:
    """Return what a connection of a plugin is opened with."""
    return {"role": f"p_{name}", "search_path": f"p_{name}"}
