"""Access tokens: JSON Web Tokens (RFC 9068) signed with Ed25519, and the one function that verifies them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import jwt
import msgspec

from kernel import Context, new_id, problems
from plugins.auth.keys import TOKEN_LIFE, KeyRing
from plugins.auth.settings import AuthSettings

TYPE: Final = "at+jwt"
ALGORITHM: Final = "EdDSA"
SKEW: Final = 30  # seconds by which another process's clock may be ahead
LONGEST: Final = 4096  # characters
_REQUIRED: Final = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "roles"]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands in for the subject of a token (RFC 8693, section 4.1)."""

    sub: UUID
    roles: tuple[str, ...]


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an access token says; the types are checked when it is verified."""

    iss: str
    aud: str
    sub: UUID
    sid: UUID
    jti: UUID
    roles: tuple[str, ...]
    iat: int
    nbf: int
    exp: int
    act: Actor | None = None


class AccessTokens:
    """Issues and verifies."""

    def __init__(self, ctx: Context[AuthSettings]) -> None:
        self._clock = ctx.clock
        self._keys = ctx.own(KeyRing)
        self._issuer = ctx.deployment.public_url
        self._audience = ctx.settings.audience or ctx.deployment.public_url

    async def issue(self, account: UUID, session: UUID, roles: tuple[str, ...], *, actor: Actor | None = None) -> str:
        """Return a new access token, good as long as *session*; it is the session of the *actor* where there is one."""
        key = await self._keys.signing()
        now = int(self._clock.now().timestamp())
        claims = Claims(
            iss=self._issuer,
            aud=self._audience,
            sub=account,
            sid=session,
            jti=new_id(),
            roles=roles,
            iat=now,
            nbf=now,
            exp=now + int(TOKEN_LIFE.total_seconds()),
            act=actor,
        )
        return jwt.encode(
            msgspec.to_builtins(claims), key.private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.kid}
        )

    def verify(self, token: str) -> Claims:
        """Return the claims of *token* if it is one of ours, for us, and good now.

        Raises:
            problems.NotSignedIn: it is not; the answer never says why.
        """
        try:
            return self._verified(token)
        # RecursionError and ValueError: headers nested too deeply, or not encodable, fail below PyJWT's own checks.
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError) as error:
            raise problems.NotSignedIn("The token is not good (any more).") from error

    def _verified(self, token: str) -> Claims:
        if len(token) > LONGEST:
            raise jwt.InvalidTokenError("too long")
        header = jwt.get_unverified_header(token)
        key = self._keys.verifying(header.get("kid"))
        if key is None or header.get("typ") != TYPE:
            raise jwt.InvalidTokenError("not one of our access tokens")
        payload = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=self._issuer,
            audience=self._audience,
            # The three times are checked below, by the deployment's clock instead of the machine's.
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        claims = msgspec.convert(payload, Claims)
        if not _is_timely(claims, self._clock.now().timestamp()):
            raise jwt.InvalidTokenError("not valid now")
        return claims


def _is_timely(claims: Claims, now: float) -> bool:
    begun = claims.iat <= now + SKEW and claims.nbf <= now + SKEW
    # Signed well and yet nothing that we would issue: it would outlive its key and its revocation.
    ours = claims.exp - claims.iat <= TOKEN_LIFE.total_seconds() and claims.nbf >= claims.iat - SKEW
    return begun and ours and claims.exp > now
