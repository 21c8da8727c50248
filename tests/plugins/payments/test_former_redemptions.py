"""What there was of redemptions before vouchers had kinds: kept on the way up, and on the way down where it can be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from kernel import errors, new_id
from kernel.database.migrations import downgrade, upgrade
from kernel.database.opening import open_database
from kernel.testing.servers import PostgresServer
from tests.plugins.payments.test_migrations import target

MAKE_FORMER_ROWS = """
    INSERT INTO voucher_batches (id, count, amount, currency, max_uses, tag, comment, prefix, created_by, created_at,
        request_key, request_hash) VALUES ({batch}, 1, 700, 'EUR', 2, 'fair', '', '', {person}, {now}, 'key', {bytes});
    INSERT INTO vouchers (id, batch_id, number, code_hash, uses, max_uses, withdrawn)
        VALUES ({voucher}, {batch}, 0, {bytes}, 1, 2, false);
    INSERT INTO wallets (user_id, balance, promotional, moved_promotional, version, head)
        VALUES ({person}, 700, 0, 0, 1, {bytes});
    INSERT INTO transfers (id, key, kind, from_account, to_account, amount, currency, user_id, reference, reason,
        created_at) VALUES ({transfer}, 'voucher:old', 'voucher', 'a', 'b', 700, 'EUR', {person}, {voucher}, '', {now});
    INSERT INTO entries (transfer_id, account, amount, promotional, wallet_id, balance_after, version, hash)
        VALUES ({transfer}, 'b', 700, 0, {person}, 700, 1, {bytes});
    INSERT INTO redemptions (voucher_id, user_id, batch_id, created_at) VALUES ({voucher}, {person}, {batch}, {now})
"""
KEPT = "SELECT id, voucher_id, user_id, number, batch_id, amount, balance, purchase_id, request_key FROM redemptions"


class Former:
    """A database as it was before there were kinds of vouchers, in which one voucher was redeemed."""

    def __init__(self, url: str) -> None:
        self.target = target(url)
        self.postgres = url.startswith("postgresql")
        self.ids = {name: new_id() for name in ("batch", "voucher", "person", "transfer")}

    async def make(self) -> None:
        await upgrade([self.target])
        await downgrade(self.target, "payments_0002")
        literals = {"now": "'2030-01-01 00:00:00+00'" if self.postgres else "'2030-01-01 00:00:00.000000'"}
        literals["bytes"] = "'\\x00'" if self.postgres else "x'00'"
        literals |= {name: f"'{one if self.postgres else one.hex}'" for name, one in self.ids.items()}
        await self.run(*MAKE_FORMER_ROWS.format(**literals).split(";"))

    async def run(self, *statements: str) -> list[tuple[object, ...]]:
        """Run *statements*; return the rows of the last one."""
        db = open_database("payments", self.target.settings)
        try:
            async with db.engine().begin() as connection:
                for statement in statements:
                    result = await connection.exec_driver_sql(statement)
                return [tuple(map(plain, row)) for row in result] if result.returns_rows else []
        finally:
            await db.close()

    def id(self, name: str) -> object:
        """Return an id as the database gives it."""
        return self.ids[name] if self.postgres else self.ids[name].hex


def plain(value: object) -> object:
    """Return *value* with an id of the driver's own type as an id of ours."""
    return UUID(str(value)) if type(value).__name__ == "UUID" else value


@pytest_asyncio.fixture
async def former(end: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Former]:
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}"
        if end == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = await stack.enter_async_context(server.fresh_database())
        made = Former(url)
        await made.make()
        yield made


async def test_redemptions_of_old_are_kept(former: Former) -> None:
    """Each becomes the first use of its person, with what it brought and the id of its transfer; and back again."""
    kept = [former.id(name) for name in ("transfer", "voucher", "person")]

    await upgrade([former.target])
    batches = await former.run("SELECT kind, amount, credit, max_uses_per_person FROM voucher_batches")
    redemptions = await former.run(KEPT)
    await downgrade(former.target, "payments_0002")

    assert batches == [("top-up", 700, "refundable", 1)]
    assert redemptions == [(*kept, 1, former.id("batch"), 700, 700, None, None)]
    assert await former.run("SELECT voucher_id, user_id FROM redemptions") == [tuple(kept[1:])]
    await upgrade([former.target])
    assert await former.run(KEPT) == redemptions


async def test_redemption_without_its_transfer_stops_the_upgrade(former: Former) -> None:
    """What does not agree is not guessed: nothing is changed, and the database is as it was."""
    other = "'01a2021e-b15c-713d-b9f8-64b8327ed68c'" if former.postgres else "'01a2021eb15c713db9f864b8327ed68c'"
    await former.run(f"INSERT INTO redemptions SELECT voucher_id, {other}, batch_id, created_at FROM redemptions")

    with pytest.raises(errors.MigrationFailed, match="payments_0003 failed, nothing was changed"):
        await upgrade([former.target])

    assert await former.run("SELECT count(*) FROM redemptions") == [(2,)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE voucher_batches SET kind = 'enrol', amount = NULL, credit = NULL",
        "UPDATE voucher_batches SET credit = 'promotional'",
        "UPDATE voucher_batches SET max_uses_per_person = 2",
    ],
)
async def test_downgrade_refuses_what_the_former_tables_have_no_place_for(former: Former, change: str) -> None:
    """Nothing that vouchers are worth is dropped in silence."""
    await upgrade([former.target])
    await former.run(change)

    with pytest.raises(errors.MigrationFailed, match="no place for"):
        await downgrade(former.target, "payments_0002")

    assert await former.run("SELECT count(*) FROM redemptions") == [(1,)]


async def test_downgrade_lets_no_repeat_show_other_codes(former: Former) -> None:
    """The older version makes codes without a check symbol: it finds no request that it could answer again."""
    await upgrade([former.target])
    await former.run("UPDATE voucher_batches SET checked = true")

    await downgrade(former.target, "payments_0002")

    assert await former.run("SELECT request_hash FROM voucher_batches") == [(b"",)]
