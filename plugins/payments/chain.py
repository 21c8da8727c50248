"""The chain: each entry of a wallet bears a hash over the one before it and over its own movement.

    hash = SHA-256(hash of the entry before || digest of the movement)

The digest is keyed by the deployment's secret, so nobody who holds the database alone can make one. What it leaves
out follows from the entries themselves: what the wallet held, and how much of a charge was promotional. The hash is
computed by the database, in the statement that changes the wallet: only there is it known which entry comes before.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from kernel import Secrets

#: What stands before a wallet's first entry. Entries that are older than the chain have it for their hash.
BEGINNING: Final = bytes(32)

#: What a digest covers: a transfer's columns in their order, and how much of it is promotional credit, with the
#: wallet's sign; None where the wallet decides.
Covered = tuple[UUID, str, str, str, str, int, str, UUID, UUID | None, UUID, str, datetime, int | None]

#: MessagePack: every value bears its type and length, so no two movements are written alike.
_written: Final = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class Seal:
    """Makes the digests of one deployment."""

    def __init__(self, secrets: Secrets) -> None:
        self._key = secrets.derive("payments: chain of entries")

    def digest(self, covered: Covered) -> bytes:
        """Return the digest of a movement: HMAC-SHA-256, 32 bytes."""
        return hmac.digest(self._key, _written(covered), "sha256")
