"""A deployment with a plugin that is no contract's, and administrators who let others know of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from receiving import Receiver

from kernel import Event, Manifest, Personal, Plugin, new_id
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

API: Final = "/api/v1/webhooks"
PATIENCE: Final = 15.0  # seconds
#: Fast enough for tests; the receiver is on this machine, which no deployment of its own accord delivers to.
SETTINGS: Final[dict[str, object]] = {"poll": 0.05, "allow_networks": ["127.0.0.0/8"]}


class Sold(Event, frozen=True, kw_only=True):
    """A customer bought something."""

    name: ClassVar[str] = "shop.sold.v1"
    key: ClassVar[str] = "customer"
    personal: ClassVar[Personal] = {"customer": {"words": ""}}
    customer: UUID
    number: int
    words: str = ""


class Closed(Event, frozen=True, kw_only=True):
    """The shop closed."""

    name: ClassVar[str] = "shop.closed.v1"
    key: ClassVar[str] = "day"
    day: str


class ShopPlugin(Plugin):
    """Publishes events of its own."""

    manifest: ClassVar[Manifest] = Manifest(name="shop", version="1", publishes=(Sold, Closed))


@dataclass
class House:
    """The deployment, somebody who manages its webhooks, and whom it tells."""

    deployment: Deployment
    administrator: Client
    receiver: Receiver

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        return await self.administrator.call(method, f"{API}{path}", body, **options)

    async def add(self, *event_types: str, url: str | None = None, expect: int = 201) -> tuple[str, str]:
        """Register the receiver; return id and secret of the endpoint."""
        body = {"url": url or self.receiver.url, "event_types": event_types or ("shop.*",)}
        added = await self.call("POST", "/endpoints", body, expect=expect)
        return added["endpoint"]["id"], added["secret"]

    async def publish(self, *events: Event) -> None:
        """Publish *events* in one transaction, and have them received."""
        ctx = self.deployment.platform.context("shop")
        async with ctx.db.transaction() as session:
            for event in events:
                await ctx.events.publish(session, event)
        await self.deployment.settle()

    async def sell(self, *numbers: int) -> None:
        await self.publish(*(Sold(customer=new_id(), number=number) for number in numbers or (1,)))

    async def deliveries(self, endpoint: str, **query: Any) -> list[dict[str, Any]]:
        """Return the deliveries to *endpoint*, the newest first."""
        found = await self.call("GET", f"/endpoints/{endpoint}/deliveries", params={"limit": 100, **query})
        return list(found["items"])

    async def until(self, endpoint: str, state: str, attempts: int = 1) -> dict[str, Any]:
        """Return the newest delivery to *endpoint* once it is in *state* and nothing of it is under way."""
        async with asyncio.timeout(PATIENCE):
            while True:
                newest = next(iter(await self.deliveries(endpoint)), None)
                tried = newest and (newest["status"] is not None or newest["error"])
                if newest and tried and newest["state"] == state and newest["attempts"] >= attempts:
                    return newest
                await asyncio.sleep(0.02)

    async def endpoint(self, endpoint: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.call("GET", f"/endpoints/{endpoint}")
        return found


async def make_house(deploy: Deploy, receiver: Receiver, *names: str, **settings: object) -> House:
    deployment = await deploy(
        "webhooks",
        *names,
        plugins=[ShopPlugin],
        settings={"webhooks": {**SETTINGS, **settings}},
        sections={"server": {"development": True}},
    )
    return House(deployment, deployment.client("admin"), receiver)
