"""When a voucher counts: from its first moment on, and at its last not any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kernel import new_id
from plugins.payments.redemption import Voucher, refusal_at

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(microseconds=1), NOW - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "withdrawn", "reason"),
    [
        (None, None, False, None),
        (NOW, None, False, None),
        (LATER, None, False, "not-yet-valid"),
        (None, LATER, False, None),
        (None, NOW, False, "expired"),
        (None, EARLIER, False, "expired"),
        (None, None, True, "withdrawn"),
        (LATER, LATER, True, "withdrawn"),
    ],
)
def test_voucher_counts_from_its_first_moment_to_before_its_last(
    valid_from: datetime | None, valid_until: datetime | None, withdrawn: bool, reason: str | None
) -> None:
    """The bounds are exact; what was withdrawn counts at no time."""
    voucher = Voucher(
        id=new_id(),
        batch_id=new_id(),
        amount=100,
        currency="EUR",
        valid_from=valid_from,
        valid_until=valid_until,
        withdrawn=withdrawn,
    )

    assert refusal_at(voucher, NOW, "EUR") == reason


def test_voucher_counts_in_its_own_currency_only() -> None:
    """An amount is worth something else in another currency; nothing is converted."""
    voucher = Voucher(
        id=new_id(),
        batch_id=new_id(),
        amount=100,
        currency="EUR",
        valid_from=None,
        valid_until=None,
        withdrawn=False,
    )

    assert refusal_at(voucher, NOW, "CHF") == "other-currency"
