"""One provider: where it is, the keys by which it signs, and what it gives for a code."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from structlog.typing import FilteringBoundLogger

from kernel import Clock
from lyceum_oidc.refusals import ProviderUnavailable, SignInRefused
from lyceum_oidc.settings import ProviderSettings, is_safe
from lyceum_oidc.tokens import Key, Untrusted

AGE: Final = timedelta(hours=1)  #: for which metadata and keys are believed
#: Between two looks for a key that is not known: whoever sends tokens of invented keys makes us ask no more often.
LOOK_AGAIN: Final = timedelta(seconds=30)
PATIENCE: Final = aiohttp.ClientTimeout(total=10)
LARGEST: Final = 262_144  # bytes of an answer
OK: Final = 200


class Metadata(msgspec.Struct, frozen=True):
    """What of a provider's discovery document is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Provider:
    """Asks one provider, and remembers for a while what it said."""

    def __init__(
        self, settings: ProviderSettings, http: aiohttp.ClientSession, clock: Clock, log: FilteringBoundLogger
    ) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._log = log.bind(issuer=settings.issuer)
        self._asking = asyncio.Lock()
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, list[Key]] | None = None

    async def metadata(self) -> Metadata:
        """Return where the provider's doors are.

        Raises:
            ProviderUnavailable: it does not say, or says that it is another one.
        """
        async with self._asking:
            if self._metadata is None or self._is_past(self._metadata[0], AGE):
                self._metadata = (self._clock.now(), await self._discover())
            return self._metadata[1]

    async def key(self, wanted: str | None) -> Key:
        """Return the key with the id *wanted*, or the only one there is.

        Raises:
            Untrusted: the provider has no such key.
            ProviderUnavailable: it does not say.
        """
        uri = (await self.metadata()).jwks_uri
        async with self._asking:
            if self._keys is None or self._is_past(self._keys[0], AGE):
                self._keys = await self._fetch_keys(uri)
            found = _chosen(self._keys[1], wanted)
            if found is None and self._is_past(self._keys[0], LOOK_AGAIN):
                self._keys = await self._fetch_keys(uri)  # it may sign by a new key since
                found = _chosen(self._keys[1], wanted)
        if found is None:
            raise Untrusted("it is signed by a key that the provider does not have")
        return found

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> str:
        """Return the ID token that the provider gives for *code*.

        Raises:
            SignInRefused: the code is not good.
            ProviderUnavailable: the provider does not answer.
        """
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        headers = {}
        client_id, secret = self._settings.client_id, self._settings.client_secret.reveal()
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            headers["Authorization"] = aiohttp.encode_basic_auth(quote(client_id, safe=""), quote(secret, safe=""))
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        status, answer = await self._ask("POST", metadata.token_endpoint, data=form, headers=headers)
        token = answer.get("id_token")
        if status != OK or not isinstance(token, str):
            self._log.warning("code refused", action="oidc", status=status, error=str(answer.get("error", ""))[:80])
            raise SignInRefused
        return token

    async def _discover(self) -> Metadata:
        found = await self._get(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            metadata = msgspec.convert(found, Metadata)
        except msgspec.ValidationError as error:
            raise self._unavailable(error) from error
        if metadata.issuer != self._settings.issuer:
            raise self._unavailable(ValueError(f"it calls itself {metadata.issuer!r}"))
        doors = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        if wrong := [door for door in doors if not is_safe(door)]:
            raise self._unavailable(ValueError(f"{wrong[0]!r} is not encrypted"))
        return metadata

    async def _fetch_keys(self, uri: str) -> tuple[datetime, list[Key]]:
        found = (await self._get(uri)).get("keys")
        if not isinstance(found, list):
            raise self._unavailable(ValueError(f"{uri} has no keys"))
        return self._clock.now(), [key for one in found if (key := self._key(one)) is not None]

    def _key(self, found: object) -> Key | None:
        """Return a key that may sign tokens; None for another, and for one that is not understood.

        RFC 7517 (5) has it so: a provider may publish keys of new kinds beside those by which it signs.
        """
        try:
            keys = KeySet.import_key_set({"keys": [found]}).keys  # type: ignore[list-item]  # whatever it is
        except (JoseError, KeyError, TypeError, ValueError) as error:
            self._log.info("key passed over", action="oidc", error=f"{type(error).__name__}: {error}"[:300])
            return None
        return next((key for key in keys if isinstance(key, RSAKey | ECKey) and key.get("use") in (None, "sig")), None)

    async def _get(self, url: str) -> dict[str, Any]:
        status, found = await self._ask("GET", url)
        if status != OK:
            raise self._unavailable(ValueError(f"{url} answered {status}"))
        return found

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Return status and JSON; a redirect is not followed, since what is sent is for this address alone."""
        try:
            async with self._http.request(method, url, allow_redirects=False, timeout=PATIENCE, **options) as answer:
                body = await answer.content.read(LARGEST)
                while len(body) < LARGEST and (more := await answer.content.read(LARGEST - len(body))):
                    body += more
                found = json.loads(body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._unavailable(error) from error
        if not isinstance(found, dict):
            raise self._unavailable(ValueError(f"{url} answered no object"))
        return answer.status, found

    def _unavailable(self, error: Exception) -> ProviderUnavailable:
        self._log.warning("provider failed", action="oidc", error=f"{type(error).__name__}: {error}"[:300])
        return ProviderUnavailable()

    def _is_past(self, moment: datetime, age: timedelta) -> bool:
        return self._clock.now() - moment > age


def _chosen(keys: list[Key], wanted: str | None) -> Key | None:
    found = [key for key in keys if wanted is None or key.kid == wanted]
    return found[0] if len(found) == 1 else None
