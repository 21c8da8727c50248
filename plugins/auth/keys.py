"""Signing keys: which one signs now, which ones verify, and the change from one to the next."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import bindparam

from kernel import Context, errors
from kernel.contracts.audit import command_act
from kernel.database import Command, Query, Session, Timestamp
from plugins.auth.settings import AuthSettings
from plugins.auth.tables import signing_keys

TOKEN_LIFE: Final = timedelta(minutes=10)
#: A new key is known to every process for this long before it signs, so no process meets a token it can not verify.
HANDOVER: Final = timedelta(seconds=15)
#: An old key verifies for this much longer than the longest token signed with it.
MARGIN: Final = timedelta(seconds=60)


class _Row(msgspec.Struct, frozen=True):
    number: int
    kid: str
    sealed: str
    signs_from: datetime
    retires_at: datetime | None


_now: Final = bindparam("now", type_=Timestamp())

KEYS: Final = Query(
    sa.select(*(signing_keys.c[name] for name in _Row.__struct_fields__))
    .where(sa.or_(signing_keys.c.retires_at.is_(None), signing_keys.c.retires_at > _now))
    .order_by(signing_keys.c.number),
    _Row,
)
ADD: Final = Command(
    sa.insert(signing_keys).values({name: bindparam(name) for name in ("number", "kid", "sealed", "signs_from")})
)
RETIRE: Final = Command(
    sa.update(signing_keys)
    .where(signing_keys.c.number < bindparam("before"), signing_keys.c.retires_at.is_(None))
    .values(retires_at=bindparam("at"))
)
FORGET: Final = Command(sa.delete(signing_keys).where(signing_keys.c.retires_at < _now))


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An Ed25519 key."""

    number: int
    kid: str
    private: Ed25519PrivateKey
    public: Ed25519PublicKey
    signs_from: datetime
    retires_at: datetime | None

    def jwk(self) -> dict[str, str]:
        """Return the public half as a JSON Web Key."""
        return _public_jwk(self.public) | {"kid": self.kid, "use": "sig", "alg": "EdDSA"}


class KeyRing:
    """The keys of the deployment as this process knows them; `load` brings it up to date."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._ctx = ctx
        self._keys: dict[str, SigningKey] = {}

    async def load(self) -> None:
        """Read the keys, after making the first one where there is none."""
        rows = await self._rows()
        if not rows:
            await self._add_first()
            rows = await self._rows()
        self._keys = {row.kid: self._open(row) for row in rows}

    async def rotate(self) -> str:
        """Make a new key, which signs as soon as every process knows it; the old ones verify until their tokens end.

        For the command line, which the act that tells of it names. Return the `kid` of the new key.

        Raises:
            errors.UniqueViolation: another rotation came in between; nothing has changed.
        """
        await self.load()
        number = max(key.number for key in self._keys.values()) + 1
        signs_from = self._ctx.clock.now() + HANDOVER
        async with self._ctx.db.transaction() as session:
            kid = await self._add(session, number, signs_from)
            await session.run(RETIRE, before=number, at=signs_from + TOKEN_LIFE + MARGIN)
            await self._ctx.events.publish(session, command_act("auth.rotate_key", f"signing-key:{kid}"))
        await self.load()
        return kid

    async def forget(self) -> None:
        """Delete the keys that have retired."""
        await self._ctx.db.run(FORGET, now=self._ctx.clock.now() - MARGIN)

    async def signing(self) -> SigningKey:
        """Return the key that signs now."""
        now = self._ctx.clock.now()
        ready = [key for key in self._keys.values() if key.signs_from <= now]
        if not ready:
            await self.load()
            ready = list(self._keys.values())
        return max(ready, key=lambda key: key.number)

    def verifying(self, kid: object) -> Ed25519PublicKey | None:
        """Return the public key of *kid* while it is not retired, None for every other value; never looks elsewhere."""
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None or (key.retires_at is not None and key.retires_at <= self._ctx.clock.now()):
            return None
        return key.public

    def public(self) -> list[dict[str, str]]:
        """Return the JSON Web Key Set's keys: those that verify, and the one that will sign next."""
        return [key.jwk() for key in self._keys.values() if self.verifying(key.kid) is not None]

    async def _rows(self) -> list[_Row]:
        return await self._ctx.db.all(KEYS, now=self._ctx.clock.now())

    async def _add_first(self) -> None:
        # Of several processes that start on an empty database only one can add the number 1; all use that key.
        with contextlib.suppress(errors.UniqueViolation):
            async with self._ctx.db.transaction() as session:
                await self._add(session, 1, self._ctx.clock.now())

    async def _add(self, session: Session, number: int, signs_from: datetime) -> str:
        private = Ed25519PrivateKey.generate()
        kid = _thumbprint(private.public_key())
        sealed = self._ctx.secrets.seal(private.private_bytes_raw())
        await session.run(ADD, number=number, kid=kid, sealed=sealed, signs_from=signs_from)
        return kid

    def _open(self, row: _Row) -> SigningKey:
        known = self._keys.get(row.kid)
        private = known.private if known else Ed25519PrivateKey.from_private_bytes(self._ctx.secrets.unseal(row.sealed))
        return SigningKey(
            number=row.number,
            kid=row.kid,
            private=private,
            public=known.public if known else private.public_key(),
            signs_from=row.signs_from,
            retires_at=row.retires_at,
        )


def _public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()
    return {"crv": "Ed25519", "kty": "OKP", "x": x}


def _thumbprint(key: Ed25519PublicKey) -> str:
    """Return the JWK thumbprint (RFC 7638)."""
    canonical = json.dumps(_public_jwk(key), sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
