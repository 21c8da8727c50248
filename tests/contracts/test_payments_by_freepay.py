"""`lyceum-freepay`, an installed distribution of its own, replaces our provider by a line of configuration.

That it keeps the contract of `payments/1` is tested by its own tests.
"""

from __future__ import annotations

from typing import Any, Final

from kernel import new_id
from kernel.contracts.courses import COURSES
from kernel.contracts.payments import PAYMENTS
from kernel.members import State
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.courses import InMemoryCoursesPlugin

QUOTE: Final = "/api/v1/payments/quote?course_id="
CHOSEN: Final = {"providers": {"payments": "freepay"}}


async def quoted(deployment: Deployment, price: int) -> int:
    """Ask over HTTP what a course costs."""
    courses: Any = deployment.platform.services.get(COURSES)
    quote = await deployment.client("student").call("GET", f"{QUOTE}{courses.add(price)}")
    return int(quote["total"])


async def test_freepay_replaces_payments_where_it_is_chosen(deploy: Deploy) -> None:
    """With both on, `[providers]` decides: the same paths answer, and ours is set aside."""
    deployment = await deploy("payments", "freepay", plugins=[InMemoryCoursesPlugin], sections=CHOSEN)

    assert await quoted(deployment, 1500) == 0
    states = {member.name: member.state for member in deployment.platform.states()}
    assert (states["freepay"], states["payments"]) == (State.STARTED, State.DISABLED)


async def test_payments_finds_its_data_again_after_freepay(deploy: Deploy) -> None:
    """Off means off, and back on means as it was."""
    deployment = await deploy("payments", plugins=[InMemoryCoursesPlugin])
    purchase = new_id()
    before = await deployment.platform.services.get(PAYMENTS).charge(purchase, new_id(), new_id(), 0)
    await deployment.restart("freepay", plugins=[InMemoryCoursesPlugin])
    assert await deployment.platform.services.get(PAYMENTS).find_charge(purchase) is None
    assert await quoted(deployment, 1500) == 0

    await deployment.restart("payments", plugins=[InMemoryCoursesPlugin])

    assert await deployment.platform.services.get(PAYMENTS).find_charge(purchase) == before
    assert await quoted(deployment, 1500) == 1500
