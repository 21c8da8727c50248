"""The rules of a wallet's entries, each by itself: a chain that was made properly, with one thing wrong."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kernel import Secrets, new_id
from plugins.payments.audit_chain import Ages, EntryAudit, Walk
from plugins.payments.chain import BEGINNING, Seal

SEAL = Seal(Secrets(bytes(32)))
OTHER_SEAL = Seal(Secrets(bytes(range(32))))
OWNER = new_id()
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def chain(*moves: tuple[str, int, int], seal: Seal = SEAL, older: int = 0) -> list[EntryAudit]:
    """Return the entries of *moves* (kind, amount, promotional part), the first *older* from before the chain."""
    made: list[EntryAudit] = []
    balance = promotional_balance = 0
    head = BEGINNING
    for version, (kind, amount, promotional) in enumerate(moves, 1):
        balance, promotional_balance = balance + amount, promotional_balance + promotional
        entry = EntryAudit(
            wallet_id=OWNER,
            version=version,
            amount=amount,
            promotional=promotional,
            balance_after=balance,
            hash=BEGINNING,
            id=new_id(),
            key=f"{kind}:{version}",
            kind=kind,
            from_account="a",
            to_account="b",
            moved=abs(amount),
            currency="EUR",
            user_id=OWNER,
            course_id=None,
            reference=new_id(),
            reason="",
            created_at=MOMENT + timedelta(seconds=version),
            balance=balance if version == len(moves) else None,
            promotional_balance=promotional_balance,
            moved_promotional=promotional,
            head=None,
        )
        if version > older:
            head = hashlib.sha256(head + seal.digest(entry.covered())).digest()
        made.append(msgspec.structs.replace(entry, hash=head, head=head))
    return made


PROPER = (("voucher", 1000, 0), ("adjustment", 500, 500), ("charge", -800, -500), ("refund", 400, 100))


def told(entries: list[EntryAudit]) -> list[str]:
    walk = Walk(SEAL, entries[0])
    found = [what for entry in entries for what in walk.step(entry)]
    return [*found, *walk.end()]


def changed(entries: list[EntryAudit], which: int, **values: Any) -> list[EntryAudit]:
    return [
        msgspec.structs.replace(entry, **values) if number == which else entry for number, entry in enumerate(entries)
    ]


@pytest.mark.parametrize("older", [0, 2, 4])
def test_proper_chain_has_no_faults(older: int) -> None:
    """Whether all of it, some or nothing of it is older than the chain."""
    assert told(chain(*PROPER, older=older)) == []


@pytest.mark.parametrize(
    ("which", "values", "fault"),
    [
        (1, {"version": 7}, "has entry 7 after entry 1"),
        (1, {"balance_after": 7}, "held 1500 after entry 2, which says 7"),
        (2, {"promotional": -400}, "had 500 of promotional credit, and entry 3 took 400 of it"),
        (1, {"promotional": 2000}, "held 2000 of promotional credit after entry 2, and 1500 in all"),
        (2, {"hash": bytes(range(32))}, "has a chain of hashes that breaks at entry 3"),
        (2, {"hash": BEGINNING}, "has a chain of hashes that breaks at entry 3"),
        (3, {"balance": None}, "says that its last entry is another one than entry 4"),
        (3, {"balance": 7}, "holds 7, but its entries add up to 1100"),
        (3, {"promotional_balance": 7}, "holds 7 of promotional credit, but those parts of its entries add up to 100"),
        (3, {"moved_promotional": 7}, "says 7 of its last entry is promotional, which says 100"),
        (3, {"head": bytes(32)}, "has a head that is not the hash of its last entry"),
    ],
)
def test_fault_is_told(which: int, values: dict[str, Any], fault: str) -> None:
    """Of each rule, in its own words."""
    assert any(what.startswith(fault) for what in told(changed(chain(*PROPER), which, **values)))


@pytest.mark.parametrize("field", ["key", "kind", "from_account", "to_account", "currency", "reason"])
def test_hash_covers_every_word_of_a_movement(field: str) -> None:
    """What is changed breaks the chain where it was changed, and only there."""
    broken = [what for what in told(changed(chain(*PROPER), 1, **{field: "x"})) if "breaks" in what]

    assert len(broken) == 1
    assert "at entry 2," in broken[0]


def test_chain_is_keyed() -> None:
    """Whoever lacks the deployment's secret can write no entry that continues one."""
    assert sum("breaks" in what for what in told(chain(*PROPER, seal=OTHER_SEAL))) == 4


def test_nothing_older_than_the_chain_is_younger_than_one() -> None:
    """Of all wallets together: a history without hashes is from before the first hash, or was made up."""
    old, new = chain(*PROPER, older=4), chain(*PROPER)
    younger = [msgspec.structs.replace(entry, created_at=entry.created_at + timedelta(days=1)) for entry in old]

    assert list(ages_of(old, [msgspec.structs.replace(one, created_at=MOMENT + timedelta(1)) for one in new])) == []
    (fault,) = ages_of(younger, new)
    assert "without a hash" in fault


def ages_of(*wallets: list[EntryAudit]) -> list[str]:
    ages = Ages()
    for entries in wallets:
        walk = Walk(SEAL, entries[0])
        for entry in entries:
            list(walk.step(entry))
        ages.add(walk)
    return list(ages.faults())
