"""What operators see of a plugin that fails: its faults, its quarantine, and that all else is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import asyncpg
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from kernel import PUBLIC, Context, Manifest, Plugin, Route, get, hookimpl
from kernel.database import Query
from kernel.testing.choices import Tables
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.servers import SUPERUSER, PostgresServer

SECTIONS: Final[Tables] = {
    "operations": {"allowed": ["127.0.0.0/8"]},
    "containment": {"faults": 4},
    "http": {"trusted_proxies": ["127.0.0.2/32"]},
}


SLEEP: Final = Query(sa.select(sa.cast(sa.func.pg_sleep(30), sa.Text).label("slept")), str)
END: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'"


class LeakyPlugin(Plugin):
    """Breaks wherever it can."""

    manifest: ClassVar[Manifest] = Manifest(name="leaky", version="1")

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def broken() -> None:
            raise ZeroDivisionError("secret value 4711")

        async def fine() -> str:
            return "fine"

        return [get("/broken", broken, permission=PUBLIC), get("/fine", fine, permission=PUBLIC)]

    @hookimpl
    def lifespan(self, ctx: Context) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def working() -> Any:
            ctx.tasks.every(0.01, self.sweep, name="sweep")
            ctx.tasks.start(self.sweep(), name="once")
            yield

        return working()

    async def sweep(self) -> None:
        if type(self).sweeps:
            type(self).sweeps -= 1
            raise RuntimeError("it broke")

    sweeps: ClassVar[int] = 0


class SoundPlugin(Plugin):
    """Has a route."""

    manifest: ClassVar[Manifest] = Manifest(name="sound", version="1")

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def fine() -> str:
            return "fine"

        return [get("/fine", fine, permission=PUBLIC)]


class CutOffPlugin(Plugin):
    """Takes its time in the database."""

    manifest: ClassVar[Manifest] = Manifest(name="cut-off", version="1")

    @hookimpl
    def routes(self, ctx: Context) -> Iterable[Route]:
        async def sleep() -> str:
            return await ctx.db.one(SLEEP)

        return [get("", sleep, permission=PUBLIC)]


async def break_it(deployment: Deployment, times: int = 4) -> None:
    """Let different people find what breaks."""
    for _ in range(times):
        await deployment.client("student").call("GET", "/api/v1/leaky/broken", expect=500)


async def told(deployment: Deployment, plugin: str) -> dict[str, Any]:
    """Return what `/-/plugins.json` tells of *plugin*."""
    plugins = await deployment.client().call("GET", "/-/plugins.json")
    return {one["name"]: dict(one) for one in plugins}[plugin]


async def samples(deployment: Deployment, family: str) -> dict[tuple[str, ...], float]:
    """Return the samples of *family* by the values of their labels, in the order of their names."""
    async with deployment.client().get("/metrics") as answer:
        families = {one.name: one for one in text_string_to_metric_families(await answer.text())}
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in families[family].samples
    }


async def test_quarantine_closes_the_plugin_and_nothing_else(deploy: Deploy) -> None:
    """Its routes alone are 503. Operators read why and until when; after that it is on probation, and then well."""
    deployment = await deploy(plugins=[LeakyPlugin, SoundPlugin], sections=SECTIONS)
    client = deployment.client()
    await break_it(deployment)

    assert (await client.call("GET", "/api/v1/leaky/fine", expect=503))["type"] == "/problems/plugin-quarantined"
    assert await client.call("GET", "/api/v1/sound/fine") == "fine"
    found = await told(deployment, "leaky")
    assert (found["state"], found["faults"]) == ("quarantined", {"request": 4})
    assert found["reason"].startswith("4 request within 60 s, the last: GET /api/v1/leaky/broken: ZeroDivisionError")
    assert found["since"] < found["until"]
    assert (await told(deployment, "sound"))["state"] == "started"
    deployment.clock.advance(31)
    assert await client.call("GET", "/api/v1/leaky/fine") == "fine"
    assert (await told(deployment, "leaky"))["state"] == "probation"
    deployment.clock.advance(61)
    found = await told(deployment, "leaky")
    assert (found["state"], found["reason"], found["since"]) == ("started", None, None)


async def test_deployment_stays_ready_and_names_who_rests(deploy: Deploy) -> None:
    """Even a required plugin: to take the whole process out of service would help nobody. Strangers read no reason."""
    deployment = await deploy(plugins=[LeakyPlugin, SoundPlugin], sections=SECTIONS)
    before = await deployment.client().call("GET", "/-/ready", expect=200)
    await break_it(deployment)
    after = await deployment.client().call("GET", "/-/ready", expect=200)
    stranger = {"X-Forwarded-For": "203.0.113.7"}
    shown = await deployment.client().call("GET", "/-/ready", expect=200, headers=stranger)

    assert "quarantine" not in {one["check"] for one in before["checks"]}
    (verdict,) = [one for one in after["checks"] if one["check"] == "quarantine"]
    assert (after["status"], verdict["plugin"], verdict["ok"], verdict["required"]) == ("ready", "leaky", False, False)
    assert "ZeroDivisionError" in verdict["reason"]
    assert "4711" not in str(shown)


async def test_metrics_count_faults_by_plugin_and_kind(deploy: Deploy) -> None:
    """And say who is in quarantine."""
    deployment = await deploy(plugins=[LeakyPlugin, SoundPlugin], sections=SECTIONS)
    await break_it(deployment, 3)
    before = await samples(deployment, "lyceum_plugin_quarantined")
    await break_it(deployment, 1)

    assert await samples(deployment, "lyceum_plugin_faults") == {("request", "leaky"): 4.0}
    assert before[("leaky",)] == 0
    quarantined = await samples(deployment, "lyceum_plugin_quarantined")
    assert (quarantined[("leaky",)], quarantined[("sound",)]) == (1, 0)


async def test_background_work_that_dies_is_counted_and_what_repeats_goes_on(deploy: Deploy) -> None:
    """What runs once is gone; what runs again and again comes back after each failure."""
    LeakyPlugin.sweeps = 3
    deployment = await deploy(plugins=[LeakyPlugin], sections=SECTIONS)
    async with asyncio.timeout(10):
        while LeakyPlugin.sweeps:  # noqa: ASYNC110  # the plugin sets no Event of ours
            await asyncio.sleep(0.01)

    assert (await told(deployment, "leaky"))["faults"] == {"task": 3}


@pytest.mark.postgresql_only
async def test_lost_connections_put_nobody_in_quarantine(deploy: Deploy, postgres_server: PostgresServer) -> None:
    """Everybody who needs the database fails then, and none is to blame."""
    deployment = await deploy(plugins=[CutOffPlugin], sections=SECTIONS)
    database = urlsplit(deployment.platform.config.database.url).path.removeprefix("/")
    requests = [deployment.client("student").call("GET", "/api/v1/cut-off", expect=503) for _ in range(8)]
    failing = asyncio.gather(*requests)
    superuser = await asyncpg.connect(postgres_server.url(database, SUPERUSER))
    async with asyncio.timeout(20):
        while not failing.done():
            await superuser.fetch(END, database)
            await asyncio.sleep(0.05)
    await superuser.close()
    await failing

    found = await told(deployment, "cut-off")
    assert (found["state"], found["faults"]) == ("started", {})


async def test_restart_ends_a_quarantine(deploy: Deploy) -> None:
    """It is kept in the process, and nowhere else."""
    deployment = await deploy(plugins=[LeakyPlugin], sections=SECTIONS)
    await break_it(deployment)
    twin = await deployment.twin() if deployment.platform.config.redis.url else None
    if twin is not None:
        assert await twin.client().call("GET", "/api/v1/leaky/fine") == "fine"
    await deployment.restart(plugins=[LeakyPlugin], sections=SECTIONS)

    assert await deployment.client().call("GET", "/api/v1/leaky/fine") == "fine"
