"""A harness for a provider of `audit/1` that runs in a deployment: it hears of acts that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel import new_id
from kernel.contracts.audit import AUDIT, ActRecorded, Audit
from kernel.contracts.audit_http import ActSeen
from kernel.testing import teller
from kernel.testing.choices import PluginClass, Tables
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment

ACTS: Final = "/api/v1/audit/acts"


@dataclass
class DeployedAudit:
    """A provider that knows of no act yet."""

    deployment: Deployment

    @property
    def audit(self) -> Audit:
        return self.deployment.platform.services.get(AUDIT)

    async def tell(self, *acts: ActRecorded) -> list[UUID]:
        """Publish *acts*; return their ids once the provider has heard of them."""
        return await teller.tell(self.deployment, *acts)

    async def shown(self, **query: object) -> list[ActSeen]:
        """Return the first page that an administrator sees."""
        wanted = {name: str(value) for name, value in query.items()}
        answer = await self.deployment.client("admin").call("GET", ACTS, params=wanted, expect=200)
        return msgspec.convert(answer["items"], list[ActSeen])


async def deploy_audit(
    deploy: Deploy,
    *names: str,
    plugins: Sequence[PluginClass] = (),
    settings: Tables | None = None,
    sections: Tables | None = None,
) -> DeployedAudit:
    """Deploy the plugins *names*, one of which provides `audit/1`. The other arguments are those of `deploy`."""
    classes: list[PluginClass] = [teller.teller_of(ActRecorded), *plugins]
    return DeployedAudit(await deploy(*names, plugins=classes, settings=settings, sections=sections))


def watered(bed: str = "bed:1", *, actor: UUID | None = None, action: str = "garden.water", **more: Any) -> ActRecorded:
    """Return the act of somebody who watered a bed."""
    return ActRecorded(action=action, subject=bed, actor=actor or new_id(), **more)
