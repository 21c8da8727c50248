"""A whole deployment: booted, served and stopped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from kernel import PUBLIC, SIGNED_IN, Context, Manifest, Permission, Plugin, Request, Route, get, hookimpl
from kernel.members import State
from kernel.testing.deploying import Deploy


class Greeting(msgspec.Struct):
    text: str


class Greeter(Plugin):
    manifest: ClassVar[Manifest] = Manifest(name="greeter", version="1")

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        return [Permission(name="greeter.admin", summary="Look behind", roles=("admin",))]

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def hello(request: Request) -> Greeting:
            return Greeting("hello")

        return [
            get("/hello", hello, permission=PUBLIC),
            get("/me", hello, permission=SIGNED_IN),
            get("/admin", hello, permission="greeter.admin"),
        ]


async def test_deployment_serves_a_plugin(deploy: Deploy) -> None:
    """A plugin's routes answer under its name, to whoever may call them."""
    deployment = await deploy(plugins=[Greeter])

    assert await deployment.client().call("GET", "/api/v1/greeter/hello") == {"text": "hello"}
    await deployment.client().call("GET", "/api/v1/greeter/me", expect=401)
    await deployment.client("student").call("GET", "/api/v1/greeter/admin", expect=403)
    assert await deployment.client("admin").call("GET", "/api/v1/greeter/admin") == {"text": "hello"}
    assert [member.state for member in deployment.platform.states() if member.name == "greeter"] == [State.STARTED]


async def test_people_sign_in_with_the_real_auth(deploy: Deploy) -> None:
    """With `auth` and `mail` on, people sign in by mail and get roles from an administrator."""
    deployment = await deploy("auth", "mail", plugins=[Greeter])

    student = await deployment.sign_in("ada@example.org")
    admin = await deployment.sign_in("bob@example.org", roles=["admin"])

    await student.call("GET", "/api/v1/greeter/me")
    await student.call("GET", "/api/v1/greeter/admin", expect=403)
    await admin.call("GET", "/api/v1/greeter/admin")
