"""A harness for a provider of `auth/1` that runs in a deployment, and people who sign in to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, TypeVar
from uuid import UUID

import msgspec

from kernel import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    Context,
    Event,
    Manifest,
    Permission,
    Plugin,
    Request,
    Route,
    get,
    hookimpl,
)
from kernel.contracts.audit import ActRecorded
from kernel.contracts.auth import (
    AUTH,
    AccountClosed,
    AddressTaken,
    Auth,
    RolesChanged,
    SessionRevoked,
    SessionStarted,
    UserDisabled,
    UserEnabled,
    UserRegistered,
    Vouched,
)
from kernel.testing import witness
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

BASE: Final = "/api/v1/auth"
SESSIONS: Final = f"{BASE}/sessions"
ACCOUNTS: Final = f"{BASE}/accounts"
WHO: Final = "/api/v1/test-who"
DECLARED: Final = "test-who.rule"  #: a permission of another plugin's
TOLD: Final = (ActRecorded, RolesChanged, SessionRevoked, SessionStarted, UserDisabled, UserEnabled, UserRegistered)
#: Within which what ends or changes counts.
PATIENCE: Final = 5.0  # seconds
PAUSE: Final = 0.05  # seconds
#: After which the same person may sign in again, where that is limited.
AGAIN: Final = 61  # seconds

E = TypeVar("E", bound=Event)


class NotLetIn(Exception):
    """The provider did not sign the person in."""


#: Signs the person with an address in; returns a client whose `user` is the person. Raises `NotLetIn`.
SignIn = Callable[[Deployment, str], Awaitable[Client]]


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of whoever asks."""

    id: UUID
    session: UUID
    roles: Annotated[list[str], msgspec.Meta(description="sorted")]
    permissions: list[str]


class VouchedFor(Vouched, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to sign in."""


class Vouching(msgspec.Struct, frozen=True, kw_only=True):
    """Who was signed in."""

    user_id: UUID
    new: bool


class WhoPlugin(Plugin):
    """Says who asks, declares a permission of administrators, and vouches for anybody."""

    manifest: ClassVar[Manifest] = Manifest(name="test-who", version="1", requires=(AUTH,))

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        yield Permission(name=DECLARED, summary="Rule", roles=("admin",))

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def who(request: Request) -> Who:
            """Say who asks."""
            me = request.principal
            return Who(id=me.id, session=me.session, roles=sorted(me.roles), permissions=sorted(me.permissions))

        async def rule(request: Request) -> None:
            """Rule."""

        async def vouch(request: Request, query: VouchedFor) -> Answer[Vouching]:
            """Sign in whomever, as a page does to which another site leads the browser back."""
            found = await ctx.services.get(AUTH).sign_in(request, query)
            return Answer(Vouching(user_id=found.user_id, new=found.new), cookies=found.cookies)

        refusals = (AccountClosed, AddressTaken)
        return [
            get("", who, permission=SIGNED_IN),
            get("/rule", rule, permission=DECLARED),
            get("/vouch", vouch, permission=PUBLIC, problems=refusals),
        ]


async def by_code(deployment: Deployment, email: str) -> Client:
    """Sign in by a code from a mail, as with our `auth`."""
    try:
        return await deployment.sign_in(email)
    except AssertionError as error:
        raise NotLetIn(str(error)) from error


@dataclass(frozen=True)
class VouchedBrowser:
    """What came of the attempt to sign in somebody who is vouched for."""

    client: Client
    body: Mapping[str, Any]
    cookies: Mapping[str, str]

    @property
    def user(self) -> UUID:
        return UUID(self.body["user_id"])

    async def who(self) -> Who | None:
        """Return whom the provider takes the browser for, None for a stranger."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        async with self.client.get(WHO, headers=headers) as answer:
            return msgspec.json.decode(await answer.read(), type=Who) if answer.ok else None


@dataclass
class DeployedAuth:
    """A provider that nobody has an account with yet."""

    deployment: Deployment
    _sign_in: SignIn
    _known: set[str] = field(default_factory=set)

    @property
    def auth(self) -> Auth:
        return self.deployment.platform.services.get(AUTH)

    async def sign_in(self, email: str) -> Client:
        """Sign in whoever has the address."""
        if email in self._known:
            self.deployment.clock.advance(AGAIN)
        self._known.add(email)
        return await self._sign_in(self.deployment, email)

    async def vouch(
        self, *, expect: int = 200, cookies: Mapping[str, str] | None = None, **person: Any
    ) -> VouchedBrowser:
        """Return the browser of somebody for whom a plugin vouches."""
        client = self.deployment.client()
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())}
        query = {"by": "the test", **person}
        async with client.get(f"{WHO}/vouch", params=query, headers=headers if cookies else {}) as answer:
            text = await answer.text()
            assert answer.status == expect, f"a status of {answer.status}, not {expect}: {text}"
            kept = {name: morsel.value for name, morsel in answer.cookies.items()}
        return VouchedBrowser(client, json.loads(text), kept)

    async def administrator(self, email: str = "root@example.org") -> Client:
        """Return a client for an administrator."""
        await self.auth.grant(email, ["admin"])
        return await self.sign_in(email)

    async def told(self, kind: type[E]) -> list[E]:
        """Return the events of *kind* that were published."""
        await self.deployment.settle()
        found = self.deployment.platform.context(witness.NAME).own(witness.Witnessed).events
        return [event for event in found if isinstance(event, kind)]

    async def told_once(self, kind: type[E]) -> E:
        """Return the only event of *kind* that was published."""
        found = await self.told(kind)
        assert len(found) == 1, f"{kind.name} was told {len(found)} times"
        return found[0]

    async def who(self, client: Client) -> Who:
        """Return whom the provider takes *client* for."""
        return msgspec.convert(await client.call("GET", WHO, expect=200), Who)

    async def is_refused(self, client: Client) -> bool:
        """Return whether *client* is signed in no more, within the time in which that has to count."""
        return await within(lambda: _status(client, WHO), 401)

    async def may_rule(self, client: Client, expected: bool) -> bool:
        """Return whether it comes to that *client* may, or may not, do what administrators may."""
        return await within(lambda: _status(client, f"{WHO}/rule"), 204 if expected else 403)


async def deploy_auth(
    deploy: Deploy,
    *names: str,
    sign_in: SignIn = by_code,
    plugins: Sequence[PluginClass] = (),
    settings: Tables | None = None,
    sections: Tables | None = None,
) -> DeployedAuth:
    """Deploy the plugins *names*, one of which provides `auth/1`. The other arguments are those of `deploy`."""
    classes: list[PluginClass] = [WhoPlugin, witness.witness_of(*TOLD), *plugins]
    return DeployedAuth(await deploy(*names, plugins=classes, settings=settings, sections=sections), sign_in)


async def within(ask: Callable[[], Awaitable[Any]], expected: object) -> bool:
    """Return whether *ask* answers *expected* within `PATIENCE`."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (found := await ask()) != expected and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(PAUSE)  # it sets no Event of ours
    return bool(found == expected)


def user_of(client: Client) -> UUID:
    """Return the id of whoever is signed in."""
    assert client.user is not None
    return client.user


async def _status(client: Client, path: str) -> int:
    async with client.get(path) as answer:
        return answer.status
