"""Voucher codes. They are derived from the deployment's secret, so that no database holds them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from kernel import Secrets

DIGITS: Final = 24  # 79 bits
GROUP: Final = 4
_SEPARATORS: Final = str.maketrans("", "", " -")
_LOOKALIKES: Final = str.maketrans("OIL", "011")


def make_code(secrets: Secrets, batch_id: UUID, number: int, prefix: str) -> str:
    """Return the code of the voucher *number* of a batch: always the same one."""
    digest = secrets.digest("freepay: codes", batch_id.bytes + number.to_bytes(4))
    digits = f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}}"
    groups = [digits[start : start + GROUP] for start in range(0, DIGITS, GROUP)]
    return "-".join([prefix, *groups] if prefix else groups)


def hash_code(secrets: Secrets, typed: str) -> bytes:
    """Return what the database holds of a code, however carelessly somebody *typed* it."""
    plain = typed.translate(_SEPARATORS).upper().translate(_LOOKALIKES)
    return secrets.digest("freepay: code hashes", plain.encode())
