"""One click in a mail ends what it was of, for ever, for whoever it was sent to and nobody else."""

from __future__ import annotations

import pytest

from kernel.contracts.notifications import NOTIFICATIONS
from kernel.testing.clients import Client
from kernel.testing.deploying import Deploy
from tests.plugins.notifications.people import PATH, House, enrolled, open_house, records, registered


async def unsubscribe(house: House, client: Client) -> str:
    """Return what the mail program posts to, of the next mail."""
    await house.tell(enrolled(client.user, house.course()))
    return (await house.mail()).unsubscribe.removeprefix(house.deployment.url)


async def test_one_click_ends_a_kind_for_ever(deploy: Deploy) -> None:
    """Without a cookie, as often as it is asked; other kinds go on, and a new registration changes nothing."""
    house = await open_house(deploy)
    client = await house.person()
    path = await unsubscribe(house, client)
    stranger = house.deployment.client()
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    for _ in range(2):
        response = await stranger.session.post(
            f"{house.deployment.url}{path}", data=b"List-Unsubscribe=One-Click", headers=form
        )
        assert response.status == 200
        assert await response.json() == {"channel": "mail", "kinds": ["enrolled"]}
    assert client.user is not None
    await house.tell(enrolled(client.user, house.course()), registered(client.user))

    assert [(one["kind"], one["ways"][0]["decision"], one["ways"][0]["because"]) for one in await records(client)][
        :2
    ] in (
        [("welcome", "now", "default"), ("enrolled", "never", "unsubscribed")],
        [("enrolled", "never", "unsubscribed"), ("welcome", "now", "default")],
    )
    assert (await house.mail()).subject == "Welcome to Lyceum"


async def test_who_only_looks_at_the_link_ends_nothing(deploy: Deploy) -> None:
    """A program that opens links is led to the page, which asks."""
    house = await open_house(deploy)
    client = await house.person()
    path = await unsubscribe(house, client)

    response = await house.deployment.client().session.get(f"{house.deployment.url}{path}", allow_redirects=False)

    assert response.status == 303
    assert response.headers["Location"].startswith(f"{house.deployment.url}/notifications/unsubscribe/")
    await house.tell(enrolled(client.user, house.course()))
    assert (await records(client))[0]["ways"][0]["decision"] == "now"


@pytest.mark.parametrize("forge", ["person", "kind", "code", "nonsense", "short"])
async def test_link_that_we_did_not_make_ends_nothing(deploy: Deploy, forge: str) -> None:
    """Whatever of it was changed."""
    house = await open_house(deploy)
    client, other = await house.person(), await house.person("bo@example.org")
    token = (await unsubscribe(house, client)).rpartition("/")[2]
    person, channel, kinds, code = token.split(".")
    assert other.user is not None
    forged = {
        "person": f"{other.user.hex}.{channel}.{kinds}.{code}",
        "kind": f"{person}.{channel}.welcome.{code}",
        "code": f"{person}.{channel}.{kinds}.{'0' * len(code)}",
        "nonsense": "nonsense",
        "short": f"{person}.{channel}.{kinds}.{code[:-1]}",
    }[forge]
    stranger = house.deployment.client()

    await stranger.call("POST", f"{PATH}/unsubscribe/{forged}", expect=404)
    await stranger.call("GET", f"{PATH}/unsubscribe/{forged}", expect=404)

    for one in (client, other):
        found = await one.call("GET", f"{PATH}/preferences")
        assert all(kind["channels"]["mail"]["because"] == "default" for kind in found)


async def test_service_counts_what_is_unread(deploy: Deploy) -> None:
    """For pages of other plugins."""
    house = await open_house(deploy)
    client = await house.person()
    assert client.user is not None

    assert await house.deployment.platform.services.get(NOTIFICATIONS).unread(client.user) == 1
