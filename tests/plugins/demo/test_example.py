"""The example: what an empty development deployment is filled with, and where nothing is made up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.demo.example import CONTENT

DEVELOPMENT = {"server": {"development": True}}
PLUGINS = ("auth", "users", "mail", "courses", "payments", "demo")
TITLES = sorted(course["title"] for course in CONTENT["courses"])
PATIENCE = 20.0  # seconds


async def finished(deployment: Deployment) -> None:
    """Return when the background work of the plugin has ended."""
    async with asyncio.timeout(PATIENCE):
        while "make the example" in {task.get_name() for task in asyncio.all_tasks()}:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def titles(deployment: Deployment) -> list[str]:
    found = await deployment.client().call("GET", "/api/v1/courses")
    return sorted(course["title"] for course in found["items"])


async def teachers(deployment: Deployment) -> set[str]:
    found = await deployment.client().call("GET", "/api/v1/courses")
    return {person["name"] for course in found["items"] for person in course["instructors"]}


def told(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line.get("action") == "demo"]


@pytest.mark.sqlite_only
async def test_empty_playground_is_filled_once(deploy: Deploy) -> None:
    """Courses are published and vouchers made, and who may do what is told; a restart finds it there."""
    with capture_logs() as lines:
        deployment = await deploy(*PLUGINS, sections=DEVELOPMENT)
        await finished(deployment)
    first = told(lines)
    with capture_logs() as lines:
        await deployment.restart(*PLUGINS, sections=DEVELOPMENT)
        await finished(deployment)

    assert await titles(deployment) == TITLES
    assert [(one["event"], one["administrator"]) for one in first] == [("an example is there", CONTENT["admin"])]
    assert len(first[0]["vouchers"].split(", ")) == CONTENT["voucher_count"]
    assert told(lines) == []


@pytest.mark.sqlite_only
async def test_courses_of_the_example_show_who_teaches(deploy: Deploy) -> None:
    """Also the one that was made before the teacher's name had come round."""
    deployment = await deploy(*PLUGINS, sections=DEVELOPMENT)
    await finished(deployment)
    await deployment.settle()
    async with asyncio.timeout(PATIENCE):
        while "" in await teachers(deployment):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)

    assert await teachers(deployment) == {CONTENT["instructor_name"]}


@pytest.mark.sqlite_only
async def test_people_of_the_example_have_their_roles(deploy: Deploy) -> None:
    """One administers and one teaches, under the names that the example gives them."""
    deployment = await deploy(*PLUGINS, sections=DEVELOPMENT)
    await finished(deployment)
    found = await (await deployment.people.administrator()).call("GET", "/api/v1/auth/accounts")
    roles = {account["email"]: account["roles"] for account in found["items"]}

    assert roles[CONTENT["admin"]] == ["admin", "student"]
    assert roles[CONTENT["instructor"]] == ["instructor", "student"]


async def test_nothing_is_made_up_where_people_learn(deploy: Deploy) -> None:
    """Outside development the plugin does nothing, and takes no mail."""
    deployment = await deploy(*PLUGINS)

    assert await titles(deployment) == []
    assert deployment.platform.context("demo")._owned == {}


@pytest.mark.postgresql_only
async def test_nothing_is_made_up_where_processes_may_be_many(deploy: Deploy) -> None:
    """With Redis there may be several processes, each of which would make an example."""
    deployment = await deploy(*PLUGINS, sections=DEVELOPMENT)
    await finished(deployment)

    assert await titles(deployment) == []


@pytest.mark.sqlite_only
async def test_example_does_without_payments(deploy: Deploy) -> None:
    """What is not on is left out of the example."""
    with capture_logs() as lines:
        deployment = await deploy("auth", "mail", "users", "courses", "demo", sections=DEVELOPMENT)
        await finished(deployment)

    assert await titles(deployment) == TITLES
    assert ["vouchers" in line for line in told(lines)] == [False]
