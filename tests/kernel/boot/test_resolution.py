"""One provider for each capability, one order to start in, and a readable reason where there is none."""

from __future__ import annotations

import pytest

from kernel import Capability, Contribution, Manifest, errors
from kernel.resolution import SoftEdge, resolve

A: Capability[object] = Capability("a")
B: Capability[object] = Capability("b")
C: Capability[object] = Capability("c")
RULE: Contribution[object] = Contribution("rule")


def manifests(*given: Manifest) -> dict[str, Manifest]:
    return {manifest.name: manifest for manifest in given}


def test_order_puts_providers_first() -> None:
    """A plugin starts after the providers of what it requires and wants."""
    found = resolve(
        manifests(
            Manifest(name="first", version="1", requires=(B,)),
            Manifest(name="last", version="1", provides=(A,)),
            Manifest(name="middle", version="1", provides=(B,), wants=(A,)),
        ),
        {},
    )

    assert found.order == ("last", "middle", "first")
    assert found.providers == {A: "last", B: "middle"}


def test_order_breaks_ties_by_name() -> None:
    """What does not depend on each other starts in the order of names, however it was installed."""
    found = resolve(manifests(*(Manifest(name=name, version="1") for name in ("c", "a", "b"))), {})

    assert found.order == ("a", "b", "c")


def test_order_puts_contributors_before_who_wants_them() -> None:
    """Whoever wants a contribution starts after everyone who makes one."""
    found = resolve(
        manifests(
            Manifest(name="asker", version="1", wants=(RULE,)),
            Manifest(name="x", version="1", provides=(RULE,)),
            Manifest(name="y", version="1", provides=(RULE,)),
        ),
        {},
    )

    assert found.order == ("x", "y", "asker")


def test_want_that_would_close_a_cycle_is_dropped() -> None:
    """A soft edge gives way to a hard one, and is reported."""
    found = resolve(
        manifests(
            Manifest(name="x", version="1", provides=(A,), wants=(B,)),
            Manifest(name="y", version="1", provides=(B,), requires=(A,)),
        ),
        {},
    )

    assert found.order == ("x", "y")
    assert found.dropped == (SoftEdge(consumer="x", provider="y", capability="b/1"),)


def test_missing_capability_names_who_could_provide_it() -> None:
    """The refusal says which installed plugins are off and would help."""
    with pytest.raises(errors.MissingCapability) as refusal:
        resolve(manifests(Manifest(name="x", version="1", requires=(A,))), {}, could_provide=lambda _: ("y", "z"))

    assert str(refusal.value) == "x: it requires a/1, which no enabled plugin provides; enable one of: y, z"


def test_missing_capability_that_nobody_could_provide() -> None:
    """Where nothing installed would help, the refusal says to install something."""
    with pytest.raises(errors.MissingCapability) as refusal:
        resolve(manifests(Manifest(name="x", version="1", requires=(A,))), {})

    assert str(refusal.value) == (
        "x: it requires a/1, which no enabled plugin provides; install and enable a plugin that provides it"
    )


def test_missing_major_is_missing() -> None:
    """Another major is another capability."""
    with pytest.raises(errors.MissingCapability):
        resolve(
            manifests(
                Manifest(name="x", version="1", requires=(Capability("a", 2),)),
                Manifest(name="y", version="1", provides=(A,)),
            ),
            {},
        )


def test_optional_plugin_without_its_capability_is_left_out_with_its_dependants() -> None:
    """An optional plugin that lacks something fails alone; optional plugins that require it fail with it."""
    found = resolve(
        manifests(
            Manifest(name="x", version="1", provides=(B,), requires=(A,), optional=True),
            Manifest(name="y", version="1", requires=(B,), optional=True),
            Manifest(name="z", version="1"),
        ),
        {},
    )

    assert found.order == ("z",)
    assert found.unmet == {
        "x": "it requires a/1, which no enabled plugin provides; install and enable a plugin that provides it",
        "y": "it requires b/1, whose provider x failed: "
        "it requires a/1, which no enabled plugin provides; install and enable a plugin that provides it",
    }


def test_two_providers_are_refused_with_the_way_to_choose() -> None:
    """The refusal shows the line to write."""
    with pytest.raises(errors.AmbiguousProvider) as refusal:
        resolve(
            manifests(
                Manifest(name="acme-pay", version="1", provides=(A,)),
                Manifest(name="pay", version="1", provides=(A,)),
            ),
            {},
        )

    assert str(refusal.value) == (
        'the enabled plugins acme-pay and pay provide a/1; choose one in the configuration: [providers] a = "acme-pay"'
    )


def test_chosen_provider_sets_the_other_aside() -> None:
    """The plugin that was not chosen does not run."""
    found = resolve(
        manifests(
            Manifest(name="acme-pay", version="1", provides=(A,)),
            Manifest(name="pay", version="1", provides=(A,)),
            Manifest(name="shop", version="1", requires=(A,)),
        ),
        {"a": "acme-pay"},
    )

    assert found.order == ("acme-pay", "shop")
    assert found.providers == {A: "acme-pay"}
    assert found.set_aside == {"pay": "a/1 is provided by acme-pay"}


def test_provider_of_something_else_still_runs() -> None:
    """A plugin that loses one capability keeps its others."""
    found = resolve(
        manifests(
            Manifest(name="big", version="1", provides=(A, B)),
            Manifest(name="small", version="1", provides=(A,)),
        ),
        {"a/1": "small"},
    )

    assert found.providers == {A: "small", B: "big"}
    assert found.set_aside == {}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("gone", "[providers] a = \"gone\": 'gone' is not an enabled plugin; choose among: y"),
        ("x", "[providers] a = \"x\": 'x' does not provide it; choose among: y"),
    ],
)
def test_unknown_provider_is_refused(chosen: str, message: str) -> None:
    """A choice must be an enabled plugin that has the capability."""
    with pytest.raises(errors.UnknownProvider) as refusal:
        resolve(
            manifests(Manifest(name="x", version="1"), Manifest(name="y", version="1", provides=(A,))), {"a": chosen}
        )

    assert str(refusal.value) == message


def test_unknown_provider_of_an_unknown_capability() -> None:
    """A choice for something that nobody provides is a line to remove."""
    with pytest.raises(errors.UnknownProvider) as refusal:
        resolve(manifests(Manifest(name="x", version="1")), {"a": "x"})

    assert str(refusal.value) == (
        "[providers] a = \"x\": 'x' does not provide it; no enabled plugin provides it; remove the line"
    )


def test_cycle_is_printed_as_a_path() -> None:
    """The refusal shows who requires whom, and by which capability."""
    with pytest.raises(errors.CapabilityCycle) as refusal:
        resolve(
            manifests(
                Manifest(name="x", version="1", provides=(A,), requires=(C,)),
                Manifest(name="y", version="1", provides=(B,), requires=(A,)),
                Manifest(name="z", version="1", provides=(C,), requires=(B,)),
            ),
            {},
        )

    assert str(refusal.value) == (
        "the plugins require each other in a circle: x → z → y → x "
        "(x requires c/1 of z, z requires b/1 of y, y requires a/1 of x); turn one of these into a `wants` or an event"
    )
