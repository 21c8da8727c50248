"""HTTP: vouchers as administrators make and see them."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from kernel import new_id
from kernel.contracts.payments import VoucherBatchCreated
from kernel.contracts.payments_http import VoucherBatch
from kernel.testing.contracts.payments.deployed import BATCHES, DeployedPayments, create, fresh_key, redeem
from kernel.testing.contracts.payments.harness import PRICE, told

WRONG_FIELDS: tuple[dict[str, object], ...] = (
    {"count": 0},
    {"count": 10_001},
    {"amount": 0},
    {"amount": -5},
    {"amount": 10**12 + 1},
    {"amount": "100"},
    {"max_uses": 0},
    {"prefix": "spring"},
    {"tag": "=1+1"},
    {"valid_from": "2030-01-02T00:00:00Z", "valid_until": "2030-01-01T00:00:00Z"},
    {"valid_from": "2030-01-02T00:00:00"},
    {"valid_from": "0001-01-01T00:00:00+01:00"},
    {"unknown": 1},
    {"kind": "gift"},
    {"credit": "borrowed"},
    {"max_uses_per_person": 0},
    {"percent": 20},
    {"course_ids": [str(UUID(int=1))]},
    {"kind": "discount", "percent": 20},
    {"kind": "discount", "amount": None},
    {"kind": "discount", "amount": None, "percent": 0},
    {"kind": "discount", "amount": None, "percent": 101},
    {"kind": "discount", "amount": None, "price": -1},
    {"kind": "enrol", "course_ids": [str(UUID(int=1))]},
    {"kind": "enrol", "amount": None},
)


class BatchesContract:
    """What every provider does for administrators."""

    @pytest.mark.parametrize("role", ["student", "instructor"])
    async def test_only_administrators_make_and_see_vouchers(self, harness: DeployedPayments, role: str) -> None:
        """Vouchers are money: whoever makes them may do so."""
        client = harness.deployment.client(role)
        made = await create(harness.administrator(), {"count": 1, "amount": 100})

        await client.call("POST", BATCHES, {"count": 1, "amount": 100}, expect=403, headers=fresh_key())
        await client.call("GET", BATCHES, expect=403)
        await client.call("GET", f"{BATCHES}/{made.batch.id}", expect=403)
        await client.call("POST", f"{BATCHES}/{made.batch.id}/withdraw", expect=403)

        (batch,) = (await harness.administrator().call("GET", BATCHES))["items"]
        assert batch["withdrawn_at"] is None

    async def test_batch_shows_its_codes_once(self, harness: DeployedPayments) -> None:
        """Only the answer to the request that made them shows the codes; each is another."""
        administrator = harness.administrator()
        wanted = {"count": 5, "amount": 700, "max_uses": 2, "tag": "spring", "comment": "fair", "prefix": "SPRING"}

        made = await create(administrator, wanted)

        codes, batch = made.codes, made.batch
        assert len(set(codes)) == 5
        assert all(code.startswith("SPRING") and len(code) >= 6 + 13 for code in codes)
        assert (batch.count, batch.amount, batch.max_uses, batch.tag) == (5, 700, 2, "spring")
        listed = await administrator.call("GET", BATCHES)
        shown = await administrator.call("GET", f"{BATCHES}/{batch.id}")
        assert msgspec.convert(shown, VoucherBatch) == msgspec.convert(listed["items"][0], VoucherBatch) == batch
        assert not any(code in str((listed, shown)) for code in codes)
        assert [event.batch_id for event in await told(harness, VoucherBatchCreated)] == [batch.id]

    async def test_batch_is_of_one_kind(self, harness: DeployedPayments) -> None:
        """It is shown as it was asked for; what does not belong to its kind is null."""
        administrator, course = harness.administrator(), new_id()
        rest = {"amount": None, "percent": None, "price": None, "course_ids": (), "credit": None}
        kinds: tuple[dict[str, object], ...] = (
            {"kind": "top-up", "amount": 700, "credit": "promotional", "max_uses": 9, "max_uses_per_person": 3},
            {"kind": "discount", "amount": 300},
            {"kind": "discount", "percent": 20, "course_ids": (course,)},
            {"kind": "discount", "price": 0},
            {"kind": "enrol", "course_ids": (course,)},
        )

        made = [(await create(administrator, {"count": 1, **terms})).batch for terms in kinds]

        for terms, batch in zip(kinds, made, strict=True):
            expected = rest | {"max_uses": 1, "max_uses_per_person": 1} | terms
            assert {name: getattr(batch, name) for name in expected} == expected
            shown = await administrator.call("GET", f"{BATCHES}/{batch.id}")
            assert msgspec.convert(shown, VoucherBatch) == batch
        told_of = {event.batch_id: (event.kind, event.amount) for event in await told(harness, VoucherBatchCreated)}
        brought = (700, 0, 0, 0, 0)
        assert told_of == {batch.id: (batch.kind, amount) for batch, amount in zip(made, brought, strict=True)}

    async def test_batch_counts_the_uses_of_its_vouchers(self, harness: DeployedPayments) -> None:
        """Of all of them together, for purchases as well."""
        administrator, course = harness.administrator(), await harness.offer(PRICE)
        made = await create(administrator, {"count": 2, "kind": "discount", "percent": 100, "max_uses": 2})

        for code in (made.codes[0], made.codes[0], made.codes[1]):
            await harness.payments.charge(new_id(), new_id(), course, 0, voucher=code)

        assert (await administrator.call("GET", f"{BATCHES}/{made.batch.id}"))["redeemed"] == 3

    async def test_batch_is_withdrawn_once(self, harness: DeployedPayments) -> None:
        """The answer shows since when; withdrawing it again changes nothing, and an unknown one is not found."""
        administrator = harness.administrator()
        made = await create(administrator, {"count": 1, "amount": 100})
        path = f"{BATCHES}/{made.batch.id}/withdraw"

        first = await administrator.call("POST", path)
        second = await administrator.call("POST", path)

        assert first["withdrawn_at"] is not None
        assert second == first == await administrator.call("GET", f"{BATCHES}/{made.batch.id}")
        await administrator.call("POST", f"{BATCHES}/{new_id()}/withdraw", expect=404)

    async def test_batch_comes_as_csv_where_that_is_asked_for(self, harness: DeployedPayments) -> None:
        """`Accept: text/csv` brings a line of titles and a line for each code."""
        headers = {"Accept": "text/csv", **fresh_key()}
        body = {"count": 3, "amount": 100}

        async with harness.administrator().post(BATCHES, json=body, headers=headers) as answer:
            lines = (await answer.text()).splitlines()

        assert (answer.status, answer.content_type) == (201, "text/csv")
        assert lines[0].split(",")[0] == "code"
        (first, *_rest) = lines[1].split(",")
        assert len(lines) == 4
        await redeem(harness.person(), first)

    async def test_batch_needs_an_idempotency_key(self, harness: DeployedPayments) -> None:
        """Without a key a lost answer would leave money that nobody knows of."""
        problem = await harness.administrator().call("POST", BATCHES, {"count": 1, "amount": 100}, expect=400)

        assert problem["type"] == "/problems/idempotency-key-missing"
        assert (await harness.administrator().call("GET", BATCHES))["items"] == []

    async def test_batch_repeated_is_the_same_batch(self, harness: DeployedPayments) -> None:
        """Whoever lost the answer asks again with the same key, even at the same moment, and has one batch."""
        administrator, headers, body = harness.administrator(), fresh_key(), {"count": 2, "amount": 100}
        first = await administrator.call("POST", BATCHES, body, expect=201, headers=headers)

        second = await administrator.call("POST", BATCHES, body, expect=201, headers=headers)
        problem = await administrator.call("POST", BATCHES, body | {"amount": 101}, expect=422, headers=headers)

        assert second == first
        assert problem["type"] == "/problems/idempotency-key-reused"
        assert len((await administrator.call("GET", BATCHES))["items"]) == 1

    async def test_batch_with_a_wrong_field_is_refused(self, harness: DeployedPayments) -> None:
        """What is wrong is named, and nothing is made."""
        administrator = harness.administrator()

        for wrong in WRONG_FIELDS:
            body = {"count": 1, "amount": 100} | wrong
            problem = await administrator.call("POST", BATCHES, body, expect=422, headers=fresh_key())
            assert (problem["type"], bool(problem["errors"])) == ("/problems/invalid", True), wrong

        assert (await administrator.call("GET", BATCHES))["items"] == []

    async def test_batches_come_in_pages(self, harness: DeployedPayments) -> None:
        """The newest first; an unknown one is not found."""
        administrator = harness.administrator()
        ids = [(await create(administrator, {"count": 1, "amount": 100})).batch.id for _ in range(3)]

        first = await administrator.call("GET", f"{BATCHES}?limit=2")
        second = await administrator.call("GET", f"{BATCHES}?limit=2&cursor={first['next']}")

        assert [UUID(batch["id"]) for batch in first["items"] + second["items"]] == ids[::-1]
        await administrator.call("GET", f"{BATCHES}/{new_id()}", expect=404)
