"""Access tokens: what is accepted, and everything that is not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth.keys import KeyRing, SigningKey
from tests.plugins.auth.signing_in import SESSIONS, sign_in, signed_in, status

Parts = dict[str, Any]

REQUIRED = ("iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "roles")


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Parts:
    found: Parts = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


class Forge:
    """Knows a good token and the key that signed it, and makes other tokens of them."""

    def __init__(self, token: str, key: SigningKey) -> None:
        self.header, self.claims = (decoded(part) for part in token.split(".")[:2])
        self.key = key

    def signed(self, header: object, claims: object, key: Ed25519PrivateKey | None = None) -> str:
        """Return a token of any header and claims, with a good signature."""
        signed = f"{encoded(header)}.{encoded(claims)}"
        return f"{signed}.{encoded((key or self.key.private).sign(signed.encode()))}"

    def changed(self, **claims: object) -> str:
        """Return a token that is signed well and says something else."""
        return self.signed(self.header, {**self.claims, **claims})


async def forge(deployment: Deployment) -> Forge:
    token = (await sign_in(deployment, "ada@example.org"))["access_token"]
    return Forge(token, await deployment.platform.context("auth").own(KeyRing).signing())


async def accepts(deployment: Deployment, token: str) -> bool:
    found = await status(deployment.client(token=token), "GET", SESSIONS)
    assert found in (200, 401)
    return found == 200


async def test_unchanged_token_is_accepted(deploy: Deploy) -> None:
    """What the forge signs without a change is good, so its refusals below mean something."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)

    assert await accepts(deployment, forging.changed())


@pytest.mark.sqlite_only
async def test_token_without_a_good_signature_is_refused(deploy: Deploy) -> None:
    """No signature, none as algorithm in any spelling, another key, our public key as a shared secret."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    claims = encoded(forging.claims)
    pem = forging.key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(forging.key.jwk()).encode()
    tokens = [f"{encoded({**forging.header, 'alg': alg})}.{claims}." for alg in ("none", "None", "NONE", "nOnE")]
    tokens += [f"{encoded(forging.header)}.{claims}.", f"{encoded(forging.header)}.{claims}"]
    tokens += [_hmac(forging, secret) for secret in (pem, jwk, forging.key.public.public_bytes_raw())]
    tokens.append(forging.signed(forging.header, forging.claims, Ed25519PrivateKey.generate()))

    assert [token for token in tokens if await accepts(deployment, token)] == []


@pytest.mark.sqlite_only
async def test_token_with_another_header_is_refused(deploy: Deploy) -> None:
    """However well it is signed."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    changes: list[Parts] = [{"typ": typ} for typ in ("JWT", None, "rt+jwt", 1)]
    changes += [{"alg": alg} for alg in ("ES256", "HS256", None)]
    changes += [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}]
    changes += [
        {"kid": kid} for kid in (None, 1, ["x"], "../../../../dev/null", "' OR 1=1 --", "http://127.0.0.1:9/key")
    ]

    for change in changes:
        token = forging.signed({**forging.header, **change}, forging.claims)
        assert (change, await accepts(deployment, token)) == (change, False)


@pytest.mark.sqlite_only
async def test_key_that_a_token_brings_along_is_not_looked_at(deploy: Deploy) -> None:
    """`jwk`, `jku` and `x5u` are ignored: the token is judged by our keys, and nothing is fetched."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    own = Ed25519PrivateKey.generate()
    x = encoded(own.public_key().public_bytes_raw())
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "mine"}
    async with _listening() as (url, calls):
        for extra in ({"jwk": jwk, "kid": "mine"}, {"jku": url}, {"x5u": url}, {"jwk": jwk}):
            assert not await accepts(deployment, forging.signed({**forging.header, **extra}, forging.claims, own))

    assert calls == []


@pytest.mark.sqlite_only
async def test_token_needs_each_claim(deploy: Deploy) -> None:
    """One that lacks a claim, has null for it or another type is refused."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    wrong: tuple[object, ...] = (None, [], {}, True, "x", -1, 1.5, [1])

    for claim in REQUIRED:
        without = {name: value for name, value in forging.claims.items() if name != claim}
        assert not await accepts(deployment, forging.signed(forging.header, without))
        for value in wrong:
            if (claim, value) != ("roles", []):  # somebody without any role
                found = await accepts(deployment, forging.changed(**{claim: value}))
                assert (claim, value, found) == (claim, value, False)


@pytest.mark.sqlite_only
async def test_token_for_elsewhere_or_another_time_is_refused(deploy: Deploy) -> None:
    """Issuer, audience and times are compared, and no token lives longer than we let it."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    changes: list[Parts] = [{"iss": "https://evil.example"}, {"iss": ["https://evil.example"]}]
    changes += [{"aud": "https://evil.example"}, {"aud": [deployment.url]}]
    changes += [{"exp": moment} for moment in (0, 10**10, 10**400)]
    changes += [{"sub": "00000000-0000-0000-0000"}, {"sid": "null"}]

    for change in changes:
        assert (str(change), await accepts(deployment, forging.changed(**change))) == (str(change), False)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_token_from_the_future_is_refused(deploy: Deploy, claim: str) -> None:
    """But for the little by which clocks differ."""
    deployment = await deploy("auth", "mail")
    forging = await forge(deployment)
    now = int(deployment.clock.now().timestamp())

    assert await accepts(deployment, forging.changed(**{claim: now + 10}))
    assert not await accepts(deployment, forging.changed(**{claim: now + 100}))


@pytest.mark.sqlite_only
async def test_nonsense_as_a_credential_is_refused(deploy: Deploy) -> None:
    """With 401 and never with a failure, also where no credential is needed."""
    deployment = await deploy("auth", "mail")
    deep = base64.urlsafe_b64encode(b"[" * 2500).decode()
    tokens = ("", "x", "a.b", "a.b.c", "." * 5000, "\xff\xfe", f"{deep}.e30.e30", f"e30.{deep}.e30")
    headers = ("", "Bearer", "Basic YTpi", "Token x", *(f"Bearer {token}" for token in tokens))

    for header in headers:
        for path in (SESSIONS, "/api/v1/auth/jwks.json"):
            async with deployment.client().get(path, headers={"Authorization": header}) as answer:
                assert (header, answer.status) == (header, 401)
                assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_anyone_can_verify_a_token_with_the_published_keys(deploy: Deploy) -> None:
    """The key set is public, holds no private part and fits the tokens."""
    deployment = await deploy("auth", "mail")
    token = (await sign_in(deployment, "ada@example.org"))["access_token"]

    found = await deployment.client().call("GET", "/api/v1/auth/jwks.json")

    keys = jwt.PyJWKSet.from_dict(found)
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(
        token, keys[header["kid"]], algorithms=["EdDSA"], audience=deployment.url, issuer=deployment.url
    )
    assert header["typ"] == "at+jwt"
    assert claims["roles"] == ["student"]
    assert [sorted(key) for key in found["keys"]] == [["alg", "crv", "kid", "kty", "use", "x"]]


async def test_rotated_key_verifies_until_its_tokens_have_expired(deploy: Deploy) -> None:
    """Then it is retired and forgotten; the new key signs once everybody knows it."""
    deployment = await deploy("auth", "mail")
    ring = deployment.platform.context("auth").own(KeyRing)
    old = await forge(deployment)
    await ring.rotate()
    just_after = (await sign_in(deployment, "bob@example.org"))["access_token"]
    deployment.clock.advance(16)
    new = (await sign_in(deployment, "eve@example.org"))["access_token"]

    kids = [jwt.get_unverified_header(token)["kid"] for token in (just_after, new)]
    assert kids[0] == old.key.kid != kids[1]
    assert len((await deployment.client().call("GET", "/api/v1/auth/jwks.json"))["keys"]) == 2
    deployment.clock.advance(570)
    assert await accepts(deployment, just_after)
    deployment.clock.advance(100)
    now = int(deployment.clock.now().timestamp())
    prolonged = old.changed(iat=now, nbf=now, exp=now + 600)
    assert not await accepts(deployment, prolonged), "signed well, but with a retired key"
    await ring.forget()
    await ring.load()
    assert [key["kid"] for key in ring.public()] == [kids[1]]


async def test_key_survives_a_restart(deploy: Deploy) -> None:
    """Tokens are good for another process with the same database and secret."""
    deployment = await deploy("auth", "mail")
    client = await signed_in(deployment, "ada@example.org")

    await deployment.restart("auth", "mail")

    assert await status(client, "GET", SESSIONS) == 200


def _hmac(forging: Forge, secret: bytes) -> str:
    signed = f"{encoded({**forging.header, 'alg': 'HS256'})}.{encoded(forging.claims)}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


@contextlib.asynccontextmanager
async def _listening() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Listen for whoever fetches a key; give the address and what came."""
    calls: list[bytes] = []

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys.json", calls
