"""The façade for plugin authors: what it exports, and that every hook it offers is called."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

import click
from aiohttp import web as aiohttp_web

import kernel
from kernel import (
    PUBLIC,
    Capability,
    Check,
    Context,
    Delivery,
    Event,
    EventHandler,
    Manifest,
    Migrations,
    Permission,
    Plugin,
    Provide,
    Request,
    Route,
    Settings,
    get,
    hookimpl,
    on,
    web,
)
from kernel.database import Session
from kernel.hooks import HOOKS
from kernel.testing.deploying import Deploy


def test_facade_exports_what_it_lists() -> None:
    """`__all__` is alphabetical, complete, and everything in it is there."""
    public = {
        name
        for name, value in vars(kernel).items()
        if name[0].isalpha() and not (isinstance(value, types.ModuleType) and _is_submodule(name, value))
    }

    assert sorted(kernel.__all__, key=_isort_order) == kernel.__all__
    assert set(kernel.__all__) == public | {"errors", "problems", "web"}


def _is_submodule(name: str, value: types.ModuleType) -> bool:
    return value.__name__ == f"kernel.{name}"


def _isort_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


class Rung(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "bell.rung.v1"
    key: ClassVar[str] = "bell"
    bell: str


class BellSettings(Settings, frozen=True):
    loud: bool = False


BELL: Capability[str] = Capability("bell")
called: list[str] = []


class Bell(Plugin[BellSettings]):
    """Has every hook, and notes each call."""

    manifest: ClassVar[Manifest] = Manifest(name="bell", version="1", provides=(BELL,), publishes=(Rung,))

    @hookimpl
    def settings(self) -> type[BellSettings]:
        called.append("settings")
        return BellSettings

    @hookimpl
    def migrations(self) -> Migrations | None:
        called.append("migrations")
        return None

    @hookimpl
    def permissions(self) -> Iterable[Permission]:
        called.append("permissions")
        return [Permission(name="bell.ring", summary="Ring it", roles=("student",))]

    @hookimpl
    def services(self, ctx: Context[BellSettings]) -> Iterable[Provide[object]]:
        called.append("services")

        @asynccontextmanager
        async def bell() -> AsyncIterator[str]:
            yield "ding"

        return [Provide(BELL, bell)]

    @hookimpl
    def event_handlers(self, ctx: Context[BellSettings]) -> Iterable[EventHandler]:
        called.append("event_handlers")

        async def hear(session: Session, delivery: Delivery[Rung]) -> None:
            called.append(f"heard {delivery.event.bell}")

        return [on(Rung, hear, name="hear")]

    @hookimpl
    def routes(self, ctx: Context[BellSettings]) -> Iterable[Route]:
        called.append("routes")

        async def ring(request: Request) -> list[str]:
            async with ctx.db.transaction() as session:
                await ctx.events.publish(session, Rung(bell=ctx.services.get(BELL)))
            return [str(ctx.settings.loud)]

        async def crack(request: Request) -> None:
            raise ZeroDivisionError

        return [get("/ring", ring, permission="bell.ring"), get("/crack", crack, permission=PUBLIC)]

    @hookimpl
    def pages(self, ctx: Context[BellSettings]) -> Iterable[web.PageDeclaration]:
        called.append("pages")
        return [web.Navigation(label="Bell", path="/bell", permission=PUBLIC)]

    @hookimpl
    def lifespan(self, ctx: Context[BellSettings]) -> AbstractAsyncContextManager[None]:
        called.append("lifespan")

        @asynccontextmanager
        async def living() -> AsyncIterator[None]:
            yield

        return living()

    @hookimpl
    def checks(self, ctx: Context[BellSettings]) -> Iterable[Check]:
        called.append("checks")

        async def hangs() -> None:
            called.append("checked")

        return [Check("hangs", hangs)]

    @hookimpl
    def commands(self) -> Iterable[click.Command]:
        called.append("commands")
        return [click.Command("polish", callback=lambda: click.echo("shiny"))]

    @hookimpl
    def error_response(self, request: aiohttp_web.Request, error: Exception) -> aiohttp_web.StreamResponse | None:
        called.append("error_response")
        return aiohttp_web.Response(status=418) if isinstance(error, ZeroDivisionError) else None


async def test_every_hook_is_called_once(deploy: Deploy) -> None:
    """A plugin with every hook is asked for everything, and what it declares works."""
    called.clear()

    deployment = await deploy(plugins=[Bell], settings={"bell": {"loud": True}})

    assert sorted(called) == sorted(set(HOOKS) - {"commands", "error_response"})
    student = deployment.client("student")
    assert await student.call("GET", "/api/v1/bell/ring") == ["True"]
    await deployment.settle()
    assert "heard ding" in called
    await student.call("GET", "/api/v1/bell/crack", expect=418)
    assert "error_response" in called
    await student.call("GET", "/-/ready")
    assert "checked" in called
    result = await deployment.command("bell", "polish")
    assert (result.exit_code, result.output) == (0, "shiny\n")
    assert "commands" in called
