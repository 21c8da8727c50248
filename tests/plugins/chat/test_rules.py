"""The rules of the house, kept by chat."""

from __future__ import annotations

from kernel.testing.conformance import assert_conforms
from kernel.testing.deploying import Deploy


async def test_chat_keeps_the_rules_of_the_house(deploy: Deploy) -> None:
    """With nothing but what it requires."""
    await assert_conforms(deploy, "chat")
