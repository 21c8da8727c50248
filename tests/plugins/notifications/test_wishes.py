"""People say what reaches them, how soon and when; and are told why something did, or did not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kernel import new_id
from kernel.contracts.auth import SignedInFromNewDevice
from kernel.contracts.notifications import NotificationRequested
from kernel.contracts.users import ProfileChanged
from kernel.testing.deploying import Deploy
from tests.plugins.notifications.people import (
    NOON,
    PATH,
    House,
    decision,
    enrolled,
    mentioned,
    open_house,
    records,
    registered,
    tray,
)


async def preference(client: Any, kind: str, channel: str = "mail") -> dict[str, str]:
    found = await client.call("GET", f"{PATH}/preferences")
    return dict(next(one for one in found if one["kind"] == kind)["channels"][channel])


async def test_who_does_not_want_mails_of_a_kind_gets_none(deploy: Deploy) -> None:
    """The tray has the notice nevertheless; and whoever forgets the choice has it as everybody."""
    house = await open_house(deploy)
    client = await house.person()
    await client.call("PUT", f"{PATH}/preferences/enrolled/mail", {"frequency": "never"})
    assert await preference(client, "enrolled") == {"frequency": "never", "because": "chosen"}

    await house.tell(enrolled(client.user, house.course()))

    assert await house.mails() == 1
    assert len(await tray(client)) == 2
    way = {"channel": "mail", "decision": "never", "because": "chosen", "due_at": None, "ended_at": None}
    assert (await records(client))[0]["ways"] == [{**way, "result": "", "failure": ""}]
    await client.call("DELETE", f"{PATH}/preferences/enrolled/mail", expect=204)
    assert await preference(client, "enrolled") == {"frequency": "now", "because": "default"}
    await house.tell(enrolled(client.user, house.course()))
    assert await house.mails() == 2


async def test_who_does_not_want_a_kind_in_the_tray_finds_it_in_the_record(deploy: Deploy) -> None:
    """Neither shown nor counted."""
    house = await open_house(deploy)
    client = await house.person()
    await client.call("PUT", f"{PATH}/preferences/enrolled/tray", {"frequency": "never"})

    await house.tell(enrolled(client.user, house.course()))

    assert [one["kind"] for one in await tray(client)] == ["welcome"]
    assert (await client.call("GET", f"{PATH}/unread"))["count"] == 1
    assert [(one["kind"], one["outcome"]) for one in await records(client)] == [
        ("enrolled", "hidden"),
        ("welcome", "told"),
    ]
    assert await house.mails() == 2


async def test_wishes_that_make_no_sense_are_refused(deploy: Deploy) -> None:
    """By name; nothing changes."""
    client = await (await open_house(deploy)).person()
    await client.call("PUT", f"{PATH}/preferences/nonsense/mail", {"frequency": "now"}, expect=404)
    await client.call("PUT", f"{PATH}/preferences/enrolled/pigeon", {"frequency": "now"}, expect=404)
    await client.call("PUT", f"{PATH}/preferences/enrolled/mail", {"frequency": "hourly"}, expect=422)
    await client.call("PUT", f"{PATH}/preferences/enrolled/tray", {"frequency": "daily"}, expect=422)
    await client.call("PUT", f"{PATH}/schedule", {"time_zone": "Middle/Earth"}, expect=422)
    await client.call("PUT", f"{PATH}/schedule", {"quiet_from": 60}, expect=422)
    await client.call("PUT", f"{PATH}/following/nobody", expect=404)

    assert await preference(client, "enrolled") == {"frequency": "now", "because": "default"}
    assert (await client.call("GET", f"{PATH}/schedule"))["chosen"]["quiet_from"] is None
    assert (await client.call("GET", f"{PATH}/following"))["items"] == []


async def test_digest_comes_at_the_hour_of_the_person(deploy: Deploy) -> None:
    """One mail for the day, without what was read meanwhile."""
    house = await open_house(deploy)
    client = await house.person()
    await house.at(NOON)
    await client.call("PUT", f"{PATH}/preferences/enrolled/mail", {"frequency": "daily"})
    await client.call("PUT", f"{PATH}/schedule", {"hour": 18, "time_zone": "Asia/Tokyo"})
    for title in ("Knots", "Sails", "Stars"):
        await house.tell(enrolled(client.user, house.course(title)))
    assert await decision(client) == "daily"
    await client.call("POST", f"{PATH}/{(await tray(client))[1]['id']}/read", expect=204)
    assert await house.mails() == 1

    await house.at(NOON.replace(hour=8, minute=59) + timedelta(days=1))
    assert await house.mails() == 1
    await house.at(NOON.replace(hour=9) + timedelta(days=1))

    mail = await house.mail()
    assert mail.subject == "Your day at Lyceum: 2 news"
    assert ("Knots" in mail.text, "Sails" in mail.text, "Stars" in mail.text) == (True, False, True)
    (way,) = (await records(client))[0]["ways"]
    assert (way["decision"], way["result"]) == ("daily", "sent")


async def test_digest_of_which_everything_was_read_is_no_mail(deploy: Deploy) -> None:
    """The record says that there was nothing to be told."""
    house = await open_house(deploy)
    client = await house.person()
    await house.at(NOON)
    await client.call("PUT", f"{PATH}/preferences/enrolled/mail", {"frequency": "weekly"})
    await house.tell(enrolled(client.user, house.course()))
    assert await decision(client) == "weekly"
    await client.call("POST", f"{PATH}/{(await tray(client))[0]['id']}/read-up-to", expect=204)

    await house.at(NOON.replace(hour=8) + timedelta(days=5))

    assert await house.mails() == 1
    assert (await records(client))[0]["ways"][0]["result"] == "empty"


async def test_digest_knows_the_zone_of_the_profile(deploy: Deploy) -> None:
    """Unless the person has said another for this."""
    house = await open_house(deploy)
    client = await house.person()
    assert client.user is not None
    await house.tell(ProfileChanged(user_id=client.user, display_name="Ada", locale="en", time_zone="Asia/Tokyo"))
    assert (await client.call("GET", f"{PATH}/schedule"))["time_zone"] == "Asia/Tokyo"

    await client.call("PUT", f"{PATH}/schedule", {"time_zone": "Europe/Berlin"})

    found = await client.call("GET", f"{PATH}/schedule")
    assert (found["time_zone"], found["hour"], found["chosen"]["hour"]) == ("Europe/Berlin", 8, None)


async def test_what_is_usual_is_not_kept_as_a_choice(deploy: Deploy) -> None:
    """So that another default reaches whoever sent a form without changing it."""
    client = await (await open_house(deploy)).person()

    usual = {"hour": 8, "weekday": 0, "quiet_from": 0, "quiet_until": 0}
    found = await client.call("PUT", f"{PATH}/schedule", {**usual, "weekday": 3})

    assert {name: value for name, value in found["chosen"].items() if value is not None} == {"weekday": 3}


async def test_what_happens_in_quiet_hours_comes_together_at_their_end(deploy: Deploy) -> None:
    """One mail, not a pile of them."""
    house = await open_house(deploy)
    client = await house.person()
    await house.at(NOON)
    await client.call("PUT", f"{PATH}/schedule", {"quiet_from": 11 * 60, "quiet_until": 15 * 60})
    for title in ("Knots", "Sails"):
        await house.tell(enrolled(client.user, house.course(title)))
    assert await decision(client) == "quiet"
    assert await house.mails() == 1

    await house.at(NOON.replace(hour=15))

    assert (await house.mail()).subject == "While you rested: 2 news from Lyceum"
    await house.tell(enrolled(client.user, house.course("Stars")))
    assert (await house.mail()).subject == "You are enrolled in Stars"


async def test_what_is_urgent_heeds_neither_quiet_hours_nor_the_cap(deploy: Deploy) -> None:
    """As a sign-in with a device that nobody knows."""
    house = await open_house(deploy, most_per_day=0, quiet_until=24 * 60 - 1)
    client = house.deployment.client("student")
    assert client.user is not None
    await house.tell(registered(client.user))
    assert await house.mails() == 0

    device = SignedInFromNewDevice(user_id=client.user, session_id=new_id(), address="192.0.2.7", client="Netscape 4")
    await house.tell(device)

    mail = await house.mail()
    assert mail.subject == "New sign-in to your account"
    assert "Netscape 4, from 192.0.2.7" in mail.text


async def test_much_that_is_alike_comes_together(deploy: Deploy) -> None:
    """The first at once, the next after a while in one mail; what is said in another room is another matter."""
    house = await open_house(deploy, fold_minutes=10)
    client = await house.person()
    await house.at(NOON)
    course, room = house.course(), new_id()
    said = [mentioned(client.user, course, excerpt=f"word {number}", room=room) for number in range(4)]
    await house.tell(said[0])
    assert await decision(client) == "now"
    for event in said[1:]:
        await house.tell(event)
    assert await decision(client) == "folded"
    assert (await house.mail()).subject == "Somebody mentioned you in Knots"
    await house.tell(mentioned(client.user, course, excerpt="elsewhere"))
    assert "elsewhere" in (await house.mail()).text

    await house.at(NOON + timedelta(minutes=9))
    assert await house.mails() == 3
    await house.at(NOON + timedelta(minutes=10))

    mail = await house.mail()
    assert mail.subject == "Somebody mentioned you in Knots (and 2 more)"
    assert all(f"word {number}" in mail.text for number in (1, 2, 3))
    assert "word 0" not in mail.text
    assert await house.mails() == 4


async def test_what_is_too_much_for_a_day_waits_for_the_digest(deploy: Deploy) -> None:
    """Nothing is lost, and the next day there are mails at once again."""
    house = await open_house(deploy, most_per_day=3)
    client = await house.person()
    await house.at(NOON)
    for number in range(5):
        await house.tell(enrolled(client.user, house.course(f"Course {number}")))
    decisions = [one["ways"][0]["decision"] for one in await records(client)]
    assert decisions == ["capped", "capped", "now", "now", "now", "now"]
    assert await house.mails() == 4

    await house.at(NOON.replace(hour=8) + timedelta(days=1))

    subjects = [(await house.mail()).subject for _ in range(4)]
    assert subjects[-1] == "Your day at Lyceum: 2 news"
    await house.at(NOON + timedelta(days=1, minutes=1))
    await house.tell(enrolled(client.user, house.course()))
    assert await decision(client) == "now"


async def test_institution_sends_only_so_many_mails_in_a_day(deploy: Deploy) -> None:
    """The others wait, and go the next day."""
    house = await open_house(deploy, mails_per_day=3)
    people = [await house.person(f"p{number}@example.org") for number in range(2)]
    await house.tell(*(enrolled(one.user, house.course()) for one in people))
    total = sum([await house.mails(f"p{number}@example.org") for number in range(2)])
    assert total == 3

    await house.at(house.deployment.clock.now() + timedelta(days=1, seconds=1))

    assert sum([await house.mails(f"p{number}@example.org") for number in range(2)]) == 4


async def test_who_supports_somebody_sees_why_but_not_what(deploy: Deploy) -> None:
    """And nobody else sees anything."""
    house = await open_house(deploy)
    client, other = await house.person(), await house.person("bo@example.org")
    await house.tell(mentioned(client.user, house.course(), excerpt="a secret"))
    path = f"{PATH}/people/{client.user}/decisions"

    await other.call("GET", path, expect=403)
    found = await house.deployment.client("admin").call("GET", path)

    assert [one["kind"] for one in found["items"]] == ["mention", "welcome"]
    assert "secret" not in str(found)


async def test_contributors_kind_waits_for_its_plugin(deploy: Deploy) -> None:
    """While that is off nobody can say what it means: it is told of later, or is no news any more."""
    house: House = await open_house(deploy)
    client = await house.person()
    await house.tell(NotificationRequested(kind="full-moon", user_id=client.user))
    assert (await records(client))[0]["outcome"] is None

    await house.at(house.deployment.clock.now() + timedelta(hours=49))

    assert (await records(client))[0]["outcome"] == "stale"
    assert len(await tray(client)) == 1
