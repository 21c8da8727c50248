"""An example for an empty development deployment, made as people would make it: over the HTTP API.

An administrator, an instructor, published courses and a batch of vouchers; the sign-in codes are read in the mailbox.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from kernel import errors
from kernel.ids import new_id

CONTENT: Final = tomllib.loads(Path(__file__).with_name("demo.toml").read_text(encoding="utf-8"))
MAIL_SECONDS: Final = 10.0  # within which a sign-in code must have arrived
NEEDS: Final = ("auth", "courses", "mail")  # capabilities

_MAIL: Final = re.compile(r"<td>(?P<to>[^<]+)</td>\s*<td><a href=\"(?P<path>/-/mailbox/[^\"]+)\"")
_CODE: Final = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE)


class DemoFailed(errors.LyceumError):
    """The example could not be made; the deployment runs without it."""


class Demo:
    """Makes the example. *http* has the server's address as its base; *make_admin* does what the command line does."""

    def __init__(self, http: aiohttp.ClientSession, make_admin: Callable[[str], Awaitable[None]]) -> None:
        self._http = http
        self._make_admin = make_admin

    async def is_wanted(self) -> bool:
        """Return whether there is no published course yet."""
        return not (await self._call("GET", "/courses?limit=1"))["items"]

    async def make(self, *, vouchers: bool, on_step: Callable[[str], None]) -> tuple[str, ...]:
        """Make everything; return the codes of the vouchers, which nobody can read again."""
        on_step("an administrator")
        await self._make_admin(CONTENT["admin"])
        admin = await self._sign_in(CONTENT["admin"], "Administrator")
        on_step("an instructor")
        teacher = await self._sign_in(CONTENT["instructor"], CONTENT["instructor_name"])
        roles = {"roles": ["student", "instructor"]}
        await self._call("PUT", f"/auth/accounts/{teacher['user']['id']}/roles", admin, roles)
        renewal = {"refresh_token": teacher["refresh_token"]}
        teacher = await self._call("POST", "/auth/tokens", body=renewal)  # its token bears the new role
        for course in CONTENT["courses"]:
            on_step(course["title"])
            await self._publish(course, teacher, admin)
        return await self._vouchers(admin) if vouchers else ()

    async def _publish(self, course: Mapping[str, Any], teacher: Mapping[str, Any], admin: Mapping[str, Any]) -> None:
        facts = {key: value for key, value in course.items() if key != "sections"}
        path = f"/courses/{(await self._call('POST', '/courses', teacher, facts))['id']}"
        for section in course["sections"]:
            added = await self._call("POST", f"{path}/sections", teacher, {"title": section["title"]})
            lessons = f"{path}/sections/{added['id']}/lessons"
            for lesson in section["lessons"]:
                await self._call("POST", lessons, teacher, lesson)
        await self._call("POST", f"{path}/submit", teacher)
        await self._call("POST", f"{path}/publish", admin)

    async def _vouchers(self, admin: Mapping[str, Any]) -> tuple[str, ...]:
        batch = {"count": CONTENT["voucher_count"], "amount": CONTENT["voucher_amount"], "tag": "demo"}
        return tuple((await self._call("POST", "/payments/voucher-batches", admin, batch))["codes"])

    async def _sign_in(self, email: str, name: str) -> dict[str, Any]:
        challenge = await self._call("POST", "/auth/codes", body={"email": email})
        code = await self._code(email)
        answer = {"challenge_id": challenge["challenge_id"], "code": code, "display_name": name}
        return await self._call("POST", "/auth/sessions", body=answer)

    async def _code(self, email: str) -> str:
        try:
            async with asyncio.timeout(MAIL_SECONDS):
                while not (path := await self._mail_to(email)):  # noqa: ASYNC110 - the mailbox tells nobody of new mail
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise DemoFailed(f"no sign-in code for {email} came within {MAIL_SECONDS:g} s") from error
        found = _CODE.search(await self._page(path))
        if found is None:
            raise DemoFailed(f"the mail to {email} holds no sign-in code")
        return found[1]

    async def _mail_to(self, email: str) -> str | None:
        mails = _MAIL.finditer(await self._page("/-/mailbox"))
        return next((mail["path"] for mail in mails if mail["to"] == email), None)

    async def _page(self, path: str) -> str:
        async with self._http.get(path) as answer:
            if answer.status != 200:
                raise DemoFailed(f"GET {path} answered {answer.status}")
            return await answer.text()

    async def _call(
        self, method: str, path: str, who: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(new_id())} | (
            {"Authorization": f"Bearer {who['access_token']}"} if who else {}
        )
        async with self._http.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
            if answer.status >= 400:
                raise DemoFailed(f"{method} {path} answered {answer.status}: {await answer.text()}")
            found: dict[str, Any] = await answer.json() if answer.status != 204 else {}
            return found
