"""A small shop: courses, people with money, and purchases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from kernel import Plugin
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import PAYMENTS, Payments
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCourses, InMemoryCoursesPlugin
from plugins.enrollments.running import Runner
from plugins.enrollments.sweeping import Sweeper

ENROLLMENTS: Final = "/api/v1/enrollments"
PURCHASES: Final = f"{ENROLLMENTS}/purchases"
PRICE: Final = 1900
JSON = dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """A deployment with payments and enrolments, its courses and an administrator."""

    deployment: Deployment
    courses: InMemoryCourses
    admin: Client

    def course(self, price: int = PRICE, *, status: str = "published") -> UUID:
        """Return a new published course."""
        return self.courses.add(price, status=status)

    async def student(self, balance: int = 0) -> Client:
        """Return a person with *balance* in the wallet."""
        client = self.deployment.client("student")
        if balance:
            await self.fund(client, balance)
        return client

    async def fund(self, client: Client, amount: int) -> None:
        """Let the client redeem a voucher of *amount*."""
        code = {"code": await self.voucher(amount=amount)}
        await client.call("POST", "/api/v1/payments/vouchers/redeem", code, headers=new_key())

    async def access(self, client: Client, course: UUID) -> JSON:
        """Return the explanation of the client's access to *course*."""
        found: JSON = await client.call("GET", f"{ENROLLMENTS}/access/explain", params={"course_id": str(course)})
        return found

    async def grant(self, client: Client, course: UUID, **facts: object) -> JSON:
        """Give access to the client; return the grant."""
        body = {"user_id": str(client.user), "course_id": str(course), "reason": "Scholarship.", **facts}
        found: JSON = await self.admin.call("POST", f"{ENROLLMENTS}/grants", body, expect=201)
        return found

    async def voucher(self, **terms: object) -> str:
        """Return the code of a new voucher with the fields of `NewVoucherBatch`."""
        body = {"count": 1, **terms}
        made = await self.admin.call("POST", "/api/v1/payments/voucher-batches", body, expect=201, headers=new_key())
        return str(made["codes"][0])

    async def change(self, grant: object, step: str, expect: int = 200) -> JSON:
        """Revoke, suspend or resume a grant; return it."""
        path = f"{ENROLLMENTS}/grants/{grant}/{step}"
        found: JSON = await self.admin.call("POST", path, {"reason": "So."}, expect=expect)
        return found

    async def limit(self, course: UUID, seats: int | None) -> JSON:
        """Give *course* a number of seats; return its terms."""
        found: JSON = await self.admin.call("PUT", terms(course), {"seats": seats})
        return found

    async def taken(self, course: UUID) -> int:
        """Return how many seats are taken, as the course's terms say."""
        return int((await self.admin.call("GET", terms(course)))["taken"])

    async def sweep(self) -> None:
        """Let the sweeper look twice: what it told once it does not tell again."""
        for _ in range(2):
            await Sweeper(self.deployment.platform.context("enrollments")).sweep()

    async def restarted(self, settings: dict[str, dict[str, object]] | None = None) -> None:
        """Start the processes anew, as after a crash, and let the events be handled."""
        await self.deployment.restart(
            "payments", "enrollments", plugins=(InMemoryCoursesPlugin,), settings=settings or {}
        )

    async def settle(self) -> None:
        """Return when every event has been handled and the errands that were left for after have been tried."""
        await settle(self.deployment)

    def payments(self) -> Payments:
        """Return the running provider."""
        return self.deployment.platform.services.get(PAYMENTS)

    def replace_payments(self, provider: Payments) -> None:
        """Let the other plugins find *provider* from now on."""
        self.deployment.platform.services.provide(PAYMENTS, provider)


async def open_shop(deploy: Deploy, *plugins: type[Plugin[Any]], **settings: object) -> Shop:
    """Start a deployment with payments, enrolments and *plugins*; *settings* are those of enrolments."""
    tables: dict[str, dict[str, object]] = {
        "enrollments": settings,
        "payments": {"redeem_per_address": ["100000/minute"]},
    }
    deployment = await deploy("payments", "enrollments", plugins=(InMemoryCoursesPlugin, *plugins), settings=tables)
    courses = deployment.platform.services.get(COURSES)
    assert isinstance(courses, InMemoryCourses)
    return Shop(deployment, courses, deployment.client("admin"))


async def settle(deployment: Deployment) -> None:
    """Return when every event has been handled and the errands of enrolments have been tried."""
    await deployment.settle()
    await Runner(deployment.platform.context("enrollments")).run()
    await deployment.settle()


def terms(course: UUID) -> str:
    """Return the path of the course's terms."""
    return f"{ENROLLMENTS}/courses/{course}/terms"


def new_key() -> dict[str, str]:
    """Return the header of a request that was never sent before."""
    return {"Idempotency-Key": str(uuid4())}


def order(course: UUID, **facts: object) -> JSON:
    """Return the body of a purchase."""
    return {"course_id": str(course), **facts}


async def buy(client: Client, course: UUID, *, expect: int = 201, key: str | None = None, **facts: object) -> JSON:
    """Buy *course*; return the answer."""
    headers = {"Idempotency-Key": key} if key else new_key()
    answer: JSON = await client.call("POST", PURCHASES, order(course, **facts), expect=expect, headers=headers)
    return answer


async def balance(client: Client) -> int:
    """Return what is in the client's wallet."""
    return int((await client.call("GET", "/api/v1/payments/wallet"))["balance"])
