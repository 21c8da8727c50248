"""A cap under fire: 200 people redeem a voucher of 7 uses at once, again and again: `python -m bench.caps`."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
import structlog
from rich.console import Console

from kernel.testing.clients import Client
from kernel.testing.contracts.payments.deployed import REDEEM, DeployedPayments, deploy_payments, fresh_key
from kernel.testing.deploying import Deploy
from kernel.testing.ends import End, PostgresEnd, SqliteEnd
from kernel.testing.mailbox import receiving
from kernel.testing.servers import postgres, valkey

PEOPLE: Final = 200
CAP: Final = 7
OFTEN: Final = "100000000/minute"
SETTINGS: Final = {"payments": {"redeem_per_person": [OFTEN], "redeem_per_address": [OFTEN]}}
SECTIONS: Final = {"http": {"unsafe_rate": OFTEN}, "log": {"level": "error", "format": "console"}}

#: How many redemptions came about → in how many runs.
Outcomes = Counter[int]


async def run(bank: DeployedPayments, people: list[Client]) -> int:
    """Let everybody redeem a new voucher at the same moment; return how many did."""
    (code,) = await bank.vouchers(amount=100, max_uses=CAP)
    statuses = await asyncio.gather(*(redeem(person, code) for person in people))
    unexpected = set(statuses) - {200, 409}
    if unexpected:
        raise RuntimeError(f"somebody was answered {unexpected}")
    return statuses.count(200)


async def redeem(person: Client, code: str) -> int:
    async with person.post(REDEEM, json={"code": code}, headers=fresh_key()) as answer:
        return answer.status


async def outcomes(end: End, runs: int) -> Outcomes:
    """Return what came of so many runs, after a look whether the wallets hold just that."""
    async with receiving() as mailbox, Deploy(end, mailbox) as deploy:
        bank = await deploy_payments(deploy, "payments", charges_money=True, settings=SETTINGS, sections=SECTIONS)
        people = [bank.person() for _ in range(PEOPLE)]
        found = [await run(bank, people) for _ in range(runs)]
        held = sum([await bank.balance(person.user) for person in people if person.user])
    if held != 100 * sum(found):
        raise RuntimeError(f"the wallets hold {held}, not {100 * sum(found)}")
    return Counter(found)


@click.command()
@click.option("--runs", default=100, show_default=True, help="How often, on each database.")
def main(runs: int) -> None:
    """Redeem, and exit with 1 unless every voucher was used exactly as often as it may."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server, redis_url = stack.enter_context(postgres()), stack.enter_context(valkey())
        ends: dict[str, End] = {"SQLite": SqliteEnd(folder, {}), "PostgreSQL": PostgresEnd(server, redis_url, {})}
        found = {name: asyncio.run(outcomes(end, runs)) for name, end in ends.items()}
    for name, counts in found.items():
        told = ", ".join(f"{times} × {count}" for count, times in sorted(counts.items()))
        Console().print(f"{name}: {PEOPLE} at once for a voucher of {CAP} uses, redemptions in {runs} runs: {told}")
    if any(counts != {CAP: runs} for counts in found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
