"""`lyceum-freepay`, a distribution of its own, replaces our provider by one line of configuration.

That it keeps the contract is tested by its own tests, with the same kit as ours.
"""

from __future__ import annotations

from typing import Any

from kernel import new_id
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import PAYMENTS
from kernel.members import State
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCoursesPlugin

QUOTE = "/api/v1/payments/quote?course_id="


async def quote(deployment: Deployment, price: int) -> Any:
    """Ask over HTTP for the price of a course."""
    courses: Any = deployment.platform.services.get(COURSES)
    return await deployment.client("student").call("GET", f"{QUOTE}{courses.add(price)}")


async def test_freepay_replaces_payments_where_it_is_chosen(deploy: Deploy) -> None:
    """With both on, `[providers]` decides: the same paths answer, and ours is set aside."""
    chosen = {"providers": {"payments": "freepay"}}
    deployment = await deploy("payments", "freepay", plugins=[InMemoryCoursesPlugin], sections=chosen)

    assert (await quote(deployment, 1500))["total"] == 0
    states = {member.name: member.state for member in deployment.platform.states()}
    assert (states["freepay"], states["payments"]) == (State.STARTED, State.DISABLED)


async def test_freepay_replaces_payments_where_that_is_off(deploy: Deploy) -> None:
    """With ours off, nothing needs to be chosen."""
    deployment = await deploy("freepay", plugins=[InMemoryCoursesPlugin])

    assert (await quote(deployment, 1500))["total"] == 0


async def test_payments_finds_its_data_again_after_freepay(deploy: Deploy) -> None:
    """Off means off, and back on means as it was."""
    deployment = await deploy("payments", plugins=[InMemoryCoursesPlugin])
    buyer, purchase = new_id(), new_id()
    before = await deployment.platform.services.get(PAYMENTS).charge(purchase, buyer, new_id(), 0)
    await deployment.restart("freepay", plugins=[InMemoryCoursesPlugin])
    assert await deployment.platform.services.get(PAYMENTS).find_charge(purchase) is None

    await deployment.restart("payments", plugins=[InMemoryCoursesPlugin])

    assert await deployment.platform.services.get(PAYMENTS).find_charge(purchase) == before
