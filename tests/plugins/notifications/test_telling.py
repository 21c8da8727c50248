"""People are told of what concerns them, once, in the tray and by mail, in their language."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from kernel import Event, new_id
from kernel.contracts.chat import MessageAnswered, MessageRemoved
from kernel.contracts.notifications import Facts, NotificationRequested
from kernel.contracts.payments import ChargeRefunded, PurchaseCharged, VoucherRedeemed
from kernel.discovery import Catalogue, load
from kernel.testing import teller
from kernel.testing.deploying import Deploy
from kernel.testing.failing import Failing
from plugins.notifications.kinds import OURS, SOURCES, Kinds
from plugins.notifications.telling import NEW, Ready, Telling
from plugins.notifications.wording import money, path_of, wordings
from tests.plugins.notifications.loft import LoftPlugin
from tests.plugins.notifications.people import PATH, House, enrolled, mentioned, open_house, records, registered, tray

FACTS: Facts = {
    "course": "Knots",
    "author": "Bo",
    "amount": 1900,
    "currency": "EUR",
    "excerpt": "hi",
    "client": "Firefox",
    "address": "192.0.2.1",
    "moment": "2027-01-31T09:00:00+00:00",
}


def paid(user: UUID, course: UUID) -> PurchaseCharged:
    return PurchaseCharged(
        purchase_id=new_id(), charge_id=new_id(), user_id=user, course_id=course, amount=1900, currency="EUR"
    )


async def test_whoever_registers_is_welcomed(deploy: Deploy) -> None:
    """In the tray, and by a mail that says where to go and how to get fewer of them."""
    house = await open_house(deploy)
    client = house.deployment.client("student")
    assert client.user is not None

    await house.tell(registered(client.user))

    mail = await house.mail()
    assert mail.subject == "Welcome to Lyceum"
    assert mail.text.startswith("Hello Ada,\n\nYour account is there.")
    assert f"{house.deployment.url}/notifications\n" in mail.text
    (notice,) = await tray(client)
    assert (notice["kind"], notice["title"], notice["read"]) == ("welcome", "Welcome to Lyceum", False)


async def test_each_kind_tells_its_facts(deploy: Deploy) -> None:
    """With the names of courses, and amounts as people write them."""
    house = await open_house(deploy)
    client = await house.person()
    assert client.user is not None
    course = house.course("Knots {and} sails")
    person = {"user_id": client.user, "course_id": course}
    charge = {"purchase_id": new_id(), "charge_id": new_id(), "amount": 1900, "currency": "EUR"}
    answer = {"room_id": new_id(), "offset": 7, "reply_to": 3, "author": new_id(), "excerpt": "By {the} sun"}
    told: tuple[Event, ...] = (
        enrolled(client.user, course),
        PurchaseCharged(**person, **charge),  # type: ignore[arg-type]
        ChargeRefunded(**person, **charge, reason="late"),  # type: ignore[arg-type]
        VoucherRedeemed(user_id=client.user, voucher_id=new_id(), batch_id=new_id(), amount=500, currency="EUR"),
        mentioned(client.user, course),
        MessageAnswered(**person, **answer),  # type: ignore[arg-type]
    )

    for event in told:
        await house.tell(event)

    newest_first = [(one["kind"], one["title"], one["text"]) for one in await tray(client)]
    assert newest_first[:-1] == [
        ("answer", "Somebody answered you in Knots {and} sails", "By {the} sun"),
        ("mention", "Somebody mentioned you in Knots {and} sails", "Look here"),
        ("voucher", "Your voucher was redeemed", "It brought you 5.00 EUR."),
        (
            "refund",
            "Money came back for Knots {and} sails",
            "19.00 EUR that you paid for Knots {and} sails are in your wallet again.",
        ),
        (
            "purchase",
            "You bought Knots {and} sails",
            "19.00 EUR were taken from your wallet for Knots {and} sails.",
        ),
        ("enrolled", "You are enrolled in Knots {and} sails", "Knots {and} sails is open to you now."),
    ]
    assert await house.mails() == 7


async def test_everybody_is_told_in_their_language(deploy: Deploy) -> None:
    """Or in English, where nobody has written theirs; the tray is in it too."""
    house = await open_house(deploy)
    german = await house.person("eva@example.org", locale="de-AT", name="Eva")
    other = await house.person("aki@example.org", locale="ja", name="Aki")
    course = house.course("Knoten")

    await house.tell(enrolled(german.user, course), enrolled(other.user, course))

    assert (await house.mail("eva@example.org")).subject == "Sie sind eingeschrieben: Knoten"
    assert (await tray(german))[0]["title"] == "Sie sind eingeschrieben: Knoten"
    assert (await house.mail("aki@example.org")).subject == "You are enrolled in Knoten"


def test_every_kind_has_words_in_every_locale() -> None:
    """Each says something with the facts that there are, and leaves nothing open."""
    locales = set(wordings())
    for kind in OURS:
        assert set(kind.words) == locales, kind.name
        for locale, words in wordings().items():
            said = words.say(kind, FACTS, locale, "Lyceum")
            assert said.title.strip()
            assert said.text.strip()
            assert "  " not in said.text
            assert kind.words[locale].label.strip()


def test_every_event_that_concerns_somebody_has_a_kind() -> None:
    """Of all that our plugins publish: none is forgotten."""
    catalogue = Catalogue.read()
    published = {event for name in catalogue.bundled() for event in load(catalogue.any(name)).manifest.publishes}
    told = {source.event: source.kind for source in SOURCES}
    names = {kind.name for kind in OURS}

    concerning = {event for event in published if event.concerns}

    assert concerning
    assert concerning <= told.keys()
    assert set(told.values()) == names
    assert all(event.concerns in event.__struct_fields__ for event in concerning)


async def test_order_of_events_does_not_matter(deploy: Deploy) -> None:
    """Somebody is enrolled before it is heard that the person registered: told of when they can be reached."""
    house = await open_house(deploy)
    client = house.deployment.client("student")
    assert client.user is not None
    await house.tell(enrolled(client.user, house.course()))
    assert await tray(client) == []

    await house.tell(registered(client.user))

    subjects = {(await house.mail()).subject for _ in range(2)}
    assert subjects == {"Welcome to Lyceum", "You are enrolled in Knots"}
    assert {one["kind"] for one in await tray(client)} == {"welcome", "enrolled"}


async def test_nobody_gets_two_mails_of_one_event(deploy: Deploy, failing: Failing) -> None:
    """Neither where it breaks off in the middle, nor where several are at it."""
    house = await open_house(deploy)
    client = await house.person()
    failing.arm("plugins.notifications.telling.TOLD", "raise|once")
    course = house.course()

    await house.tell(*(enrolled(client.user, course) for _ in range(5)))
    telling = house.deployment.platform.context("notifications").own(Telling)
    await asyncio.gather(*(telling.tell() for _ in range(4)))

    assert await house.mails() == 6
    assert len(await tray(client)) == 6


async def test_notice_that_several_found_new_is_told_by_one(deploy: Deploy, failing: Failing) -> None:
    """Each has read it before any of them told it."""
    house = await open_house(deploy, look_every=600)
    client = await house.person()
    failing.arm("plugins.notifications.telling.TOLD", "raise")
    await house.tell(enrolled(client.user, house.course()))
    ctx = house.deployment.platform.context("notifications")
    found = await ctx.db.all(NEW, after=UUID(int=0), stale=ctx.clock.now())
    telling = ctx.own(Telling)
    ready = [Ready(notice=one, facts=one.facts, kind=ctx.own(Kinds).all()[one.kind]) for one in found]
    failing.arm("plugins.notifications.telling.TOLD", "raise|skip:1000")

    await asyncio.gather(*(telling.tell_together(ready) for _ in range(5)))

    assert len(found) == 1
    assert await house.mails() == 2
    assert [one["kind"] for one in await tray(client)] == ["enrolled", "welcome"]


async def test_one_that_can_not_be_told_keeps_no_other_back(deploy: Deploy) -> None:
    """Though they would have been told together; nor does one that can be told, but not be put into words."""
    house = await open_house(deploy, LoftPlugin)
    client = await house.person()
    kinds = ("unfoldable", "wordless", "landed")
    await house.tell(*(NotificationRequested(kind=kind, user_id=client.user, facts={"bird": "Bo"}) for kind in kinds))

    assert (await house.mail()).subject == "Bo has landed"
    outcomes = {one["kind"]: (one["outcome"], one["ways"]) for one in await records(client)}
    assert outcomes["unfoldable"] == (None, [])
    assert (outcomes["wordless"][0], outcomes["wordless"][1][0]["result"]) == ("told", "failed")
    assert outcomes["landed"][1][0]["result"] == "sent"


async def test_old_news_is_none(deploy: Deploy) -> None:
    """Where the plugin hears of it late, as when it was off; the record says so."""
    house = await open_house(deploy, stale_hours=1)
    client = await house.person()
    ctx = house.deployment.platform.context(teller.NAME)
    async with ctx.db.transaction() as session:
        house.deployment.clock.advance(-7200)
        await ctx.events.publish(session, enrolled(client.user, house.course()))
        house.deployment.clock.advance(7200)
    await house.told()

    assert [one["kind"] for one in await tray(client)] == ["welcome"]
    newest = (await records(client))[0]
    assert (newest["kind"], newest["outcome"], newest["ways"]) == ("enrolled", "stale", [])
    assert await house.mails() == 1


async def test_what_is_read_is_counted_no_more(deploy: Deploy) -> None:
    """One by one, or all up to one; nobody reads for another."""
    house = await open_house(deploy)
    client, other = await house.person(), await house.person("bo@example.org", name="Bo")
    for _ in range(3):
        await house.tell(enrolled(client.user, house.course()))
    newest, middle, *_ = await tray(client)
    assert await client.call("GET", f"{PATH}/unread") == {"count": 4, "more": False}

    await client.call("POST", f"{PATH}/{newest['id']}/read")
    await other.call("POST", f"{PATH}/{middle['id']}/read", expect=404)
    await other.call("POST", f"{PATH}/{middle['id']}/read-up-to", expect=404)
    assert (await client.call("GET", f"{PATH}/unread"))["count"] == 3
    await client.call("POST", f"{PATH}/{middle['id']}/read-up-to")

    assert (await client.call("GET", f"{PATH}/unread"))["count"] == 0
    assert all(one["read"] for one in await tray(client))
    assert (await other.call("GET", f"{PATH}/unread"))["count"] == 1


async def test_what_a_message_said_that_is_gone_is_told_no_more(deploy: Deploy) -> None:
    """Its notice goes with it."""
    house = await open_house(deploy)
    client = await house.person()
    assert client.user is not None
    event = mentioned(client.user, house.course(), excerpt="a secret")
    await house.tell(event)
    assert (await tray(client))[0]["text"] == "a secret"

    await house.tell(MessageRemoved(room_id=event.room_id, course_id=event.course_id, offset=event.offset))

    assert [one["kind"] for one in await tray(client)] == ["welcome"]


async def test_what_comes_for_somebody_whom_nobody_knows_goes_in_the_end(deploy: Deploy) -> None:
    """As after an erasure."""
    house = await open_house(deploy, stale_hours=1)
    client = house.deployment.client("student")
    await house.tell(enrolled(client.user, house.course()))
    assert [one["outcome"] for one in await records(client)] == [None]

    await house.at(house.deployment.clock.now() + timedelta(hours=2))

    assert await records(client) == []


def test_facts_lead_nowhere_else() -> None:
    """Neither to another host nor to another path."""
    kind = msgspec.structs.replace(OURS[0], path="/{place}/x")

    assert path_of(kind, {"place": "/elsewhere.example/?a#b"}) == "/%2Felsewhere.example%2F%3Fa%23b/x"


@pytest.mark.parametrize("amount", [0, 5, 1900, 10**12])
def test_money_is_written_as_its_currency_is_counted(amount: int) -> None:
    """In hundredths, mostly."""
    assert money(amount, "EUR") == f"{amount // 100}.{amount % 100:02} EUR"
    assert money(amount, "JPY") == f"{amount} JPY"


async def test_pages_of_the_tray_show_everything_once(deploy: Deploy) -> None:
    """The newest first."""
    house = await open_house(deploy)
    client = await house.person()
    for _ in range(4):
        await house.tell(enrolled(client.user, house.course()))

    seen, cursor = [], ""
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        found = await client.call("GET", PATH, params=params)
        seen += [one["id"] for one in found["items"]]
        cursor = found["next"]
        if not cursor:
            break

    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


async def test_house_of_many(deploy: Deploy) -> None:
    """Each is told of their own only."""
    house: House = await open_house(deploy)
    people = [await house.person(f"p{number}@example.org", name=f"P{number}") for number in range(3)]
    course = house.course()

    await house.tell(*(enrolled(one.user, course) for one in people[:2]))

    assert [len(await tray(one)) for one in people] == [2, 2, 1]
