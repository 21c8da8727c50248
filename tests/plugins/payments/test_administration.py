"""What administrators see and do with other people's money."""

from __future__ import annotations

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, fresh_key
from tests.plugins.payments.ledgers import outbox


async def test_administrator_sees_any_wallet_and_statement(bank: DeployedPayments) -> None:
    """The same as its owner sees."""
    buyer, course, purchase = new_id(), new_id(), new_id()
    await bank.fund(buyer, 4000)
    await bank.payments.charge(purchase, buyer, course, 1500)
    administrator, owner = bank.administrator(), bank.person(buyer)

    wallet = await administrator.call("GET", f"{BASE}/wallets/{buyer}")
    statement = await administrator.call("GET", f"{BASE}/wallets/{buyer}/statement")

    held = {"balance": 2500, "currency": "EUR", "refundable": 2500, "promotional": 0}
    assert wallet == await owner.call("GET", f"{BASE}/wallet") == held
    assert statement == await owner.call("GET", f"{BASE}/statement")
    newest = statement["items"][0]
    assert (newest["kind"], newest["label"], newest["amount"]) == ("charge", "Course bought", -1500)
    assert (newest["reference"], newest["course_id"]) == (str(purchase), str(course))


async def test_administrator_refunds_a_charge(bank: DeployedPayments) -> None:
    """In parts or whole, once for each key."""
    buyer, purchase = new_id(), new_id()
    await bank.fund(buyer, 1500)
    await bank.payments.charge(purchase, buyer, new_id(), 1500)
    administrator, path = bank.administrator(), f"{BASE}/charges/{purchase}/refunds"
    body, headers = {"amount": 500, "reason": "the sound was bad"}, fresh_key()

    first = await administrator.call("POST", path, body, headers=headers)
    again = await administrator.call("POST", path, body, headers=headers)
    conflict = await administrator.call("POST", path, body | {"amount": 501}, expect=409, headers=headers)
    rest = await administrator.call("POST", path, {"reason": "all of it"}, headers=fresh_key())
    nothing = await administrator.call("POST", path, {"reason": "more"}, expect=409, headers=fresh_key())

    assert again == first
    assert (first["refunded"], rest["refunded"]) == (500, 1500)
    assert (conflict["type"], nothing["type"]) == ("/problems/charge-conflict", "/problems/nothing-to-refund")
    assert await administrator.call("GET", f"{BASE}/charges/{purchase}") == rest
    assert await bank.balance(buyer) == 1500
    lines = (await administrator.call("GET", f"{BASE}/wallets/{buyer}/statement"))["items"]
    assert [line["reason"] for line in lines[:2]] == ["all of it", "the sound was bad"]


async def test_refund_is_told_once(bank: DeployedPayments) -> None:
    """To the audit log: what was given back before and after, and why; a repeat is no act."""
    buyer, purchase = new_id(), new_id()
    await bank.fund(buyer, 1500)
    await bank.payments.charge(purchase, buyer, new_id(), 1500)
    administrator, headers = bank.administrator(), fresh_key()

    for _ in range(2):
        body = {"amount": 500, "reason": "the sound was bad"}
        await administrator.call("POST", f"{BASE}/charges/{purchase}/refunds", body, headers=headers)

    (told,) = [one for one in await outbox(bank, ActRecorded) if one.action == "payments.refund_charge"]
    assert (told.subject, told.actor, told.reason) == (f"purchase:{purchase}", administrator.user, "the sound was bad")
    assert told.about == buyer
    assert (told.before, told.after) == ({"refunded": 0}, {"refunded": 500})


async def test_keys_of_two_administrators_are_independent(bank: DeployedPayments) -> None:
    """The same key of another person is another refund."""
    buyer, purchase = new_id(), new_id()
    await bank.fund(buyer, 1500)
    await bank.payments.charge(purchase, buyer, new_id(), 1500)
    body, headers = {"amount": 500, "reason": "sorry"}, fresh_key()

    for refunded in (500, 1000):
        answer = await bank.administrator().call("POST", f"{BASE}/charges/{purchase}/refunds", body, headers=headers)
        assert answer["refunded"] == refunded


async def test_learners_and_instructors_reach_nobody_elses_money(bank: DeployedPayments) -> None:
    """Others' and absent wallets and charges answer alike: 403."""
    buyer, purchase = new_id(), new_id()
    await bank.fund(buyer, 1500)
    await bank.payments.charge(purchase, buyer, new_id(), 1500)

    for client in (bank.deployment.client("student"), bank.deployment.client("instructor"), bank.person(buyer)):
        for user, charge in ((buyer, purchase), (new_id(), new_id())):
            await client.call("GET", f"{BASE}/wallets/{user}", expect=403)
            await client.call("GET", f"{BASE}/wallets/{user}/statement", expect=403)
            await client.call("GET", f"{BASE}/charges/{charge}", expect=403)
            path = f"{BASE}/charges/{charge}/refunds"
            await client.call("POST", path, {"reason": "mine"}, expect=403, headers=fresh_key())

    assert await bank.balance(buyer) == 0


async def test_unknown_charge_is_not_found(bank: DeployedPayments) -> None:
    """Of what was never charged there is nothing to see and nothing to refund."""
    administrator, charge = bank.administrator(), f"{BASE}/charges/{new_id()}"

    await administrator.call("GET", charge, expect=404)
    await administrator.call("POST", f"{charge}/refunds", {"reason": "none"}, expect=409, headers=fresh_key())
