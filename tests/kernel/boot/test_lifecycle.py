"""The life of a deployment: start in order, stop in reverse, and fail alone where that is allowed."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import MetaData

from kernel import (
    PUBLIC,
    Capability,
    Context,
    Contribution,
    Manifest,
    Migrations,
    Plugin,
    Provide,
    Request,
    Route,
    errors,
    get,
    hookimpl,
    starting,
    web,
)
from kernel.config import load
from kernel.lifecycle import Platform
from kernel.members import Member, State
from kernel.redis import OWNER
from kernel.testing.deploying import Deploy

BOARD: Capability[str] = Capability("board")
RULE: Contribution[str] = Contribution("rule")

Step = Callable[[], Coroutine[object, object, None]]


async def nothing() -> None:
    """Do nothing."""


def failing(message: str) -> Step:
    async def fail() -> None:
        raise ValueError(message)

    return fail


def plugin(
    plugin_name: str,
    events: list[str] | None = None,
    *,
    start: Step = nothing,
    stop: Step = nothing,
    **manifest: Any,
) -> type[Plugin]:
    """Return a plugin with a route, which notes in *events* when its parts open and close."""
    noted = [] if events is None else events

    @asynccontextmanager
    async def around(part: str, value: str) -> AsyncIterator[str]:
        noted.append(f"{plugin_name}: {part} opens")
        yield value
        noted.append(f"{plugin_name}: {part} closes")

    async def answer(request: Request) -> list[str]:
        return [plugin_name]

    class Made(Plugin):
        manifest: ClassVar[Manifest]

        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[object]]:
            for one in self.manifest.provides:
                yield Provide(one, lambda: around("service", f"service of {plugin_name}"))

        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return [get("/name", answer, permission=PUBLIC)]

        @hookimpl
        def lifespan(self, ctx: Context) -> AbstractAsyncContextManager[None]:
            @asynccontextmanager
            async def living() -> AsyncIterator[None]:
                await start()
                noted.append(f"{plugin_name}: lifespan opens")
                yield
                noted.append(f"{plugin_name}: lifespan closes")
                await stop()

            return living()

    Made.manifest = Manifest(name=plugin_name, version="1", **manifest)
    return Made


async def fill(request: Request) -> dict[str, object]:
    return {}


async def untyped(request: Request):  # type: ignore[no-untyped-def]
    """Lack what the kernel reads."""


def shown(plugin_name: str, pages: Sequence[web.PageDeclaration], routes: Sequence[Route]) -> type[Plugin]:
    """Return a plugin that declares *pages* and *routes*."""

    class Shown(plugin(plugin_name)):  # type: ignore[misc]
        @hookimpl
        def pages(self, ctx: Context) -> Iterable[web.PageDeclaration]:
            return pages

        @hookimpl
        def routes(self, ctx: Context) -> Iterable[Route]:
            return routes

    return Shown


def stubborn(**manifest: Any) -> type[Plugin]:
    """Return a plugin whose lifespan fails to begin, after which its service fails to close."""

    @asynccontextmanager
    async def stuck() -> AsyncIterator[str]:
        yield "service"
        raise RuntimeError("stuck")

    class Stubborn(plugin("stubborn", start=failing("no power"), provides=(BOARD,), **manifest)):  # type: ignore[misc]
        @hookimpl
        def services(self, ctx: Context) -> Iterable[Provide[object]]:
            return [Provide(BOARD, stuck)]

    return Stubborn


async def boot(folder: Path, *plugins: type[Plugin]) -> Platform:
    config = load([], {}, {"database": {"url": f"sqlite:///{folder}"}, "plugins": {"enabled": []}})
    platform = Platform.boot(config, plugins=plugins)
    await platform.migrate()
    return platform


def member(platform: Platform, name: str) -> Member:
    return platform.assembly.members[name]


async def test_plugins_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    """Services open before the lifespan, providers before those that require them; closing is the mirror image."""
    noted: list[str] = []
    platform = await boot(tmp_path, plugin("a", noted, requires=(BOARD,)), plugin("b", noted, provides=(BOARD,)))

    async with platform.running():
        assert platform.services.get(BOARD) == "service of b"
        assert {member(platform, name).state for name in "ab"} == {State.STARTED}

    opening = ["b: service opens", "b: lifespan opens", "a: lifespan opens"]
    assert noted == [*opening, *(step.replace("opens", "closes") for step in reversed(opening))]
    assert {member(platform, name).state for name in "ab"} == {State.STOPPED}
    with pytest.raises(errors.CapabilityUnavailable, match="board/1 is not available: it has stopped"):
        platform.services.get(BOARD)


async def test_commands_run_without_lifespans(tmp_path: Path) -> None:
    """On the command line services are there, and nothing happens by itself."""
    noted: list[str] = []
    platform = await boot(tmp_path, plugin("a", noted, provides=(BOARD,)))

    async with platform.running(background=False):
        assert platform.services.get(BOARD) == "service of a"
        assert noted == ["a: service opens"]
        with pytest.raises(RuntimeError, match="the application exists only inside"):
            _ = platform.app


async def test_required_plugin_that_fails_stops_the_start(tmp_path: Path) -> None:
    """The refusal is one line; what had started is stopped."""
    noted: list[str] = []
    platform = await boot(tmp_path, plugin("a", noted), plugin("b", noted, start=failing("no power")))

    with pytest.raises(errors.StartFailed) as refused:
        async with platform.running():
            pytest.fail("it started")

    assert str(refused.value) == ("b: its start raised ValueError: no power; mend the cause, or disable the plugin")
    assert noted == ["a: lifespan opens", "a: lifespan closes"]


async def test_start_that_takes_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that waits for ever does not hold up the deployment for ever."""
    monkeypatch.setattr(starting, "START_LIMIT", 0.05)
    platform = await boot(tmp_path, plugin("a", start=lambda: asyncio.sleep(60)))

    with pytest.raises(errors.StartFailed) as refused:
        async with platform.running():
            pytest.fail("it started")

    assert str(refused.value) == (
        "a: it did not start within 0.05 seconds; look for what its services or lifespan wait for"
    )


async def test_failure_of_a_start_is_not_hidden_by_how_it_stopped(tmp_path: Path) -> None:
    """What went wrong first is the reason, and what went wrong while it was stopped is noted with it."""
    platform = await boot(tmp_path, stubborn(), plugin("whole"))

    with pytest.raises(errors.StartFailed, match="stubborn: its start raised ValueError: no power") as refused:
        async with platform.running():
            pytest.fail("it started")

    assert refused.value.__notes__ == ["and it did not stop cleanly: RuntimeError('stuck')"]


async def test_optional_plugin_that_neither_starts_nor_stops_fails_alone(tmp_path: Path) -> None:
    """An optional plugin stops nobody else, however it fails."""
    platform = await boot(tmp_path, stubborn(optional=True), plugin("whole"))

    async with platform.running():
        assert (member(platform, "stubborn").state, member(platform, "whole").state) == (State.FAILED, State.STARTED)
    assert "no power" in str(member(platform, "stubborn").reason)


async def test_slow_start_is_remarked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A start that drags on is told before it is given up."""
    monkeypatch.setattr(starting, "SLOW_START", 0.01)
    platform = await boot(tmp_path, plugin("a", start=lambda: asyncio.sleep(0.1)))

    async with platform.running():
        pass

    assert "slow start" in capsys.readouterr().err


async def test_errors_while_stopping_are_collected(tmp_path: Path) -> None:
    """One plugin that can not stop does not keep the others from it."""
    noted: list[str] = []
    platform = await boot(
        tmp_path, plugin("a", noted, stop=failing("one")), plugin("b", noted, stop=failing("two")), plugin("c", noted)
    )

    with pytest.raises(ExceptionGroup) as refused:
        async with platform.running():
            pass

    assert [str(error) for error in refused.value.exceptions] == ["two", "one"]
    assert [error.__notes__ for error in refused.value.exceptions] == [
        ["while the plugin b stopped"],
        ["while the plugin a stopped"],
    ]
    assert noted.count("c: lifespan closes") == 1


async def test_stop_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends although a plugin does not."""
    monkeypatch.setattr(starting, "STOP_LIMIT", 0.05)
    platform = await boot(tmp_path, plugin("a", stop=lambda: asyncio.sleep(60)))

    with pytest.raises(ExceptionGroup) as refused:
        async with platform.running():
            pass

    assert refused.group_contains(TimeoutError)


async def test_failure_inside_comes_out_as_it_is(tmp_path: Path) -> None:
    """What went wrong while the deployment ran is not hidden by how it stopped."""
    platform = await boot(tmp_path, plugin("a", stop=failing("one")))

    with pytest.raises(KeyError, match="mine"):
        async with platform.running():
            raise KeyError("mine")


async def test_databases_that_are_behind_are_refused(tmp_path: Path) -> None:
    """Nothing runs on tables that it does not know."""
    config = load([], {}, {"database": {"url": f"sqlite:///{tmp_path}"}, "plugins": {"enabled": []}})
    platform = Platform.boot(config, plugins=[plugin("a"), plugin("b")])

    with pytest.raises(errors.DatabaseBehind) as refused:
        async with platform.running():
            pytest.fail("it started")

    assert str(refused.value) == "the databases of a, b are not up to date; run `lyceum migrate`"


async def test_optional_plugin_that_is_behind_fails_alone(tmp_path: Path) -> None:
    """The rest serves, and the reason says what to do."""
    config = load([], {}, {"database": {"url": f"sqlite:///{tmp_path}"}, "plugins": {"enabled": []}})
    await (await boot(tmp_path, plugin("a"))).migrate()
    platform = Platform.boot(config, plugins=[plugin("a"), plugin("b", optional=True)])

    async with platform.running():
        assert (member(platform, "a").state, member(platform, "b").state) == (State.STARTED, State.FAILED)
    assert member(platform, "b").reason == "its database is not up to date; run `lyceum migrate`"


async def test_optional_plugin_whose_migration_fails_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are migrated all the same."""
    monkeypatch.syspath_prepend(str(tmp_path))
    versions = tmp_path / "broken_revisions" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "broken_revisions" / "__init__.py").touch()
    (versions / "b_0001.py").write_text(
        'revision = "b_0001"\ndown_revision = None\n\n\ndef upgrade():\n    raise ValueError("no table")\n'
    )

    class Broken(plugin("b", optional=True)):  # type: ignore[misc]
        @hookimpl
        def migrations(self) -> Migrations:
            return Migrations(MetaData(), importlib.import_module("broken_revisions"))

    platform = await boot(tmp_path, Broken, plugin("c"))

    assert (member(platform, "b").state, member(platform, "c").state) == (State.FAILED, State.MIGRATED)
    assert "no table" in str(member(platform, "b").reason)


def test_optional_plugin_with_wrong_settings_fails_alone(tmp_path: Path) -> None:
    """Its settings are the reason; those of required plugins still refuse."""
    sections = {"database": {"url": f"sqlite:///{tmp_path}"}, "plugins": {"enabled": [], "b": {"colour": "red"}}}

    platform = Platform.boot(load([], {}, sections), plugins=[plugin("a"), plugin("b", optional=True)])

    assert member(platform, "a").alive
    assert member(platform, "b").reason == (
        "a setting is wrong:\n- [plugins.b] colour is not a setting (the command line): the settings are: none"
    )


async def test_migrate_tells_its_steps_once(tmp_path: Path) -> None:
    """A second migration finds nothing to do."""
    steps: list[tuple[str, str]] = []
    config = load([], {}, {"database": {"url": f"sqlite:///{tmp_path}"}, "plugins": {"enabled": []}})
    platform = Platform.boot(config, plugins=[plugin("a")])

    await platform.migrate(lambda name, revision: steps.append((name, revision)))
    await platform.migrate(lambda name, revision: steps.append((name, revision)))

    assert steps == [("a", "kernel_0001")]


async def test_optional_plugin_fails_alone(deploy: Deploy) -> None:
    """Its routes answer 503, its service is not available, and the rest serves."""
    broken = plugin("broken", provides=(BOARD,), optional=True, start=failing("no power"))
    deployment = await deploy(plugins=[broken, plugin("whole")])
    client = deployment.client()

    assert await client.call("GET", "/api/v1/whole/name") == ["whole"]
    problem = await client.call("GET", "/api/v1/board/name", expect=503)
    assert problem["type"] == "/problems/unavailable"
    failed = member(deployment.platform, "broken")
    assert (failed.state, failed.reason) == (
        State.FAILED,
        "its start raised ValueError: no power; mend the cause, or disable the plugin",
    )
    with pytest.raises(errors.CapabilityUnavailable, match=r"broken failed: its start raised ValueError: no power"):
        deployment.platform.services.get(BOARD)


@pytest.mark.parametrize(
    ("pages", "routes", "reason"),
    [
        ([web.Slot(name="home", template="gone.html")], [], "there is no template 'gone.html'"),
        ([web.StaticFiles(Path("/not/there"))], [], "the folder of static files /not/there does not exist"),
        ([web.Page(path="/hall", template="base.html", handler=fill, permission=PUBLIC)], [], "belongs to the plugin"),
        ([web.Page(path="/{x", template="base.html", handler=fill, permission=PUBLIC)], [], "can not be read"),
        ([], [get("/x", nothing, permission=PUBLIC), get("/x", nothing, permission=PUBLIC)], "is declared twice"),
        ([], [get("/{x", nothing, permission=PUBLIC)], "can not be read"),
        ([], [get("/x", untyped, permission=PUBLIC)], "has no return annotation"),
    ],
)
async def test_optional_plugin_that_can_not_be_served_fails_alone(
    deploy: Deploy, pages: list[web.PageDeclaration], routes: list[Route], reason: str
) -> None:
    """What is wrong with its pages or routes is its own reason; it starts before the others, and they serve."""
    hall = web.Page(path="/hall", template="base.html", handler=fill, permission=PUBLIC)
    first, second = shown("first", pages, routes), shown("second", [hall], [])
    deployment = await deploy(plugins=[first, second], sections={"plugins": {"optional": ["first"]}})

    await deployment.client().call("GET", "/api/v1/first/name", expect=503)
    async with deployment.client().get("/hall") as answer:
        assert answer.status == 200
    assert member(deployment.platform, "first").state is State.FAILED
    assert reason in str(member(deployment.platform, "first").reason)


async def test_optional_plugin_may_show_what_the_others_leave_free(deploy: Deploy) -> None:
    """Optional plugins with pages of their own are served side by side."""
    hall, yard = (
        web.Page(path=path, template="base.html", handler=fill, permission=PUBLIC) for path in ("/hall", "/yard")
    )
    deployment = await deploy(
        plugins=[shown("first", [hall], []), shown("second", [yard], [])],
        sections={"plugins": {"optional": ["first", "second"]}},
    )

    for path in ("/hall", "/yard"):
        async with deployment.client().get(path) as answer:
            assert answer.status == 200


async def test_mount_of_a_failed_plugin_is_free_for_another(deploy: Deploy) -> None:
    """An optional plugin that gave way does not take the requests of the one it gave way to."""
    intruder = plugin("intruder", provides=(Capability[str]("whole"),), optional=True)
    deployment = await deploy(plugins=[intruder, plugin("whole")])
    client = deployment.client()

    assert member(deployment.platform, "intruder").state is State.FAILED
    assert await client.call("GET", "/api/v1/whole/name") == ["whole"]
    await client.call("GET", "/api/v1/whole/other", expect=404)


async def test_optional_dependants_of_a_failed_plugin_fail_with_it(deploy: Deploy) -> None:
    """What requires the service of a failed plugin can not run either."""
    broken = plugin("broken", provides=(BOARD,), optional=True, start=failing("no power"))
    dependant = plugin("dependant", requires=(BOARD,), optional=True)
    deployment = await deploy(plugins=[broken, dependant])

    assert member(deployment.platform, "dependant").reason == (
        "it requires board/1, whose provider broken failed: "
        "its start raised ValueError: no power; mend the cause, or disable the plugin"
    )
    await deployment.client().call("GET", "/api/v1/dependant/name", expect=503)


async def test_required_dependant_of_a_failed_plugin_stops_the_start(tmp_path: Path) -> None:
    """A plugin that is not optional makes what it requires not optional."""
    broken = plugin("broken", provides=(BOARD,), optional=True, start=failing("no power"))
    platform = await boot(tmp_path, broken, plugin("dependant", requires=(BOARD,)))

    with pytest.raises(errors.MissingCapability) as refused:
        async with platform.running():
            pytest.fail("it started")

    assert str(refused.value) == (
        "dependant: it requires board/1, whose provider broken failed: "
        "its start raised ValueError: no power; mend the cause, or disable the plugin"
    )


async def test_contributions_of_all_are_found_in_order(tmp_path: Path) -> None:
    """Contributions come in the order of the start, and go when their plugin stops."""
    platform = await boot(tmp_path, plugin("b", provides=(RULE,)), plugin("a", provides=(RULE,)))

    async with platform.running():
        assert platform.services.all(RULE) == ("service of a", "service of b")
    assert platform.services.all(RULE) == ()


async def test_plugin_that_is_not_chosen_does_not_run(deploy: Deploy) -> None:
    """`[providers]` is a switch: the chosen provider has the routes of the capability."""
    deployment = await deploy(
        plugins=[plugin("board", provides=(BOARD,)), plugin("acme-board", provides=(BOARD,))],
        sections={"providers": {"board": "acme-board"}},
    )

    assert await deployment.client().call("GET", "/api/v1/board/name") == ["acme-board"]
    aside = member(deployment.platform, "board")
    assert (aside.state, aside.reason) == (State.DISABLED, "board/1 is provided by acme-board")


async def test_routes_of_a_disabled_plugin_say_so(deploy: Deploy) -> None:
    """Off means off: 404, and the problem names the plugin."""
    deployment = await deploy(plugins=[plugin("a")])

    problem = await deployment.client().call("GET", "/api/v1/courses/anything", expect=404)

    assert (problem["type"], problem["plugin"]) == ("/problems/plugin-disabled", "courses")


async def test_unreachable_database_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """A server that does not answer is a readable reason."""
    url = f"postgresql://lyceum@/lyceum?host={tmp_path}&port=5432"
    config = load(
        [],
        {"S": "s" * 32},
        {"database": {"url": url}, "server": {"secret": "env:S"}, "plugins": {"enabled": []}},
    )
    platform = Platform.boot(config, plugins=[plugin("a")])

    with pytest.raises(errors.StartFailed, match=r"a: its database can not be reached \(.*\); start the server, or"):
        async with platform.running():
            pytest.fail("it started")


async def test_unreachable_redis_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """Redis that is configured and does not answer is not silently done without."""
    config = load(
        [],
        {},
        {
            "database": {"url": f"sqlite:///{tmp_path}"},
            "redis": {"url": f"unix://{tmp_path}/none"},
            "plugins": {"enabled": []},
        },
    )
    platform = Platform.boot(config, plugins=[plugin("a")])

    with pytest.raises(errors.StartFailed, match=r"Redis does not answer \(.*\); start it, or mend or remove"):
        async with platform.running():
            pytest.fail("it started")


@pytest.mark.postgresql_only
async def test_redis_of_another_deployment_is_refused(deploy: Deploy) -> None:
    """Two deployments there would take each other's events for their own; the processes of one share it."""
    deployment = await deploy(plugins=[plugin("a")])
    await deployment.twin()
    redis = deployment.platform.context("a").redis
    assert redis is not None

    await redis.set(OWNER, "somebody else")

    with pytest.raises(errors.StartFailed, match=r"belongs to another deployment .* choose another one"):
        await deployment.twin()


@pytest.mark.postgresql_only
async def test_redis_commands_wait_for_a_connection(deploy: Deploy) -> None:
    """More commands at once than connections are answered all the same."""
    deployment = await deploy(plugins=[plugin("a")])
    redis = deployment.platform.context("a").redis
    assert redis is not None

    answers = await asyncio.gather(*(redis.incr("counter") for _ in range(200)))

    assert sorted(answers) == list(range(1, 201))


async def test_background_tasks_end_with_their_plugin(tmp_path: Path) -> None:
    """A task is cancelled before what it uses is closed; one that fails is logged and the plugin goes on."""
    ended: list[str] = []
    platform = await boot(tmp_path, plugin("a"))

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("work")

    async with platform.running():
        platform.context("a").tasks.start(work(), name="work")
        failed = platform.context("a").tasks.start(failing("oops")(), name="failing")
        await asyncio.wait([failed])
        assert ended == []
    assert ended == ["work"]


async def test_repeated_task_survives_a_failure(tmp_path: Path) -> None:
    """`every` calls again after the work has raised."""
    calls: list[None] = []
    again = asyncio.Event()
    platform = await boot(tmp_path, plugin("a"))

    async def work() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise ValueError("once")
        again.set()

    async with platform.running():
        platform.context("a").tasks.every(0.001, work, name="work")
        await asyncio.wait_for(again.wait(), 10)


async def test_repeated_task_comes_sooner_when_it_is_asked_for(tmp_path: Path) -> None:
    """Once for all who asked before it began, and again for who asks while it runs."""
    calls: list[bool] = []
    sooner, done = asyncio.Event(), asyncio.Event()
    platform = await boot(tmp_path, plugin("a"))

    async def work() -> None:
        calls.append(sooner.is_set())
        if len(calls) == 1:
            sooner.set()
        else:
            done.set()

    async with platform.running():
        platform.context("a").tasks.every(3600, work, name="work", sooner=sooner)
        sooner.set()
        sooner.set()
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0.2)
    assert calls == [False, False]


async def test_context_of_a_plugin_that_is_off_is_refused(tmp_path: Path) -> None:
    """A command for a plugin that is off says so."""
    platform = await boot(tmp_path, plugin("a"))

    with pytest.raises(errors.UnknownPlugin, match="chess: no plugin of this name is on; see `lyceum plugins list`"):
        platform.context("chess")
