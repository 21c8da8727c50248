"""Mail addresses as people type them."""

from __future__ import annotations

import msgspec

from kernel.contracts.auth import Email


def normal(email: str) -> str:
    """Return the form under which *email* is one account, however it was typed."""
    return email.lower()


def checked(email: str) -> str:
    """Return the normal form of *email*.

    Raises:
        ValueError: it is not a mail address.
    """
    try:
        return normal(msgspec.convert(email, Email))
    except msgspec.ValidationError as error:
        raise ValueError(f"{email!r} is not a mail address; write it as name@example.org") from error
