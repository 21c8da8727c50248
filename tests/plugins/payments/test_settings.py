"""The settings refuse what makes no sense, and say what would."""

from __future__ import annotations

import msgspec
import pytest

from plugins.payments.settings import PaymentsSettings


def test_settings_have_defaults_that_work() -> None:
    """An administrator needs to set nothing."""
    assert PaymentsSettings().currency == "EUR"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"currency": "EURO"}, "'currency' is 'EURO'; use a three-letter ISO code such as 'EUR'"),
        ({"currency": "eur"}, "'currency' is 'eur'; write it in capitals: 'EUR'"),
        ({"currency": "E1R"}, "use a three-letter ISO code"),
        ({"redeem_per_person": ["often"]}, "redeem_per_person"),
        ({"price_rule_timeout": 0}, "price_rule_timeout"),
        ({"curency": "EUR"}, "unknown field `curency`"),
    ],
)
def test_settings_refuse(wrong: dict[str, object], message: str) -> None:
    """The message names the setting and the remedy."""
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(wrong, PaymentsSettings)
