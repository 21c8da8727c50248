"""The life of a deployment: boot → migrate → start → serve → stop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog
from aiohttp import web

from kernel import errors, failpoints, front, starting
from kernel.assembly import Assembly, assemble
from kernel.clock import Clock, SystemClock
from kernel.config import Config, deployment_secrets
from kernel.containment.blame import Owners
from kernel.containment.breaker import Fault
from kernel.containment.containment import Containment
from kernel.containment.watch import watching
from kernel.context import Context
from kernel.database.migrations import Target, is_current, upgrade
from kernel.database.opening import open_database
from kernel.declarations import declare
from kernel.events.runtime import EventRuntime
from kernel.gauges import Gauges
from kernel.http.sockets.tickets import Tickets
from kernel.members import Member, Running, State
from kernel.plugin import Plugin
from kernel.redis import RedisClients
from kernel.resolution import capabilities
from kernel.services import Services
from kernel.tasks import Failed, PluginTasks

if TYPE_CHECKING:
    import importlib_metadata

OnStep = Callable[[str, str], None]  #: is told of each plugin and revision


class Platform:
    """One deployment within this process. Nothing of it is global: a test may have several."""

    def __init__(self, assembly: Assembly, *, clock: Clock) -> None:
        self.assembly = assembly
        self.config = assembly.config
        self.services = Services()
        self.gauges = Gauges()
        self.clock = clock
        self.log = structlog.get_logger().bind(plugin="kernel")
        self.redis = RedisClients(self.config.redis.url)
        self.tickets = Tickets(self.redis.shared, clock)
        self._owners = Owners({member.name: type(member.plugin) for member in self._on() if member.plugin})
        self.containment = Containment(self.config.containment, owners=self._owners, clock=clock, log=self.log)
        self.events = EventRuntime(
            redis=self.redis.shared,
            clock=clock,
            log=self.log,
            settings=self.config.events,
            containment=self.containment,
        )
        self._secrets = deployment_secrets(self.config)
        self._app: web.Application | None = None
        self._report_dropped()
        for member in self._on():
            with member.trying():
                member.running = self._equip(member)
                if member.optional:
                    front.check_routes(self, member)

    @classmethod
    def boot(
        cls,
        config: Config,
        *,
        safe: bool = False,
        entry_points: Iterable[importlib_metadata.EntryPoint] | None = None,
        plugins: Sequence[type[Plugin[Any]]] = (),
        clock: Clock | None = None,
    ) -> Platform:
        """Discover, resolve and configure; nothing runs yet and no database is touched.

        *safe* leaves out what is not bundled; *plugins* are classes to switch on beside those that are installed.

        Raises:
            errors.BootError: the one reason why the deployment can not start.
        """
        assembly = assemble(config, safe=safe, entry_points=entry_points, plugins=plugins)
        failpoints.PROCESS.check(development=config.server.development)
        return cls(assembly, clock=clock or SystemClock())

    @property
    def app(self) -> web.Application:
        """Return the application, which exists while the platform runs."""
        if self._app is None:
            raise RuntimeError("the application exists only inside `async with platform.running():`")
        return self._app

    def states(self) -> tuple[Member, ...]:
        """Return every installed plugin with its state: those that are on as they start, then the rest by name."""
        order, members = self.assembly.resolution.order, self.assembly.members
        return tuple(members[name] for name in (*order, *sorted(members.keys() - set(order))))

    def context(self, plugin: str) -> Context[Any]:
        """Return what the plugin called *plugin* was given.

        Raises:
            errors.UnknownPlugin: it is not on.
        """
        member = self.assembly.members.get(plugin)
        if member is None or member.running is None:
            raise errors.UnknownPlugin("no plugin of this name is on; see `lyceum plugins list`", plugin=plugin)
        return member.running.context

    async def migrate(self, on_step: OnStep | None = None) -> None:
        """Bring every database up to date, one plugin after the other.

        Raises:
            errors.MigrationFailed: which plugin's, and why; nothing of that revision has been applied.
        """
        for member in await self._behind():
            with member.trying():
                await upgrade([target(member)], on_step=on_step)
                member.state = State.MIGRATED

    async def behind(self) -> tuple[str, ...]:
        """Return the plugins whose database is not up to date."""
        return tuple(member.name for member in await self._behind())

    @asynccontextmanager
    async def running(self, *, background: bool = True) -> AsyncIterator[None]:
        """Start the plugins, run while the block runs, and stop them in reverse.

        Without *background* (a command on the command line) services are there, and nothing happens by itself: no
        lifespan, no relay, no worker, no application.

        Raises:
            errors.BootError: the one reason why the deployment can not start.
            ExceptionGroup: what went wrong while it stopped.
        """
        started: list[tuple[Member, AsyncExitStack]] = []
        try:
            await self.redis.check()
            await self._check_databases()
            await self.redis.claim(self._identity())
            await self._start(started, background=background)
            if background:
                self._app = front.build(self)
                async with self.events.running():
                    with self._watching():
                        yield
            else:
                yield
        except BaseException:
            for error in await self._stop(started):
                self.log.error("stop failed", action="stop", exc_info=error)
            raise
        if failures := await self._stop(started):
            raise ExceptionGroup("the deployment did not stop cleanly", failures)

    def _watching(self) -> AbstractContextManager[None]:
        limit = self.config.containment.blocked_after
        return watching(limit, owners=self._owners, blocked=self.containment.blocked, log=structlog.get_logger())

    def _on(self) -> tuple[Member, ...]:
        return tuple(member for member in self.assembly.order() if member.alive)

    def _report_dropped(self) -> None:
        for edge in self.assembly.resolution.dropped:
            self.log.info(
                "want dropped, it would close a cycle",
                action="boot",
                consumer=edge.consumer,
                provider=edge.provider,
                capability=edge.capability,
            )

    def _equip(self, member: Member) -> Running:
        assert member.manifest is not None  # it is alive  # noqa: S101
        assert member.database is not None  # it is configured  # noqa: S101
        log = structlog.get_logger().bind(plugin=member.name)
        database, tasks = open_database(member.name, member.database), PluginTasks(log, self._task_failed(member.name))
        context: Context[Any] = Context(
            name=member.name,
            settings=member.settings,
            db=database,
            events=self.events.add(member.name, database, member.manifest.publishes),
            services=self.services,
            redis=self.redis.client(),
            log=log,
            clock=self.clock,
            tasks=tasks,
            gauges=self.gauges.of(member.name),
            secrets=self._secrets,
            deployment=self.config.deployment(),
            roles=self.assembly.roles,
            published=self.assembly.published(),
        )
        declarations = declare(self.assembly.hooks, member.manifest, member.permissions, context)
        traces = self.events.traces(member.name, database)
        return Running(context=context, database=database, tasks=tasks, declarations=declarations, traces=traces)

    def _task_failed(self, plugin: str) -> Failed:
        def failed(task: str, error: BaseException) -> None:
            self.containment.failed(plugin, Fault.TASK, error, what=f"the task {task!r}")

        return failed

    def _identity(self) -> str:
        place = sa.make_url(self.config.database.url).set(username=None, password=None)  # which may change
        return self._secrets.digest("deployment", place.render_as_string().encode()).hex()

    async def _behind(self) -> list[Member]:
        found = []
        for member in self._on():
            if member.state is State.MIGRATED:
                continue
            with member.trying():
                if await _is_current(member):
                    member.state = State.MIGRATED
                else:
                    found.append(member)
        return found

    async def _check_databases(self) -> None:
        behind = await self._behind()
        for member in behind:
            if member.optional:
                member.fail("its database is not up to date; run `lyceum migrate`")
        if required := [member.name for member in behind if not member.optional]:
            names = ", ".join(required)
            raise errors.DatabaseBehind(f"the databases of {names} are not up to date; run `lyceum migrate`")

    async def _start(self, started: list[tuple[Member, AsyncExitStack]], *, background: bool) -> None:
        starter = starting.Starter(self.assembly.hooks, self.services, self.assembly.resolution.providers)
        for member in self.assembly.order():
            began = time.perf_counter()
            with member.trying():
                if member.alive:
                    self.assembly.check_requirements(member)
                    if background and member.optional:
                        front.check_pages(self, member)
                    running = member.equipped()
                    started.append((member, await starter.start(running, background=background)))
                    self.events.subscribe(member.name, running.declarations.event_handlers)
                    member.state, member.seconds = State.STARTED, time.perf_counter() - began
            if not member.alive:
                self._abandon(member)

    def _abandon(self, member: Member) -> None:
        self.log.error("plugin failed", action="start", failed=member.name, reason=member.reason)
        self.events.remove(member.name)
        if member.manifest:
            self.services.withdraw(capabilities(member.manifest), f"{member.name} failed: {member.reason}")

    async def _stop(self, started: list[tuple[Member, AsyncExitStack]]) -> list[Exception]:
        self._app = None
        failures: list[Exception] = []
        for member, stack in reversed(started):
            try:
                await starting.stop(member.equipped(), stack)
            except Exception as error:
                error.add_note(f"while the plugin {member.name} stopped")
                self.log.error("plugin did not stop cleanly", action="stop", failed=member.name, reason=repr(error))
                failures.append(error)
            member.state = State.STOPPED
        await self.redis.close()
        return failures


async def _is_current(member: Member) -> bool:
    try:
        return await is_current(target(member))
    except errors.DatabaseError as error:
        raise errors.StartFailed(
            f"its database can not be reached ({error}); start the server, or mend [database] url", plugin=member.name
        ) from error


def target(member: Member) -> Target:
    """Return what the migrations have to know of *member*, which is configured."""
    assert member.database is not None  # noqa: S101
    migrations = member.migrations
    return Target(
        plugin=member.name,
        settings=member.database,
        metadata=migrations.metadata if migrations else None,
        revisions=migrations.revisions if migrations else None,
    )
