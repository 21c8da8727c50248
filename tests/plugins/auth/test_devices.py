"""Devices: whoever has signed in before is told of a sign-in from one that is new, and of no other."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import timedelta
from http.cookies import SimpleCookie
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from kernel import Identifiers, new_id, redacted
from kernel.contracts.auth import SessionStarted, SignedInFromNewDevice
from kernel.database import Command, Query
from kernel.testing import witness
from kernel.testing.contracts.auth.deployed import deploy_auth, within
from kernel.testing.contracts.auth.vouching import ADA
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.auth import watch
from plugins.auth.devices import LIFE, MOST, Devices
from plugins.auth.tables import devices
from tests.plugins.auth.browsing import BROWSERS, browse
from tests.plugins.auth.signing_in import SESSIONS, ask, grant, published, status

EMAIL = "ada@example.org"
DEVICE = "lyceum-device"
HTTPS = {"server": {"public_url": "https://learn.example.org"}}
WITNESS = witness.witness_of(SessionStarted, SignedInFromNewDevice)
AGAIN = 721  # seconds from code to code, of which an hour has five

DIGESTS = Query(sa.select(devices.c.digest).order_by(devices.c.seen_at), bytes)
FORGET_ALL = Command(sa.delete(devices))


async def deploy_witnessed(deploy: Deploy) -> Deployment:
    return await deploy("auth", "mail", plugins=[WITNESS])


async def answered(deployment: Deployment, path: str, email: str, **headers: str) -> SimpleCookie:
    """Sign somebody in, once the next code may be asked for; return the cookies that are set."""
    deployment.clock.advance(AGAIN)
    asked = await ask(deployment, email)
    async with deployment.client().post(path, json=asked.body(), headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return answer.cookies


async def browser(deployment: Deployment, device: str | None = None, *, email: str = EMAIL) -> str:
    """Sign in with a browser whose session is over and that is known by *device*; return by what it is from now on."""
    headers = {} if device is None else {"Cookie": f"{DEVICE}={device}"}
    return (await answered(deployment, BROWSERS, email, **headers))[DEVICE].value


async def application(deployment: Deployment, client: str) -> None:
    """Sign in with an application that calls itself *client*."""
    assert not await answered(deployment, SESSIONS, EMAIL, **{"User-Agent": client})


async def alarms(deployment: Deployment) -> list[SignedInFromNewDevice]:
    """Return what was told of new devices."""
    await deployment.settle()
    events = deployment.platform.context(witness.NAME).own(witness.Witnessed).events
    return [event for event in events if isinstance(event, SignedInFromNewDevice)]


async def digests(deployment: Deployment) -> list[bytes]:
    return await deployment.platform.context("auth").db.all(DIGESTS)


async def news(deployment: Deployment, account: UUID, device: str) -> bool:
    """Return whether a sign-in from *device* is news, without all the rest of a sign-in."""
    auth = deployment.platform.context("auth")
    async with auth.db.transaction() as session:
        return await auth.own(Devices).is_new(session, account, device)


async def test_first_sign_in_is_no_news(deploy: Deploy) -> None:
    """Neither of somebody who is new nor of somebody whose account was made in advance; the device is known then."""
    deployment = await deploy_witnessed(deploy)
    await grant(deployment, "bob@example.org", "instructor")

    await browser(deployment)
    await browser(deployment, email="bob@example.org")

    assert await alarms(deployment) == []
    assert len(await digests(deployment)) == 2


async def test_sign_in_from_a_new_browser_is_told_with_its_origin(deploy: Deploy) -> None:
    """Beside the session that started, once."""
    deployment = await deploy_witnessed(deploy)
    first = await browse(deployment, EMAIL)
    deployment.clock.advance(AGAIN)

    second = await browse(deployment, EMAIL, **{"User-Agent": "Sea\tShip/1.0"})

    person, session = UUID(first.user), UUID(second.session)
    assert await alarms(deployment) == [
        SignedInFromNewDevice(user_id=person, session_id=session, address="127.0.0.1", client="Sea Ship/1.0")
    ]


async def test_browser_is_known_again(deploy: Deploy) -> None:
    """Also when the session is long over and the browser calls itself otherwise."""
    deployment = await deploy_witnessed(deploy)
    device = await browser(deployment)
    deployment.clock.advance(LIFE.total_seconds() - 2 * AGAIN)

    again = await answered(deployment, BROWSERS, EMAIL, **{"User-Agent": "New", "Cookie": f"{DEVICE}={device}"})

    assert await alarms(deployment) == []
    assert again[DEVICE].value == device
    assert again[DEVICE]["max-age"] == str(365 * 86400), "each sign-in renews it"


@pytest.mark.parametrize("value", ["", "short", "A" * 44, "é" * 43, "A" * 43])
async def test_cookie_that_is_not_known_is_told_of(deploy: Deploy, value: str) -> None:
    """What is none of ours is replaced; what may be some other person's is kept, and is no more than a new device."""
    deployment = await deploy_witnessed(deploy)
    await browser(deployment)

    device = await browser(deployment, value)

    assert len(await alarms(deployment)) == 1
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", device)
    assert (device == value) is (value == "A" * 43)
    assert await browser(deployment, device) == device
    assert len(await alarms(deployment)) == 1


async def test_people_share_a_browser(deploy: Deploy) -> None:
    """It has one cookie, and is known of each of them who has signed in with it."""
    deployment = await deploy_witnessed(deploy)
    shared = await browser(deployment)
    await browser(deployment, email="bob@example.org")

    assert await browser(deployment, shared, email="bob@example.org") == shared

    assert len(await alarms(deployment)) == 1
    for email in (EMAIL, "bob@example.org"):
        await browser(deployment, shared, email=email)
    assert len(await alarms(deployment)) == 1


async def test_application_is_known_by_what_it_calls_itself(deploy: Deploy) -> None:
    """It keeps no cookies; and what it says makes no browser of it."""
    deployment = await deploy_witnessed(deploy)
    device = await browser(deployment)

    for client in ("Phone/1", "Phone/1", "Tablet/1", "Phone/1", "", device):
        await application(deployment, client)

    assert [event.client for event in await alarms(deployment)] == ["Phone/1", "Tablet/1", "", device]


async def test_whoever_is_vouched_for_has_devices_too(deploy: Deploy) -> None:
    """The cookie is among those that a plugin sets on its answer."""
    harness = await deploy_auth(deploy, "auth", "mail")
    first = await harness.vouch(**ADA)

    second = await harness.vouch(user_id=str(first.user))
    await harness.vouch(user_id=str(first.user), cookies=first.cookies)
    await harness.vouch(user_id=str(first.user), cookies=second.cookies)

    assert (await published(harness.deployment)).count(SignedInFromNewDevice.name) == 1


async def test_cookie_of_the_device_keeps_to_https_and_to_this_host(deploy: Deploy) -> None:
    """As that of the session does; it is a second header, which outlives the first by far."""
    deployment = await deploy("auth", "mail", sections=HTTPS)
    asked = await ask(deployment, EMAIL)

    async with deployment.client().post(BROWSERS, json=asked.body()) as answer:
        _, header = answer.headers.getall("Set-Cookie")

    name, *attributes = header.split("; ")
    assert re.fullmatch(r"__Host-lyceum-device=[\w-]{43}", name)
    assert sorted(attributes) == ["HttpOnly", f"Max-Age={365 * 86400}", "Path=/", "SameSite=Lax", "Secure"]


async def test_cookie_of_the_device_lets_nobody_in(deploy: Deploy) -> None:
    """Neither in its own place nor in that of the session's; and it is not that one's value."""
    deployment = await deploy("auth", "mail")
    found = await answered(deployment, BROWSERS, EMAIL)
    device = found[DEVICE].value

    assert found["lyceum"].value != device
    for header in (f"{DEVICE}={device}", f"lyceum={device}"):
        async with deployment.client().get(SESSIONS, headers={"Cookie": header}) as answer:
            assert answer.status == 401


async def test_device_is_stored_as_a_digest_of_each_account(deploy: Deploy) -> None:
    """Neither the cookie nor a plain hash of it is in the database, nor that two people share it."""
    deployment = await deploy("auth", "mail")
    device = await browser(deployment)
    await browser(deployment, device, email="bob@example.org")
    value = device.encode()

    ada, bob = await digests(deployment)

    assert ada != bob
    assert not {ada, bob} & {value, hashlib.sha256(value).digest()}


async def test_refused_sign_in_makes_no_device_known(deploy: Deploy) -> None:
    """Nothing is remembered of whoever only tries."""
    deployment = await deploy_witnessed(deploy)
    await browser(deployment)
    known = await digests(deployment)
    deployment.clock.advance(AGAIN)
    asked = await ask(deployment, EMAIL)

    assert await status(deployment.client(), "POST", BROWSERS, asked.wrong()) == 401

    assert (await digests(deployment), await alarms(deployment)) == (known, [])


async def test_accounts_from_before_are_not_alarmed(deploy: Deploy) -> None:
    """Whoever signed in before devices were known makes the first one known; from the second on it is told."""
    deployment = await deploy_witnessed(deploy)
    await browser(deployment)
    await deployment.platform.context("auth").db.run(FORGET_ALL)

    await browser(deployment)
    assert await alarms(deployment) == []
    await browser(deployment)

    assert len(await alarms(deployment)) == 1


async def test_only_the_newest_devices_of_an_account_are_known(deploy: Deploy) -> None:
    """Whoever signs in without cookies again and again fills no table; others' devices stay."""
    deployment = await deploy("auth", "mail")
    ada, bob = [(await grant(deployment, f"{name}@example.org", "student")).id for name in ("ada", "bob")]
    assert not await news(deployment, bob, "his")
    for number in range(MOST + 1):
        deployment.clock.advance(1)
        assert await news(deployment, ada, str(number)) is (number > 0)
        assert await news(deployment, ada, "often") is (number == 0)

    assert len(await digests(deployment)) == MOST + 1
    assert not await news(deployment, bob, "his")
    assert not await news(deployment, ada, "often")
    assert not await news(deployment, ada, str(MOST))
    assert await news(deployment, ada, "0")


async def test_device_that_nobody_used_for_a_year_is_forgotten(deploy: Deploy) -> None:
    """Those used since stay."""
    deployment = await deploy("auth", "mail")
    ada = (await grant(deployment, EMAIL, "student")).id
    for device in ("old", "young"):
        await news(deployment, ada, device)
    deployment.clock.advance(timedelta(days=200).total_seconds())
    await news(deployment, ada, "young")
    deployment.clock.advance(timedelta(days=166).total_seconds())

    await deployment.platform.context("auth").own(Devices).forget()

    assert len(await digests(deployment)) == 1
    assert not await news(deployment, ada, "young")
    assert await news(deployment, ada, "old")


async def test_devices_are_forgotten_by_the_way(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """With codes, sessions and keys that are over; nobody has to ask for it."""
    monkeypatch.setattr(watch, "CLEANING", 0.05)
    deployment = await deploy("auth", "mail")
    await news(deployment, (await grant(deployment, EMAIL, "student")).id, "old")

    deployment.clock.advance(LIFE.total_seconds() + 1)

    assert await within(lambda: digests(deployment), [])


@pytest.mark.postgresql_only
async def test_new_device_at_ten_sign_ins_at_once_is_told_of_once(deploy: Deploy) -> None:
    """None of them fails, also where nothing else makes them wait for each other."""
    deployment = await deploy("auth", "mail")
    ada = (await grant(deployment, EMAIL, "student")).id
    await news(deployment, ada, "first")

    for number in range(10):
        found = await asyncio.gather(*(news(deployment, ada, str(number)) for _ in range(10)))
        assert sorted(found) == [False] * 9 + [True]


async def test_person_who_is_vouched_for_twice_at_once_is_told_once(deploy: Deploy) -> None:
    """Of one new browser whose page was asked for twice."""
    harness = await deploy_auth(deploy, "auth", "mail")
    first = await harness.vouch(**ADA)
    fresh = {DEVICE: "A" * 43}

    await asyncio.gather(*(harness.vouch(user_id=str(first.user), cookies=fresh) for _ in range(4)))

    told = await published(harness.deployment)
    assert (told.count(SessionStarted.name), told.count(SignedInFromNewDevice.name)) == (5, 1)


def test_event_says_nothing_of_where_an_erased_person_was() -> None:
    """Address and client are blanked; who it was and in which session stays."""
    person, session = new_id(), new_id()
    told = SignedInFromNewDevice(user_id=person, session_id=session, address="192.0.2.1", client="Ship/1.0")

    left = redacted(msgspec.json.encode(told), SignedInFromNewDevice.personal, Identifiers(user_id=person))

    assert msgspec.json.decode(left, type=SignedInFromNewDevice) == SignedInFromNewDevice(
        user_id=person, session_id=session, address="", client=""
    )
