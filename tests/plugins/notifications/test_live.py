"""An open page hears how many notifications are unread, whenever that changes."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientWebSocketResponse

from kernel.testing.deploying import Deploy
from plugins.notifications.live import Live
from tests.plugins.notifications.people import PATH, enrolled, open_house, tray


async def heard(socket: ClientWebSocketResponse[bool]) -> dict[str, Any]:
    found: dict[str, Any] = await asyncio.wait_for(socket.receive_json(), 10)
    return found


async def test_page_hears_of_what_is_new_and_of_what_was_read(deploy: Deploy) -> None:
    """Its own person's only."""
    house = await open_house(deploy)
    client, other = await house.person(), await house.person("bo@example.org")
    async with client.ws(f"{PATH}/socket") as socket:
        assert await heard(socket) == {"count": 1, "more": False}

        await house.tell(enrolled(client.user, house.course()), enrolled(other.user, house.course()))
        assert await heard(socket) == {"count": 2, "more": False}
        await client.call("POST", f"{PATH}/{(await tray(client))[0]['id']}/read-up-to", expect=204)

        assert await heard(socket) == {"count": 0, "more": False}
        await house.tell(enrolled(other.user, house.course()))
        assert len(house.deployment.platform.context("notifications").own(Live)._pages) == 1
    async with asyncio.timeout(5):
        while house.deployment.platform.context("notifications").own(Live)._pages:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
