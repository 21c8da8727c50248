"""The terms of vouchers: when they count, for which courses, and what they make of a price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel import new_id
from kernel.contracts.payments import MAX_AMOUNT
from plugins.payments.terms import Voucher, is_for, label_of, offer_of, refusal_at, taken_off

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(microseconds=1), NOW - timedelta(microseconds=1)


def voucher(**terms: Any) -> Voucher:
    """Return a voucher with these terms; a top-up of 100 if they say nothing else."""
    alike: dict[str, Any] = {
        "code_hash": b"",
        "id": new_id(),
        "batch_id": new_id(),
        "kind": "top-up",
        "amount": None if "kind" in terms else 100,
        "percent": None,
        "price": None,
        "course_ids": (),
        "credit": None if "kind" in terms else "refundable",
        "currency": "EUR",
        "max_uses_per_person": 1,
        "valid_from": None,
        "valid_until": None,
        "withdrawn": False,
    }
    return Voucher(**alike | terms)


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
    found = voucher(valid_from=valid_from, valid_until=valid_until, withdrawn=withdrawn)

    assert refusal_at(found, NOW, "EUR") == reason


def test_voucher_counts_in_its_own_currency_only() -> None:
    """An amount is worth something else in another currency; nothing is converted."""
    assert refusal_at(voucher(), NOW, "CHF") == "other-currency"


@pytest.mark.parametrize(
    ("terms", "price", "off"),
    [
        ({"amount": 500}, 1500, 500),
        ({"amount": 500}, 500, 500),
        ({"amount": 500}, 499, 499),
        ({"amount": 500}, 0, 0),
        ({"percent": 20}, 1500, 300),
        ({"percent": 50}, 1, 1),  # half a cent is rounded up
        ({"percent": 50}, 3, 2),
        ({"percent": 49}, 1, 0),
        ({"percent": 33}, 50, 17),  # 16.5
        ({"percent": 33}, 49, 16),  # 16.17
        ({"percent": 100}, 1499, 1499),
        ({"percent": 1}, MAX_AMOUNT, MAX_AMOUNT // 100),
        ({"price": 1000}, 1500, 500),
        ({"price": 0}, 1500, 1500),
        ({"price": 1000}, 999, 0),  # it never makes a price higher
        ({"kind": "enrol"}, 1500, 1500),
        ({"kind": "top-up", "amount": 500}, 1500, 0),
    ],
)
def test_voucher_takes_off_what_its_terms_say(terms: dict[str, Any], price: int, off: int) -> None:
    """To the cent, at most the whole price, and a top-up nothing."""
    assert taken_off(voucher(**{"kind": "discount", **terms}), price) == off


def test_voucher_is_for_its_courses_or_for_all() -> None:
    """Without courses it is for every one."""
    ours, other = new_id(), new_id()

    assert [is_for(voucher(kind="enrol", course_ids=(ours,)), course) for course in (ours, other)] == [True, False]
    assert is_for(voucher(kind="discount", percent=10), other)
    assert is_for(voucher(), other)


def test_offer_says_what_a_voucher_would_do() -> None:
    """All of its terms that concern people; a course of an enrolment has the price 0."""
    course = UUID(int=1)
    offer = offer_of(voucher(kind="enrol", course_ids=(course,), valid_until=LATER))

    assert (offer.kind, offer.course_ids, offer.price, offer.valid_until) == ("enrol", (course,), 0, LATER)
    assert (offer.amount, offer.percent, offer.credit, offer.currency) == (None, None, None, "EUR")


def test_label_is_for_people() -> None:
    """A percentage says why the line is of its amount."""
    assert [label_of(voucher()), label_of(voucher(kind="discount", percent=20))] == ["Voucher", "Voucher (20 %)"]
