"""Keys derived from the one secret of a deployment, and values sealed with them.

The secret lives outside every database, so that a copy of the databases alone gives nothing away.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel import errors

MINIMUM_LENGTH: Final = 32  # bytes


class Unsealable(errors.LyceumError):
    """The value was sealed with another secret; restore the deployment's former secret."""


class Secrets:
    """What is derived from the deployment's secret; the same in every process and every plugin."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MINIMUM_LENGTH:
            raise ValueError(f"the secret has {len(secret)} bytes; use at least {MINIMUM_LENGTH} random ones")
        self._secret = secret
        self._fernet = Fernet(base64.urlsafe_b64encode(self.derive("sealing")))

    def derive(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for *purpose* (HKDF, RFC 5869); the same purpose gives the same key."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._secret)

    def digest(self, purpose: str, value: bytes) -> bytes:
        """Return the HMAC-SHA-256 of *value* under the key of *purpose*, 32 bytes."""
        return hmac.digest(self.derive(purpose), value, hashlib.sha256)

    def seal(self, value: bytes) -> str:
        """Return *value* encrypted and authenticated (Fernet), as text."""
        return self._fernet.encrypt(value).decode()

    def unseal(self, sealed: str) -> bytes:
        """Return what `seal` was given.

        Raises:
            Unsealable: it was sealed with another secret, or changed.
        """
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise Unsealable(str(Unsealable.__doc__)) from error


def kept_secret(file: Path) -> bytes:
    """Return the secret that *file* holds; make one the first time, readable by its owner only."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        mine = file.with_name(f"{file.name}.{os.getpid()}")
        descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_hex(MINIMUM_LENGTH).encode())
        # a link is whole or not there: of processes that start at once, one secret wins and all read that one
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(mine)
        mine.unlink()
    return file.read_bytes().strip()
