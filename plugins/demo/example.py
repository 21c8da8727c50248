"""The example itself: an administrator, an instructor, published courses and a batch of vouchers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kernel import Context
from kernel.contracts.payments import PAYMENTS
from plugins.demo.api import Api
from plugins.demo.people import People

CONTENT: Final = tomllib.loads(Path(__file__).with_name("content.toml").read_text(encoding="utf-8"))


class Example:
    """Makes the example over *api*."""

    def __init__(self, ctx: Context, api: Api) -> None:
        self._services = ctx.services
        self._people = People(ctx, api)
        self._api = api

    async def is_missing(self) -> bool:
        """Return whether there is no published course yet."""
        return not (await self._api.call("GET", "/courses?limit=1"))["items"]

    async def make(self) -> tuple[str, ...]:
        """Make everything; return the codes of the vouchers, which nobody can read again."""
        admin = await self._people.token(CONTENT["admin"], "Administrator", "admin")
        teacher = await self._people.token(CONTENT["instructor"], CONTENT["instructor_name"], "instructor")
        for course in CONTENT["courses"]:
            await self._publish(course, teacher, admin)
        return await self._vouchers(admin) if self._services.find(PAYMENTS) else ()

    async def _publish(self, course: Mapping[str, Any], teacher: str, admin: str) -> None:
        facts = {key: value for key, value in course.items() if key != "sections"}
        path = f"/courses/{(await self._api.call('POST', '/courses', facts, token=teacher))['id']}"
        for section in course["sections"]:
            title = {"title": section["title"]}
            added = await self._api.call("POST", f"{path}/sections", title, token=teacher)
            for lesson in section["lessons"]:
                await self._api.call("POST", f"{path}/sections/{added['id']}/lessons", lesson, token=teacher)
        await self._api.call("POST", f"{path}/submit", token=teacher)
        await self._api.call("POST", f"{path}/publish", token=admin)

    async def _vouchers(self, admin: str) -> tuple[str, ...]:
        batch = {"count": CONTENT["voucher_count"], "amount": CONTENT["voucher_amount"], "tag": "demo"}
        return tuple((await self._api.call("POST", "/payments/voucher-batches", batch, token=admin))["codes"])
