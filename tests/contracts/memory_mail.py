"""Where the mails of the in-memory provider go."""

from __future__ import annotations

from typing import cast

from kernel.contracts.mail import MAIL
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.mail import InMemoryMail


def memory_of(deployment: Deployment) -> InMemoryMail:
    """Return the fake that the deployment runs."""
    return cast(InMemoryMail, deployment.platform.services.get(MAIL))
