"""All providers, with the connections to them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import aiohttp

from kernel import Context, problems
from lyceum_oidc.flows import SWEEP_EVERY, Flows
from lyceum_oidc.provider import Provider
from lyceum_oidc.settings import OidcSettings, ProviderSettings


class Providers:
    """Finds a provider by its name."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._ctx = ctx
        self._running: dict[str, Provider] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections as long as the plugin runs, and clear away sign-ins that nobody ended."""
        ctx = self._ctx
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            self._running = {
                name: Provider(one, http, ctx.clock, ctx.log) for name, one in ctx.settings.providers.items()
            }
            ctx.tasks.every(SWEEP_EVERY, ctx.own(Flows).sweep, name="sweep sign-ins")
            yield

    def settings(self, name: str) -> ProviderSettings:
        """Return how the provider is set.

        Raises:
            problems.NotFound: there is none of that name.
        """
        try:
            return self._ctx.settings.providers[name]
        except KeyError as error:
            raise problems.NotFound from error

    def get(self, name: str) -> Provider:
        """Return the provider.

        Raises:
            problems.NotFound: there is none of that name.
        """
        self.settings(name)
        return self._running[name]
