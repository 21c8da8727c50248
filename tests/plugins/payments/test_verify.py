"""`lyceum payments verify` finds whatever does not agree, says where, and is silent about the rest."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from kernel import new_id
from kernel.testing.contracts.payments import DeployedPayments
from plugins.payments import verify
from tests.plugins.payments.ledgers import database, seal, tamper


class Story:
    """A person who was funded, bought for 1500 and got 500 back."""

    def __init__(self, bank: DeployedPayments) -> None:
        self.bank = bank
        self.buyer = new_id()
        self.purchase = new_id()

    async def happen(self) -> None:
        await self.bank.fund(self.buyer, 4000)
        await self.bank.payments.charge(self.purchase, self.buyer, new_id(), 1500)
        await self.bank.payments.refund(self.purchase, 500, key="part", reason="part")

    def sql(self, statement: str) -> str:
        """Return *statement* with `:buyer` and `:purchase` as the database writes ids."""
        postgres = database(self.bank).dialect == "postgresql"
        for name, value in (("buyer", self.buyer), ("purchase", self.purchase)):
            statement = statement.replace(f":{name}", f"'{value if postgres else value.hex}'")
        digest = "00ff" * 16
        return statement.replace(":digest", f"'\\x{digest}'" if postgres else f"x'{digest}'")


DIGEST = ":digest"
WALLET_2 = "wallet_id = :buyer AND version = 2"
#: What somebody did to the database → what the report says, of whom.
TAMPERINGS = {
    "UPDATE wallets SET balance = balance + 1": "wallet {buyer}: holds 3001, but its entries add up to 3000",
    "UPDATE wallets SET promotional = 5": (
        "wallet {buyer}: holds 5 of promotional credit, but those parts of its entries add up to 0"
    ),
    "UPDATE wallets SET moved_promotional = 5": (
        "wallet {buyer}: says 5 of its last entry is promotional, which says 0"
    ),
    "UPDATE wallets SET version = 9": "wallet {buyer}: says that its last entry is another one than entry 3",
    f"UPDATE wallets SET head = {DIGEST}": "wallet {buyer}: has a head that is not the hash of its last entry",
    f"UPDATE entries SET balance_after = 1 WHERE {WALLET_2}": ("wallet {buyer}: held 2500 after entry 2, which says 1"),
    f"UPDATE entries SET amount = -1 WHERE {WALLET_2}": "ledger: all entries add up to 1499, not to 0",
    f"UPDATE entries SET promotional = -5 WHERE {WALLET_2}": (
        "wallet {buyer}: had 0 of promotional credit, and entry 2 took 5 of it"
    ),
    f"UPDATE entries SET hash = {DIGEST} WHERE {WALLET_2}": (
        "wallet {buyer}: has a chain of hashes that breaks at entry 2"
    ),
    f"DELETE FROM entries WHERE {WALLET_2}": "ledger: there are 5 entries for 3 transfers, not two for each",
    "UPDATE transfers SET amount = 1501 WHERE kind = 'charge'": ("moves 1501, but its entries are of -1500 and 1500"),
    "UPDATE transfers SET reason = 'another' WHERE kind = 'refund'": (
        "wallet {buyer}: has a chain of hashes that breaks at entry 3"
    ),
    "UPDATE transfers SET key = 'charge:another' WHERE kind = 'charge'": (
        "charge of purchase {purchase}: moved nothing: there is no transfer 'charge:{purchase}'"
    ),
    "UPDATE transfers SET key = 'refund:another' WHERE kind = 'refund'": (
        "refund part: moved nothing: there is no transfer 'refund:part'"
    ),
    "UPDATE transfers SET key = 'voucher:another' WHERE kind = 'voucher'": "by {buyer}: moved nothing",
    "UPDATE charges SET refunded = 400": (
        "charge of purchase {purchase}: says that 400 went back, but its refunds add up to 500"
    ),
    "UPDATE charges SET refunded = 1500, returned = TRUE": (
        "charge of purchase {purchase}: says that all of it went back, but its refunds do not"
    ),
    "UPDATE charges SET amount = 1400": ("charge of purchase {purchase}: says amount -1400, but its transfer -1500"),
    "UPDATE charges SET promotional = 5": ("charge of purchase {purchase}: says promotional -5, but its transfer 0"),
    "UPDATE refunds SET amount = 1600": "charge of purchase {purchase}: took 1500, but gave back 1600",
    "UPDATE refunds SET refunded_after = 600": (
        "refund part: says that 600 had gone back, but the refunds up to it add up to 500"
    ),
    "UPDATE refunds SET requested = NULL": "refund part: gave back 500, but all that was left was asked for",
    "UPDATE vouchers SET uses = 0": "says 0 uses, but has 1 redemptions",
    "UPDATE vouchers SET max_uses = 2": "may be used 2 times, but those of its batch 1 times",
    "UPDATE vouchers SET withdrawn = TRUE": "is withdrawn, but its batch is the other way round",
    "DELETE FROM redemptions": ("ledger: there are 3 transfers, but 2 charges, refunds, adjustments and redemptions"),
}


@pytest.mark.parametrize("statement", TAMPERINGS, ids=lambda statement: statement[:60])
async def test_verify_finds(bank: DeployedPayments, statement: str) -> None:
    """Each thing that somebody could do to the database shows, with the row it was done to."""
    story = Story(bank)
    await story.happen()
    await tamper(bank, story.sql(statement))

    result = await bank.deployment.command("payments", "verify", json=True)

    report = json.loads(result.output)
    expected = TAMPERINGS[statement].format(buyer=story.buyer, purchase=story.purchase)
    found = [f"{fault['where']}: {fault['what']}" for fault in report["faults"]]
    assert result.exit_code == 1
    assert any(expected in line for line in found), found


async def test_verify_is_content_with_what_was_written_properly(bank: DeployedPayments) -> None:
    """Nothing to say, exit code 0, and how much was looked at."""
    await Story(bank).happen()

    result = await bank.deployment.command("payments", "verify")

    assert result.exit_code == 0
    assert (
        "The ledger agrees: 3 entries of wallets, 1 wallets, 3 transfers, 1 charges, 1 refunds, 0 adjustments, "
        "1 vouchers, 1 redemptions." in result.output
    )


async def test_verify_prints_faults_for_people(bank: DeployedPayments) -> None:
    """A table of where and what, and a line that says how many."""
    story = Story(bank)
    await story.happen()
    await tamper(bank, "UPDATE wallets SET balance = balance + 1")

    result = await bank.deployment.command("payments", "verify")

    assert result.exit_code == 1
    assert f"wallet {story.buyer}" in result.output
    assert "The ledger does not agree: 1 faults in" in result.output


async def test_verify_reads_page_after_page(bank: DeployedPayments, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the pages, everything is looked at once."""
    monkeypatch.setattr(verify, "PAGE", 2)
    people = [new_id() for _ in range(5)]
    codes = await bank.vouchers(count=1, amount=1000, max_uses=5)
    for person in people:
        await bank.person(person).call(
            "POST",
            "/api/v1/payments/vouchers/redeem",
            {"code": codes[0]},
            headers={"Idempotency-Key": str(person)},
        )
        purchase = new_id()
        await bank.payments.charge(purchase, person, new_id(), 600)
        await bank.payments.refund(purchase, None, key=str(purchase), reason="all")
    last = max(people, key=lambda person: UUID(str(person)).bytes)
    story = Story(bank)
    story.buyer = last
    await tamper(bank, story.sql("UPDATE wallets SET balance = 7 WHERE user_id = :buyer"))

    progress = verify.Progress()
    found = [fault async for fault in verify.verify(database(bank), seal(bank), progress)]

    assert [(fault.where, fault.what) for fault in found] == [
        (f"wallet {last}", "holds 7, but its entries add up to 1000")
    ]
    assert progress.rows == {
        "entries of wallets": 15,
        "transfers": 15,
        "wallets": 5,
        "charges": 5,
        "refunds": 5,
        "adjustments": 0,
        "vouchers": 1,
        "redemptions": 5,
    }
