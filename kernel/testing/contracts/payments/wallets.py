"""HTTP: what people have, and what a course costs them."""

from __future__ import annotations

import msgspec

from kernel import new_id
from kernel.contracts.payments import Quote
from kernel.contracts.payments_http import Wallet
from kernel.testing.contracts.payments.deployed import (
    BASE,
    BATCHES,
    CHECK,
    QUOTE,
    REDEEM,
    DeployedPayments,
    fresh_key,
    redeem,
)
from kernel.testing.contracts.payments.harness import PRICE, taken


class WalletsContract:
    """What every provider answers about what people have."""

    async def test_wallet_of_a_new_person_is_empty(self, harness: DeployedPayments) -> None:
        """Everybody has a wallet."""
        answer = await harness.person().call("GET", f"{BASE}/wallet")

        wallet = msgspec.convert(answer, Wallet)
        assert wallet.balance == 0
        assert len(wallet.currency) == 3

    async def test_wallet_tells_both_kinds_of_credit_apart(self, harness: DeployedPayments) -> None:
        """Together they are the balance."""
        person = harness.person()
        for amount, credit in ((700, "refundable"), (500, "promotional")):
            await redeem(person, await harness.voucher(amount=amount, credit=credit))

        wallet = msgspec.convert(await person.call("GET", f"{BASE}/wallet"), Wallet)

        assert (wallet.balance, wallet.refundable, wallet.promotional) == (1200, 700, 500)

    async def test_quote_is_what_the_service_says(self, harness: DeployedPayments) -> None:
        """The page of a course and the purchase see the same price."""
        person, course = harness.person(), await harness.offer(PRICE)
        assert person.user is not None

        answer = await person.call("GET", f"{BASE}/quote?course_id={course}")

        assert msgspec.convert(answer, Quote) == await harness.payments.quote(person.user, course)
        assert answer["total"] == taken(harness, PRICE)

    async def test_quote_of_an_unknown_course_is_a_404(self, harness: DeployedPayments) -> None:
        """The same for a course that is not there and one that is not published."""
        draft = await harness.offer(PRICE, status="draft")

        for course in (new_id(), draft):
            problem = await harness.person().call("GET", f"{BASE}/quote?course_id={course}", expect=404)
            assert problem["type"] == "/problems/not-found"

    async def test_strangers_are_refused(self, harness: DeployedPayments) -> None:
        """Money is nobody's business who is not signed in."""
        stranger = harness.deployment.client()
        reads = (f"{BASE}/wallet", f"{BASE}/statement", f"{BASE}/quote?course_id={new_id()}", BATCHES)

        for path in (*reads, f"{BATCHES}/{new_id()}"):
            await stranger.call("GET", path, expect=401)
        for path in (CHECK, QUOTE, REDEEM, BATCHES, f"{BATCHES}/{new_id()}/withdraw"):
            problem = await stranger.call("POST", path, {}, expect=401, headers=fresh_key())
            assert problem["type"] == "/problems/not-signed-in"
