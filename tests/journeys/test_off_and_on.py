"""Off means off, and back on means caught up: each bundled plugin in turn, the others beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest

from kernel.contracts.enrollments import ENROLLMENTS
from kernel.discovery import Catalogue, load
from kernel.hooks import Hooks
from kernel.plugin import Manifest
from kernel.resolution import capabilities
from kernel.testing.deploying import Deploy
from tests.journeys.catching_up import STORIES, Story
from tests.test_route_matrix import call, one_of_each, routes_of

CATALOGUE: Final = Catalogue.read()
MANIFESTS: Final = {name: load(CATALOGUE.any(name)).manifest for name in CATALOGUE.bundled()}


def without(name: str) -> list[str]:
    """Return the bundled plugins but for *name* and those that can not do without it."""
    gone = {name}
    while dependants := {other for other in MANIFESTS.keys() - gone if _requires(MANIFESTS[other], gone)}:
        gone |= dependants
    return sorted(MANIFESTS.keys() - gone)


def _requires(manifest: Manifest, gone: Iterable[str]) -> bool:
    lost = {one for name in gone for one in capabilities(MANIFESTS[name])}
    return not lost.isdisjoint(manifest.requires)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", MANIFESTS)
async def test_platform_stands_without_any_one_plugin(name: str, deploy: Deploy) -> None:
    """It is ready, whatever is left answers each role as ever, and what is gone says that it is switched off."""
    rest = without(name)
    deployment = await deploy(*rest, sections={"http": {"unsafe_rate": "100000/minute"}})
    stranger = deployment.client()
    await stranger.call("GET", "/-/ready", expect=200)

    if {"auth", "mail"} <= set(rest):
        clients = await one_of_each(deployment)
    else:
        clients = [stranger, deployment.client("admin")]
    for route in sorted(routes_of(deployment.platform), key=lambda route: "sign-out" in route or "sessions" in route):
        for client in clients:
            await call(client, route)  # which fails for whatever answers 500 or more

    taken = {member.mount for member in deployment.platform.states() if member.alive}
    for gone in MANIFESTS.keys() - set(rest) - taken:  # without `auth`, the tests' own identity has its place
        answer = await stranger.call("GET", f"/api/v1/{gone}", expect=404)
        assert answer["type"] == "/problems/plugin-disabled", gone


def test_a_plugin_is_off_together_with_those_that_require_it_and_no_others() -> None:
    """So that the test above leaves out neither too little nor too much."""
    lost = MANIFESTS.keys() - set(without("payments"))

    assert lost == {"payments", *(name for name, one in MANIFESTS.items() if ENROLLMENTS in one.provides)}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.plugin)
async def test_plugin_that_was_off_for_a_thousand_events_is_as_if_it_never_was(story: Story, deploy: Deploy) -> None:
    """What it has stored in the end is the same, to the last field."""
    on, off = (*story.needs, story.plugin), story.needs
    always = await deploy(*on, plugins=story.classes(), settings=story.settings)
    await story.tell(always)

    back = await deploy(*on, plugins=story.classes(), settings=story.settings)
    await back.restart(*off, plugins=story.classes())
    await story.tell(back)
    await back.restart(*on, plugins=story.classes(), settings=story.settings)
    await back.platform.events.settle(timeout=60)

    assert await story.stored(back) == await story.stored(always)
    assert len(await story.stored(back)) == story.rows


def test_each_plugin_that_listens_has_a_story() -> None:
    """So that one which begins to listen does not go without."""
    listens = {name for name in MANIFESTS if "event_handlers" in Hooks().names(load(CATALOGUE.any(name)).plugin)}

    assert listens - {"demo"} == {story.plugin for story in STORIES}, "the demo only keeps letters in memory"
