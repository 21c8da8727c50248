"""`/-/live`, `/-/ready`, `/-/plugins.json` and `/metrics`: what they tell, and to whom."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kernel import Check, Context, Manifest, Plugin, Secret, Settings, hookimpl
from kernel.gauges import Gauges
from kernel.http.operators import OperationsSettings
from kernel.http.readiness import PROBE_SECONDS
from kernel.http.report import shown
from kernel.settings import Url
from kernel.testing.deploying import Deploy

NEAR = {"operations": {"allowed": ["127.0.0.0/8"]}}
WITH_TOKEN = {"operations": {"token": "env:LYCEUM_TEST_SECRET"}}
BEHIND_A_PROXY = {"X-Forwarded-For": "203.0.113.7"}


class WeatherSettings(Settings, frozen=True):
    station: str = "Ålesund"
    key: Secret | None = None


class WeatherPlugin(Plugin[WeatherSettings]):
    """Is ready while its sky is clear."""

    manifest: ClassVar[Manifest] = Manifest(name="weather", version="2.1", summary="Looks up")
    clear: ClassVar[bool] = True

    @hookimpl
    def settings(self) -> type[WeatherSettings]:
        return WeatherSettings

    @hookimpl
    def checks(self, ctx: Context[WeatherSettings]) -> Iterable[Check]:
        async def look_up() -> None:
            if not type(self).clear:
                raise RuntimeError("the sky of station 4 is grey")

        return [Check("sky", look_up)]


class OptionalPlugin(WeatherPlugin):
    """The same, but may fail."""

    manifest: ClassVar[Manifest] = Manifest(name="weather", version="2.1", optional=True)


class SlowPlugin(Plugin):
    """Is never done with its check."""

    manifest: ClassVar[Manifest] = Manifest(name="slow", version="1")

    @hookimpl
    def checks(self, ctx: Context) -> Iterable[Check]:
        async def wait() -> None:
            await asyncio.sleep(3600)

        return [Check("patience", wait)]


@pytest.fixture
def grey_sky(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WeatherPlugin, "clear", False)


def verdict(answer: dict[str, Any], check: str, plugin: str = "weather") -> dict[str, Any]:
    (found,) = [one for one in answer["checks"] if one["check"] == check and one["plugin"] == plugin]
    return dict(found)


class GardenPlugin(Plugin):
    """Counts its trees."""

    manifest: ClassVar[Manifest] = Manifest(name="garden", version="1")

    @hookimpl
    def lifespan(self, ctx: Context) -> AbstractAsyncContextManager[None]:
        for trees in (3, 4):
            ctx.gauges.set("trees", trees, "Trees that stand")
        return contextlib.nullcontext()


async def test_live_answers_whoever_asks(deploy: Deploy) -> None:
    """The process runs, whatever its parts do."""
    deployment = await deploy("web")

    assert await deployment.client().call("GET", "/-/live") == {"status": "live"}


async def test_ready_asks_every_part(deploy: Deploy) -> None:
    """Each plugin's state, database and own checks are among the verdicts, and Redis where there is one."""
    deployment = await deploy("web", plugins=[WeatherPlugin])
    answer = await deployment.client().call("GET", "/-/ready", expect=200)

    assert answer["status"] == "ready"
    for check in ("state", "database", "sky"):
        assert verdict(answer, check) == {"plugin": "weather", "check": check, "ok": True, "required": True}
    redis = [one["ok"] for one in answer["checks"] if one["check"] == "redis"]
    assert redis == ([True] if deployment.platform.config.redis.url else [])


@pytest.mark.usefixtures("grey_sky")
async def test_ready_is_503_when_a_required_part_fails(deploy: Deploy) -> None:
    """Operators read the reason."""
    deployment = await deploy(plugins=[WeatherPlugin], sections=NEAR)
    answer = await deployment.client().call("GET", "/-/ready", expect=503)

    assert answer["status"] == "not-ready"
    assert verdict(answer, "sky")["reason"] == "the sky of station 4 is grey"


@pytest.mark.usefixtures("grey_sky")
async def test_ready_keeps_reasons_from_strangers(deploy: Deploy) -> None:
    """Everyone may know that something fails, and only operators why."""
    deployment = await deploy(plugins=[WeatherPlugin], sections=NEAR)
    answer = await deployment.client().call("GET", "/-/ready", expect=503, headers=BEHIND_A_PROXY)

    assert verdict(answer, "sky") == {"plugin": "weather", "check": "sky", "ok": False, "required": True}


@pytest.mark.usefixtures("grey_sky")
async def test_ready_stays_200_when_an_optional_part_fails(deploy: Deploy) -> None:
    """The rest serves."""
    deployment = await deploy(plugins=[OptionalPlugin])
    answer = await deployment.client().call("GET", "/-/ready", expect=200)

    assert verdict(answer, "sky")["ok"] is False


async def test_ready_waits_for_no_probe_for_long(deploy: Deploy) -> None:
    """A probe that does not answer counts as failed, and holds up nobody."""
    deployment = await deploy(plugins=[SlowPlugin], sections=NEAR)
    client = deployment.client()
    answers = await asyncio.gather(*(client.call("GET", "/-/ready", expect=503) for _ in range(5)))

    assert {verdict(one, "patience", "slow")["reason"] for one in answers} == {f"no answer within {PROBE_SECONDS:g} s"}


async def test_plugins_tells_what_is_on(deploy: Deploy) -> None:
    """Each plugin with its state, what it provides and requires, its hooks, routes, handlers and settings."""
    deployment = await deploy("auth", "mail", plugins=[WeatherPlugin], sections=NEAR)
    found = {one["name"]: one for one in await deployment.client().call("GET", "/-/plugins.json")}

    assert (found["auth"]["state"], found["auth"]["provides"], found["auth"]["requires"]) == (
        "started",
        ["auth/1", "personal_data/1"],
        ["mail/1"],
    )
    assert "POST /api/v1/auth/codes" in found["auth"]["routes"]
    assert found["auth"]["migration"].startswith("auth_")
    assert found["mail"]["handlers"] == [{"name": "take", "lag": 0, "dead": 0}]
    assert found["weather"]["hooks"] == ["settings", "checks"]
    assert found["weather"]["settings"] == {"station": "Ålesund", "key": None}
    assert (found["web"]["state"], found["web"]["reason"]) == ("disabled", "not enabled")


def test_secrets_are_never_shown() -> None:
    """What is secret by its type stays so, and a URL loses its password."""
    assert shown(WeatherSettings(key=Secret("hunter2"))) == {"station": "Ålesund", "key": "…"}
    assert shown({"url": Url("redis://me:hunter2@host:1/0")}) == {"url": "redis://host:1/0"}


async def test_metrics_bear_the_plugin(deploy: Deploy) -> None:
    """Requests are counted by plugin and route; events that wait or are dead are there for each handler."""
    deployment = await deploy("auth", "mail", sections=NEAR)
    client = deployment.client()
    await client.call("GET", "/api/v1/auth/jwks.json")
    async with client.get("/metrics") as answer:
        families = {family.name: family.samples for family in text_string_to_metric_families(await answer.text())}

    requests = [(one.labels["plugin"], one.labels["route"], one.value) for one in families["lyceum_http_requests"]]
    assert ("auth", "/api/v1/auth/jwks.json", 1.0) in requests
    assert [(one.labels, one.value) for one in families["lyceum_events_dead"]] == [
        ({"plugin": "mail", "handler": "take"}, 0.0)
    ]
    assert {one.labels["plugin"] for one in families["lyceum_events_unpublished"]} >= {"auth"}


@pytest.mark.parametrize("path", ["/metrics", "/-/plugins.json"])
async def test_insides_are_hidden_from_everyone_else(deploy: Deploy, path: str) -> None:
    """Who is no operator finds nothing there; a forged header makes nobody an operator."""
    deployment = await deploy()
    for client in (deployment.client(), deployment.client(role="student")):
        answer = await client.call("GET", path, expect=404, headers={"Accept": "application/json"})
        assert answer["type"] == "/problems/not-found"


async def test_permission_makes_an_operator(deploy: Deploy) -> None:
    """Whoever has `platform.operate`, as administrators do, is let in from anywhere."""
    deployment = await deploy()
    admin = deployment.client(role="admin")

    async with admin.get("/metrics") as answer:
        assert answer.status == 200


async def test_token_makes_an_operator(deploy: Deploy) -> None:
    """A program that bears the token is let in from anywhere, one that bears another is not."""
    deployment = await deploy(sections=WITH_TOKEN)
    right, wrong = "long-enough-and-only-for-tests-of-lyceum", "long-enough-and-only-for-tests-of-lyceun"
    statuses = []
    for token in (right, wrong):
        async with deployment.client(token=token).get("/metrics") as answer:
            statuses.append(answer.status)

    assert statuses == [200, 404]


@pytest.mark.parametrize(("development", "status"), [(True, 200), (False, 404)])
async def test_this_machine_is_an_operator_in_development_only(deploy: Deploy, development: bool, status: int) -> None:
    """Behind a proxy that adds no header everybody would seem to be on this machine."""
    deployment = await deploy(sections={"server": {"development": development}})

    async with deployment.client().get("/metrics") as answer:
        assert answer.status == status


async def test_token_of_bytes_that_are_no_text_is_a_wrong_one(deploy: Deploy) -> None:
    """Whatever stands in the header, it is compared and not stumbled over."""
    deployment = await deploy(sections=WITH_TOKEN)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(deployment.url.rpartition(":")[2]))

    writer.write(b"GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer \xff\r\n\r\n")
    status = await reader.readline()
    writer.close()

    assert status == b"HTTP/1.1 200 OK\r\n"


async def test_address_counts_only_without_a_proxy_that_nobody_declared(deploy: Deploy) -> None:
    """A proxy on the same machine does not turn the whole world into operators; a declared one is seen through."""
    proxies = {"http": {"trusted_proxies": ["127.0.0.1/32"]}}
    near, declared = await deploy(sections=NEAR), await deploy(sections={**NEAR, **proxies})
    requests = [
        (near, {}, 200),
        (near, BEHIND_A_PROXY, 404),
        (near, {"X-Forwarded-For": "127.0.0.1"}, 404),
        (near, {"Forwarded": "for=127.0.0.1"}, 404),
        (declared, BEHIND_A_PROXY, 404),
        (declared, {"X-Forwarded-For": "127.0.0.2"}, 200),
    ]
    for deployment, headers, expected in requests:
        async with deployment.client().get("/metrics", headers=headers) as answer:
            assert (headers, answer.status) == (headers, expected)


def test_wrong_network_is_refused_with_the_remedy() -> None:
    """The message shows how a network is written."""
    with pytest.raises(ValueError, match=r"^allowed: '10.0.0' is not a network; write it as '10.0.0.0/8'$"):
        OperationsSettings(allowed=("10.0.0",))


async def test_metrics_show_what_plugins_set(deploy: Deploy) -> None:
    """As it was set last, with the plugin's name."""
    deployment = await deploy(plugins=[GardenPlugin], sections=NEAR)

    async with deployment.client().get("/metrics") as answer:
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}

    trees = families["lyceum_trees"]
    assert (trees.type, trees.documentation) == ("gauge", "Trees that stand")
    assert [(sample.labels, sample.value) for sample in trees.samples] == [({"plugin": "garden"}, 4.0)]


@pytest.mark.parametrize("name", ["", "Trees", "old trees", "trees\n", "4trees"])
def test_gauges_have_names_that_can_be_read(name: str) -> None:
    """Any other would break the whole answer."""
    gauges = Gauges()

    with pytest.raises(ValueError, match="is no name of a gauge"):
        gauges.of("garden").set(name, 1, "Trees that stand")

    assert list(gauges) == []
