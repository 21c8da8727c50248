"""Statements: every line says what it moved of which credit; as a table it is whole and safe to open."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
from typing import Any
from uuid import UUID

import pytest

from kernel import errors, new_id
from kernel.testing.clients import Client
from kernel.testing.contracts.payments import DeployedPayments
from kernel.testing.contracts.payments.deployed import BASE, fresh_key
from plugins.payments import wallets
from plugins.payments.wallets import Wallets
from tests.plugins.payments.ledgers import adjust

CSV = {"Accept": "text/csv"}


async def table(client: Client, path: str) -> list[dict[str, Any]]:
    async with client.session.get(path, headers=CSV) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        return list(csv.DictReader(io.StringIO(await answer.text())))


async def spend(bank: DeployedPayments, person: UUID) -> None:
    """Give a person both credits, let them buy with both, and give some of it back."""
    purchase = new_id()
    await bank.fund(person, 1000)
    await adjust(bank, person, 500, "promotional")
    await bank.payments.charge(purchase, person, new_id(), 800)
    await bank.payments.refund(purchase, 400, key="part", reason="=HYPERLINK(1)")


async def test_line_says_how_much_of_it_was_promotional(bank: DeployedPayments) -> None:
    """With the sign of the amount, so that both sum up to what the wallet holds."""
    person = new_id()
    await spend(bank, person)

    lines = (await bank.person(person).call("GET", f"{BASE}/statement"))["items"]
    wallet = await bank.person(person).call("GET", f"{BASE}/wallet")

    moved = [(line["kind"], line["amount"], line["promotional"]) for line in lines]
    assert moved == [("refund", 400, 100), ("charge", -800, -500), ("adjustment", 500, 500), ("voucher", 1000, 0)]
    assert wallet["promotional"] == sum(line["promotional"] for line in lines) == 100
    assert wallet["balance"] == sum(line["amount"] for line in lines) == 1100


async def test_statement_as_a_table_is_whole(bank: DeployedPayments, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines in one answer, however they were read; the owner and administrators see the same."""
    monkeypatch.setattr(wallets, "LINES_AT_ONCE", 2)
    person = new_id()
    await spend(bank, person)

    mine = await table(bank.person(person), f"{BASE}/statement?limit=1")
    theirs = await table(bank.administrator(), f"{BASE}/wallets/{person}/statement")

    assert mine == theirs
    lines = (await bank.person(person).call("GET", f"{BASE}/statement"))["items"]
    assert [row["id"] for row in mine] == [line["id"] for line in lines]
    shown = [(row["kind"], row["in"], row["out"], row["promotional"], row["balance"]) for row in mine]
    assert shown == [
        ("refund", "400", "0", "100", "1100"),
        ("charge", "0", "800", "500", "700"),
        ("adjustment", "500", "0", "500", "1500"),
        ("voucher", "1000", "0", "0", "1000"),
    ]


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"])
async def test_no_field_of_the_table_is_a_formula(bank: DeployedPayments, reason: str) -> None:
    """What somebody typed as a reason is text for every spreadsheet."""
    person = new_id()
    body = {"amount": 500, "credit": "refundable", "reason": reason}
    path = f"{BASE}/wallets/{person}/adjustments"
    await bank.administrator().call("POST", path, body, expect=201, headers=fresh_key())
    await bank.payments.charge(new_id(), person, new_id(), 500)

    rows = await table(bank.person(person), f"{BASE}/statement")

    assert rows[1]["reason"] == f"'{reason}"
    assert not [field for row in rows for field in row.values() if field.lstrip().startswith(("=", "+", "-", "@"))]


async def test_table_of_a_new_person_has_only_titles(bank: DeployedPayments) -> None:
    """Nothing is an answer, too; and so are the headers alone."""
    person = bank.person()

    assert await table(person, f"{BASE}/statement") == []
    async with person.session.head(f"{BASE}/statement", headers=CSV) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")


async def test_table_that_breaks_off_is_seen_to_be_cut(bank: DeployedPayments, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that fails in the middle leaves no table that looks whole."""
    monkeypatch.setattr(wallets, "LINES_AT_ONCE", 2)
    person = new_id()
    await spend(bank, person)
    service = bank.deployment.platform.context("payments").own(Wallets)
    whole = service.whole_statement

    async def broken(user_id: UUID) -> Any:
        async for page in whole(user_id):
            yield page
            raise errors.DatabaseUnavailable("payments: gone")

    monkeypatch.setattr(service, "whole_statement", broken)

    sent = await raw(bank.person(person), f"{BASE}/statement")

    assert sent.startswith(b"HTTP/1.1 200 OK")
    assert not sent.endswith(b"\r\n0\r\n\r\n")  # the last chunk
    assert sent.count(b"HTTP/1.1") == 1


async def raw(client: Client, path: str) -> bytes:
    """Return all that the server sends, until it hangs up."""
    url = client.session._build_url(path)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    headers = {**client.session.headers, **CSV, "Host": f"{url.host}:{url.port}"}
    lines = [f"GET {url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    sent = b""
    with contextlib.suppress(ConnectionResetError):
        while some := await reader.read(65536):
            sent += some
    writer.close()
    return sent
