"""Vouchers: codes that no database gives away, batches that can be withdrawn, guessers who are slowed down."""

from __future__ import annotations

from datetime import timedelta

from kernel.testing.contracts.payments import DeployedPayments, deploy_payments
from kernel.testing.contracts.payments.deployed import BATCHES, REDEEM, create, fresh_key, redeem
from kernel.testing.contracts.payments.redemption import refusal
from kernel.testing.deploying import Deploy
from plugins.payments.batches import CODES_AGAIN_FOR
from tests.plugins.payments.ledgers import faults, rows


async def test_codes_stand_in_no_table(bank: DeployedPayments) -> None:
    """Neither the vouchers nor the kept answers nor the events show a code, also after it was redeemed."""
    made = await create(bank.administrator(), {"count": 3, "amount": 100, "prefix": "SPRING"})
    await redeem(bank.person(), made.codes[0])

    tables = ("vouchers", "voucher_batches", "redemptions", "transfers", "entries", "idempotency", "outbox")
    dump = str([await rows(bank, f"SELECT * FROM {table}") for table in tables])

    for code in made.codes:
        secret = code.removeprefix("SPRING-")
        assert secret not in dump
        assert secret.replace("-", "") not in dump


async def test_codes_are_shown_again_to_a_repeat_for_a_day(bank: DeployedPayments) -> None:
    """Whoever lost the answer can ask again with the same key, but not for ever."""
    administrator, headers, body = bank.administrator(), fresh_key(), {"count": 2, "amount": 100}
    first = await administrator.call("POST", BATCHES, body, expect=201, headers=headers)

    bank.deployment.clock.advance(CODES_AGAIN_FOR.total_seconds() - 60)
    assert await administrator.call("POST", BATCHES, body, expect=201, headers=headers) == first
    bank.deployment.clock.advance(120)
    problem = await administrator.call("POST", BATCHES, body, expect=409, headers=headers)

    assert "codes are not shown any more" in problem["detail"]


async def test_keys_of_two_administrators_are_independent(bank: DeployedPayments) -> None:
    """The same key of another person is another request."""
    headers, body = fresh_key(), {"count": 1, "amount": 100}

    first = await bank.administrator().call("POST", BATCHES, body, expect=201, headers=headers)
    second = await bank.administrator().call("POST", BATCHES, body, expect=201, headers=headers)

    assert first["batch"]["id"] != second["batch"]["id"]


async def test_codes_are_kept_by_no_cache(bank: DeployedPayments) -> None:
    """The answer that shows codes is for the one who asked."""
    body = {"count": 1, "amount": 100}

    async with bank.administrator().post(BATCHES, json=body, headers=fresh_key()) as answer:
        assert answer.headers["Cache-Control"] == "no-store"


async def test_csv_has_what_a_mailing_needs(bank: DeployedPayments) -> None:
    """A line for each code with amount, uses, dates and tag, as a file to save."""
    until = bank.deployment.clock.now().replace(microsecond=0) + timedelta(days=9)
    body = {"count": 2, "amount": 100, "max_uses": 3, "tag": "spring fair", "valid_until": until.isoformat()}
    headers = {"Accept": "text/csv", **fresh_key()}

    async with bank.administrator().post(BATCHES, json=body, headers=headers) as answer:
        lines = (await answer.text()).splitlines()

    assert 'filename="vouchers-' in answer.headers["Content-Disposition"]
    assert lines[0] == "code,amount,currency,max_uses,valid_from,valid_until,tag"
    assert lines[1].split(",")[1:] == ["100", "EUR", "3", "", until.isoformat(), "spring fair"]


async def test_ten_thousand_vouchers_are_made_at_once(bank: DeployedPayments) -> None:
    """The largest batch there may be, all codes different."""
    made = await create(bank.administrator(), {"count": 10_000, "amount": 100})

    assert len(set(made.codes)) == 10_000
    await redeem(bank.person(), made.codes[-1])


async def test_batches_are_found_by_their_tag(bank: DeployedPayments) -> None:
    """Exactly the tag, whatever its characters mean elsewhere."""
    administrator = bank.administrator()
    for tag in ("a_b", "axb", ""):
        await create(administrator, {"count": 1, "amount": 100, "tag": tag})

    listed = await administrator.call("GET", f"{BATCHES}?tag=a_b")

    assert [batch["tag"] for batch in listed["items"]] == ["a_b"]


async def test_withdrawn_vouchers_count_no_more(bank: DeployedPayments) -> None:
    """What was redeemed stays; a second withdrawal changes nothing."""
    administrator, person = bank.administrator(), bank.person()
    made = await create(administrator, {"count": 2, "amount": 100, "max_uses": 2})
    await redeem(person, made.codes[0])

    withdrawn = await administrator.call("POST", f"{BATCHES}/{made.batch.id}/withdraw")
    again = await administrator.call("POST", f"{BATCHES}/{made.batch.id}/withdraw")

    assert again == withdrawn
    assert withdrawn["withdrawn_at"] is not None
    assert withdrawn["redeemed"] == 1
    for code in made.codes:
        assert await refusal(bank.person(), code) == "withdrawn"
    assert person.user is not None
    assert await bank.balance(person.user) == 100
    assert await faults(bank) == []


async def test_refusal_leaves_no_trace(bank: DeployedPayments) -> None:
    """Whoever comes too late has neither money nor a redemption."""
    (code,) = await bank.vouchers(amount=100)
    await redeem(bank.person(), code)

    await refusal(bank.person(), code)

    assert await rows(bank, "SELECT count(*) FROM redemptions") == [(1,)]
    assert await rows(bank, "SELECT uses FROM vouchers") == [(1,)]


async def test_guessers_are_slowed_down(deploy: Deploy) -> None:
    """Tries are counted by person, unknown codes and good ones alike, and another person is not kept out."""
    settings = {"payments": {"redeem_per_person": ["3/minute"], "redeem_per_address": ["5/minute"]}}
    bank = await deploy_payments(deploy, "payments", charges_money=True, settings=settings)
    (code,) = await bank.vouchers(amount=100)
    guesser = bank.person()
    for guess in ("0000-0000-0000-0000", "?", "0000-0000-0000-0001"):
        assert await refusal(guesser, guess) == "unknown"

    problem = await guesser.call("POST", REDEEM, {"code": code}, expect=429, headers=fresh_key())
    await redeem(bank.person(), code)

    assert problem["type"] == "/problems/too-many-requests"


async def test_guessers_of_one_address_are_slowed_down_together(deploy: Deploy) -> None:
    """New accounts do not help."""
    settings = {"payments": {"redeem_per_person": ["3/minute"], "redeem_per_address": ["5/minute"]}}
    bank = await deploy_payments(deploy, "payments", charges_money=True, settings=settings)

    for _ in range(5):
        assert await refusal(bank.person(), "0000-0000-0000-0000") == "unknown"

    await bank.person().call("POST", REDEEM, {"code": "0"}, expect=429, headers=fresh_key())
