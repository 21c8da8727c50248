"""A provider that knows Ada, and a deployment that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from house import Campus, House, make_house, running_campus

from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def campus(tmp_path: Path) -> AsyncIterator[Campus]:
    async with running_campus(tmp_path) as found:
        await found.knows()
        yield found


@pytest_asyncio.fixture
async def house(deploy: Deploy, campus: Campus) -> House:
    return await make_house(deploy, campus)
