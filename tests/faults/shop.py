"""Buying at a site: courses, money, and what became of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from kernel import new_id
from kernel.testing.clients import Client
from plugins.payments.chain import Seal
from plugins.payments.verify import Fault, Progress, verify
from tests.faults.racing import Wish
from tests.faults.site import People, Server, Site

COURSES: Final = "/api/v1/courses"
ENROLLMENTS: Final = "/api/v1/enrollments"
PURCHASES: Final = f"{ENROLLMENTS}/purchases"
REDEEM: Final = "/api/v1/payments/vouchers/redeem"
BATCHES: Final = "/api/v1/payments/voucher-batches"
PRICE: Final = 1900
JSON = dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """The people of a site who sell, and courses to be sold."""

    site: Site
    people: People
    teacher: Client
    admin: Client
    post: Client  #: carries what students send, each with a token of their own

    async def course(self, price: int = PRICE) -> str:
        """Return the id of a new published course."""
        facts = {"title": "Knots", "summary": "Five.", "description": "A rope.", "category": "sport", "price": price}
        course: str = (await self.teacher.call("POST", COURSES, facts, expect=201))["id"]
        path = f"{COURSES}/{course}"
        section = await self.teacher.call("POST", f"{path}/sections", {"title": "One"}, expect=201)
        lesson = {"title": "Bowline", "kind": "article", "text": "A loop."}
        await self.teacher.call("POST", f"{path}/sections/{section['id']}/lessons", lesson, expect=201)
        await self.teacher.call("POST", f"{path}/submit")
        await self.admin.call("POST", f"{path}/publish")
        return course

    async def courses(self, count: int) -> list[str]:
        """Return the ids of so many new courses."""
        return list(await asyncio.gather(*(self.course() for _ in range(count))))

    async def voucher(self, amount: int, *, uses: int = 1) -> str:
        """Return the code of a new voucher."""
        body = {"count": 1, "amount": amount, "max_uses": uses}
        made = await self.admin.call("POST", BATCHES, body, expect=201, headers=new_key())
        return str(made["codes"][0])

    async def student(self, code: str | None = None) -> Student:
        """Return somebody new, who has redeemed the voucher *code*."""
        user = new_id()
        student = Student(self.post, user, await self.people.token(user=user))
        if code is not None:
            await student.call("POST", REDEEM, {"code": code})
        return student

    async def settled(self) -> None:
        """Return when every event has been handled."""
        async with self.site.inside() as platform:
            await platform.events.settle()

    async def faults(self) -> list[Fault]:
        """Return what `lyceum payments verify` finds."""
        async with self.site.inside() as platform:
            ctx = platform.context("payments")
            return [fault async for fault in verify(ctx.db, Seal(ctx.secrets), Progress())]


@dataclass(frozen=True)
class Student:
    """Somebody who buys."""

    post: Client
    user: UUID
    token: str

    async def call(self, method: str, path: str, body: object = None, *, expect: int | None = None, **more: Any) -> Any:
        """Do as `Client.call`, with the token and a new idempotency key."""
        headers = {"Authorization": f"Bearer {self.token}", **new_key()}
        return await self.post.call(method, path, body, expect=expect, headers=headers, **more)

    async def balance(self) -> int:
        """Return what is in the wallet."""
        return int((await self.call("GET", "/api/v1/payments/wallet"))["balance"])

    async def owns(self) -> list[str]:
        """Return the ids of the courses that the student has access to."""
        found = await self.call("GET", f"{ENROLLMENTS}/mine", params={"limit": 100})
        return [item["course_id"] for item in found["items"]]

    def order(self, course: str, key: str | None = None) -> Wish:
        """Return the request that buys *course*."""
        return Wish(path=PURCHASES, body={"course_id": course}, token=self.token, key=key)


def new_key() -> dict[str, str]:
    """Return the header of a request that was never sent before."""
    return {"Idempotency-Key": str(uuid4())}


@asynccontextmanager
async def opened(site: Site, people: People, server: Server) -> AsyncIterator[Shop]:
    """Give a shop at *server*."""
    async with (
        people.client(server, "instructor", "student") as teacher,
        people.client(server, "admin") as admin,
        people.client(server) as post,
    ):
        yield Shop(site, people, teacher, admin, post)
