"""HTTP: the codes of vouchers become money, never more often than they may."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from kernel.contracts.payments import VoucherRedeemed, WalletToppedUp
from kernel.testing.clients import Client
from kernel.testing.contracts.payments.deployed import (
    BASE,
    BATCHES,
    REDEEM,
    DeployedPayments,
    create,
    fresh_key,
    redeem,
)
from kernel.testing.contracts.payments.harness import told
from kernel.testing.contracts.payments.vouchers import NO_CODES


class RedemptionContract:
    """What every provider does with the codes of vouchers."""

    async def test_voucher_adds_its_amount_to_the_wallet(self, harness: DeployedPayments) -> None:
        """The wallet holds more, the batch counts the use, and both facts are told once."""
        person = harness.person()
        made = await create(harness.administrator(), {"count": 1, "amount": 2500})

        redemption = await redeem(person, made.codes[0])

        assert (redemption.amount, redemption.balance) == (2500, 2500)
        assert redemption.batch_id == made.batch.id
        batch = await harness.administrator().call("GET", f"{BATCHES}/{redemption.batch_id}")
        assert batch["redeemed"] == 1
        (redeemed,), (topped_up,) = await told(harness, VoucherRedeemed), await told(harness, WalletToppedUp)
        assert (redeemed.user_id, redeemed.voucher_id) == (person.user, redemption.voucher_id)
        assert (topped_up.user_id, topped_up.amount, topped_up.source) == (person.user, 2500, "voucher")

    async def test_code_may_be_typed_carelessly(self, harness: DeployedPayments) -> None:
        """Case, spaces, hyphens and look-alikes do not matter."""
        codes = await harness.vouchers(count=3, amount=100)
        typed = (codes[0].lower(), codes[1].replace("-", " "), codes[2].replace("0", "o").replace("1", "l"))

        for text in typed:
            await redeem(harness.person(), text)

    async def test_redemption_needs_an_idempotency_key(self, harness: DeployedPayments) -> None:
        """Money moves: the key is required, and nothing happens without."""
        (code,) = await harness.vouchers(amount=100)
        person = harness.person()

        problem = await person.call("POST", REDEEM, {"code": code}, expect=400)

        assert problem["type"] == "/problems/idempotency-key-missing"
        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 0

    async def test_redemption_repeated_is_answered_alike(self, harness: DeployedPayments) -> None:
        """A repeat with the same key has the first answer and moves nothing."""
        (code,) = await harness.vouchers(amount=100, max_uses=9)
        person, headers = harness.person(), fresh_key()

        first = await person.call("POST", REDEEM, {"code": code}, headers=headers)
        second = await person.call("POST", REDEEM, {"code": code}, headers=headers)

        assert second == first
        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 100
        assert len(await told(harness, VoucherRedeemed)) == 1

    async def test_redemption_of_another_code_under_the_same_key_is_refused(self, harness: DeployedPayments) -> None:
        """A mistake of the client, and no second voucher is lost by it."""
        codes, person, headers = await harness.vouchers(count=2, amount=100), harness.person(), fresh_key()
        await person.call("POST", REDEEM, {"code": codes[0]}, headers=headers)

        problem = await person.call("POST", REDEEM, {"code": codes[1]}, expect=422, headers=headers)

        assert problem["type"] == "/problems/idempotency-key-reused"
        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 100
        await redeem(person, codes[1])

    async def test_code_that_no_voucher_has_is_unknown(self, harness: DeployedPayments) -> None:
        """Unknown and malformed codes are answered alike, so that nobody learns what codes look like."""
        person = harness.person()

        for code in NO_CODES:
            assert await refusal(person, code) == "unknown", code

        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 0

    async def test_voucher_is_redeemed_once_by_each_person(self, harness: DeployedPayments) -> None:
        """A second time is refused, also where the voucher has uses left."""
        (code,) = await harness.vouchers(amount=100, max_uses=3)
        person = harness.person()
        await redeem(person, code)

        assert await refusal(person, code) == "already-redeemed"
        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 100
        await redeem(harness.person(), code)

    async def test_voucher_is_used_up(self, harness: DeployedPayments) -> None:
        """After its last use nobody can redeem it."""
        (code,) = await harness.vouchers(amount=100)
        await redeem(harness.person(), code)
        person = harness.person()

        assert await refusal(person, code) == "used-up"
        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 0

    async def test_voucher_counts_in_its_time_only(self, harness: DeployedPayments) -> None:
        """Before, it does not count yet; from `valid_until` on, not any more."""
        clock, hour = harness.deployment.clock, timedelta(hours=1)
        starts, ends = clock.now() + hour, clock.now() + 2 * hour
        (code,) = await harness.vouchers(
            amount=100, max_uses=9, valid_from=starts.isoformat(), valid_until=ends.isoformat()
        )

        assert await refusal(harness.person(), code) == "not-yet-valid"
        clock.set(starts)
        await redeem(harness.person(), code)
        clock.set(ends)
        assert await refusal(harness.person(), code) == "expired"

    async def test_voucher_with_seven_uses_is_redeemed_by_exactly_seven(self, harness: DeployedPayments) -> None:
        """The cap holds for twenty people at once."""
        (code,) = await harness.vouchers(amount=100, max_uses=7)
        people = [harness.person() for _ in range(20)]

        statuses = await asyncio.gather(*(status_of(person, code) for person in people))

        assert (statuses.count(200), statuses.count(409)) == (7, 13)
        assert sum([await harness.balance(person.user) for person in people if person.user]) == 700
        assert len(await told(harness, VoucherRedeemed)) == len(await told(harness, WalletToppedUp)) == 7

    async def test_voucher_is_redeemed_once_by_one_person_at_once(self, harness: DeployedPayments) -> None:
        """Ten requests of one person with keys of their own have one effect."""
        (code,) = await harness.vouchers(amount=100, max_uses=9)
        person = harness.person()

        statuses = await asyncio.gather(*(status_of(person, code) for _ in range(10)))

        assert (statuses.count(200), statuses.count(409)) == (1, 9)
        assert (await person.call("GET", f"{BASE}/wallet"))["balance"] == 100


async def refusal(person: Client, code: str) -> str:
    """Return the reason for which *code* is refused."""
    problem = await person.call("POST", REDEEM, {"code": code}, expect=409, headers=fresh_key())
    assert problem["type"] == "/problems/voucher-refused"
    return str(problem["reason"])


async def status_of(person: Client, code: str) -> int:
    """Redeem *code*; return the status of the answer."""
    async with person.post(REDEEM, json={"code": code}, headers=fresh_key()) as answer:
        await answer.read()
        return answer.status
