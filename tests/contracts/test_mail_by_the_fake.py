"""The in-memory `mail/1` keeps the contract but for what outlives a process, so that tests with it mean something."""

from __future__ import annotations

import pytest
import pytest_asyncio

from kernel.testing.contracts.in_memory import mails_in_memory
from kernel.testing.contracts.mail import DeployedMail, MailContract, deploy_mail
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.mail import InMemoryMailPlugin

pytestmark = pytest.mark.sqlite_only


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedMail:
    return await deploy_mail(deploy, plugins=[InMemoryMailPlugin], outside=mails_in_memory)


class TestFakeMail(MailContract):
    """Mails that leave for a list."""
