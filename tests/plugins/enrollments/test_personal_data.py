"""Erasing a person: the access ends, the seats are free, and what is kept is under a number and without words."""

from __future__ import annotations

import pytest

from kernel.contracts.enrollments import AccessEnded, GrantRevoked
from kernel.contracts.personal_data import PERSONAL_DATA, PersonalData, Subject
from kernel.testing import witness
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.payments import InMemoryPayments
from plugins.enrollments.personal_data import PurchaseUnderWay
from tests.plugins.enrollments.shop import PRICE, Shop, buy, open_shop
from tests.plugins.enrollments.test_faults import Faulty, die

WITNESS = witness.witness_of(AccessEnded, GrantRevoked)


def contribution(shop: Shop) -> PersonalData:
    return dict(shop.deployment.platform.services.named(PERSONAL_DATA))["enrollments"]


def subject(client: Client) -> Subject:
    assert client.user is not None
    return Subject(user_id=client.user, email="")


async def test_seats_of_an_erased_person_are_free(deploy: Deploy) -> None:
    """Bought, given, suspended or yet to begin: all access ends, is told of once, and somebody else gets in."""
    shop = await open_shop(deploy, WITNESS)
    courses = [shop.course() for _ in range(4)]
    gone, other = await shop.student(PRICE), await shop.student(PRICE)
    for course in courses:
        await shop.limit(course, 1)
    bought, given, suspended, later = courses
    await buy(gone, bought)
    await shop.grant(gone, given, source="gift")
    await shop.change((await shop.grant(gone, suspended, source="gift"))["id"], "suspend")
    await shop.grant(gone, later, source="gift", starts_at="2998-01-01T00:00:00Z")
    await shop.grant(gone, shop.course(), source="staff")

    receipt = await contribution(shop).erase(subject(gone))

    assert await contribution(shop).erase(subject(gone)) == receipt
    assert any("seats" in what for what in receipt.erased)
    assert [await shop.taken(course) for course in courses] == [0] * 4
    assert not (await shop.access(gone, bought))["access"]["allowed"]
    await buy(other, bought)
    await shop.settle()
    events = shop.deployment.platform.context(witness.NAME).own(witness.Witnessed).events
    assert [type(event) for event in events].count(GrantRevoked) == 5
    assert [type(event) for event in events].count(AccessEnded) == 3 + 1  # the suspension told one


async def test_words_about_the_access_go_with_it(deploy: Deploy) -> None:
    """Also the one that the erasure itself gave."""
    shop = await open_shop(deploy)
    gone, course = await shop.student(PRICE), shop.course()
    await buy(gone, course)
    await shop.grant(gone, course, source="gift", reason="Because she wept.")

    await contribution(shop).erase(subject(gone))

    found = await shop.access(gone, course)
    assert [(one["grant"]["state"], one["grant"]["reason"]) for one in found["grants"]] == [("revoked", "")] * 2


async def test_others_keep_their_access(deploy: Deploy) -> None:
    """To the same course, and their seats."""
    shop = await open_shop(deploy)
    gone, stays, course = await shop.student(PRICE), await shop.student(PRICE), shop.course()
    await shop.limit(course, 2)
    await buy(gone, course)
    await buy(stays, course)

    await contribution(shop).erase(subject(gone))

    assert await shop.taken(course) == 1
    assert (await shop.access(stays, course))["access"]["allowed"]


async def test_purchase_under_way_is_waited_for(deploy: Deploy) -> None:
    """It holds a seat and may bring access yet: the erasure is asked again, and ends that, too."""
    shop = await open_shop(deploy, sweep_every=600)
    gone, course = await shop.student(), shop.course()
    await shop.limit(course, 1)
    silent = InMemoryPayments(shop.courses)
    silent.fund(subject(gone).user_id, PRICE)
    faulty = Faulty(silent)
    faulty.after_charge = die
    shop.replace_payments(faulty)
    await buy(gone, course, expect=500)

    with pytest.raises(PurchaseUnderWay):
        await contribution(shop).erase(subject(gone))
    held = await shop.taken(course)
    shop.deployment.clock.advance(20)
    await shop.sweep()
    allowed = (await shop.access(gone, course))["access"]["allowed"]
    await contribution(shop).erase(subject(gone))

    assert (held, allowed) == (1, True)
    assert await shop.taken(course) == 0
    assert not (await shop.access(gone, course))["access"]["allowed"]
