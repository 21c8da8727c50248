"""The plugin keeps the rules of the house."""

from __future__ import annotations

from kernel.testing.conformance import assert_conforms
from kernel.testing.deploying import Deploy


async def test_plugin_keeps_the_rules_of_the_house(deploy: Deploy) -> None:
    """As `lyceum plugins check oidc` says."""
    await assert_conforms(deploy, "oidc")
