"""A deployment of the in-memory `auth/1`."""

from __future__ import annotations

from kernel.testing.contracts.auth import DeployedAuth, deploy_auth
from kernel.testing.contracts.in_memory import by_name
from kernel.testing.deploying import Deploy
from kernel.testing.fakes.auth import InMemoryAuthPlugin


async def deploy_memory(deploy: Deploy, plugin: type[InMemoryAuthPlugin] = InMemoryAuthPlugin) -> DeployedAuth:
    """Deploy *plugin*."""
    return await deploy_auth(deploy, plugins=[plugin], sign_in=by_name)
