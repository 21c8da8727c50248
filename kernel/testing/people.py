"""People for tests with the real `auth`: they sign in by code, and an administrator gives them roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from kernel.testing.clients import Client

if TYPE_CHECKING:
    from kernel.testing.deployment import Deployment

ADMINISTRATOR: Final = "administrator@lyceum.test"


class People:
    """Whoever signs in to one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._administrator: Client | None = None

    async def sign_in(self, email: str, roles: Sequence[str]) -> Client:
        """Return a client for the person with *email*, who has *roles* beside those that everyone has."""
        tokens = await self._tokens(email)
        if roles:
            wanted = {"roles": sorted({*tokens["user"]["roles"], *roles})}
            administrator = await self.administrator()
            await administrator.call("PUT", f"/api/v1/auth/accounts/{tokens['user']['id']}/roles", wanted)
            tokens = await self._post("tokens", {"refresh_token": tokens["refresh_token"]}, expect=200)
        return self._client(tokens)

    async def administrator(self) -> Client:
        """Return a client for an administrator, whom the command line made."""
        if self._administrator is None:
            result = await self._deployment.command("auth", "create-admin", ADMINISTRATOR)
            assert result.exit_code == 0, result.output
            self._administrator = self._client(await self._tokens(ADMINISTRATOR))
        return self._administrator

    async def _tokens(self, email: str) -> Any:
        challenge = await self._post("codes", {"email": email}, expect=202)
        answer = {"challenge_id": challenge["challenge_id"], "code": await self._deployment.mailbox.code(email)}
        return await self._post("sessions", answer, expect=201)

    async def _post(self, path: str, body: object, *, expect: int) -> Any:
        return await self._deployment.client().call("POST", f"/api/v1/auth/{path}", body, expect=expect)

    def _client(self, tokens: Any) -> Client:
        return self._deployment.client(token=tokens["access_token"], user=UUID(tokens["user"]["id"]))
