"""Nothing is delivered to where only the platform itself can reach, however the address is written or found."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from house import House, ShopPlugin, make_house
from lyceum_webhooks.targets import NotAllowed, Targets, without_query
from receiving import Receiver

from kernel.testing.deploying import Deploy

PUBLIC = Targets((), development=False)

INTERNAL = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",  # the machine's own secrets, with most providers of machines
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::1",
    "::127.0.0.1",
]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_address_is_refused(address: str) -> None:
    """The message names it."""
    with pytest.raises(NotAllowed, match="is no public address"):
        PUBLIC.check_address(ip_address(address))


@pytest.mark.parametrize("address", ["203.0.114.7", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_address_is_allowed(address: str) -> None:
    """Also through the translator of a network without IPv4."""
    PUBLIC.check_address(ip_address(address))


def test_network_can_be_allowed() -> None:
    """That one and no other."""
    targets = Targets((ip_network("10.20.0.0/16"),), development=False)

    targets.check_address(ip_address("10.20.1.1"))
    targets.check_address(ip_address("::ffff:10.20.1.1"))
    with pytest.raises(NotAllowed):
        targets.check_address(ip_address("10.21.1.1"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "begin the URL with https://"),
        ("ftp://example.org/", "begin the URL with https://"),
        ("file:///etc/passwd", "begin the URL with https://"),
        ("https:///nowhere", "begin the URL with https://|host"),
        ("https://user:secret@example.org/", "leave user, password and fragment out"),
        ("https://example.org/#part", "leave user, password and fragment out"),
        ("https://2130706433/", "as four numbers"),
        ("https://0x7f000001/", "as four numbers"),
        ("https://0x7f.1/", "as four numbers"),
        ("https://127.1/", "as four numbers"),
        ("https://0177.0.0.1/", "as four numbers"),
        ("https://127.0.0.1./", "as four numbers"),
        ("https://127.0.0.1/", "is no public address"),
        ("https://[::1]/", "is no public address"),
        ("https://[::ffff:127.0.0.1]/", "is no public address"),
        ("https://exämple.org/", "ASCII"),
        ("https://example.org/a b", "ASCII"),
        ("https://example.org/\n", "ASCII"),
        ("https://example.org/" + "a" * 2000, "at most"),
        ("https://[::1", "."),
    ],
)
def test_url_that_leads_nowhere_good_is_refused(url: str, reason: str) -> None:
    """Before anything is stored, with what would be right."""
    with pytest.raises(ValueError, match=reason):
        PUBLIC.check_url(url)


@pytest.mark.parametrize("url", ["https://example.org/hook?key=1", "https://8.8.8.8:8443/", "https://v2.example.org/"])
def test_url_of_a_public_place_is_taken(url: str) -> None:
    """By name or by address."""
    PUBLIC.check_url(url)


def test_clear_text_is_for_development_alone() -> None:
    """There it is convenient."""
    Targets((), development=True).check_url("http://example.org/")


def test_query_is_not_shown() -> None:
    """The rest of the URL is."""
    assert without_query("https://example.org:8443/hook?key=1") == "https://example.org:8443/hook"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/", "http://[::ffff:127.0.0.1]:{}/", "http://2130706433:{}/", "http://127.1:{}/"]
)
async def test_registration_of_an_internal_address_is_refused(deploy: Deploy, receiver: Receiver, url: str) -> None:
    """The field is named."""
    house = await make_house(deploy, receiver, allow_networks=[])

    body = {"url": url.format(receiver.port), "event_types": ["*"]}
    refused = await house.call("POST", "/endpoints", body, expect=422)

    assert [error["field"] for error in refused["errors"]] == ["body.url"]


async def test_name_that_leads_to_this_machine_is_not_connected_to(deploy: Deploy, receiver: Receiver) -> None:
    """What a name leads to shows only when it is used, and may be different each time."""
    house = await make_house(deploy, receiver, allow_networks=[])
    endpoint, _ = await house.add(url=f"http://localhost:{receiver.port}/")

    await house.sell()
    found = await house.until(endpoint, "waiting")

    assert "is no public address" in found["error"]
    assert receiver.requests == []


async def test_address_that_is_allowed_no_more_is_not_connected_to(deploy: Deploy, receiver: Receiver) -> None:
    """The configuration says so, however the endpoint came to be registered."""
    house = await make_house(deploy, receiver)
    endpoint, _ = await house.add()
    await restart(house, {"poll": 0.05})

    await house.sell()
    found = await house.until(endpoint, "waiting")

    assert "127.0.0.1 is no public address" in found["error"]
    assert receiver.requests == []


async def test_clear_text_is_sent_no_more_outside_development(deploy: Deploy, receiver: Receiver) -> None:
    """Nor is it registered there."""
    house = await make_house(deploy, receiver)
    endpoint, _ = await house.add()
    await restart(house, {"poll": 0.05, "allow_networks": ["127.0.0.0/8"]}, development=False)

    await house.sell()
    found = await house.until(endpoint, "waiting")

    assert "begin the URL with https://" in found["error"]
    assert receiver.requests == []
    await house.call("POST", "/endpoints", {"url": receiver.url, "event_types": ["*"]}, expect=422)


async def restart(house: House, settings: dict[str, Any], *, development: bool = True) -> None:
    await house.deployment.restart(
        "webhooks",
        plugins=[ShopPlugin],
        settings={"webhooks": settings},
        sections={"server": {"development": development}},
    )
