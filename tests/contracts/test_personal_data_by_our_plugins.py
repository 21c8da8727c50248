"""Each of our plugins that keeps anything of people keeps the contract of `personal_data/1`, on both ends."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.discovery import Catalogue, load
from kernel.testing.contracts.personal_data import PersonalDataContract
from kernel.testing.deploying import Deploy
from tests.contracts.contributors import CONTRIBUTORS, OurHarness, deploy_contributor


@pytest.mark.parametrize("plugin", CONTRIBUTORS)
class TestOurContributor(PersonalDataContract):
    """Each of them."""

    @pytest_asyncio.fixture
    async def harness(self, deploy: Deploy, plugin: str) -> OurHarness:
        return await deploy_contributor(deploy, plugin)


def test_no_contributor_of_ours_is_left_out() -> None:
    """Whoever contributes runs the kit."""
    catalogue = Catalogue.read()
    manifests = (load(catalogue.any(name)).manifest for name in catalogue.bundled())

    assert {manifest.name for manifest in manifests if PERSONAL_DATA in manifest.provides} == set(CONTRIBUTORS)
