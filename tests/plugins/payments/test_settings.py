"""The settings refuse what makes no sense, and say what would."""

from __future__ import annotations

import msgspec
import pytest

from plugins.payments.settings import PaymentsSettings


def test_settings_have_defaults_that_work() -> None:
    """An administrator needs to set nothing."""
    assert PaymentsSettings().redeem_per_person


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"redeem_per_person": ["often"]}, "redeem_per_person"),
        ({"price_rule_timeout": 0}, "price_rule_timeout"),
        ({"currency": "EUR"}, "unknown field `currency`"),
    ],
)
def test_settings_refuse(wrong: dict[str, object], message: str) -> None:
    """The message names the setting and the remedy."""
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(wrong, PaymentsSettings)
