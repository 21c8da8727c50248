"""HTTP: how a wallet came to hold what it holds, as a list and as a table."""

from __future__ import annotations

import csv
import io
from typing import Final

import msgspec

from kernel import new_id
from kernel.contracts.payments_http import StatementLine
from kernel.testing.clients import Client
from kernel.testing.contracts.payments.deployed import BASE, DeployedPayments, redeem
from kernel.testing.contracts.payments.harness import PRICE

STATEMENT: Final = f"{BASE}/statement"
#: With what begins that which a spreadsheet would run.
RUN: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
FORMULAS: Final = ('=HYPERLINK("http://example.org"; "a, b")', "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r\n=1")


class StatementsContract:
    """What every provider answers about movements."""

    async def test_statement_lists_movements_the_newest_first(self, harness: DeployedPayments) -> None:
        """Each line says what it added and what the wallet held after it; pages follow one another."""
        person = harness.person()
        for amount in (100, 200, 300):
            await redeem(person, await harness.voucher(amount=amount))

        first = await person.call("GET", f"{STATEMENT}?limit=2")
        second = await person.call("GET", f"{STATEMENT}?limit=2&cursor={first['next']}")

        lines = msgspec.convert(first["items"] + second["items"], list[StatementLine])
        assert [(line.amount, line.balance) for line in lines] == [(300, 600), (200, 300), (100, 100)]
        assert all(line.label for line in lines)
        assert second["next"] is None

    async def test_statement_tells_promotional_credit_apart(self, harness: DeployedPayments) -> None:
        """Of each movement it says how much of it was given away, with the movement's own sign."""
        person = await somebody_who_bought_and_gave_back(harness)

        lines = msgspec.convert((await person.call("GET", STATEMENT))["items"], list[StatementLine])

        given, paid = (500, 500), (1200, 0)
        bought, back = (-PRICE, -500), (PRICE - 100, 400)
        expected = [back, bought, paid, given] if harness.charges_money else [paid, given]
        assert [(line.amount, line.promotional) for line in lines] == expected

    async def test_statement_comes_whole_as_a_table_where_that_is_asked_for(self, harness: DeployedPayments) -> None:
        """`Accept: text/csv` brings a line of titles and then each movement, however long the pages of the list are."""
        person = await somebody_who_bought_and_gave_back(harness)
        lines = msgspec.convert((await person.call("GET", STATEMENT))["items"], list[StatementLine])

        rows = await table(person, limit=1)

        assert {*StatementLine.__struct_fields__, "in", "out"} - {"amount"} <= set(rows[0])
        assert [(row["id"], row["reference"], row["currency"]) for row in rows] == [
            (str(line.id), str(line.reference), line.currency) for line in lines
        ]
        assert [(int(row["in"]), int(row["out"]), int(row["balance"]), int(row["promotional"])) for row in rows] == [
            (max(line.amount, 0), max(-line.amount, 0), line.balance, abs(line.promotional)) for line in lines
        ]

    async def test_table_holds_no_formula(self, harness: DeployedPayments) -> None:
        """What people wrote is text, also for the spreadsheet of whoever opens the table."""
        for reason in FORMULAS:
            person = await somebody_who_bought_and_gave_back(harness, reason=reason)

            cells = [cell for row in await table(person) for cell in row.values()]

            assert not [cell for cell in cells if cell.strip(" ").startswith(RUN)], reason

    async def test_statement_is_of_the_caller_alone(self, harness: DeployedPayments) -> None:
        """Nobody sees another's movements, in either form."""
        await redeem(harness.person(), await harness.voucher(amount=100))
        other = harness.person()

        assert (await other.call("GET", STATEMENT))["items"] == []
        assert await table(other) == []


async def somebody_who_bought_and_gave_back(harness: DeployedPayments, *, reason: str = "part") -> Client:
    """Return somebody who had 500 given and 1200 paid for, bought a course, and had all but 100 of it back."""
    person, purchase = harness.person(), new_id()
    assert person.user is not None
    await harness.fund(person.user, 500, credit="promotional")
    await harness.fund(person.user, 1200)
    await harness.payments.charge(purchase, person.user, await harness.offer(PRICE), PRICE)
    if harness.charges_money:
        await harness.payments.refund(purchase, PRICE - 100, key=f"part of {purchase}", reason=reason)
    return person


async def table(person: Client, *, limit: int = 20) -> list[dict[str, str]]:
    """Return the person's statement as a spreadsheet reads it: a row for each line, by the titles."""
    async with person.get(f"{STATEMENT}?limit={limit}", headers={"Accept": "text/csv"}) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/csv"), text
    return list(csv.DictReader(io.StringIO(text, newline="")))
