"""The log: what was done is kept once, in a chain, and found."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from datetime import timedelta
from typing import Final

import msgspec
import pytest
import sqlalchemy as sa

from kernel import new_id
from kernel.contracts.audit import AUDIT
from kernel.database import Query
from kernel.testing.deploying import Deploy
from kernel.testing.deployment import Deployment
from plugins.audit.log import COLUMNS, Act
from plugins.audit.verify import Fault, verify
from tests.plugins.audit.telling import ACTS, GardenPlugin, acts, do, open_garden, somebody

FIRST_ACTS: Final = Query(sa.select(*COLUMNS).order_by("number").limit(2), Act)


async def faults(deployment: Deployment) -> list[Fault]:
    return [fault async for fault in verify(deployment.platform.context("audit").db)]


async def execute(deployment: Deployment, *statements: str) -> None:
    """Run SQL with the rights of the plugin."""
    async with deployment.platform.context("audit").db.engine().begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


async def test_act_is_kept_with_all_that_was_told(deploy: Deploy) -> None:
    """Who, what, to whom, from where, why, before and after, by which plugin and request."""
    deployment = await open_garden(deploy)
    gardener = somebody(deployment)
    told = {"before": {"wet": False, "ml": 0}, "after": {"wet": True, "ml": 250}, "reason": "It was dry."}

    await do(gardener, action="garden.water", subject="bed:7", **told)

    (found,) = await acts(deployment)
    assert (found["number"], found["action"], found["subject"]) == (1, "garden.water", "bed:7")
    assert (found["actor"], found["acting_as"], found["origin"]) == (str(gardener.user), None, "127.0.0.1")
    assert {name: found[name] for name in told} == told
    assert found["source"] == "garden"
    assert found["request_id"]
    assert await deployment.platform.services.get(AUDIT).count("bed:7") == 1
    assert await deployment.platform.services.get(AUDIT).count("bed:8") == 0


async def test_acts_are_listed_newest_first_in_pages(deploy: Deploy) -> None:
    """Each once, whatever comes meanwhile."""
    deployment = await open_garden(deploy)
    gardener = somebody(deployment)
    for number in range(5):
        await do(gardener, subject=f"bed:{number}")
        deployment.clock.advance(1)
    await deployment.settle()
    admin = deployment.client("admin")

    first = await admin.call("GET", f"{ACTS}?limit=3")
    await do(gardener, subject="bed:9")
    await deployment.settle()
    second = await admin.call("GET", f"{ACTS}?limit=3&cursor={first['next']}")

    assert [found["subject"] for found in first["items"] + second["items"]] == [f"bed:{n}" for n in (4, 3, 2, 1, 0)]
    assert second["next"] is None


async def test_acts_of_one_moment_are_all_listed(deploy: Deploy) -> None:
    """A page may end among those that happened at once."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment), times=5)
    await deployment.settle()
    admin = deployment.client("admin")

    first = await admin.call("GET", f"{ACTS}?limit=2")
    second = await admin.call("GET", f"{ACTS}?limit=100&cursor={first['next']}")

    assert [found["number"] for found in first["items"] + second["items"]] == [5, 4, 3, 2, 1]


async def test_acts_are_found_by_who_what_whom_and_when(deploy: Deploy) -> None:
    """Filters combine; the end of a time does not count itself."""
    deployment = await open_garden(deploy)
    ada, bob = somebody(deployment), somebody(deployment)
    begin = deployment.clock.now()
    for client, action, subject in (
        (ada, "garden.water", "bed:1"),
        (bob, "garden.water", "bed:2"),
        (ada, "garden.weed", "bed:2"),
    ):
        about = str(bob.user) if action == "garden.weed" else None
        await do(client, action=action, subject=subject, about=about)
        deployment.clock.advance(60)

    async def numbers(query: str) -> list[int]:
        return [found["number"] for found in await acts(deployment, query)]

    def moment(minutes: int) -> str:
        return (begin + timedelta(minutes=minutes)).isoformat().replace("+", "%2B")

    assert await numbers(f"actor={ada.user}") == [3, 1]
    assert await numbers("subject=bed:2") == [3, 2]
    assert await numbers("action=garden.water") == [2, 1]
    assert await numbers(f"action=garden.water&actor={ada.user}&subject=bed:1") == [1]
    assert await numbers(f"about={bob.user}") == [3]
    assert await numbers(f"since={moment(1)}") == [3, 2]
    assert await numbers(f"until={moment(1)}") == [1]
    assert await numbers(f"since={moment(1)}&until={moment(2)}") == [2]
    assert await numbers(f"actor={new_id()}") == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-01-01T00:00:00", "until=0001-01-01T00:00:00Z", "who=me"]
)
async def test_wrong_filter_is_refused(deploy: Deploy, query: str) -> None:
    """A moment without a time zone, or outside the calendar, and what is no filter."""
    deployment = await open_garden(deploy)

    await deployment.client("admin").call("GET", f"{ACTS}?{query}", expect=422)


async def test_only_administrators_look_at_the_log(deploy: Deploy) -> None:
    """And looking is not an act."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment))

    await deployment.client("instructor").call("GET", ACTS, expect=403)
    await deployment.client().call("GET", ACTS, expect=401)

    assert len(await acts(deployment)) == 1
    assert len(await acts(deployment)) == 1


async def test_table_holds_nothing_that_a_spreadsheet_executes(deploy: Deploy) -> None:
    """With `Accept: text/csv`; whatever the page, all acts that pass the filters are in it."""
    deployment = await open_garden(deploy)
    await do(
        somebody(deployment), subject="bed:2", reason='=HYPERLINK("http://evil.example")', after={"a": 1, "b": "x,y"}
    )
    for reason in ("+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"):
        await do(somebody(deployment), reason=reason)
    await deployment.settle()
    headers = {"Accept": "text/csv"}

    async with deployment.client("admin").get(f"{ACTS}?limit=2", headers=headers) as answer:
        assert answer.content_type == "text/csv"
        lines = list(csv.DictReader(io.StringIO(await answer.text(), newline="")))
    async with deployment.client("admin").get(f"{ACTS}?subject=bed:2", headers=headers) as answer:
        last = list(csv.DictReader(io.StringIO(await answer.text())))

    assert [line["reason"][:2] for line in lines[:-1]] == [
        "'\n",
        "'\r",
        "'\t",
        "'@",
        "'-",
        "'+",
    ]
    assert last == lines[-1:]
    assert last[0]["reason"] == '\'=HYPERLINK("http://evil.example")'
    assert last[0]["after"] == '{"a":1,"b":"x,y"}'


async def test_table_holds_the_whole_log_and_its_links(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is; the last link of the chain is the one that `audit verify` names."""
    monkeypatch.setattr("plugins.audit.log.PAGE", 3)
    deployment = await open_garden(deploy)
    for number in range(8):
        await do(somebody(deployment), reason=str(number))
    await deployment.settle()

    async with deployment.client("admin").get(ACTS, headers={"Accept": "text/csv"}) as answer:
        lines = list(csv.DictReader(io.StringIO(await answer.text(), newline="")))

    assert [line["reason"] for line in lines] == [str(number) for number in reversed(range(8))]
    verified = await deployment.command("audit", "verify")
    assert f"{lines[0]['number']}:{lines[0]['link'][:12]}" in verified.output
    assert "T" in lines[0]["time"]


async def test_untouched_log_verifies(deploy: Deploy) -> None:
    """Whatever the acts hold; an empty one too."""
    deployment = await open_garden(deploy)
    assert await faults(deployment) == []

    await do(
        somebody(deployment), reason="Größe 1e2 'quoted' 😀", before={"z": 1.5, "a": [1, {"b": None}], "n": 10**15}
    )
    await do(somebody(deployment), times=3)
    await deployment.settle()

    assert await faults(deployment) == []


async def test_acts_from_before_they_said_whom_they_are_about_verify(deploy: Deploy) -> None:
    """Their links cover what there was then, and those of acts without such a person nothing more."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment), reason="So.", after={"wet": True})
    await do(somebody(deployment), about=str(new_id()))
    await deployment.settle()

    first, second = await deployment.platform.context("audit").db.all(FIRST_ACTS)

    former = msgspec.structs.asdict(first) | {"link": b""}
    assert list(former)[-1] == "about"
    del former["about"]
    assert first.link == hashlib.sha256(msgspec.json.encode(former)).digest()
    assert second.link != msgspec.structs.replace(second, about=None).linked_to(first.link)
    assert await faults(deployment) == []


@pytest.mark.parametrize("statement", ["UPDATE acts SET reason = 'none'", "DELETE FROM acts"])
async def test_database_refuses_to_change_acts(deploy: Deploy, statement: str) -> None:
    """Also to the plugin itself."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment))
    await deployment.settle()

    with pytest.raises(sa.exc.DBAPIError, match="acts is append-only"):
        await execute(deployment, statement)

    assert len(await acts(deployment)) == 1


@pytest.mark.postgresql_only
async def test_log_can_not_be_truncated(deploy: Deploy) -> None:
    """PostgreSQL empties a table without looking at its rows; not this one."""
    deployment = await open_garden(deploy)

    with pytest.raises(sa.exc.DBAPIError, match="acts is append-only"):
        await execute(deployment, "TRUNCATE acts")


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE acts SET reason = 'forged' WHERE number = 2", "act 2: the act or one before it was changed"),
        ("UPDATE acts SET actor = NULL WHERE number = 2", "act 2: the act or one before it was changed"),
        ("UPDATE acts SET about = NULL WHERE number = 2", "act 2: the act or one before it was changed"),
        ("UPDATE acts SET about = actor WHERE number = 2", "act 2: the act or one before it was changed"),
        ("UPDATE acts SET before = '{}' WHERE number = 2", "act 2: the act or one before it was changed"),
        ("DELETE FROM acts WHERE number = 2", "act 3: the acts from 2 to 2 are gone"),
        ("DELETE FROM acts WHERE number = 4", "end: the log ends with the act 3; the last that was added is 4"),
        ("UPDATE acts SET number = 12 WHERE number = 2", "act 3: the acts from 2 to 2 are gone"),
    ],
)
async def test_tampering_is_found(deploy: Deploy, tampering: str, found: str) -> None:
    """Whoever can switch the triggers off can not make the links fit."""
    deployment = await open_garden(deploy)
    await do(somebody(deployment), times=4, about=str(new_id()))
    await deployment.settle()

    await tamper(deployment, tampering)

    assert found in [f"{fault.where}: {fault.what}" for fault in await faults(deployment)]


async def tamper(deployment: Deployment, statement: str) -> None:
    """Change the log past what forbids it."""
    if deployment.platform.context("audit").db.dialect == "postgresql":
        await execute(deployment, "ALTER TABLE acts DISABLE TRIGGER USER", statement)
    else:
        await execute(deployment, "DROP TRIGGER acts_update", "DROP TRIGGER acts_delete", statement)


@pytest.mark.postgresql_only
async def test_acts_of_several_processes_make_one_chain(deploy: Deploy) -> None:
    """Numbers without a hole, whoever adds at the same moment."""
    here = await open_garden(deploy)
    there = await here.twin()
    clients = [somebody(deployment) for deployment in (here, there) for _ in range(10)]

    await asyncio.gather(*(do(client, times=5) for client in clients))
    await asyncio.gather(here.settle(), there.settle())

    found = await acts(here, "limit=100")
    assert sorted(act["number"] for act in found) == list(range(1, 101))
    assert await faults(here) == []


async def test_log_that_was_off_catches_up(deploy: Deploy) -> None:
    """Acts wait where they were told."""
    deployment = await deploy(plugins=[GardenPlugin])
    await do(somebody(deployment), subject="bed:3")

    await deployment.restart("audit", plugins=[GardenPlugin])

    (found,) = await acts(deployment)
    assert found["subject"] == "bed:3"
