"""Codes: what stands on a certificate, and leads whoever holds it to what is true of it now."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Final

BYTES: Final = 16  # 128 random bits: nobody finds one by trying
_SPELLED: Final = re.compile(r"[a-z2-7]{26}")
_GROUP: Final = 4  # letters between two hyphens


def new_code() -> str:
    """Return a code that was never given before."""
    return base64.b32encode(secrets.token_bytes(BYTES)).decode().rstrip("=").lower()


def shown(code: str) -> str:
    """Return *code* as people read it: `abcd-efgh-…`.

    >>> shown("abcdefghij")
    'abcd-efgh-ij'
    """
    return "-".join(code[place : place + _GROUP] for place in range(0, len(code), _GROUP))


def read(typed: str) -> str | None:
    """Return the code that somebody typed, with or without hyphens, None if it can be none."""
    code = re.sub(r"[\s-]", "", typed).lower()
    return code if _SPELLED.fullmatch(code) else None
