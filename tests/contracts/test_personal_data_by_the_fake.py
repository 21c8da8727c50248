"""The contributor in memory keeps the contract of `personal_data/1`, so that tests with it mean something."""

from __future__ import annotations

import pytest

from kernel.testing.contracts.personal_data import PersonalDataContract, contributor_of
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.personal_data import NAME, InMemoryPersonalData, InMemoryPersonalDataPlugin
from tests.contracts.memory_personal_data import InMemoryHarness


class TestFakePersonalData(PersonalDataContract):
    """Notes and books."""

    @pytest.fixture
    def harness(self) -> InMemoryHarness:
        return InMemoryHarness()


@pytest.mark.sqlite_only
async def test_plugin_contributes_it(deploy: Deploy) -> None:
    """To whoever asks all contributors."""
    deployment = await deploy(plugins=[InMemoryPersonalDataPlugin])

    assert isinstance(contributor_of(deployment, NAME), InMemoryPersonalData)
