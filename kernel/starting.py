"""Starting and stopping one plugin: its services, then its lifespan; and back in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final

from kernel import errors
from kernel.capabilities import Capability, Contribution
from kernel.hooks import Hooks
from kernel.http.idempotency import forget_old_answers
from kernel.members import Running
from kernel.plugin import Provide
from kernel.resolution import AnyCapability
from kernel.services import Services
from kernel.traces import TRACES

SLOW_START: Final = 10.0  # seconds after which a start is remarked on
START_LIMIT: Final = 60.0  # seconds
STOP_LIMIT: Final = 15.0  # seconds
FORGET_EVERY: Final = 600.0  # seconds between two looks for answers that are kept no longer


class Starter:
    """Starts plugins one by one; *providers* says whose services are used."""

    def __init__(self, hooks: Hooks, services: Services, providers: Mapping[AnyCapability, str]) -> None:
        self._hooks = hooks
        self._services = services
        self._providers = providers

    async def start(self, running: Running, *, background: bool) -> AsyncExitStack:
        """Start a plugin and return what stops it again; *background* says whether its lifespan begins.

        Raises:
            errors.StartFailed: it raised or took too long; what it had opened is closed.
        """
        stack = AsyncExitStack()
        stack.push_async_callback(running.database.close)
        try:
            async with _limited(running):
                await self._open(running, stack, background=background)
        except BaseException as error:
            await _stop_after(error, running, stack)
            raise
        return stack

    async def _open(self, running: Running, stack: AsyncExitStack, *, background: bool) -> None:
        name = running.context.name
        self._contribute(TRACES, running.traces, name, stack)
        for provide in running.declarations.provides:
            if not isinstance(provide.capability, Capability) or self._providers.get(provide.capability) == name:
                await self._open_service(provide, name, stack)
        if background:
            self._forget_answers(running)
            lifespan = self._hooks.one(name, "lifespan", ctx=running.context)
            if lifespan is not None:
                await stack.enter_async_context(_manager(name, lifespan))

    @staticmethod
    def _forget_answers(running: Running) -> None:
        db, clock = running.database, running.context.clock
        running.tasks.every(FORGET_EVERY, lambda: forget_old_answers(db, clock), name="forget old answers")

    async def _open_service(self, provide: Provide[object], name: str, stack: AsyncExitStack) -> None:
        capability = provide.capability
        service = await stack.enter_async_context(provide.factory())
        if isinstance(capability, Capability):
            self._services.provide(capability, service)
            stack.callback(self._services.withdraw, [capability], "it has stopped")
        else:
            self._contribute(capability, service, name, stack)

    def _contribute(
        self, contribution: Contribution[object], service: object, name: str, stack: AsyncExitStack
    ) -> None:
        self._services.contribute(contribution, service, name)
        stack.callback(self._services.retract, contribution, service)


async def stop(running: Running, stack: AsyncExitStack) -> None:
    """Stop a plugin: its tasks, its lifespan, its services and its database, in this order.

    Raises:
        TimeoutError: it took too long.
    """
    async with asyncio.timeout(STOP_LIMIT):
        try:
            await running.tasks.close()
        finally:
            await stack.aclose()


async def _stop_after(error: BaseException, running: Running, stack: AsyncExitStack) -> None:
    """Stop what had started when *error* came; a failure in this does not take its place."""
    try:
        await stop(running, stack)
    except Exception as failure:
        error.add_note(f"and it did not stop cleanly: {failure!r}")
        running.context.log.error("stop failed", action="stop", exc_info=failure)


@asynccontextmanager
async def _limited(running: Running) -> AsyncIterator[None]:
    name, log = running.context.name, running.context.log
    slow = asyncio.get_running_loop().call_later(
        SLOW_START, lambda: log.warning("slow start", action="start", seconds=SLOW_START)
    )
    limit = asyncio.timeout(START_LIMIT)
    try:
        async with limit:
            yield
    except errors.BootError:
        raise
    except Exception as error:
        if limit.expired():
            message = (
                f"it did not start within {START_LIMIT:g} seconds; look for what its services or lifespan wait for"
            )
        else:
            message = f"its start raised {type(error).__name__}: {error}; mend the cause, or disable the plugin"
        raise errors.StartFailed(message, plugin=name) from error
    finally:
        slow.cancel()


def _manager(name: str, lifespan: object) -> AbstractAsyncContextManager[Any]:
    if not isinstance(lifespan, AbstractAsyncContextManager):
        raise errors.InvalidDeclaration(
            f"its hook 'lifespan' returned {lifespan!r}; return an asynchronous context manager", plugin=name
        )
    return lifespan
