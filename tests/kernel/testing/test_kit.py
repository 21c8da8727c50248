"""What a deployment of a test has: fakes of what nobody provides, clients for HTTP and WebSockets, people by role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from uuid import uuid4

import pytest
from aiohttp import WSMsgType, web

from kernel import SIGNED_IN, Context, Manifest, Plugin, Request, Route, errors, get, hookimpl
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import PAYMENTS
from kernel.testing.deploying import Deploy
from kernel.testing.fakes import FAKES, stand_ins
from kernel.testing.fakes.courses import InMemoryCourses
from kernel.testing.fakes.payments import InMemoryPayments


class ShopPlugin(Plugin):
    """Requires what sells, and talks over a WebSocket."""

    manifest: ClassVar[Manifest] = Manifest(name="shop", version="1", requires=(PAYMENTS,))

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        return [get("/talk", talk, permission=SIGNED_IN), get("/me", me, permission=SIGNED_IN)]


async def me(request: Request) -> list[str]:
    """Say in which roles somebody calls."""
    return sorted(request.principal.roles)


async def talk(request: Request) -> web.StreamResponse:
    """Say back what is said, to the person who says it."""
    socket = web.WebSocketResponse()
    await socket.prepare(request.http)
    async for message in socket:
        await socket.send_str(f"{request.principal.id}: {message.data}")
    return socket


async def test_what_is_required_and_not_named_is_taken_from_memory(deploy: Deploy) -> None:
    """The fake of payments requires courses, so that their fake is there as well."""
    deployment = await deploy(plugins=[ShopPlugin])
    services = deployment.platform.services

    assert type(services.get(PAYMENTS)) is InMemoryPayments
    assert type(services.get(COURSES)) is InMemoryCourses


async def test_fake_gives_way_to_whoever_is_named(deploy: Deploy) -> None:
    """Only what payments themselves lack is taken from memory."""
    deployment = await deploy("payments", plugins=[ShopPlugin])
    services = deployment.platform.services

    assert type(services.get(PAYMENTS)) is not InMemoryPayments
    assert type(services.get(COURSES)) is InMemoryCourses


async def test_what_has_no_fake_is_missed_as_on_the_command_line(deploy: Deploy) -> None:
    """The refusal says who requires it."""

    class Stranded(Plugin):
        manifest: ClassVar[Manifest] = Manifest(
            name="stranded", version="1", requires=(type(PAYMENTS)("telepathy", 1),)
        )

    with pytest.raises(errors.MissingCapability, match=r"telepathy/1"):
        await deploy(plugins=[Stranded])


def test_each_fake_provides_what_it_is_listed_for() -> None:
    """Alone, or with the fakes of what it requires."""
    for capability, fake in FAKES.items():
        provided = {one for kind in (fake, *stand_ins([fake.manifest])) for one in kind.manifest.provides}

        assert capability in fake.manifest.provides
        assert set(fake.manifest.requires) <= provided


async def test_web_socket_is_opened_as_whoever_the_client_is(deploy: Deploy) -> None:
    """A plugin's route answers with a WebSocket of its own."""
    deployment = await deploy(plugins=[ShopPlugin])
    person = uuid4()

    async with deployment.client("student", user=person).ws("/api/v1/shop/talk") as socket:
        await socket.send_str("hello")
        answer = await socket.receive()

    assert (answer.type, answer.data) == (WSMsgType.TEXT, f"{person}: hello")


async def test_somebody_of_a_role_is_had_by_its_name(deploy: Deploy) -> None:
    """Believed where `auth` is left out; where it is on, they sign in and an administrator gives them the role."""
    believed = await deploy(plugins=[ShopPlugin])
    checked = await deploy("auth", "mail", plugins=[ShopPlugin])

    for deployment in (believed, checked):
        client = await deployment.as_user("instructor")
        assert "instructor" in await client.call("GET", "/api/v1/shop/me")
