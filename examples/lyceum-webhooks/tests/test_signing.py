"""Signatures are those of the specification, so that every library for it can verify them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from lyceum_webhooks.signing import new_secret, sign, signed_headers

#: The example that the implementations of Standard Webhooks are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_published_example_is_signed_as_published() -> None:
    """Delimiters, alphabet and key are right."""
    assert sign(SECRET, MESSAGE, TIMESTAMP, BODY) == SIGNATURE


def test_each_secret_signs() -> None:
    """Whoever knows one of them can verify, while another takes its place."""
    moment = datetime.fromtimestamp(TIMESTAMP + 0.9, UTC)

    headers = signed_headers([new_secret(), SECRET], MESSAGE, moment, BODY)

    assert headers["webhook-id"] == MESSAGE
    assert headers["webhook-timestamp"] == str(TIMESTAMP)
    assert headers["webhook-signature"].split(" ")[1:] == [SIGNATURE]


def test_secrets_are_as_long_as_the_specification_asks() -> None:
    """24 to 64 random bytes behind their prefix, never the same twice."""
    first, second = new_secret(), new_secret()

    assert first.startswith("whsec_")
    assert 24 <= len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) <= 64
    assert first != second
