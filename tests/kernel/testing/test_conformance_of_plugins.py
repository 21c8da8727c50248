"""Every plugin of ours keeps every rule, on both ends, and a stranger's is asked by one line."""

from __future__ import annotations

import sys

import pytest

from kernel.discovery import Catalogue
from kernel.testing.conformance import assert_conforms
from kernel.testing.deploying import Deploy
from tests.kernel.testing.acme import WITH_SETTINGS, Acme

#: Rules of which nothing may be left unknown.
MAY_BE_UNKNOWN = {"redelivery"}


@pytest.mark.parametrize("name", [*Catalogue.read().bundled(), "freepay"])
async def test_plugin_keeps_every_rule(deploy: Deploy, name: str) -> None:
    """Ours come in by the same door as a stranger's."""
    verdicts = await assert_conforms(deploy, name)

    assert {one.rule for one in verdicts if one.verdict == "not checked"} <= MAY_BE_UNKNOWN


async def test_plugin_is_named_by_its_class_too(deploy: Deploy, acme: Acme) -> None:
    """The class that its entry point names, which is what people install."""
    acme.install()
    kind = Catalogue.read().get("acme", where="a test").load()
    assert isinstance(kind, type)

    verdicts = await assert_conforms(deploy, kind)

    assert {one.verdict for one in verdicts} == {"kept"}


async def test_class_that_no_entry_point_names_does_not_conform(deploy: Deploy, acme: Acme) -> None:
    """Nobody could switch it on."""
    acme.install()
    Catalogue.read().get("acme", where="a test").load()
    kind = sys.modules["acme_lyceum"].AcmePlugin

    with pytest.raises(AssertionError, match="the entry point 'acme' names acme_lyceum:AcmePlugin, not"):
        await assert_conforms(deploy, type("Other", (kind,), {"__module__": "elsewhere"}))


async def test_failure_names_every_breach_with_its_remedy(deploy: Deploy, acme: Acme) -> None:
    """All at once."""
    acme.install(('summary="Takes notes"', 'summary=""'), ("note=delivery.id", "note=new_id()"))

    with pytest.raises(AssertionError) as failure:
        await assert_conforms(deploy, "acme")

    first, *rest = str(failure.value).splitlines()
    assert first.endswith("acme breaks the rules of the house:")
    assert [line.partition(":")[0] for line in rest] == ["manifest", "redelivery"]


async def test_settings_are_given_where_a_plugin_needs_them(deploy: Deploy, acme: Acme) -> None:
    """Without them it does not boot, and the rest is not looked at."""
    acme.install(*WITH_SETTINGS)

    with pytest.raises(AssertionError, match="boot: a setting is wrong"):
        await assert_conforms(deploy, "acme")
    await assert_conforms(deploy, "acme", settings={"key": "value"})
