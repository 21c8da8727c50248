"""ID tokens: what a provider signed, believed only if it is for us, of now and of this very sign-in."""

from __future__ import annotations

import hmac
import math
from datetime import datetime
from typing import Any, Final

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from kernel.contracts.auth import Email

#: Signatures that only the provider can make; with the others (HS256, none) anybody could who knows a client's secret.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY: Final = 60  # seconds that the clocks of provider and platform may differ
LONGEST: Final = 16_384  # characters of a token
LONGEST_SUBJECT: Final = 255  # characters, as the specification has it

Key = RSAKey | ECKey


class Untrusted(Exception):
    """The token proves nothing; the text says why, for the log."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of a person; `email` is empty unless it vouches for the address."""

    subject: str
    email: str
    name: str
    locale: str


def key_id(token: str) -> str | None:
    """Return which of the provider's keys signed *token*, as the token has it, None where it does not say.

    Raises:
        Untrusted: it is no signed token, or signed in a way in which others than the provider could have.
    """
    if len(token) > LONGEST:
        raise Untrusted("the token is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise Untrusted(f"it is no signed token ({error})") from error
    if header.get("alg") not in ALGORITHMS:
        raise Untrusted(f"it is signed by {header.get('alg')!r}")
    return header.get("kid")


def verified(token: str, key: Key, *, issuer: str, client_id: str, nonce: str, now: datetime) -> Claims:
    """Return what *token* says.

    Raises:
        Untrusted: it is not from the provider, not for us, not of now or not of this sign-in.
    """
    try:
        claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError) as error:
        raise Untrusted(f"its signature is not good ({error})") from error
    _require(claims.get("iss") == issuer, "it is from another issuer")
    _check_audience(claims, client_id)
    _check_time(claims, now.timestamp())
    _require(hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()), "it is of another sign-in")
    subject = _text(claims, "sub")
    _require(0 < len(subject) <= LONGEST_SUBJECT, "it names nobody")
    return Claims(
        subject=subject, email=_email(claims), name=_line(claims, "name", 80), locale=_line(claims, "locale", 35)
    )


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    known = audience if isinstance(audience, list) else [audience]
    _require(client_id in known, "it is for somebody else")
    party = claims.get("azp", client_id if len(known) == 1 else None)
    _require(party == client_id, "it was made for another client")


def _check_time(claims: dict[str, Any], now: float) -> None:
    _require(_moment(claims, "exp", missing=0.0) > now - LEEWAY, "it has expired")
    _require(_moment(claims, "iat", missing=math.inf) < now + LEEWAY, "it is not of now")


def _moment(claims: dict[str, Any], name: str, missing: float) -> float:
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else missing


def _email(claims: dict[str, Any]) -> str:
    """Return the address if the provider has verified it: anybody can type an address."""
    if claims.get("email_verified") is not True:
        return ""
    try:
        return msgspec.convert(claims.get("email"), Email).lower()
    except msgspec.ValidationError:
        return ""


def _line(claims: dict[str, Any], name: str, longest: int) -> str:
    text = "".join(char for char in _text(claims, name) if char.isprintable())
    return text[:longest].strip()


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Untrusted(otherwise)
