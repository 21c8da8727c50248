"""What breaking each rule of what a plugin declares, imports and ships looks like."""

from __future__ import annotations

import dataclasses
import json

import pytest

from kernel.contracts.chat import CHAT
from kernel.contracts.personal_data import PERSONAL_DATA
from kernel.testing.samples import PERSON, sample_event
from tests.kernel.testing.acme import Acme, Change


async def test_sound_plugin_keeps_every_rule(acme: Acme) -> None:
    """Without anything that could not be checked."""
    acme.install()

    assert {one.rule: one.verdict for one in await acme.examine()} == dict.fromkeys(
        (
            *("manifest", "hooks", "schemas", "isolation", "distribution", "boot", "events", "permissions", "routes"),
            *("revisions", "foreign keys", "tables (sqlite)", "lifecycle", "redelivery", "personal data"),
        ),
        "kept",
    )


@pytest.mark.parametrize(
    ("rule", "change", "remedy"),
    [
        ("manifest", ('summary="Takes notes"', 'summary=""'), "set `summary` in the manifest"),
        ("manifest", ('version="1.0"', 'version="one"'), "version 'one' is not one of PEP 440"),
        ("manifest", ('version="1.0"', 'version="1.0", kernel_api=">=1"'), "kernel_api '>=1' admits kernels to come"),
        ("permissions", ("acme.read", "read"), "the permission 'read' must begin with one of: acme."),
        ("permissions", ("Read notes", ""), "say in the `summary` of 'acme.read' what it allows"),
        ("routes", ("'''List the notes.'''", ""), "give the handler of GET / a docstring"),
        (
            "isolation",
            ("class Notes:", "import plugins.mail\n\n\nclass Notes:"),
            "imports plugins.mail, another plugin",
        ),
        ("isolation", ("class Notes:", "from plugins import mail\n\n\nclass Notes:"), "imports plugins.mail, another"),
        (
            "isolation",
            ("return []", 'import importlib\n        return [importlib.import_module("plugins.mail").__name__]'),
            "imports plugins.mail, another plugin",
        ),
        (
            "foreign keys",
            ('sa.Column("user_id", sa.Uuid)', 'sa.Column("user_id", sa.Uuid, sa.ForeignKey("accounts.id"))'),
            "notes.user_id refers to accounts, which is no table of its own",
        ),
        (
            "foreign keys",
            ("nullable=False),\n)", 'nullable=False),\n    schema="p_auth",\n)'),
            "p_auth.notes names a schema",
        ),
    ],
)
async def test_breach_is_named_with_its_remedy(acme: Acme, rule: str, change: Change, remedy: str) -> None:
    """A row of the rule's own says what to do."""
    acme.install(change)
    found = await acme.breaches()

    assert any(one == rule and remedy in told for one, told in found), found
    if rule != "foreign keys":  # without which there are no tables either
        assert {one for one, _ in found} == {rule}


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (('permission="acme.read"', 'permission=""'), "the route GET  has no permission"),
        (("-> list[str]:", ":"), "has no return annotation"),
        (("requires=(PAYMENTS,)", 'requires=(Capability("telepathy", 1),)'), "it requires telepathy/1"),
        (("return Migrations(metadata, migrations)", "return metadata"), "its hook 'migrations' returned MetaData()"),
    ],
)
async def test_plugin_that_does_not_boot_is_not_looked_at_further(acme: Acme, change: Change, remedy: str) -> None:
    """What was not checked is no rule that was kept."""
    acme.install(change, ("from kernel import *", "from kernel import *\nfrom kernel.capabilities import Capability"))
    verdicts = {one.rule: one for one in await acme.examine()}

    assert verdicts["boot"].verdict == "broken" or "routes" in verdicts
    assert any(remedy in one.remedy for one in verdicts.values() if one.verdict == "broken"), verdicts
    if verdicts["boot"].verdict == "broken":
        assert verdicts["lifecycle"].verdict == verdicts["redelivery"].verdict == "not checked"


async def test_hook_that_does_not_exist_is_no_hook(acme: Acme) -> None:
    """A misspelt one would never be called."""
    acme.install(("def permissions(self)", "def permisions(self)"))

    assert ("hooks", "'permisions' is not a hook; did you mean 'permissions'?") in await acme.breaches()


@pytest.mark.parametrize("owner", ["auth", "personal_data"])
async def test_event_of_its_own_bears_its_name(acme: Acme, owner: str) -> None:
    """Whoever reads the log knows whose it is: what many contribute to is nobody's name."""
    acme.install(("acme.note_taken.v1", f"{owner}.note_taken.v1"))
    found = dict(await acme.breaches())

    assert (
        f"the event '{owner}.note_taken.v1' bears a name that belongs to others; begin it with 'acme.'"
        in found["events"]
    )


async def test_name_with_a_hyphen_has_an_underscore_in_its_events(acme: Acme) -> None:
    """Wire names know no hyphens, permissions do."""
    acme.install()
    subject = acme.subject()
    manifest = dataclasses.replace(subject.manifest, name="night-owl", provides=(CHAT, PERSONAL_DATA))
    owl = dataclasses.replace(subject, discovered=dataclasses.replace(subject.discovered, manifest=manifest))

    assert owl.event_prefixes == ("night_owl.", "chat.")
    assert owl.prefixes == ("night-owl.", "chat.")


async def test_schema_is_committed(acme: Acme) -> None:
    """The remedy is a command."""
    acme.install()
    acme.schema.unlink()

    ((rule, remedy),) = await acme.breaches()
    assert rule == "schemas"
    assert remedy.startswith("acme.note_taken.v1 has no committed schema in schemas/; run `lyceum plugins check acme")


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (
            ("    user_id: UUID\n    email: str", "    user_id: UUID\n    email: int"),
            "NoteTaken.email is of another type",
        ),
        (("    email: str\n", "    email: str\n    text: str\n"), "the new field NoteTaken.text has no default"),
    ],
)
async def test_event_does_not_change_under_its_name(acme: Acme, change: Change, remedy: str) -> None:
    """Somebody reads it by the schema that was committed."""
    acme.install(change)
    told = dict(await acme.breaches())["schemas"]

    assert remedy in told
    assert "add a class with the next version" in told


async def test_event_may_grow(acme: Acme) -> None:
    """By a field with a default; the remark says how to have it committed."""
    acme.install(("    email: str\n", '    email: str\n    text: str = ""\n'))
    (verdict,) = [one for one in await acme.examine() if one.rule == "schemas"]

    assert verdict.verdict == "kept"
    assert "acme.note_taken.v1 has grown; run `lyceum plugins check acme --write-schemas`" in verdict.remedy


async def test_event_whose_schema_is_there_stays(acme: Acme) -> None:
    """Logs may hold it."""
    acme.install()
    gone = acme.schema.with_name("acme.note_lost.v1.json")
    gone.write_text(json.dumps(json.loads(acme.schema.read_text())))

    ((rule, remedy),) = await acme.breaches()
    assert rule == "schemas"
    assert remedy.startswith("acme.note_lost.v1 is published no more; keep its class")


@pytest.mark.parametrize("package", ["plugins", "kernel"])
async def test_distribution_brings_no_package_of_ours(acme: Acme, package: str) -> None:
    """It would take the place of the platform's, or be taken for it."""
    acme.install()
    (acme.site / package).mkdir()
    (acme.site / package / "acme.py").touch()
    acme.register("acme_lyceum/__init__.py", f"{package}/acme.py")

    assert await acme.breaches() == [
        (
            "distribution",
            f"acme ships a top-level package '{package}', which is the platform's; give it a name of its own",
        )
    ]


async def test_editable_distribution_brings_no_package_of_ours_either(acme: Acme) -> None:
    """Its files are those of the folder that its `.pth` file puts on the path."""
    acme.install()
    source = acme.site.parent / "source"
    (source / "plugins").mkdir(parents=True)
    (source / "plugins" / "__init__.py").touch()
    (acme.site / "acme.pth").write_text(f"{source}\n")
    acme.register("acme.pth")
    told = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (acme.site / "acme-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))

    assert [rule for rule, _ in await acme.breaches()] == ["distribution"]


async def test_distribution_that_does_not_say_what_it_ships_is_not_checked(acme: Acme) -> None:
    """Rather than taken for sound."""
    acme.install()
    (acme.site / "acme-1.0.dist-info" / "RECORD").unlink()

    assert [(one.rule, one.verdict) for one in await acme.examine() if one.verdict != "kept"] == [
        ("distribution", "not checked")
    ]


def test_made_up_events_are_about_the_same_person() -> None:
    """So that they hang together, and what comes of them can be handed out."""
    from kernel.contracts.auth import UserRegistered
    from kernel.contracts.enrollments import UserEnrolled

    registered, enrolled = sample_event(UserRegistered), sample_event(UserEnrolled)

    assert registered == sample_event(UserRegistered)
    assert isinstance(registered, UserRegistered)
    assert isinstance(enrolled, UserEnrolled)
    assert registered.user_id == enrolled.user_id == PERSON
