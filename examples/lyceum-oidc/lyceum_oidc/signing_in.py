"""A browser goes to a provider, and comes back with a code: who is it, and may they come in?"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web

from kernel import Context, Cookie, Request, problems
from kernel.contracts.audit import act
from kernel.contracts.auth import AUTH, AddressTaken, Vouched
from lyceum_oidc.flows import Flow, Flows, Proofs
from lyceum_oidc.links import Links
from lyceum_oidc.providers import Providers
from lyceum_oidc.refusals import SignInRefused
from lyceum_oidc.settings import OidcSettings, ProviderSettings
from lyceum_oidc.tokens import Claims, Untrusted, key_id, verified

CALLBACK: Final = "/oidc/callback"
ACCOUNT: Final = "/oidc/account"


@dataclass(frozen=True, kw_only=True)
class Going:
    """Where a browser is to go, with which cookies."""

    to: str
    cookies: tuple[Cookie, ...] = ()


class SigningIn:
    """Sends browsers to providers, and believes what they bring back only after every check."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._ctx = ctx
        self._flows = ctx.own(Flows)
        self._links = ctx.own(Links)
        self._providers = ctx.own(Providers)
        self._redirect_uri = ctx.deployment.public_url + CALLBACK

    async def begin(self, http: web.Request, name: str, target: str, user_id: UUID | None = None) -> Going:
        """Return where the browser signs in at the provider *name*; *user_id* links it to their account instead.

        Raises:
            problems.NotFound: there is no such provider.
            ProviderUnavailable: it can not be reached.
        """
        provider, settings = self._providers.get(name), self._providers.settings(name)
        metadata = await provider.metadata()
        proofs, cookie = await self._flows.begin(http, name, target, user_id)
        join = "&" if "?" in metadata.authorization_endpoint else "?"
        query = urlencode(self._question(settings, proofs))
        return Going(to=f"{metadata.authorization_endpoint}{join}{query}", cookies=(cookie,))

    async def end(self, request: Request) -> Going:
        """Sign in, or link, whoever came back from a provider, and return where they wanted to go.

        Raises:
            SignInRefused: what came back proves nothing, or does not suffice.
            ProviderUnavailable: the provider can not be reached.
            AccountClosed: whose account it is may not sign in.
        """
        query = request.http.query
        state = query.get("state", "")
        flow = await self._flows.take(request.http, state)
        if flow is None:
            self._refused("it was begun by nobody, elsewhere, too long ago or ended before")
            raise SignInRefused("It took too long, or was begun in another browser. Begin it once more.")
        settings = self._providers.settings(flow.provider)
        if query.get("iss", settings.issuer) != settings.issuer:
            self._refused("another provider answered")
            raise SignInRefused
        if "code" not in query:
            self._refused(f"the provider said {query.get('error', '')[:80]!r}")
            raise SignInRefused(f"{settings.label} did not sign you in. Begin once more, or sign in by email code.")
        claims = await self._claims(flow, settings, query["code"], self._flows.proofs(state))
        if flow.user_id is not None:
            await self._link(request, flow.user_id, settings, claims)
            return Going(to=flow.target)
        return Going(to=flow.target, cookies=await self._admit(request, settings, claims))

    def _question(self, settings: ProviderSettings, proofs: Proofs) -> dict[str, str]:
        challenge = hashlib.sha256(proofs.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(settings.scopes),
            "state": proofs.state,
            "nonce": proofs.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    async def _claims(self, flow: Flow, settings: ProviderSettings, code: str, proofs: Proofs) -> Claims:
        provider = self._providers.get(flow.provider)
        token = await provider.redeem(code, proofs.verifier, self._redirect_uri)
        try:
            return verified(
                token,
                await provider.key(key_id(token)),
                issuer=settings.issuer,
                client_id=settings.client_id,
                nonce=proofs.nonce,
                now=self._ctx.clock.now(),
            )
        except Untrusted as error:
            self._refused(str(error), issuer=settings.issuer)
            raise SignInRefused from error

    async def _admit(self, request: Request, settings: ProviderSettings, claims: Claims) -> tuple[Cookie, ...]:
        """Return the cookies of a session of whomever *claims* are of, who gets an account if they have none."""
        owner = await self._links.owner(settings.issuer, claims.subject)
        person = self._stranger(settings, claims) if owner is None else Vouched(by=settings.label, user_id=owner)
        try:
            signed_in = await self._ctx.services.get(AUTH).sign_in(request, person)
        except AddressTaken as error:
            raise SignInRefused(
                f"There is an account of your address already. Sign in to it by email code, then link {settings.label} "
                f"to it on the page {ACCOUNT}."
            ) from error
        if owner is None:
            async with self._ctx.db.transaction() as session:
                await self._links.add(session, settings.issuer, claims.subject, signed_in.user_id)
        return signed_in.cookies

    def _stranger(self, settings: ProviderSettings, claims: Claims) -> Vouched:
        """Return whom *claims* are of, who comes for the first time."""
        if not claims.email:
            self._refused("the address is not verified", issuer=settings.issuer)
            raise SignInRefused(
                f"{settings.label} has not verified your mail address. "
                "Have it verified there, or sign in by email code."
            )
        if not settings.knows(claims.email):
            self._refused("the address is of another domain", issuer=settings.issuer)
            raise SignInRefused(
                f"Accounts are made here only for addresses at {', '.join(settings.email_domains)}. "
                "Sign in by email code instead."
            )
        return Vouched(
            by=settings.label,
            email=claims.email,
            display_name=claims.name,
            locale=claims.locale,
            adopts=settings.link_verified_email,
        )

    async def _link(self, request: Request, user_id: UUID, settings: ProviderSettings, claims: Claims) -> None:
        """Link whom *claims* are of to the account of *user_id*, who began it and must be signed in still."""
        if request.caller is None or request.caller.id != user_id:
            self._refused("somebody else is signed in by now")
            raise SignInRefused("You are not signed in any more as who began it. Sign in, and link it once more.")
        async with self._ctx.db.transaction() as session:
            if await self._links.add(session, settings.issuer, claims.subject, user_id):
                told = act(request, "oidc.link", f"account:{user_id}", after={"issuer": settings.issuer})
                await self._ctx.events.publish(session, told)
                return
        if await self._links.owner(settings.issuer, claims.subject) != user_id:
            self._refused("it is linked to another account")
            raise SignInRefused(f"This sign-in of {settings.label} belongs to another account. Unlink it there first.")

    def _refused(self, reason: str, **values: str) -> None:
        self._ctx.log.warning("sign-in refused", action="oidc", reason=reason, **values)


def require_self(request: Request) -> UUID:
    """Return who is signed in.

    Raises:
        problems.Forbidden: somebody stands in for them.
    """
    if request.principal.actor is not None:
        raise problems.Forbidden("Who stands in for a person has nothing to do with the person's sign-ins.")
    return request.principal.id
