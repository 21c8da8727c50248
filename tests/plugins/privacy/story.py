"""The story of a person who does all that can be done on the platform, with values that are found nowhere else."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

import msgspec

from kernel import Context, Delivery, EventHandler, Manifest, Plugin, hookimpl, on
from kernel.contracts.auth import UserRegistered
from kernel.contracts.users import ProfileChanged
from kernel.database import Session
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.enrollments.running import Runner
from plugins.privacy import erasures
from plugins.privacy.api import PrivacyApi
from plugins.privacy.erasing import SETTLING, Erasing
from plugins.privacy.exporting import Exporting

API: Final = "/api/v1"
PRICE: Final = 4900
PLUGINS: Final = ("audit", "auth", "courses", "demo", "enrollments", "mail", "payments", "privacy", "users", "web")
#: One failure makes a dead letter.
ONE_TRY: Final = {"events": {"attempts": 1}}

EMAIL: Final = "zdenka.quuxwell@faraway.test"
AGENT: Final = "QuuxBrowser/7.1 (Zdenkas own)"
PROFILE: Final = {
    "display_name": "Zdenka Quuxwell",
    "headline": "Glassblower of quuxes",
    "biography": "Born under a quuxberry tree, and never left it.",
    "website": "https://quuxwell-glass.test/",
}
FIRST_NAME_TOLD: Final = "Zdenka Whenshecame"
GRANT_REASON: Final = "Because her quuxmother asked so kindly."
REFUND_REASON: Final = "Wept for two days over lesson three."
#: What is to be found nowhere after an erasure.
VALUES: Final = (EMAIL, "zdenka", AGENT, FIRST_NAME_TOLD, *PROFILE.values())
#: What administrators gave as reasons: it stays where it has to, and nowhere else.
WORDS: Final = (GRANT_REASON, REFUND_REASON)

_CODE: Final = re.compile(r"\b\d{6}\b")


class Grumbler(Plugin):
    """Handles nothing, and says everything about it."""

    manifest: ClassVar[Manifest] = Manifest(name="grumbler", version="1")

    @hookimpl
    def event_handlers(self, ctx: Context) -> tuple[EventHandler, ...]:
        async def registered(session: Session, delivery: Delivery[UserRegistered]) -> None:
            raise RuntimeError(f"{delivery.event.email} of {delivery.event.display_name} again")

        async def changed(session: Session, delivery: Delivery[ProfileChanged]) -> None:
            raise RuntimeError(f"who is {delivery.event.display_name}")

        return on(UserRegistered, registered, name="registered"), on(ProfileChanged, changed, name="changed")


@dataclass(frozen=True)
class Story:
    """A deployment with people, and what was made there."""

    deployment: Deployment
    administrator: Client
    person: Client
    bystander: Client
    course: UUID  #: that the person teaches
    purchase: UUID  #: of the person, refunded

    @property
    def user(self) -> UUID:
        assert self.person.user is not None
        return self.person.user


async def tell(deploy: Deploy, *, plugins: tuple[str, ...] = PLUGINS) -> Story:
    """Let all of it happen."""
    deployment = await deploy(*plugins, plugins=[Grumbler], sections=ONE_TRY)
    administrator = await deployment.people.administrator()
    bystander = await deployment.sign_in("bystander@elsewhere.test", roles=["instructor"])
    await bystander.call("PATCH", f"{API}/users/me", {"display_name": "Bystander Stays", "biography": "I stay."})
    person = await sign_in(deployment, FIRST_NAME_TOLD)
    await deployment.settle()
    await person.call("PATCH", f"{API}/users/me", PROFILE, headers=new_key())
    roles = {"roles": ["instructor", "student"]}
    await administrator.call("PUT", f"{API}/auth/accounts/{person.user}/roles", roles, headers=new_key())
    await deployment.settle()

    course = await publish(deployment, person, administrator, "Glass from sand")
    others = await publish(deployment, bystander, administrator, "Standing by")
    gift = await publish(deployment, bystander, administrator, "Standing still")
    for buyer in (person, bystander):
        await top_up(buyer, administrator)
    await buy(bystander, course)
    purchase = await buy(person, others)
    await administrator.call(
        "POST", f"{API}/enrollments/purchases/{purchase}/refund", {"reason": REFUND_REASON}, headers=new_key()
    )
    grant = {"user_id": str(person.user), "course_id": str(gift), "reason": GRANT_REASON}
    given = await administrator.call("POST", f"{API}/enrollments/grants", grant, expect=201)
    await administrator.call("POST", f"{API}/enrollments/grants/{given['id']}/revoke", {"reason": GRANT_REASON})
    await settle(deployment)
    deployment.clock.advance(61)
    await deployment.client().call("POST", f"{API}/auth/codes", {"email": EMAIL}, expect=202)
    await deployment.mailbox.next(to=EMAIL)
    await settle(deployment)
    return Story(deployment, administrator, person, bystander, course, purchase)


async def sign_in(deployment: Deployment, name: str) -> Client:
    """Return a client for the person, who comes with a browser of her own and tells a name."""
    stranger, agent = deployment.client(), {"User-Agent": AGENT}
    asked = await stranger.call("POST", f"{API}/auth/codes", {"email": EMAIL}, headers=agent)
    code = _CODE.search((await deployment.mailbox.next(to=EMAIL)).text)
    assert code
    answer = {"challenge_id": asked["challenge_id"], "code": code.group(), "display_name": name}
    tokens = await stranger.call("POST", f"{API}/auth/sessions", answer, headers=agent)
    return deployment.client(token=tokens["access_token"], user=UUID(tokens["user"]["id"]))


async def publish(deployment: Deployment, teacher: Client, administrator: Client, title: str) -> UUID:
    """Let *teacher* make a course, which is published."""
    facts = {"title": title, "summary": "s", "description": "d", "category": "c", "price": PRICE}
    made = await teacher.call("POST", f"{API}/courses", facts, expect=201)
    path = f"{API}/courses/{made['id']}"
    section = await teacher.call("POST", f"{path}/sections", {"title": "One"}, expect=201)
    lesson = {"title": "L", "kind": "article", "text": "t"}
    await teacher.call("POST", f"{path}/sections/{section['id']}/lessons", lesson, expect=201)
    await teacher.call("POST", f"{path}/submit")
    await administrator.call("POST", f"{path}/publish")
    await deployment.settle()
    return UUID(made["id"])


async def top_up(buyer: Client, administrator: Client) -> None:
    """Let *buyer* redeem a voucher."""
    batch = {"count": 1, "amount": 2 * PRICE}
    made = await administrator.call("POST", f"{API}/payments/voucher-batches", batch, expect=201, headers=new_key())
    code = {"code": made["codes"][0]}
    await buyer.call("POST", f"{API}/payments/vouchers/redeem", code, headers=new_key())


async def buy(buyer: Client, course: UUID) -> UUID:
    """Let *buyer* buy *course*."""
    order = {"course_id": str(course)}
    bought = await buyer.call("POST", f"{API}/enrollments/purchases", order, expect=201, headers=new_key())
    return UUID(bought["purchase_id"])


async def settle(deployment: Deployment) -> None:
    """Return when every event has been handled and every errand of enrolments has been run."""
    await deployment.settle()
    await Runner(deployment.platform.context("enrollments")).run()
    await deployment.settle()


async def ask_erasure(client: Client, email: str = EMAIL) -> Any:
    """Have the person of *client* erased, by their own wish."""
    return await client.call("POST", f"{API}/privacy/erasures", {"confirm": email}, expect=202)


async def seen(deployment: Deployment, erasure: str) -> Any:
    """Return the erasure as an administrator reads it, whatever the time does to tokens."""
    ctx = deployment.platform.context("privacy")
    found = await ctx.db.one(erasures.ONE, erasure=UUID(erasure))
    return msgspec.to_builtins(await PrivacyApi(ctx)._seen(found))


async def carried_on(deployment: Deployment, erasure: str, until: str) -> Any:
    """Return the erasure once its state is *until*; time flies meanwhile."""
    async with asyncio.timeout(120):
        while True:
            await deployment.platform.context("privacy").own(Erasing).run()
            await deployment.settle()
            found = await seen(deployment, erasure)
            if found["state"] == until:
                return found
            deployment.clock.advance(SETTLING.total_seconds() if found["state"] == "confirming" else 6)
            await asyncio.sleep(0.05)


async def exported(deployment: Deployment, client: Client) -> bytes:
    """Return the archive of a new export of the person of *client*."""
    made = await client.call("POST", f"{API}/privacy/exports", expect=202)
    path = f"{API}/privacy/exports/{made['id']}"
    async with asyncio.timeout(30):
        while (await client.call("GET", path))["state"] != "ready":
            await deployment.platform.context("privacy").own(Exporting).run()
            await asyncio.sleep(0.05)
    async with client.get(f"{path}/archive") as answer:
        assert answer.status == 200
        return await answer.read()


def new_key() -> dict[str, str]:
    """Return the header of a request that was never sent before."""
    return {"Idempotency-Key": str(uuid4())}
