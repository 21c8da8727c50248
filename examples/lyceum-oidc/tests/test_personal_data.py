"""What is kept of people is handed out and erased, as the kit of `personal_data/1` asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import pytest_asyncio
from house import House

from kernel.contracts.personal_data import PersonalData, Subject
from kernel.testing.contracts.personal_data import PersonalDataContract, Somebody, contributor_of


@dataclass
class Linked:
    """People who sign in by the provider."""

    house: House
    _numbers: count[int] = field(default_factory=count)

    @property
    def personal_data(self) -> PersonalData:
        return contributor_of(self.house.deployment, "oidc")

    async def somebody(self) -> Somebody:
        number = next(self._numbers)
        subject, email, browser = f"subject-{number}-of-campus", f"ada{number}@campus.test", self.house.browser()
        await self.house.campus.knows(subject, email=email)
        await self.house.come(browser, subject)
        person = await browser.who()
        assert person is not None
        return Somebody(subject=Subject(user_id=person, email=email), shown=(subject,), erased=(subject,))


@pytest_asyncio.fixture
async def harness(house: House) -> Linked:
    return Linked(house)


class TestOidc(PersonalDataContract):
    """The links."""
