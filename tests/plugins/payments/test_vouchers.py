"""Vouchers: codes that no database gives away, batches that can be withdrawn, guessers who are slowed down."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from kernel import new_id
from kernel.contracts.audit import ActRecorded
from kernel.contracts.payments import Redemption, VoucherBatchCreated
from kernel.testing.contracts.payments import DeployedPayments, deploy_payments
from kernel.testing.contracts.payments.deployed import BASE, BATCHES, REDEEM, create, fresh_key, redeem
from kernel.testing.contracts.payments.harness import told
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


async def test_an_answer_that_shows_codes_again_says_so(bank: DeployedPayments) -> None:
    """Whoever sends a request twice sees which answer made the vouchers."""
    administrator, headers, body = bank.administrator(), fresh_key(), {"count": 1, "amount": 100}
    replayed = []
    for _ in range(2):
        async with administrator.post(BATCHES, json=body, headers=headers) as answer:
            replayed.append((answer.status, answer.headers.get("Idempotency-Replayed")))

    assert replayed == [(201, None), (201, "true")]


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
    assert lines[0].startswith("code,amount,currency,max_uses,valid_from,valid_until,tag,kind,percent,price,credit,")
    assert lines[1].split(",")[1:7] == ["100", "EUR", "3", "", until.isoformat(), "spring fair"]
    assert lines[1].split(",")[7:] == ["top-up", "", "", "refundable", "", "1"]


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


async def test_repeat_says_that_it_is_one(bank: DeployedPayments) -> None:
    """The same answer with a header, also after the voucher is withdrawn; another code needs another key."""
    administrator, person, headers = bank.administrator(), bank.person(), fresh_key()
    made = await create(administrator, {"count": 2, "amount": 100, "max_uses": 2, "max_uses_per_person": 2})
    code, other = made.codes
    first = await person.call("POST", REDEEM, {"code": code}, headers=headers)
    await administrator.call("POST", f"{BATCHES}/{made.batch.id}/withdraw")

    async with person.post(REDEEM, json={"code": code.lower()}, headers=headers) as again:
        replayed = await again.json()
    problems = [
        await person.call("POST", REDEEM, {"code": wrong}, expect=422, headers=headers) for wrong in (other, "0000")
    ]

    assert (again.status, again.headers["Idempotency-Replayed"], replayed) == (200, "true", first)
    assert {problem["type"] for problem in problems} == {"/problems/idempotency-key-reused"}
    assert await rows(bank, "SELECT uses FROM vouchers WHERE uses > 0") == [(1,)]


async def test_keys_of_two_people_are_independent(bank: DeployedPayments) -> None:
    """The same key of another person is another redemption."""
    (code,) = await bank.vouchers(amount=100, max_uses=2)
    headers = fresh_key()

    for person in (bank.person(), bank.person()):
        assert (await person.call("POST", REDEEM, {"code": code}, headers=headers))["balance"] == 100


async def test_redeeming_by_the_capability_is_the_same(bank: DeployedPayments) -> None:
    """One key, one redemption, however it is asked for."""
    person = bank.person()
    assert person.user is not None
    (code,) = await bank.vouchers(amount=100, credit="promotional", max_uses=2)

    first = await bank.payments.redeem(person.user, code, key="the-key")
    again = await person.call("POST", REDEEM, {"code": code}, headers={"Idempotency-Key": "the-key"})

    assert (first.amount, first.credit, first.balance) == (100, "promotional", 100)
    assert msgspec.convert(again, Redemption) == first


async def test_batch_is_changed_in_what_people_may_change(bank: DeployedPayments) -> None:
    """Tag, comment and end; what is not named stays, and the worth of a voucher stays anyway."""
    administrator = bank.administrator()
    until = bank.deployment.clock.now() + timedelta(days=9)
    made = await create(administrator, {"count": 1, "amount": 100, "tag": "spring", "valid_until": until.isoformat()})
    path = f"{BATCHES}/{made.batch.id}"

    tagged = await administrator.call("PATCH", path, {"tag": "summer", "comment": "later"})
    endless = await administrator.call("PATCH", path, {"valid_until": None})
    ended = await administrator.call("PATCH", path, {"valid_until": bank.deployment.clock.now().isoformat()})

    assert (tagged["tag"], tagged["comment"]) == ("summer", "later")
    assert tagged["valid_until"] is not None
    assert (endless["tag"], endless["valid_until"]) == ("summer", None)
    assert await administrator.call("GET", path) == ended
    assert await refusal(bank.person(), made.codes[0]) == "expired"
    await administrator.call("PATCH", path, {"amount": 200}, expect=422)
    await administrator.call("PATCH", f"{BATCHES}/{new_id()}", {"tag": ""}, expect=404)


async def test_batch_ends_after_it_begins(bank: DeployedPayments) -> None:
    """A change that would leave no time to redeem is refused and names the field."""
    administrator, starts = bank.administrator(), bank.deployment.clock.now() + timedelta(days=1)
    made = await create(administrator, {"count": 1, "amount": 100, "valid_from": starts.isoformat()})

    path = f"{BATCHES}/{made.batch.id}"
    problem = await administrator.call("PATCH", path, {"valid_until": starts.isoformat()}, expect=422)

    assert problem["errors"][0]["field"] == "body.valid_until"
    assert (await administrator.call("GET", path))["valid_until"] is None


async def test_batch_of_which_nothing_was_redeemed_can_be_deleted(bank: DeployedPayments) -> None:
    """Its codes are unknown then; a second deletion finds nothing."""
    administrator = bank.administrator()
    made = await create(administrator, {"count": 3, "amount": 100})
    path = f"{BATCHES}/{made.batch.id}"

    await administrator.call("DELETE", path, expect=204)

    await administrator.call("GET", path, expect=404)
    await administrator.call("DELETE", path, expect=404)
    assert await refusal(bank.person(), made.codes[0]) == "unknown"
    assert await rows(bank, "SELECT count(*) FROM vouchers") == [(0,)]


async def test_batch_of_which_something_was_redeemed_stays(bank: DeployedPayments) -> None:
    """Also when the use was given back: history is not deleted. Withdrawing is the remedy."""
    administrator, purchase = bank.administrator(), new_id()
    made = await create(administrator, {"count": 2, "kind": "discount", "percent": 100})
    await bank.payments.charge(purchase, new_id(), new_id(), 0, voucher=made.codes[0])
    await bank.payments.refund(purchase, None, key="all", reason="all")
    path = f"{BATCHES}/{made.batch.id}"

    problem = await administrator.call("DELETE", path, expect=409)

    assert "withdraw it instead" in problem["detail"]
    assert (await administrator.call("GET", path))["redeemed"] == 0
    assert await rows(bank, "SELECT count(*) FROM vouchers") == [(2,)]


async def test_what_administrators_do_with_vouchers_is_recorded(bank: DeployedPayments) -> None:
    """Each act once, with what changed; a repeat and what changes nothing are no acts."""
    administrator, headers, body = bank.administrator(), fresh_key(), {"count": 2, "amount": 100}
    for _ in range(2):
        answer = await administrator.call("POST", BATCHES, body, expect=201, headers=headers)
    path = f"{BATCHES}/{answer['batch']['id']}"
    for _ in range(2):
        await administrator.call("PATCH", path, {"tag": "fair"})
        await administrator.call("POST", f"{path}/withdraw")
    await administrator.call("DELETE", path, expect=204)

    found = await rows(bank, "SELECT data FROM outbox WHERE type = 'audit.act_recorded.v1' ORDER BY seq")

    acts = [msgspec.json.decode(data, type=ActRecorded) for (data,) in found if isinstance(data, bytes)]
    assert [one.action for one in acts] == [
        "payments.create_voucher_batch",
        "payments.change_voucher_batch",
        "payments.withdraw_voucher_batch",
        "payments.delete_voucher_batch",
    ]
    assert {(one.actor, one.subject) for one in acts} == {
        (administrator.user, f"voucher_batch:{answer['batch']['id']}")
    }
    assert (acts[1].before, acts[1].after) == ({"tag": ""}, {"tag": "fair"})
    assert not any(code in str(acts) for code in answer["codes"])


async def test_batch_shows_its_kind_and_terms(bank: DeployedPayments) -> None:
    """As they were asked for; a batch that brings no credit tells of none."""
    administrator, course = bank.administrator(), str(new_id())
    wanted = {"count": 1, "kind": "discount", "percent": 20, "course_ids": [course], "max_uses_per_person": 3}

    made = await create(administrator, wanted)

    batch = made.batch
    assert (batch.kind, batch.percent, batch.amount, batch.price, batch.credit) == ("discount", 20, None, None, None)
    assert ([str(one) for one in batch.course_ids], batch.max_uses_per_person) == ([course], 3)
    (created,) = await told(bank, VoucherBatchCreated)
    assert (created.kind, created.amount) == ("discount", 0)


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


async def test_tries_are_counted_over_all_routes_that_take_a_code(deploy: Deploy) -> None:
    """Checking a code or asking for a price with it is a try like redeeming it: there is no oracle beside."""
    settings = {"payments": {"redeem_per_person": ["3/minute"], "redeem_per_address": ["100/minute"]}}
    bank = await deploy_payments(deploy, "payments", charges_money=True, settings=settings)
    guesser, course, code = bank.person(), await bank.offer(1500), "0000-0000-0000-0000"
    tries = {
        f"{BASE}/vouchers/check": {"code": code},
        f"{BASE}/quote": {"course_id": str(course), "voucher": code},
        REDEEM: {"code": code},
    }

    for path, body in tries.items():
        problem = await guesser.call("POST", path, body, expect=409, headers=fresh_key())
        assert problem["reason"] == "unknown"

    for path, body in tries.items():
        await guesser.call("POST", path, body, expect=429, headers=fresh_key())
    await guesser.call("GET", f"{BASE}/quote?course_id={course}")


async def test_guessers_of_one_address_are_slowed_down_together(deploy: Deploy) -> None:
    """New accounts do not help."""
    settings = {"payments": {"redeem_per_person": ["3/minute"], "redeem_per_address": ["5/minute"]}}
    bank = await deploy_payments(deploy, "payments", charges_money=True, settings=settings)

    for _ in range(5):
        assert await refusal(bank.person(), "0000-0000-0000-0000") == "unknown"

    await bank.person().call("POST", REDEEM, {"code": "0"}, expect=429, headers=fresh_key())
