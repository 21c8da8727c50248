"""Refresh tokens: a number within a session, and the proof that we gave it out.

Nothing of a token is stored. It is made from the session's random nonce, which is in the database, and a key that is
not, so neither gives a token away. The same number always gives the same token, so twins can be answered alike.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel import Secrets

_LAYOUT: Final = struct.Struct(">16sI32s")  # session, generation, proof
_PURPOSE: Final = "refresh-token"


@dataclass(frozen=True)
class Presented:
    """A refresh token as it came, not yet proved."""

    session: UUID
    generation: int
    proof: bytes

    def proved(self, nonce: bytes, secrets: Secrets) -> bool:
        """Return whether we gave it out for the session that has *nonce*."""
        return hmac.compare_digest(self.proof, _proof(self.session, self.generation, nonce, secrets))


def make(session: UUID, generation: int, nonce: bytes, secrets: Secrets) -> str:
    """Return the token number *generation* of *session*."""
    proof = _proof(session, generation, nonce, secrets)
    return base64.urlsafe_b64encode(_LAYOUT.pack(session.bytes, generation, proof)).rstrip(b"=").decode()


def parse(token: str) -> Presented | None:
    """Return what *token* says, None when it is none."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        session, generation, proof = _LAYOUT.unpack(raw)
    except (binascii.Error, ValueError, struct.error):
        return None
    return Presented(UUID(bytes=session), generation, proof)


def _proof(session: UUID, generation: int, nonce: bytes, secrets: Secrets) -> bytes:
    return secrets.digest(_PURPOSE, nonce + session.bytes + generation.to_bytes(4, "big"))
