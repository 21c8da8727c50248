"""What breaking each rule of what a plugin does looks like: with its tables, its events, and what it leaves behind."""

from __future__ import annotations

import sys
from uuid import UUID

import pytest

from kernel.testing.conformance import lifecycle
from tests.kernel.testing.acme import Acme, Change

NOBODY = UUID(int=7)
SHORT = 1.0  # seconds to wait for the end of what does not end
COLUMN = 'sa.Column("text", sa.Text, nullable=False),\n'
RUN = "        await session.run(NOTE, note=delivery.id, person=told.user_id, written=told.email)\n"
CONNECTS = "import sqlite3; kept.append(sqlite3.connect(ctx.db._location.file))"
LIVING = "async def living(ctx):\n    yield"
TABLES = "metadata = new_metadata()"
TOLD = "        told = delivery.event\n"
CONTRIBUTES = "return [Provide(PERSONAL_DATA, lambda: nullcontext(ctx.own(Notes)))]"


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ([(COLUMN, f'{COLUMN}        sa.Column("more", sa.Text),\n')], "tables and metadata differ: ('remove_column'"),
        ([(COLUMN, "")], "tables and metadata differ: ('add_column'"),
        ([('op.drop_table("notes")', "pass")], "already exists"),
        ([('op.drop_table("notes")', "raise ValueError('one way')")], "one way"),
    ],
)
async def test_revisions_make_the_tables_exactly_and_undo_them(acme: Acme, changes: list[Change], remedy: str) -> None:
    """Up, down and up again."""
    acme.install(revision=changes)
    found = await acme.breaches()

    assert found[0][0] == "tables (sqlite)"
    assert remedy in " ".join(told for _, told in found), found


async def test_downgrade_leaves_no_table(acme: Acme) -> None:
    """Also where the upgrade could bear it."""
    acme.install(
        revision=[
            ('"notes",', '"notes", if_not_exists=True, *('),
            ('name=op.f("pk_notes")),', 'name=op.f("pk_notes")),)'),
            ('op.drop_table("notes")', "pass"),
        ]
    )

    assert "the downgrade to the base leaves notes behind" in " ".join(told for _, told in await acme.breaches())


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("acme_0002.py", "def upgrade(): ...\n", "acme_0002.py needs both `upgrade` and `downgrade`"),
        ("second.py", "def upgrade(): ...\ndef downgrade(): ...\n", "begin the name of second.py with 'acme'"),
    ],
)
async def test_each_revision_goes_both_ways_and_bears_the_name_of_its_plugin(
    acme: Acme, name: str, text: str, remedy: str
) -> None:
    """The `__init__.py` that makes a package of their folder is none of them."""
    acme.install()
    file = acme.package / "migrations" / "versions" / name
    file.write_text(f"revision = 'acme_0002'\ndown_revision = 'acme_0001'\n{text}")

    assert ("revisions", remedy) in await acme.breaches()


async def test_revisions_form_one_line(acme: Acme) -> None:
    """Two that follow the same one leave open which tables there are."""
    acme.install()
    for number in (2, 3):
        text = f"revision = 'acme_000{number}'\ndown_revision = 'acme_0001'\ndef upgrade(): ...\ndef downgrade(): ...\n"
        (acme.package / "migrations" / "versions" / f"acme_000{number}.py").write_text(text)

    told = dict(await acme.breaches())
    assert told["revisions"].startswith("the revisions acme_0002, acme_0003 are all the last")


@pytest.mark.parametrize(
    ("living", "remedy"),
    [
        ("kept.append(asyncio.create_task(asyncio.sleep(60)))\n    yield", "a task still runs after the stop: sleep"),
        (
            "kept.append(Thread(target=ended.wait, name='acme')), kept[-1].start()\n    yield",
            "a thread still runs after the stop: acme",
        ),
        ("kept.append(socket.create_server(('127.0.0.1', 0)))\n    yield", "a connection is still open after the stop"),
        ("yield\n    raise ValueError('stuck')", "it does not stop cleanly: ValueError: stuck"),
        ("raise ValueError('no')\n    yield", "its start raised ValueError: no"),
    ],
)
async def test_nothing_outlives_the_stop(acme: Acme, living: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tasks nor threads nor connections; what needs a running plugin is not looked at then."""
    monkeypatch.setattr(lifecycle, "PATIENCE", SHORT)
    imports = "import asyncio, socket\nfrom threading import Event as Flag, Thread\nkept, ended = [], Flag()\n"
    acme.install((LIVING, f"async def living(ctx):\n    {living}"), (TABLES, f"{imports}{TABLES}"))
    verdicts = await acme.examine()
    _end_what_is_left()

    (broken,) = [one for one in verdicts if one.verdict == "broken"]
    assert (broken.rule, remedy in broken.remedy) == ("lifecycle", True), broken
    assert {one.rule for one in verdicts if one.verdict == "not checked"} == {"redelivery", "personal data"}


async def test_connection_to_its_database_is_closed(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that it has opened by itself: the file is named."""
    monkeypatch.setattr(lifecycle, "PATIENCE", SHORT)
    acme.install(
        (
            LIVING,
            f"async def living(ctx):\n    {CONNECTS}\n    yield",
        ),
        (TABLES, f"kept = []\n{TABLES}"),
    )
    found = await acme.breaches()
    _end_what_is_left()

    assert [rule for rule, _ in found] == ["lifecycle"]
    assert "acme.sqlite3" in found[0][1]


async def test_second_start_is_tried_too(acme: Acme) -> None:
    """What the first leaves in the module is met by the second."""
    acme.install(
        (LIVING, "async def living(ctx):\n    assert not kept, 'started before'\n    kept.append(1)\n    yield"),
        (TABLES, f"kept = []\n{TABLES}"),
    )

    ((rule, remedy),) = await acme.breaches()
    assert rule == "lifecycle"
    assert "started before" in remedy


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        (
            [("note=delivery.id", "note=new_id()")],
            "the handler taken of acme.note_taken.v1 changes notes (+1 rows) again",
        ),
        ([("    .on_conflict_do_nothing()\n", "")], "UniqueViolation"),
        (
            [
                (
                    "    .on_conflict_do_nothing()",
                    '    .on_conflict_do_update(index_elements=["id"], set_={"text": notes.c.text + "!"})',
                )
            ],
            "changes notes (text) again",
        ),
        (
            [
                (RUN, "        await self.ctx.events.publish(session, NoteTaken(user_id=told.course_id, email=''))\n"),
                ("on(NoteTaken", "on(CourseDeleted"),
            ],
            "changes the outbox (+1 rows) again",
        ),
    ],
)
async def test_second_delivery_changes_nothing(acme: Acme, changes: list[Change], remedy: str) -> None:
    """Neither what is stored nor what is told."""
    acme.install(*changes)

    ((rule, told),) = await acme.breaches()
    assert rule == "redelivery"
    assert remedy in told


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((RUN, "        raise LookupError('who is that?')\n"), "LookupError: who is that?"),
        ((RUN, ""), "stored nothing of a made-up event"),
    ],
)
async def test_handler_of_which_nothing_is_known_does_not_count_as_sound(
    acme: Acme, change: Change, reason: str
) -> None:
    """It refuses a made-up event, or has nothing to do with it: a sample that fits would tell."""
    acme.install(change)
    (verdict,) = [one for one in await acme.examine() if one.verdict != "kept"]

    assert (verdict.rule, verdict.verdict) == ("redelivery", "not checked")
    assert reason in verdict.remedy
    assert "samples" in verdict.remedy


async def test_samples_are_tried_in_place_of_made_up_events(acme: Acme) -> None:
    """Of a handler that knows what it wants."""
    acme.install(
        (TOLD, f"{TOLD}        assert told.email == 'fern@oak.test', told\n"),
        ("note=delivery.id", "note=new_id()"),
    )
    sound = [one for one in await acme.examine() if one.verdict != "kept"]
    event = sys.modules["acme_lyceum"].NoteTaken(user_id=NOBODY, email="fern@oak.test")
    tried = [one for one in await acme.examine([event]) if one.verdict != "kept"]

    assert [one.verdict for one in sound] == ["not checked"]
    assert [one.verdict for one in tried] == ["broken"]


async def test_handler_of_every_event_is_tried_with_one_of_no_type(acme: Acme) -> None:
    """Or with the samples that are given."""
    acme.install(
        ("on(NoteTaken,", "on_every("),
        ("note=delivery.id, person=told.user_id, written=told.email", "note=new_id(), person=None, written=told.type"),
    )

    ((rule, remedy),) = await acme.breaches()
    assert rule == "redelivery"
    assert "the handler taken of every event changes notes (+1 rows) again" in remedy
    event = sys.modules["acme_lyceum"].NoteTaken(user_id=NOBODY, email="fern@oak.test")
    assert [one.rule for one in await acme.examine([event]) if one.verdict == "broken"] == ["redelivery"]


async def test_one_sample_of_several_that_shows_a_breach_is_enough(acme: Acme) -> None:
    """Also behind one that shows nothing."""
    acme.install(
        (TOLD, f"{TOLD}        assert told.email == 'fern@oak.test', told\n"), ("note=delivery.id", "note=new_id()")
    )
    await acme.examine()
    kind = sys.modules["acme_lyceum"].NoteTaken
    samples = [kind(user_id=NOBODY, email=email) for email in ("else@oak.test", "fern@oak.test")]

    assert [one.verdict for one in await acme.examine(samples) if one.verdict != "kept"] == ["broken"]


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        (
            [("provides=(PERSONAL_DATA,)", "provides=()"), (CONTRIBUTES, "return []")],
            "notes.user_id looks like something of people; contribute to personal_data/1",
        ),
        (
            [('.where(notes.c.user_id == bindparam("person")), str', ", str"), (", person=subject.user_id):", "):")],
            "hands out notes.json for somebody who was never here",
        ),
        (
            [
                ('sa.delete(notes).where(notes.c.user_id == bindparam("person"))', "sa.delete(notes)"),
                ("FORGET, person=subject.user_id", "FORGET"),
            ],
            "erasing somebody who was never here changes notes",
        ),
        (
            [("await self.ctx.db.run(FORGET, person=subject.user_id)", "pass")],
            "notes still holds the mail address of an erased person",
        ),
        (
            [("return Receipt(", "raise LookupError('unknown')\n        return Receipt(")],
            "its personal_data/1 raised LookupError: unknown",
        ),
        ([('erased=("your notes",)', "erased=(str(new_id()),)")], "erasing twice gives two receipts"),
    ],
)
async def test_personal_data_is_declared_handed_out_and_erased(acme: Acme, changes: list[Change], remedy: str) -> None:
    """Of the person that is asked for and nobody else."""
    acme.install(*changes)

    ((rule, told),) = await acme.breaches()
    assert rule == "personal data"
    assert remedy in told


async def test_column_can_say_that_it_is_not_of_people(acme: Acme) -> None:
    """Whatever it is called."""
    acme.install(
        ("provides=(PERSONAL_DATA,)", "provides=()"),
        (CONTRIBUTES, "return []"),
        ('sa.Column("user_id", sa.Uuid)', 'sa.Column("user_id", sa.Uuid, info={"personal": False})'),
    )

    assert await acme.breaches() == []


def _end_what_is_left() -> None:
    """End what the plugin has left behind, which its test is about."""
    module = sys.modules["acme_lyceum"]
    getattr(module, "ended", None) and module.ended.set()
    for one in module.kept:
        close = getattr(one, "close", None) or getattr(one, "join", None)
        if close is not None:
            close()
