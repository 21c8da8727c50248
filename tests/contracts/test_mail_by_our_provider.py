"""Our own provider of `mail/1` keeps the contract, on both ends."""

from __future__ import annotations

import pytest_asyncio

from kernel.testing.contracts.mail import DeployedMail, MailContract, MailDurabilityContract, deploy_mail
from kernel.testing.deploying import Deploy


@pytest_asyncio.fixture
async def harness(deploy: Deploy) -> DeployedMail:
    return await deploy_mail(deploy, "mail")


class TestOurMail(MailContract):
    """By SMTP."""


class TestOurMailLasts(MailDurabilityContract):
    """In a queue of its own."""
