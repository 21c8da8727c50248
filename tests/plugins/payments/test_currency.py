"""The currency: one for the whole deployment, and it stays while there is money in it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from kernel import errors, new_id
from kernel.contracts.payments import PAYMENTS
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, BATCHES, create
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.courses import InMemoryCoursesPlugin
from tests.plugins.courses.school import School

FRANCS = {"server": {"currency": "CHF"}}


async def restart_in_francs(bank: DeployedPayments) -> None:
    await bank.deployment.restart("payments", plugins=[InMemoryCoursesPlugin], sections=FRANCS)


async def test_courses_are_priced_and_paid_in_one_currency(deploy: Deploy) -> None:
    """One setting is enough: what courses are priced in is what wallets hold."""
    deployment = await deploy("courses", "payments", sections=FRANCS)
    school = School(deployment, deployment.client("instructor"), deployment.client("admin"))
    course = await school.published()
    person = deployment.client("student")

    quote = await deployment.platform.services.get(PAYMENTS).quote(new_id(), UUID(course["id"]))

    assert (course["currency"], quote.currency) == ("CHF", "CHF")
    assert (await person.call("GET", f"{BASE}/wallet"))["currency"] == "CHF"


async def test_ledger_in_another_currency_is_refused(bank: DeployedPayments) -> None:
    """Money that was paid in does not become other money by a change of the configuration."""
    await bank.fund(new_id(), 5000)

    with pytest.raises(errors.StartFailed) as refused:
        await restart_in_francs(bank)

    assert str(refused.value) == (
        "payments: the ledger is in EUR, and [server] currency is 'CHF'; set it back to 'EUR'"
    )


async def test_live_vouchers_in_another_currency_are_refused(bank: DeployedPayments) -> None:
    """A voucher is worth what was printed on it."""
    await bank.vouchers(amount=5000)

    with pytest.raises(errors.StartFailed) as refused:
        await restart_in_francs(bank)

    assert str(refused.value) == (
        "payments: there are live vouchers in EUR, and [server] currency is 'CHF'; "
        "set it back to 'EUR' and withdraw them first"
    )


async def test_currency_may_change_while_there_is_no_money(bank: DeployedPayments) -> None:
    """Vouchers that are withdrawn or expired are in nobody's way."""
    soon = bank.deployment.clock.now() + timedelta(minutes=1)
    withdrawn = await create(bank.administrator(), {"count": 1, "amount": 100})
    await create(bank.administrator(), {"count": 1, "amount": 100, "valid_until": soon.isoformat()})
    await bank.administrator().call("POST", f"{BATCHES}/{withdrawn.batch.id}/withdraw")
    bank.deployment.clock.advance(120)

    await restart_in_francs(bank)

    made = await create(bank.administrator(), {"count": 1, "amount": 100})
    assert made.batch.currency == "CHF"
