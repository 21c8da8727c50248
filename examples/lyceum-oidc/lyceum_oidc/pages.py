"""The pages: choosing a provider, the way there and back, and what is linked to one's account."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp.web import Response

from kernel import PUBLIC, SIGNED_IN, Context, Request, web
from lyceum_oidc.api import OidcApi
from lyceum_oidc.flows import HOME
from lyceum_oidc.settings import OidcSettings
from lyceum_oidc.signing_in import ACCOUNT, CALLBACK, Going, SigningIn, require_self

_HERE: Final = Path(__file__).parent
_SEE_OTHER: Final = 303


def declarations(ctx: Context[OidcSettings]) -> tuple[web.PageDeclaration, ...]:
    """Return everything that the plugin gives to the site."""
    pages, rate = OidcPages(ctx), ctx.settings.rate
    slots = (web.Slot(name="sign-in", template="oidc/slot.html"),) if ctx.settings.providers else ()
    return (
        web.Templates(_HERE / "templates"),
        web.StaticFiles(_HERE / "static"),
        *slots,
        web.Page(path="/oidc", template="oidc/choice.html", handler=pages.choice, permission=PUBLIC),
        web.Page(
            path="/oidc/{provider}/begin",
            template="oidc/choice.html",
            handler=pages.begin,
            permission=PUBLIC,
            rate=rate,
        ),
        web.Page(path=CALLBACK, template="oidc/choice.html", handler=pages.callback, permission=PUBLIC, rate=rate),
        web.Page(path=ACCOUNT, template="oidc/account.html", handler=pages.account, permission=SIGNED_IN),
    )


class OidcPages:
    """What a browser asks for."""

    def __init__(self, ctx: Context[OidcSettings]) -> None:
        self._signing_in = ctx.own(SigningIn)
        self._api = ctx.own(OidcApi)
        self._providers = [{"name": name, "label": one.label} for name, one in ctx.settings.providers.items()]

    async def choice(self, request: Request) -> Mapping[str, object]:
        return {"providers": self._providers}

    async def begin(self, request: Request) -> Response:
        target = request.http.query.get("next", HOME)
        return _going(await self._signing_in.begin(request.http, request.http.match_info["provider"], target))

    async def callback(self, request: Request) -> Response:
        return _going(await self._signing_in.end(request))

    async def account(self, request: Request) -> Mapping[str, object]:
        return {"links": await self._api.seen(require_self(request)), "providers": self._providers}


def _going(going: Going) -> Response:
    response = Response(status=_SEE_OTHER, headers={"Location": going.to, "Cache-Control": "no-store"})
    for one in going.cookies:
        response.set_cookie(
            one.name,
            one.value,
            max_age=one.max_age,
            path=one.path,
            secure=one.secure,
            samesite=one.samesite,
            httponly=True,
        )
    return response
