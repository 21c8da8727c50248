"""How people sign in to the in-memory `auth/1`."""

from __future__ import annotations

from typing import cast

from kernel import problems
from kernel.contracts.auth import AUTH
from kernel.testing.clients import Client
from kernel.testing.contracts.auth import DeployedAuth, NotLetIn, deploy_auth
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from kernel.testing.fakes.auth import InMemoryAuth, InMemoryAuthPlugin


async def by_name(deployment: Deployment, email: str) -> Client:
    """Sign in without any proof."""
    auth = cast(InMemoryAuth, deployment.platform.services.get(AUTH))
    try:
        token = await auth.sign_in_by_name(email)
    except problems.NotSignedIn as error:
        raise NotLetIn(email) from error
    return deployment.client(token=token, user=auth.accounts.arrive(email)[0].id)


async def deploy_memory(deploy: Deploy, plugin: type[InMemoryAuthPlugin] = InMemoryAuthPlugin) -> DeployedAuth:
    """Deploy *plugin*."""
    return await deploy_auth(deploy, plugins=[plugin], sign_in=by_name)
