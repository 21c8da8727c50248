"""Two processes tell the same people at the same moment: each of everything once, in one parcel where it folds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.notifications import NOTIFICATION_CHANNEL
from kernel.database import Query
from kernel.testing import teller
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.failing import Failing
from plugins.notifications.sending import Sending
from plugins.notifications.tables import deliveries, parcels
from plugins.notifications.telling import Telling
from tests.plugins.notifications.loft import LoftPlugin, Pigeons
from tests.plugins.notifications.people import House, enrolled, mentioned, open_house, records

pytestmark = pytest.mark.postgresql_only  # SQLite lets one writer in at a time

ROUNDS: Final = 10
EVENTS: Final = 12  # of each round


class Lost(msgspec.Struct, frozen=True):
    """A delivery that was put into a parcel after that had been closed, or into none."""

    decision: str


#: What joins a parcel was decided before the parcel was closed.
STRAYS: Final = Query(
    sa.select(deliveries.c.decision)
    .join_from(deliveries, parcels, parcels.c.id == deliveries.c.parcel_id, isouter=True)
    .where(parcels.c.id.is_(None), deliveries.c.decision != "never"),
    Lost,
)


async def both(house: House, processes: Sequence[Deployment]) -> None:
    """Have both tell and send, at once and again and again, until nothing is left."""
    contexts = [one.platform.context("notifications") for one in processes]
    for _ in range(3):
        telling = [ctx.own(Telling).tell() for ctx in contexts * 3]
        sending = [ctx.own(Sending).send() for ctx in contexts * 3]
        await asyncio.gather(*telling, *sending)


async def test_two_processes_send_one_mail_of_each_event(deploy: Deploy) -> None:
    """And one pigeon, of whichever process."""
    house = await open_house(deploy, LoftPlugin, most_per_day=10_000)
    people = [await house.person(f"p{number}@example.org") for number in range(3)]
    processes = (house.deployment, await house.deployment.twin())
    course = house.course()

    for _ in range(ROUNDS):
        events = [enrolled(one.user, course) for one in people for _ in range(EVENTS // len(people))]
        await teller.tell(house.deployment, *events)
        await both(house, processes)

    expected = 1 + ROUNDS * EVENTS // len(people)
    assert [await house.mails(f"p{number}@example.org") for number in range(3)] == [expected] * 3
    assert [_carried(processes, one) for one in people] == [expected] * 3
    assert await house.deployment.platform.context("notifications").db.all(STRAYS) == []


async def test_what_folds_is_neither_lost_nor_told_twice(deploy: Deploy) -> None:
    """Though parcels are closed while others join them."""
    house = await open_house(deploy, fold_minutes=1, most_per_day=10_000)
    client = await house.person()
    processes = (house.deployment, await house.deployment.twin())
    course, room = house.course(), new_id()
    said = [f"word-{number:03}" for number in range(ROUNDS * EVENTS)]

    for first in range(0, len(said), EVENTS):
        words = said[first : first + EVENTS]
        events = [mentioned(client.user, course, excerpt=word, room=room) for word in words]
        await asyncio.gather(teller.tell(house.deployment, *events), both(house, processes))
        house.deployment.clock.advance(61)
        await both(house, processes)
    house.deployment.clock.advance(61)
    await both(house, processes)
    await house.told()

    told = "\n".join(message.text for message in house.deployment.mailbox.messages)
    assert [word for word in said if told.count(word) != 1] == []
    assert {one["ways"][0]["result"] for one in await records(client)} == {"sent"}
    assert await house.mails() < len(said)


async def test_parcel_that_something_joins_is_not_closed_meanwhile(deploy: Deploy, failing: Failing) -> None:
    """The other process waits until it is committed, or leaves the parcel to later."""
    house = await open_house(deploy, fold_minutes=1, look_every=600)
    client = await house.person()
    twin = await house.deployment.twin()
    course, room = house.course(), new_id()
    said = [mentioned(client.user, course, excerpt=f"word-{number}", room=room) for number in range(3)]
    for event in said[:2]:
        await house.tell(event)
    failing.arm("plugins.notifications.telling.TOLD", "sleep:1500")
    await teller.tell(house.deployment, said[2])
    await asyncio.sleep(0.5)

    house.deployment.clock.advance(61)
    await twin.platform.context("notifications").own(Sending).send()
    await asyncio.sleep(2)
    await both(house, (house.deployment, twin))

    assert await house.mails() >= 3
    told = "\n".join(message.text for message in house.deployment.mailbox.messages)
    assert [told.count(f"word-{number}") for number in range(3)] == [1, 1, 1]


def _carried(processes: Sequence[Deployment], client: Client) -> int:
    """Return how many pigeons have come to somebody; each with a key of its own."""
    keys = []
    for process in processes:
        (channel,) = process.platform.services.all(NOTIFICATION_CHANNEL)
        assert isinstance(channel, Pigeons)
        keys += [one.key for one in channel.carried if one.recipient.user_id == client.user]
    assert len(keys) == len(set(keys))
    return len(keys)
