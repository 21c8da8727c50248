"""A deployment that tells a receiver what a shop sells."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from kernel.testing.deploying import Deploy

sys.path.insert(0, str(Path(__file__).parent))

from house import House, make_house
from receiving import Receiver, receiving


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest_asyncio.fixture
async def house(deploy: Deploy, receiver: Receiver) -> House:
    return await make_house(deploy, receiver)
