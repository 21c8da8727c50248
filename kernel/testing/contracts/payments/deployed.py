"""A harness for a provider that runs in a deployment: it is funded by vouchers, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

import msgspec

from kernel import Event, new_id
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import (
    PAYMENTS,
    ChargeRefunded,
    Credit,
    Payments,
    PurchaseCharged,
    Redemption,
    VoucherBatchCreated,
    VoucherRedeemed,
    VoucherReturned,
    WalletToppedUp,
)
from kernel.contracts.payments_http import VoucherCodes, Wallet
from kernel.testing import witness
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.clients import Client
from kernel.testing.clock import MovableClock
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses, InMemoryCoursesPlugin

BASE: Final = "/api/v1/payments"
REDEEM: Final = f"{BASE}/vouchers/redeem"
CHECK: Final = f"{BASE}/vouchers/check"
QUOTE: Final = f"{BASE}/quote"
BATCHES: Final = f"{BASE}/voucher-batches"
EVENTS: Final = (ChargeRefunded, PurchaseCharged, VoucherBatchCreated, VoucherRedeemed, VoucherReturned, WalletToppedUp)


@dataclass
class DeployedPayments:
    """Fulfils `PaymentsHarness`, and gives clients for the HTTP surface."""

    deployment: Deployment
    charges_money: bool
    _batch_of_code: dict[str, UUID] = field(default_factory=dict)

    @property
    def payments(self) -> Payments:
        return self.deployment.platform.services.get(PAYMENTS)

    @property
    def courses(self) -> InMemoryCourses:
        return cast(InMemoryCourses, self.deployment.platform.services.get(COURSES))

    @property
    def clock(self) -> MovableClock:
        return self.deployment.clock

    async def fund(self, user_id: UUID, amount: int, *, credit: Credit = "refundable") -> None:
        await redeem(self.person(user_id), await self.voucher(amount=amount, credit=credit))

    async def balance(self, user_id: UUID) -> int:
        return (await self.wallet(user_id)).balance

    async def wallet(self, user_id: UUID) -> Wallet:
        return msgspec.convert(await self.person(user_id).call("GET", f"{BASE}/wallet"), Wallet)

    async def voucher(self, **terms: object) -> str:
        (code,) = await self.vouchers(**terms)
        return code

    async def withdraw(self, code: str) -> None:
        await self.administrator().call("POST", f"{BATCHES}/{self._batch_of_code[code]}/withdraw")

    async def offer(self, price: int, *, status: str = "published") -> UUID:
        return self.courses.add(price, status=status)

    async def events(self) -> Sequence[Event]:
        await self.deployment.settle()
        return self.deployment.platform.context(witness.NAME).own(witness.Witnessed).events

    def person(self, user_id: UUID | None = None) -> Client:
        """Return a client for a learner."""
        return self.deployment.client("student", user=user_id)

    def administrator(self) -> Client:
        """Return a client for somebody who may make vouchers."""
        return self.deployment.client("admin")

    async def vouchers(self, **batch: object) -> tuple[str, ...]:
        """Make a batch of vouchers, one if nothing else is said; return the codes."""
        made = await create(self.administrator(), {"count": 1, **batch})
        self._batch_of_code |= dict.fromkeys(made.codes, made.batch.id)
        return made.codes


async def deploy_payments(
    deploy: Deploy,
    *names: str,
    charges_money: bool,
    plugins: Sequence[PluginClass] = (),
    settings: Tables | None = None,
    sections: Tables | None = None,
) -> DeployedPayments:
    """Deploy the plugins *names*, one of which provides `payments/1`, with courses that tests make.

    The other arguments are those of `deploy`.
    """
    classes: list[PluginClass] = [InMemoryCoursesPlugin, witness.witness_of(*EVENTS), *plugins]
    return DeployedPayments(await deploy(*names, plugins=classes, settings=settings, sections=sections), charges_money)


def fresh_key() -> dict[str, str]:
    """Return the header of a request that was never sent before."""
    return {"Idempotency-Key": str(new_id())}


async def create(administrator: Client, batch: Mapping[str, object]) -> VoucherCodes:
    """Make a batch of vouchers."""
    body = msgspec.to_builtins(batch)
    answer = await administrator.call("POST", BATCHES, body, expect=201, headers=fresh_key())
    return msgspec.convert(answer, VoucherCodes)


async def redeem(person: Client, code: str) -> Redemption:
    """Redeem a voucher that must count."""
    answer = await person.call("POST", REDEEM, {"code": code}, headers=fresh_key())
    return msgspec.convert(answer, Redemption)
