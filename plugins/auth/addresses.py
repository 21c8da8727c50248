"""Mail addresses as people type them."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

#: The pattern of HTML's email fields: one address in ASCII, without comments, quotes or a line break at its end.
_PATTERN: Final = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$(?!\n)"
)

Email = Annotated[str, msgspec.Meta(pattern=_PATTERN, max_length=254, description="One mail address")]


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
