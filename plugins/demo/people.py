"""The people of the example: they sign in with a code, as everybody does."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from kernel import Context, errors
from kernel.contracts.auth import AUTH
from plugins.demo.api import Api
from plugins.demo.letters import Letters

MAIL_SECONDS: Final = 10.0  # within which a sign-in code must have arrived

_CODE: Final = re.compile(r"\b\d{6}\b")


class NoCode(errors.LyceumError):
    """No sign-in code came."""


class People:
    """Signs people in at *api*."""

    def __init__(self, ctx: Context, api: Api) -> None:
        self._services = ctx.services
        self._letters = ctx.own(Letters)
        self._api = api

    async def token(self, email: str, name: str, role: str) -> str:
        """Return an access token of the person with *email*, who has *role* from now on."""
        letter = self._letters.expect(email)
        challenge = await self._api.call("POST", "/auth/codes", {"email": email})
        answer = {"challenge_id": challenge["challenge_id"], "code": await _code(letter, email), "display_name": name}
        session = await self._api.call("POST", "/auth/sessions", answer)
        await self._services.get(AUTH).grant(email, [role])
        renewal = {"refresh_token": session["refresh_token"]}
        token: str = (await self._api.call("POST", "/auth/tokens", renewal))["access_token"]  # which bears the role
        return token


async def _code(letter: asyncio.Future[str], email: str) -> str:
    try:
        found = _CODE.search(await asyncio.wait_for(letter, MAIL_SECONDS))
    except TimeoutError as error:
        raise NoCode(f"no mail to {email} came within {MAIL_SECONDS:g} s") from error
    if found is None:
        raise NoCode(f"the mail to {email} holds no sign-in code")
    return found.group()
