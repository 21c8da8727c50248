"""`lyceum-freepay`, a distribution of its own, replaces our provider by a line of configuration.

It is not installed here: its class is given by hand, as an entry point would give it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from kernel import Plugin, new_id
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import PAYMENTS
from kernel.members import State
from kernel.testing.contracts.payments import (
    DeployedPayments,
    PaymentsContract,
    PaymentsHttpContract,
    deploy_payments,
)
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCoursesPlugin

DISTRIBUTION: Final = Path(__file__).parents[2] / "examples" / "lyceum-freepay"
QUOTE: Final = "/api/v1/payments/quote?course_id="

PluginClass = type[Plugin[Any]]


@pytest.fixture
def freepay(monkeypatch: pytest.MonkeyPatch) -> PluginClass:
    monkeypatch.syspath_prepend(DISTRIBUTION)
    plugin: PluginClass = importlib.import_module("lyceum_freepay").FreePayPlugin
    return plugin


@pytest_asyncio.fixture
async def harness(deploy: Deploy, freepay: PluginClass) -> DeployedPayments:
    return await deploy_payments(deploy, charges_money=False, plugins=[freepay])


class TestFreePayments(PaymentsContract):
    """The service."""


class TestFreePayHttpSurface(PaymentsHttpContract):
    """The HTTP surface."""


async def quoted(deployment: Deployment, price: int) -> int:
    """Ask over HTTP what a course costs."""
    courses: Any = deployment.platform.services.get(COURSES)
    quote = await deployment.client("student").call("GET", f"{QUOTE}{courses.add(price)}")
    return int(quote["total"])


async def test_freepay_replaces_payments_where_it_is_chosen(deploy: Deploy, freepay: PluginClass) -> None:
    """With both on, `[providers]` decides: the same paths answer, and ours is set aside."""
    chosen = {"providers": {"payments": "freepay"}}
    deployment = await deploy("payments", plugins=[freepay, InMemoryCoursesPlugin], sections=chosen)

    assert await quoted(deployment, 1500) == 0
    states = {member.name: member.state for member in deployment.platform.states()}
    assert (states["freepay"], states["payments"]) == (State.STARTED, State.DISABLED)


async def test_payments_finds_its_data_again_after_freepay(deploy: Deploy, freepay: PluginClass) -> None:
    """Off means off, and back on means as it was."""
    deployment = await deploy("payments", plugins=[InMemoryCoursesPlugin])
    purchase = new_id()
    before = await deployment.platform.services.get(PAYMENTS).charge(purchase, new_id(), new_id(), 0)
    await deployment.restart(plugins=[freepay, InMemoryCoursesPlugin])
    assert await deployment.platform.services.get(PAYMENTS).find_charge(purchase) is None
    assert await quoted(deployment, 1500) == 0

    await deployment.restart("payments", plugins=[InMemoryCoursesPlugin])

    assert await deployment.platform.services.get(PAYMENTS).find_charge(purchase) == before
    assert await quoted(deployment, 1500) == 1500
