"""A school that certifies enrolments."""

from __future__ import annotations

import pytest_asyncio
from school import School, make_school

from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def school(deploy: Deploy) -> School:
    return await make_school(deploy)
