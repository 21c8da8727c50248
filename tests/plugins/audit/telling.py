"""A plugin whose administrator does things, and ways to look at the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

import msgspec

from kernel import PUBLIC, Context, Manifest, Plugin, Request, Route, hookimpl, new_id, post
from kernel.contracts.audit import ActRecorded, act
from kernel.database import Session
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

ACTS: Final = "/api/v1/audit/acts"
DO: Final = "/api/v1/garden"
JSON = dict[str, Any]


class Doing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done."""

    action: str = "garden.water"
    subject: str = "bed:1"
    reason: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    about: UUID | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] = 1


class GardenPlugin(Plugin):
    """Somebody waters and weeds."""

    manifest: ClassVar[Manifest] = Manifest(name="garden", version="1", publishes=(ActRecorded,))

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def do(request: Request, body: Doing, session: Session) -> None:
            for _ in range(body.times):
                told = act(
                    request,
                    body.action,
                    body.subject,
                    before=body.before,
                    after=body.after,
                    reason=body.reason,
                    about=body.about,
                )
                await ctx.events.publish(session, told)

        return [post("", do, permission=PUBLIC)]


async def open_garden(deploy: Deploy) -> Deployment:
    """Start a deployment with the log and the garden."""
    return await deploy("audit", plugins=[GardenPlugin])


async def do(client: Client, **doing: object) -> None:
    """Have *client* do something."""
    await client.call("POST", DO, doing, expect=204)


async def acts(deployment: Deployment, query: str = "") -> list[JSON]:
    """Return the acts that an administrator sees, after all that was told has arrived."""
    await deployment.settle()
    found = await deployment.client("admin").call("GET", f"{ACTS}?{query}")
    items: list[JSON] = found["items"]
    return items


def somebody(deployment: Deployment) -> Client:
    """Return a client of a new person who may do things in the garden."""
    return deployment.client("student", user=new_id())
