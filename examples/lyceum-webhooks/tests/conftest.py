"""A deployment that tells a receiver what a shop sells."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from house import House, make_house
from receiving import Receiver, receiving

from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest_asyncio.fixture
async def house(deploy: Deploy, receiver: Receiver) -> House:
    return await make_house(deploy, receiver)
